/*
 * evidence - from a decision's grounds to JSON.
 *
 * replay.c reads the same keys back; numbers keep all their digits for that.
 */
#include "sluice/control/evidence.h"

#include "sluice/base/json.h"

/* --- the window ---------------------------------------------------------- */

static struct json *outcomes_json(const struct window_side *s)
{
	struct json *j = json_new_object();

	for (unsigned i = 0; i < N_OUTCOMES; i++) {
		if (s->outcome[i] > 0)
			json_put_int(j, outcome_text((enum outcome)i),
				(int64_t)s->outcome[i]);
	}
	return j;
}

static struct json *side_json(const struct window_side *s)
{
	struct json *j = json_new_object();
	struct json *status = json_new_array();
	double rate = s->attempts > 0 ? (double)s->errors / (double)s->attempts : 0;

	json_put_int(j, "requests", (int64_t)s->requests);
	json_put_int(j, "user_errors", (int64_t)s->user_errors);
	json_put_int(j, "attempts", (int64_t)s->attempts);
	json_put_int(j, "errors", (int64_t)s->errors);
	json_put_real(j, "error_rate", rate);
	json_put_int(j, "p50_us", (int64_t)s->p50_us);
	json_put_int(j, "p95_us", (int64_t)s->p95_us);
	json_put_int(j, "p99_us", (int64_t)s->p99_us);
	json_put_int(j, "samples", (int64_t)s->samples);
	json_put(j, "outcomes", outcomes_json(s));
	for (unsigned i = 0; i < sizeof(s->status) / sizeof(s->status[0]); i++)
		json_add_int(status, (int64_t)s->status[i]);
	json_put(j, "status", status);
	return j;
}

static struct json *window_json(const struct window_view *w)
{
	struct json *j = json_new_object();

	json_put_int(j, "ms", w->ms);
	json_put(j, "legacy", side_json(&w->side[SIDE_LEGACY]));
	json_put(j, "new", side_json(&w->side[SIDE_NEW]));
	json_put_int(j, "spilled", (int64_t)w->spilled);
	json_put_int(j, "rescued", (int64_t)w->rescued);
	return j;
}

/* --- the engine ---------------------------------------------------------- */

static struct json *reals(const double *v, size_t n)
{
	struct json *j = json_new_array();

	for (size_t i = 0; i < n; i++)
		json_add_real(j, v[i]);
	return j;
}

static struct json *ints(const int64_t *v, size_t n)
{
	struct json *j = json_new_array();

	for (size_t i = 0; i < n; i++)
		json_add_int(j, v[i]);
	return j;
}

static struct json *params_json(const struct guard_params *p)
{
	struct json *j = json_new_object();

	json_put_bool(j, "relative", p->relative);
	json_put_bool(j, "observe", p->observe);
	json_put_real(j, "p0", p->p0);
	json_put_real(j, "rho", p->rho);
	json_put_real(j, "p_min", p->p_min);
	json_put_real(j, "h", p->h);
	json_put_real(j, "cap_rps", p->cap_rps);
	json_put_real(j, "alpha_promote", p->alpha_promote);
	json_put_int(j, "dwell_ms", p->dwell_ms);
	json_put_int(j, "min_bad", p->min_bad);
	json_put_int(j, "bin_min", p->bin_min);
	return j;
}

static struct json *guard_json(const struct guard *g, const struct guard_def *d)
{
	struct json *j = json_new_object();

	json_put_text(j, "name", guard_kind_name(d->kind));
	json_put_int(j, "slow_us", (int64_t)d->slow_us);
	json_put_real(j, "ratio", d->ratio);
	json_put(j, "params", params_json(&g->p));
	json_put(j, "S", reals(g->s, GUARD_HARM_BANK));
	json_put(j, "age_ms", ints(g->age_ms, GUARD_HARM_BANK));
	json_put(j, "bad", ints(g->bad, GUARD_HARM_BANK));
	json_put(j, "n", ints(g->n, GUARD_HARM_BANK));
	json_put_bool(j, "fired", g->fired);
	json_put_real(j, "evidence", guard_evidence(g));
	json_put(j, "bin", ints(g->bin, sizeof(g->bin) / sizeof(g->bin[0])));
	json_put(j, "promote", reals(g->promote, sizeof(g->promote) / sizeof(double)));
	json_put_bool(j, "proven", g->proven);
	json_put_real(j, "effective_n", g->effective_n);
	json_put_int(j, "step_n", g->step_n);
	json_put_int(j, "step_bad", g->step_bad);
	return j;
}

static struct json *engine_json(const struct engine *e, const struct guard_set *set)
{
	struct json *j = json_new_object();
	struct json *guards = json_new_array();

	json_put_int(j, "verdict", e->verdict);
	json_put_int(j, "reason", e->reason);
	json_put_int(j, "reason_guard", e->reason_guard);
	json_put_int(j, "run", e->run);
	json_put_int(j, "run_ticks", e->run_ticks);
	json_put_int(j, "elapsed_ms", e->elapsed_ms);
	json_put_int(j, "asked", e->asked);
	json_put_int(j, "min_hold_ms", e->p.min_hold_ms);
	json_put_int(j, "max_hold_ms", e->p.max_hold_ms);
	json_put_int(j, "floor_fails", e->p.floor_fails);
	json_put_int(j, "floor_ticks", e->p.floor_ticks);
	json_put_real(j, "settle", e->p.settle);
	for (unsigned i = 0; i < e->n_guards; i++)
		json_add(guards, guard_json(&e->guard[i], &set->def[i]));
	json_put(j, "guards", guards);
	return j;
}

static struct json *sample_json(const struct sample *s, const struct guard_set *set)
{
	struct json *j = json_new_object();
	struct json *counts = json_new_array();

	json_put_int(j, "dt_ms", s->dt_ms);
	json_put_int(j, "ok", s->ok);
	json_put_int(j, "failed", s->failed);
	for (unsigned i = 0; i < set->n; i++) {
		const struct guard_counts *c = &s->counts[i];

		json_add(counts, ints((int64_t[]){ c->n1, c->k1, c->n0, c->k0 }, 4));
	}
	json_put(j, "counts", counts);
	json_put_int(j, "held", s->held);
	json_put(j, "before", engine_json(&s->before, set));
	return j;
}

char *evidence_print(const struct evidence *e)
{
	struct json *j = json_new_object();

	json_put_int(j, "run", e->memory->run);
	if (e->first_bad_us > 0)
		json_put_int(j, "first_bad_us", (int64_t)e->first_bad_us);
	json_put(j, "window", window_json(e->window));
	json_put(j, "engine", engine_json(e->engine, e->guards));
	if (e->pivot_legacy_ms > 0)
		json_put_real(j, "pivot_legacy_ms", e->pivot_legacy_ms);
	json_put(j, "state", memory_json(e->memory));
	if (e->sample)
		json_put(j, "tick", sample_json(e->sample, e->guards));
	char *text = json_print(j);

	json_free(j);
	return text;
}
