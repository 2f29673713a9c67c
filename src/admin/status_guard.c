/*
 * What a guard thinks, in numbers and in the sentence of GUARD 10 that an engineer
 * reads at night: how full the bar is, from what, since when.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sluice/base/clock.h"
#include "sluice/base/json.h"

#include "admin_priv.h"

const char *status_verdict(enum shift_verdict v)
{
	switch (v) {
	case VERDICT_PASS:
		return "pass";
	case VERDICT_BREACH:
		return "breach";
	case VERDICT_HOLD:
	case VERDICT_INCONCLUSIVE:
		return "hold";
	}
	return "hold";
}

static void put_reason(struct json *j, const struct admin_migration *m)
{
	const struct engine *e = m->engine;
	const char *guard = e->reason_guard < e->n_guards
				    ? m->guard[e->reason_guard].name
				    : "guard";
	char text[128] = "";

	switch (e->reason) {
	case BECAUSE_NOTHING:
		break;
	case BECAUSE_FLOOR:
		snprintf(text, sizeof(text), "nothing on new answered right");
		break;
	case BECAUSE_GUARD:
		snprintf(text, sizeof(text), "%s fired", guard);
		break;
	case BECAUSE_TOO_LITTLE_TRAFFIC:
		snprintf(text, sizeof(text), "too little traffic for %s", guard);
		break;
	case BECAUSE_TOO_CLOSE:
		snprintf(text, sizeof(text), "too close to the threshold of %s", guard);
		break;
	case BECAUSE_NOT_SETTLED:
		snprintf(text, sizeof(text), "evidence not settled");
		break;
	}
	json_put_text(j, "reason", text);
}

static bool is_latency(const char *name)
{
	return strncmp(name, "p95", 3) == 0;
}

/* "bad", or for latency what that means: "slower than 500 ms". */
static void bad_text(const struct admin_migration *m, unsigned i, char *out, size_t n)
{
	bool relative = m->engine->guard[i].p.relative;

	if (!is_latency(m->guard[i].name))
		snprintf(out, n, "bad");
	else if (!relative)
		snprintf(out, n, "slower than %g ms",
			(double)m->guard[i].slow_us / 1000);
	else if (m->pivot != NULL)
		snprintf(out, n, "slower than %.3g ms", pivot_new_ms(m->pivot));
	else
		snprintf(out, n, "slow");
}

static void limit_text(const struct admin_migration *m, unsigned i, char *out, size_t n)
{
	const struct guard_params *p = &m->engine->guard[i].p;

	if (!p->relative)
		snprintf(out, n, "limit %g %%", p->p0 * 100);
	else if (is_latency(m->guard[i].name))
		snprintf(out, n, "limit %g x legacy's p95", m->guard[i].ratio);
	else
		snprintf(out, n, "limit %g x legacy", p->rho);
}

/* Ages stand still once a guard has fired: then only how long it took is known. */
static bool stands_still(const struct admin_migration *m)
{
	return m->engine->verdict == VERDICT_BREACH;
}

static void since_text(const struct guard *g, uint64_t wall_us, char *out)
{
	uint64_t age_us = (uint64_t)g->age_ms[guard_leader(g)] * 1000;

	clock_text(age_us < wall_us ? wall_us - age_us : 0, out);
}

/* " since 14:03:22Z", or " within 4.2 s". */
static void time_text(
	const struct admin_migration *m, const struct guard *g, char *out, size_t n)
{
	char since[CLOCK_TEXT_SIZE];

	since_text(g, clock_wall_us(), since);
	if (stands_still(m))
		snprintf(out, n, "within %.1f s",
			(double)g->age_ms[guard_leader(g)] / 1000);
	else
		snprintf(out, n, "since %.8sZ", since + sizeof("2026-01-31"));
}

static void sentence(const struct admin_migration *m, unsigned i, char *out, size_t n)
{
	const struct guard *g = &m->engine->guard[i];
	int64_t bad = g->bad[guard_leader(g)], of = g->n[guard_leader(g)];
	char what[64], limit[64], when[64];

	limit_text(m, i, limit, sizeof(limit));
	if (of == 0) {
		snprintf(out, n, "%u %%: nothing against new (%s)",
			guard_bar_percent(g), limit);
		return;
	}
	bad_text(m, i, what, sizeof(what));
	time_text(m, g, when, sizeof(when));
	snprintf(out, n, "%u %%: %lld of %lld %s (%.1f %%, %s) %s",
		guard_bar_percent(g), (long long)bad, (long long)of, what,
		100.0 * (double)bad / (double)of, limit, when);
}

/* How many more good requests prove it: the share of the way that is left. */
static int64_t still_needed(const struct guard *g)
{
	return g->proven ? 0 : (int64_t)ceil((double)g->need * (1 - guard_promote(g)));
}

static struct json *guard_json(const struct admin_migration *m, unsigned i)
{
	const struct guard *g = &m->engine->guard[i];
	unsigned leader = guard_leader(g);
	bool counts = g->n[leader] > 0 && !stands_still(m);
	struct json *j = json_new_object();
	char text[256], since[CLOCK_TEXT_SIZE];

	sentence(m, i, text, sizeof(text));
	since_text(g, clock_wall_us(), since);
	json_put_text(j, "name", m->guard[i].name);
	json_put_text(j, "mode", g->p.observe ? "observe" : "enforce");
	json_put_real(j, "evidence", guard_evidence(g));
	json_put_int(j, "bar_percent", guard_bar_percent(g));
	json_put_text(j, "text", text);
	json_put_bool(j, "fired", g->fired);
	json_put_int(j, "bad", g->bad[leader]);
	json_put_int(j, "n", g->n[leader]);
	json_put_text(j, "since", counts ? since : NULL);
	json_put_real(j, "promote", guard_promote(g));
	json_put_bool(j, "proven", g->proven);
	json_put_int(j, "needs", still_needed(g));
	json_put_real(j, "cap_rps", g->p.cap_rps);
	return j;
}

struct json *status_guards(const struct admin_migration *m)
{
	struct json *j = json_new_object();
	struct json *list = json_new_array();
	struct json *floor = json_new_object();

	json_put_text(j, "verdict", status_verdict(m->engine->verdict));
	put_reason(j, m);
	for (unsigned i = 0; i < m->engine->n_guards; i++)
		json_add(list, guard_json(m, i));
	json_put(j, "guards", list);
	json_put_int(floor, "failed_in_a_row", m->engine->run);
	json_put_int(floor, "reverts_at", m->engine->p.floor_fails);
	json_put(j, "floor", floor);
	return j;
}
