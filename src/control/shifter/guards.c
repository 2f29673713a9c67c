/*
 * guards - from the file's guard group to the engine's guards, and from counters to
 * what a tick feeds them.
 */
#include "sluice/control/guards.h"

#include <assert.h>

#include "sluice/base/units.h"

const char *guard_kind_name(enum guard_kind k)
{
	static const char *const names[N_GUARD_KINDS] = {
		[GUARD_ERROR_RATE] = "error_rate",
		[GUARD_P95_LATENCY] = "p95_latency",
		[GUARD_ERROR_RATIO] = "error_ratio",
		[GUARD_P95_RATIO] = "p95_ratio",
	};

	assert(k < N_GUARD_KINDS);
	return names[k];
}

/* --- the set ------------------------------------------------------------- */

static struct guard_params params_of(const struct config_guard *c)
{
	struct guard_params p = guard_defaults();

	p.p_min = c->p_min;
	p.h = c->h;
	p.cap_rps = c->cap_rps;
	p.alpha_promote = c->alpha_promote;
	p.dwell_ms = c->dwell_ms;
	p.min_bad = c->min_bad;
	p.bin_min = c->bin_min;
	p.observe = c->mode == CONFIG_OBSERVE;
	return p;
}

static struct guard_def *add(
	struct guard_set *s, enum guard_kind k, const struct config_guard *c)
{
	struct guard_def *d = &s->def[s->n++];

	*d = (struct guard_def){ .kind = k, .p = params_of(c) };
	return d;
}

static void add_latency(struct guard_set *s, const struct config_guard *c,
	const struct config_timeouts *t)
{
	bool has_error_guard = c->error_rate > 0 || c->error_ratio > 0;

	if (c->p95_latency_us == 0 && !has_error_guard)
		return;
	struct guard_def *d = add(s, GUARD_P95_LATENCY, c);

	d->p.p0 = 1.0 - 0.95;
	d->slow_us = c->p95_latency_us;
	if (d->slow_us == 0) {
		d->slow_us = (uint64_t)t->response_head_ms * 1000 / 2;
		d->p.observe = true;
	}
}

/* Armed wherever something automatic may move traffic: with a guard that is enforced,
 * and with a plan. A migration that only has weights is left to its people. */
static uint32_t floor_of(const struct config_migration *m)
{
	const struct config_guard *c = &m->guard;
	bool armed = m->has_guard ? c->mode == CONFIG_ENFORCE : m->plan.n_steps > 0;

	if (!armed)
		return UINT32_MAX;
	if (c->error_rate > 0)
		return engine_floor_fails(c->h, c->error_rate);
	return engine_defaults().floor_fails;
}

struct guard_set guards_of(
	const struct config_migration *m, const struct config_timeouts *t)
{
	const struct config_guard *c = &m->guard;
	struct guard_set s = { .floor_fails = floor_of(m) };

	if (c->error_rate > 0)
		add(&s, GUARD_ERROR_RATE, c)->p.p0 = c->error_rate;
	add_latency(&s, c, t);
	if (c->error_ratio > 0) {
		struct guard_def *d = add(&s, GUARD_ERROR_RATIO, c);

		d->p.relative = true;
		d->p.rho = c->error_ratio;
	}
	if (c->p95_ratio > 0) {
		struct guard_def *d = add(&s, GUARD_P95_RATIO, c);

		d->p.relative = true;
		d->p.rho = 1.0; /* the ratio is in the two thresholds (GUARD 6) */
		d->ratio = c->p95_ratio;
		d->t_min_ms = c->t_min_ms;
	}
	return s;
}

const struct guard_def *guards_find(const struct guard_set *s, enum guard_kind k)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->def[i].kind == k)
			return &s->def[i];
	}
	return NULL;
}

/* Settings are equal when they were written equal: no arithmetic is between. */
static bool same(double a, double b)
{
	return !(a < b || a > b);
}

