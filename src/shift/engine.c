/*
 * The engine: all guards of one migration and the floor, tick by tick, to one verdict
 * (GUARD 7 and 9).
 *
 * A breach is latched: after it nothing here changes before a new run. Guards that
 * observe are counted like all others and asked for nothing.
 */
#include "sluice/shift/guard.h"

#include <assert.h>
#include <math.h>

#include "shift_priv.h"

enum { LONGEST_TICK_MS = 1000, FLOOR_FAILS = 10, FLOOR_TICKS = 3, NONE = GUARD_MAX };

struct engine_params engine_defaults(void)
{
	return (struct engine_params){
		.min_hold_ms = 30000,
		.max_hold_ms = 1800000,
		.floor_fails = FLOOR_FAILS,
		.floor_ticks = FLOOR_TICKS,
		.settle = 0.5,
	};
}

uint32_t engine_floor_fails(double h, double p0)
{
	double fails = ceil(h / -log(p0));

	return fails > FLOOR_FAILS ? (uint32_t)fails : FLOOR_FAILS;
}

/* --- the floor ---------------------------------------------------------------- */

/* Failures in a row with nothing good between. A tick without attempts says nothing. */
static void count_floor(struct engine *e, int64_t ok, int64_t failed)
{
	if (ok > 0) {
		e->run = e->run_ticks = 0;
	} else if (failed > 0) {
		e->run = add_capped(e->run, failed);
		e->run_ticks++;
	}
}

static bool is_on_the_floor(const struct engine *e)
{
	return e->run >= e->p.floor_fails && e->run_ticks >= e->p.floor_ticks;
}

/* --- questions to the guards -------------------------------------------------- */

static bool is_firing(const struct engine *e, unsigned i)
{
	return !e->guard[i].p.observe && e->guard[i].fired;
}

static bool is_unproven(const struct engine *e, unsigned i)
{
	bool asked = (e->asked >> i & 1) != 0 && !e->guard[i].p.observe;

	return asked && !e->guard[i].proven;
}

static bool is_unsettled(const struct engine *e, unsigned i)
{
	return !e->guard[i].p.observe && guard_evidence(&e->guard[i]) >= e->p.settle;
}

/* The lowest guard of which it is true, or NONE. */
static unsigned lowest(
	const struct engine *e, bool (*question)(const struct engine *, unsigned))
{
	for (unsigned i = 0; i < e->n_guards; i++) {
		if (question(e, i))
			return i;
	}
	return NONE;
}

/* --- the verdict -------------------------------------------------------------- */

static void say(struct engine *e, enum shift_verdict verdict,
	enum verdict_reason reason, unsigned guard)
{
	e->verdict = verdict;
	e->reason = reason;
	e->reason_guard = guard == NONE ? 0 : guard;
}

static void say_inconclusive(struct engine *e, unsigned unproven)
{
	enum verdict_reason reason = BECAUSE_NOT_SETTLED;

	if (unproven != NONE) {
		const struct guard *g = &e->guard[unproven];

		reason = g->effective_n < (double)g->need ? BECAUSE_TOO_LITTLE_TRAFFIC
							  : BECAUSE_TOO_CLOSE;
	}
	say(e, VERDICT_INCONCLUSIVE, reason, unproven);
}

static void judge(struct engine *e)
{
	unsigned firing = lowest(e, is_firing);
	unsigned unproven = lowest(e, is_unproven);
	bool settled = lowest(e, is_unsettled) == NONE;

	if (is_on_the_floor(e))
		say(e, VERDICT_BREACH, BECAUSE_FLOOR, NONE);
	else if (firing != NONE)
		say(e, VERDICT_BREACH, BECAUSE_GUARD, firing);
	else if (e->elapsed_ms >= e->p.min_hold_ms && unproven == NONE && settled)
		say(e, VERDICT_PASS, BECAUSE_NOTHING, NONE);
	else if (e->elapsed_ms >= e->p.max_hold_ms)
		say_inconclusive(e, unproven);
	else
		say(e, VERDICT_HOLD, BECAUSE_NOTHING, NONE);
}

enum shift_verdict engine_tick(struct engine *e, int64_t dt_ms, int64_t ok,
	int64_t failed, const struct guard_counts *counts)
{
	/* A stall or a jump of the clock counts as a second at most. */
	const int64_t dt = clamp_int(dt_ms, 1, LONGEST_TICK_MS);

	if (e->verdict == VERDICT_BREACH)
		return e->verdict;
	e->elapsed_ms += dt;
	count_floor(e, ok, failed);
	for (unsigned i = 0; i < e->n_guards; i++)
		guard_tick(&e->guard[i], dt, &counts[i]);
	judge(e);
	return e->verdict;
}

/* --- beginning ---------------------------------------------------------------- */

void engine_step(struct engine *e)
{
	e->elapsed_ms = 0;
	e->asked = (UINT32_C(1) << e->n_guards) - 1;
	for (unsigned i = 0; i < e->n_guards; i++)
		guard_reset_promotion(&e->guard[i]);
}

void engine_start(struct engine *e)
{
	for (unsigned i = 0; i < e->n_guards; i++)
		guard_reset(&e->guard[i]);
	e->run = e->run_ticks = 0;
	say(e, VERDICT_HOLD, BECAUSE_NOTHING, NONE);
	engine_step(e);
}

void engine_config(struct engine *e, unsigned guard, const struct guard_params *p)
{
	assert(guard < e->n_guards);

	guard_init(&e->guard[guard], p);
}

void engine_init(struct engine *e, const struct engine_params *p,
	const struct guard_params *guards, unsigned n_guards)
{
	assert(n_guards <= GUARD_MAX);

	*e = (struct engine){ .p = *p, .n_guards = n_guards };
	for (unsigned i = 0; i < n_guards; i++)
		guard_init(&e->guard[i], &guards[i]);
	engine_start(e);
}
