/*
 * One migration in /v1/status: where it stands, what both pools do, what was decided
 * last. The guard's part is in status_guard.c.
 */
#include "sluice/base/json.h"
#include "sluice/pool/server.h"

#include "admin_priv.h"

static double percent_of_ppm(uint32_t ppm)
{
	return ppm / 10000.0;
}

unsigned status_step(const struct admin_migration *m)
{
	switch (m->state->phase) {
	case SHIFT_RUNNING:
	case SHIFT_WAITING:
	case SHIFT_PAUSED:
	case SHIFT_DONE:
		return m->plan->n_steps > 0 ? m->state->step + 1 : 0;
	case SHIFT_IDLE:
	case SHIFT_MANUAL:
	case SHIFT_REVERTED:
	case SHIFT_CUTBACK:
	case SHIFT_N_PHASES:
		break;
	}
	return 0;
}

static const char *health_text(enum server_health h)
{
	switch (h) {
	case SERVER_UNKNOWN:
		return "unknown";
	case SERVER_UP:
		return "up";
	case SERVER_DOWN:
		return "down";
	}
	return "unknown";
}

/* Where a name leads just now: there requests go, and checks. */
static void put_place(struct json *j, const struct server *s)
{
	char place[SERVER_PLACE_SIZE];

	if (server_place_text(s, place))
		json_put_text(j, "resolved", place);
}

static struct json *server_json(const struct server *s)
{
	struct json *j = json_new_object();

	json_put_text(j, "address", server_address(s));
	put_place(j, s);
	json_put_text(j, "health", health_text(server_health(s)));
	json_put_text(j, "reason", server_health_reason(s));
	json_put_bool(j, "ejected", server_is_ejected(s));
	json_put_int(j, "in_flight", server_in_flight(s));
	return j;
}

static struct json *servers_json(const struct pool *p)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < pool_n_servers(p); i++)
		json_add(list, server_json(pool_server(p, i)));
	return list;
}

static double share(uint64_t part, uint64_t of)
{
	return of == 0 ? 0 : (double)part / (double)of;
}

static double in_ms(uint64_t us)
{
	return (double)us / 1000;
}

/* Open now, and since the start. */
static struct json *tunnels_json(const struct migration_counts *c, enum side side)
{
	const uint64_t *v = c->v[side];
	struct json *j = json_new_object();

	json_put_int(j, "open", (int64_t)v[COUNT_TUNNELS_OPEN]);
	json_put_int(j, "opened", (int64_t)v[COUNT_TUNNELS]);
	json_put_int(j, "broken", (int64_t)v[COUNT_TUNNELS_BROKEN]);
	json_put_int(j, "drained", (int64_t)v[COUNT_TUNNELS_DRAINED]);
	json_put_int(j, "cut", (int64_t)v[COUNT_TUNNELS_CUT]);
	json_put_int(j, "messages_in", (int64_t)v[COUNT_MESSAGES_IN]);
	json_put_int(j, "messages_out", (int64_t)v[COUNT_MESSAGES_OUT]);
	json_put_int(j, "bytes_in", (int64_t)v[COUNT_TUNNEL_BYTES_IN]);
	json_put_int(j, "bytes_out", (int64_t)v[COUNT_TUNNEL_BYTES_OUT]);
	return j;
}

static struct json *pool_json(const struct admin_migration *m, enum side side,
	const struct migration_counts *counts)
{
	const struct pool *p = side == SIDE_NEW ? m->new_ : m->legacy;
	struct pool_capacity now = pool_capacity(p, side == SIDE_LEGACY);
	struct json *j = json_new_object();

	json_put_text(j, "name", pool_config(p)->name);
	json_put_int(j, "healthy", now.n_usable);
	json_put_int(j, "servers_total", (int64_t)pool_n_servers(p));
	json_put_int(j, "ejected", now.n_ejected);
	json_put_real(j, "rps", 1000 * share(m->window[side].requests, m->window_ms));
	json_put_real(j, "error_percent",
		100 * share(m->window[side].errors, m->window[side].requests));
	json_put_real(j, "p50_ms", in_ms(m->window[side].p50_us));
	json_put_real(j, "p95_ms", in_ms(m->window[side].p95_us));
	json_put_real(j, "p99_ms", in_ms(m->window[side].p99_us));
	json_put_int(j, "samples", (int64_t)m->window[side].samples);
	json_put_int(j, "user_requests", (int64_t)m->window[side].user_requests);
	json_put_int(j, "user_errors", (int64_t)m->window[side].user_errors);
	json_put(j, "tunnels", tunnels_json(counts, side));
	json_put(j, "servers", servers_json(p));
	return j;
}

static void put_plan(struct json *j, const struct admin_migration *m)
{
	unsigned step = status_step(m);

	json_put_int(j, "step", step);
	json_put_int(j, "steps", m->plan->n_steps);
	json_put_int(j, "step_elapsed_ms", step > 0 ? m->engine->elapsed_ms : 0);
	json_put_int(j, "step_hold_ms",
		step > 0 ? m->plan->step[m->state->step].hold_ms : 0);
	json_put_int(j, "step_timeout_ms",
		step > 0 ? m->plan->step[m->state->step].timeout_ms : 0);
	json_put_bool(j, "plan_pending", m->plan_pending);
	json_put_text(
		j, "held", m->held == WHY_NOTHING ? NULL : shift_reason_name(m->held));
	json_put_text(j, "held_text",
		m->held == WHY_NOTHING ? NULL : shift_reason_text(m->held));
}

/* What is kept of it does not have the migration's name. */
static void put_last(struct json *j, const struct admin_migration *m)
{
	struct json *last;

	if (m->last == NULL) {
		json_put_text(j, "last_decision", NULL);
		return;
	}
	last = pending_query_decision_json(m->last, false);
	json_put_text(last, "migration", m->config->name);
	json_put(j, "last_decision", last);
}

struct json *status_migration(const struct admin_migration *m)
{
	struct json *j = json_new_object();
	struct json *pools = json_new_object();
	struct migration_counts counts;

	migration_sum(m->live, &counts);
	json_put_text(j, "name", m->config->name);
	json_put_text(j, "phase", shift_phase_text(m->state->phase));
	json_put_real(j, "weight_percent", percent_of_ppm(m->new_ppm));
	json_put_real(j, "effective_percent",
		percent_of_ppm(migration_effective_ppm(m->live)));
	json_put_int(j, "generation", (int64_t)m->generation);
	json_put_bool(j, "latched", shift_is_latched(m->state->phase));
	json_put_bool(j, "hard", migration_is_hard(m->live));
	put_plan(j, m);
	json_put(j, "guard", status_guards(m));
	json_put(pools, "legacy", pool_json(m, SIDE_LEGACY, &counts));
	json_put(pools, "new", pool_json(m, SIDE_NEW, &counts));
	json_put(j, "pools", pools);
	json_put_int(j, "rescued", (int64_t)m->rescued);
	json_put_int(j, "spilled", (int64_t)m->spilled);
	json_put_int(j, "window_ms", m->window_ms);
	put_last(j, m);
	return j;
}