bool guards_equal(const struct guard_def *a, const struct guard_def *b)
{
	const struct guard_params *p = &a->p, *q = &b->p;

	return a->kind == b->kind && a->slow_us == b->slow_us &&
	       same(a->ratio, b->ratio) && same(a->t_min_ms, b->t_min_ms) &&
	       p->relative == q->relative && p->observe == q->observe &&
	       same(p->p0, q->p0) && same(p->rho, q->rho) && same(p->p_min, q->p_min) &&
	       same(p->h, q->h) && same(p->cap_rps, q->cap_rps) &&
	       same(p->alpha_promote, q->alpha_promote) && p->dwell_ms == q->dwell_ms &&
	       p->min_bad == q->min_bad && p->bin_min == q->bin_min;
}

/* --- the engine ---------------------------------------------------------- */

void guards_init_engine(struct engine *e, const struct guard_set *s)
{
	struct engine_params p = engine_defaults();
	struct guard_params g[GUARD_MAX];

	p.floor_fails = s->floor_fails;
	for (unsigned i = 0; i < s->n; i++)
		g[i] = s->def[i].p;
	engine_init(e, &p, g, s->n);
}

/* Where d stood in old; old->n: nowhere. */
static unsigned place_in(const struct guard_set *old, const struct guard_def *d)
{
	unsigned i = 0;

	while (i < old->n && !guards_equal(&old->def[i], d))
		i++;
	return i;
}

/* Only an unchanged set keeps a verdict: a guard's index may mean another one now, and
 * the next tick judges anew from the evidence that was kept. */
bool guards_change_engine(
	struct engine *e, const struct guard_set *old, const struct guard_set *s)
{
	struct engine next;
	bool changed = old->n != s->n || old->floor_fails != s->floor_fails;

	guards_init_engine(&next, s);
	for (unsigned i = 0; i < s->n; i++) {
		unsigned place = place_in(old, &s->def[i]);

		if (place < old->n)
			next.guard[i] = e->guard[place];
		else
			changed = true;
	}
	if (!changed)
		return false;
	next.p.min_hold_ms = e->p.min_hold_ms;
	next.p.max_hold_ms = e->p.max_hold_ms;
	next.elapsed_ms = e->elapsed_ms;
	next.run = e->run;
	next.run_ticks = e->run_ticks;
	*e = next;
	return true;
}

void guards_ask(struct engine *e, uint32_t new_ppm)
{
	e->asked = 0;
	for (unsigned i = 0; i < e->n_guards; i++) {
		if (!e->guard[i].p.relative || new_ppm < PPM)
			e->asked |= UINT32_C(1) << i;
	}
}

/* --- counts -------------------------------------------------------------- */

uint64_t guards_delta(const struct migration_counts *now,
	const struct migration_counts *then, enum side side, enum side_count c)
{
	uint64_t a = then->v[side][c], b = now->v[side][c];

	return b < a ? 0 : b - a;
}

void guards_count(const struct guard_set *s, const struct migration_counts *now,
	const struct migration_counts *then, struct guard_counts out[GUARD_MAX])
{
	static const struct {
		enum side_count n, k;
	} fed_by[N_GUARD_KINDS] = {
		[GUARD_ERROR_RATE] = { .n = GUARD_N, .k = GUARD_K },
		[GUARD_P95_LATENCY] = { .n = GUARD_LAT_N, .k = GUARD_LAT_K },
		[GUARD_ERROR_RATIO] = { .n = GUARD_N, .k = GUARD_K },
		[GUARD_P95_RATIO] = { .n = GUARD_RATIO_N, .k = GUARD_RATIO_K },
	};

	for (unsigned i = 0; i < s->n; i++) {
		enum side_count n = fed_by[s->def[i].kind].n;
		enum side_count k = fed_by[s->def[i].kind].k;

		out[i] = (struct guard_counts){
			.n1 = (int64_t)guards_delta(now, then, SIDE_NEW, n),
			.k1 = (int64_t)guards_delta(now, then, SIDE_NEW, k),
			.n0 = (int64_t)guards_delta(now, then, SIDE_LEGACY, n),
			.k0 = (int64_t)guards_delta(now, then, SIDE_LEGACY, k),
		};
	}
}
