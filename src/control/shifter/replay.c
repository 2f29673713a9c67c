/*
 * replay - a decision's tick played again, from the evidence that the journal kept.
 *
 * What is read comes from a database, so nothing in it is believed: a number that does
 * not fit makes the evidence unreadable.
 */
#include "sluice/control/evidence.h"

#include <string.h>

#include "sluice/base/json.h"

static bool fits(int64_t v, int64_t max)
{
	return v >= 0 && v <= max;
}

static bool read_u32(uint32_t *out, const struct json *j, const char *key)
{
	int64_t v = json_int(j, key, -1);

	if (!fits(v, UINT32_MAX))
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool read_reals(double *out, size_t n, const struct json *j)
{
	if (json_count(j) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = json_number_at(j, i);
	return true;
}

static bool read_ints(int64_t *out, size_t n, const struct json *j)
{
	if (json_count(j) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		double v = json_number_at(j, i);

		if (!(v >= -9e15 && v <= 9e15)) /* doubles count exactly up to here */
			return false;
		out[i] = (int64_t)v;
	}
	return true;
}

static bool read_params(struct guard_params *p, const struct json *j)
{
	*p = (struct guard_params){
		.relative = json_bool(j, "relative", false),
		.observe = json_bool(j, "observe", false),
		.p0 = json_number(j, "p0", -1),
		.rho = json_number(j, "rho", -1),
		.p_min = json_number(j, "p_min", -1),
		.h = json_number(j, "h", -1),
		.cap_rps = json_number(j, "cap_rps", -1),
		.alpha_promote = json_number(j, "alpha_promote", -1),
	};
	return read_u32(&p->dwell_ms, j, "dwell_ms") &&
	       read_u32(&p->min_bad, j, "min_bad") &&
	       read_u32(&p->bin_min, j, "bin_min") && guard_check(p) == NULL;
}

static bool read_guard(struct guard *g, const struct json *j)
{
	struct guard_params p;

	if (!read_params(&p, json_get(j, "params")))
		return false;
	guard_init(g, &p);
	g->fired = json_bool(j, "fired", false);
	g->proven = json_bool(j, "proven", false);
	g->effective_n = json_number(j, "effective_n", 0);
	g->step_n = json_int(j, "step_n", 0);
	g->step_bad = json_int(j, "step_bad", 0);
	return read_reals(g->s, GUARD_HARM_BANK, json_get(j, "S")) &&
	       read_ints(g->age_ms, GUARD_HARM_BANK, json_get(j, "age_ms")) &&
	       read_ints(g->bad, GUARD_HARM_BANK, json_get(j, "bad")) &&
	       read_ints(g->n, GUARD_HARM_BANK, json_get(j, "n")) &&
	       read_ints(g->bin, sizeof(g->bin) / sizeof(g->bin[0]),
		       json_get(j, "bin")) &&
	       read_reals(g->promote, sizeof(g->promote) / sizeof(g->promote[0]),
		       json_get(j, "promote"));
}

static bool read_verdict(enum shift_verdict *v, const struct json *engine)
{
	int64_t n = json_int(engine, "verdict", -1);

	if (!fits(n, VERDICT_INCONCLUSIVE))
		return false;
	*v = (enum shift_verdict)n;
	return true;
}

static bool read_engine_params(struct engine_params *p, const struct json *j)
{
	p->settle = json_number(j, "settle", -1);
	return read_u32(&p->min_hold_ms, j, "min_hold_ms") &&
	       read_u32(&p->max_hold_ms, j, "max_hold_ms") &&
	       read_u32(&p->floor_fails, j, "floor_fails") &&
	       read_u32(&p->floor_ticks, j, "floor_ticks");
}

static bool read_engine(struct engine *e, const struct json *j)
{
	const struct json *guards = json_get(j, "guards");

	*e = (struct engine){
		.n_guards = (unsigned)json_count(guards),
		.run = json_int(j, "run", 0),
		.run_ticks = json_int(j, "run_ticks", 0),
		.elapsed_ms = json_int(j, "elapsed_ms", 0),
	};
	if (json_count(guards) > GUARD_MAX || !read_verdict(&e->verdict, j) ||
		!read_engine_params(&e->p, j) || !read_u32(&e->asked, j, "asked"))
		return false;
	for (unsigned i = 0; i < e->n_guards; i++) {
		if (!read_guard(&e->guard[i], json_at(guards, i)))
			return false;
	}
	return true;
}

static bool read_sample(struct sample *s, const struct json *j)
{
	const struct json *counts = json_get(j, "counts");
	int64_t held = json_int(j, "held", 0);

	*s = (struct sample){
		.dt_ms = json_int(j, "dt_ms", 0),
		.ok = json_int(j, "ok", 0),
		.failed = json_int(j, "failed", 0),
	};
	if (!fits(held, WHY_N - 1) || !read_engine(&s->before, json_get(j, "before")) ||
		json_count(counts) != s->before.n_guards)
		return false;
	s->held = (enum shift_reason)held;
	for (unsigned i = 0; i < s->before.n_guards; i++) {
		int64_t v[4];

		if (!read_ints(v, 4, json_at(counts, i)))
			return false;
		s->counts[i] = (struct guard_counts){
			.n1 = v[0], .k1 = v[1], .n0 = v[2], .k0 = v[3]
		};
	}
	return true;
}

static int replay(struct replay *out, const struct json *j, struct err *err)
{
	struct memory m = { .run = 0 };
	struct sample s;

	if (!json_has(j, "tick"))
		return err_set(err, ERR_NOT_FOUND, "no tick decided this");
	if (!read_sample(&s, json_get(j, "tick")) ||
		!read_verdict(&out->verdict_then, json_get(j, "engine")))
		return err_set(err, ERR_FORMAT, "the evidence cannot be read");
	if (memory_read(&m, json_get(j, "state"), err) != 0)
		return -1;
	out->engine = s.before;
	out->verdict_now = engine_tick(&out->engine, s.dt_ms, s.ok, s.failed, s.counts);
	out->change = shift_decide(&m.state, &m.plan, &out->engine, s.held);
	return 0;
}

int evidence_replay(struct replay *out, const char *json, struct err *err)
{
	struct json *j = json_parse(json, strlen(json), err);
	int rc = j ? replay(out, j, err) : -1;

	json_free(j);
	return rc;
}
