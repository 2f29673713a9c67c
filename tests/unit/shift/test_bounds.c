/*
 * Whatever the counters say: evidence stays finite and within its bar. Counts,
 * times and limits are drawn from a fixed sequence that prefers extremes.
 */
#include <math.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "sluice/shift.h"

enum { TICKS = 3000 };

static uint64_t seed;

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static int64_t hostile_count(void)
{
	static const int64_t extreme[] = { INT64_MAX, INT64_MIN, -1, 1, 1000000000000 };
	uint64_t x = draw();

	if (x % 16 < 5)
		return extreme[x % 16];
	return x % 16 < 9 ? 0 : (int64_t)(x >> 32 & 0xfff);
}

static double between(double lo, double hi)
{
	uint64_t x = draw();
	double part = (double)(x >> 11) / 9007199254740992.0;

	if (x % 4 == 0)
		return lo;
	return x % 4 == 1 ? hi : lo + part * (hi - lo);
}

static struct guard_params hostile_limits(bool relative)
{
	return (struct guard_params){
		.relative = relative,
		.p0 = between(1e-6, 0.5),
		.rho = between(0.1, 100.0),
		.p_min = between(1e-6, 0.5),
		.h = between(1.0, 100.0),
		.cap_rps = between(1e-300, 1e300),
		.alpha_promote = between(1e-300, 0.999999),
		.dwell_ms = UINT32_MAX, /* never fires: the engine would stop there */
		.min_bad = (uint32_t)draw(),
		.bin_min = 1 + (uint32_t)(draw() % 8),
	};
}

static bool is_sound(const struct guard *g)
{
	bool sound = isfinite(guard_promote_log(g)) && isfinite(g->effective_n);

	for (unsigned j = 0; j < GUARD_HARM_BANK; j++) {
		sound = sound && g->s[j] >= 0.0 && g->s[j] <= g->p.h;
		sound = sound && g->age_ms[j] >= 0 && g->n[j] >= 0;
		sound = sound && g->bad[j] >= 0 && g->bad[j] <= g->n[j];
	}
	return sound && guard_promote(g) >= 0.0 && guard_promote(g) <= 1.0 &&
	       guard_bar_percent(g) <= 100 && guard_leader(g) < GUARD_HARM_BANK;
}

ParameterizedTestParameters(bounds, no_sequence_of_ticks_leads_out_of_them)
{
	static uint64_t seeds[] = { 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233 };

	return cr_make_param_array(uint64_t, seeds, sizeof(seeds) / sizeof(seeds[0]));
}

ParameterizedTest(uint64_t *from, bounds, no_sequence_of_ticks_leads_out_of_them)
{
	struct engine_params p = engine_defaults();
	struct guard_params limits[GUARD_MAX];
	struct engine e;

	seed = *from * UINT64_C(0x9e3779b97f4a7c15);
	p.floor_ticks = UINT32_MAX;
	for (unsigned i = 0; i < GUARD_MAX; i++)
		limits[i] = hostile_limits(i % 2 == 1);
	engine_init(&e, &p, limits, GUARD_MAX);

	for (unsigned t = 0; t < TICKS; t++) {
		struct guard_counts c[GUARD_MAX];

		for (unsigned i = 0; i < GUARD_MAX; i++)
			c[i] = (struct guard_counts){ hostile_count(), hostile_count(),
				hostile_count(), hostile_count() };
		engine_tick(&e, hostile_count(), hostile_count(), hostile_count(), c);

		for (unsigned i = 0; i < GUARD_MAX; i++)
			cr_assert(is_sound(&e.guard[i]), "tick %u, guard %u", t, i);
		cr_assert_neq(e.verdict, VERDICT_BREACH);
	}
}

Test(bounds, the_pivot_stays_finite_whatever_legacy_counts)
{
	struct pivot v;

	seed = 42;
	pivot_init(&v, -7.0, 0.95, 1.25, 20.0);
	for (unsigned t = 0; t < TICKS; t++) {
		pivot_tick(&v, hostile_count(), hostile_count());

		cr_assert_geq(pivot_legacy_ms(&v), 15.9);
		cr_assert_leq(pivot_legacy_ms(&v), 60001.0);
	}
}

Test(bounds, every_limit_in_range_can_be_proven)
{
	seed = 7;
	for (unsigned i = 0; i < 500; i++) {
		struct guard_params p = hostile_limits(i % 2 == 1);
		uint64_t need = guard_need(&p);

		cr_assert_null(guard_check(&p));
		cr_assert_geq(need, 1);
	}
}
