/*
 * view - what admin may see of control's own knowledge.
 */
#include "sluice/proxy.h"

#include "control_priv.h"

static size_t count(void *arg)
{
	const struct control *c = arg;

	return c->n_tracks;
}

static void view_window(const struct track *t, struct admin_migration *out)
{
	out->window_ms = t->view.ms;
	for (unsigned s = 0; s < N_SIDES; s++) {
		const struct window_side *w = &t->view.side[s];

		out->window[s].requests = w->attempts;
		out->window[s].errors = w->errors;
		out->window[s].p50_us = w->p50_us;
		out->window[s].p95_us = w->p95_us;
		out->window[s].p99_us = w->p99_us;
		out->window[s].samples = w->samples;
		out->window[s].user_requests = w->requests;
		out->window[s].user_errors = w->user_errors;
	}
	out->rescued = t->view.rescued;
	out->spilled = t->view.spilled;
}

static void migration(void *arg, size_t i, struct admin_migration *out)
{
	const struct control *c = arg;
	const struct track *t = c->tracks[i];
	bool has_pivot = guards_find(&t->guards, GUARD_P95_RATIO) != NULL;

	*out = (struct admin_migration){
		.config = t->config,
		.live = t->live,
		.legacy = t->pool[SIDE_LEGACY],
		.new_ = t->pool[SIDE_NEW],
		.state = &t->m.state,
		.plan = &t->m.plan,
		.engine = &t->engine,
		.pivot = has_pivot ? &t->pivot : NULL,
		.new_ppm = track_new_ppm(t),
		.generation = t->m.generation,
		.plan_pending = t->plan_pending,
		.held = t->held,
		.last = t->last.d.action ? &t->last.d : NULL,
	};
	for (unsigned g = 0; g < t->guards.n; g++) {
		const struct guard_def *d = &t->guards.def[g];

		out->guard[g].name = guard_kind_name(d->kind);
		out->guard[g].slow_us = d->slow_us;
		out->guard[g].ratio = d->ratio;
	}
	view_window(t, out);
}

static void process(void *arg, struct admin_process *out)
{
	const struct control *c = arg;

	*out = (struct admin_process){
		.ready = c->ready && !c->draining,
		.draining = c->draining,
		.running_is_file = c->running_is_file,
		.reload_error = c->reload_error ? c->reload_error : "",
		.config_file = c->file,
		.config_hash = c->config->hash,
		.started_us = c->started_us,
		.workers = c->config->workers,
		.loop_lag_us =
			c->lag_us[0] > c->lag_us[1] ? c->lag_us[0] : c->lag_us[1],
	};
	journal_get_status(c->journal, &out->journal);
}

static size_t pools(void *arg, struct pool *const **out)
{
	const struct control *c = arg;

	*out = snapshot_pools(c->snapshot);
	return c->config->n_pools;
}

static struct journal *journal(void *arg)
{
	struct control *c = arg;

	return c->journal;
}

static struct stats *stats(void *arg)
{
	struct control *c = arg;

	return c->stats;
}

struct admin_ops view_ops(struct control *c)
{
	return (struct admin_ops){
		.count = count,
		.migration = migration,
		.process = process,
		.pools = pools,
		.command = command,
		.journal = journal,
		.stats = stats,
		.arg = c,
	};
}
