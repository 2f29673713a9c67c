/*
 * Which guards a migration gets, what feeds them, and what a reload leaves of them.
 */
#include <criterion/criterion.h>

#include "sluice/control/guards.h"

static const struct config_timeouts timeouts = { .response_head_ms = 30000 };

static struct config_migration with(double error_rate, uint64_t p95_us)
{
	return (struct config_migration){
		.has_guard = true,
		.guard = {
			.error_rate = error_rate,
			.p95_latency_us = p95_us,
			.dwell_ms = 3000,
			.min_bad = 5,
			.bin_min = 4,
			.t_min_ms = 20,
			.cap_rps = 100,
			.h = 16.118,
			.alpha_promote = 0.05,
			.p_min = 0.005,
		},
	};
}

static struct guard_set set_of(const struct config_migration *m)
{
	return guards_of(m, &timeouts);
}

Test(guards, come_in_the_order_of_the_rule)
{
	struct config_migration m = with(0.01, 500000);
	m.guard.error_ratio = 1.5;
	m.guard.p95_ratio = 1.25;

	struct guard_set s = set_of(&m);

	cr_assert_eq(s.n, 4);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(s.def[i].kind, i);
	cr_assert_eq(s.def[1].slow_us, 500000);
	cr_assert_float_eq(s.def[1].p.p0, 0.05, 1e-12);
	cr_assert(s.def[2].p.relative && s.def[3].p.relative);
	cr_assert_float_eq(s.def[3].p.rho, 1.0, 0);
}

Test(guards, an_error_guard_never_goes_without_one_of_latency_that_watches)
{
	struct config_migration m = with(0.01, 0);

	struct guard_set s = set_of(&m);

	cr_assert_eq(s.n, 2);
	cr_assert_eq(s.def[1].kind, GUARD_P95_LATENCY);
	cr_assert_eq(s.def[1].slow_us, 15000000);
	cr_assert(s.def[1].p.observe);
	cr_assert_not(s.def[0].p.observe);
}

Test(guards, in_observe_mode_neither_guards_nor_floor_revert)
{
	struct config_migration m = with(0.01, 500000);
	m.guard.mode = CONFIG_OBSERVE;

	struct guard_set s = set_of(&m);

	cr_assert(s.def[0].p.observe && s.def[1].p.observe);
	cr_assert_eq(s.floor_fails, UINT32_MAX);
}

Test(guards, a_plan_without_guards_still_has_the_floor)
{
	struct config_step step = { .new_ppm = 1000 };
	struct config_migration plain = { .has_guard = false };
	struct config_migration planned = { .plan = { .steps = &step, .n_steps = 1 } };

	cr_assert_eq(set_of(&plain).floor_fails, UINT32_MAX);
	cr_assert_eq(set_of(&planned).floor_fails, 10);
	cr_assert_eq(set_of(&planned).n, 0);
}

Test(guards, the_floor_needs_more_failures_where_many_errors_are_allowed)
{
	struct config_migration m = with(0.5, 0);

	cr_assert_eq(set_of(&m).floor_fails, 24);
}

Test(guards, both_error_guards_are_fed_by_the_same_counters_of_both_sides)
{
	struct config_migration m = with(0.01, 500000);
	m.guard.error_ratio = 1.5;
	struct guard_set s = set_of(&m);
	struct migration_counts then = { .v = { { 0 } } }, now = then;
	struct guard_counts c[GUARD_MAX];
	now.v[SIDE_NEW][GUARD_N] = 20;
	now.v[SIDE_NEW][GUARD_K] = 3;
	now.v[SIDE_LEGACY][GUARD_N] = 80;
	now.v[SIDE_LEGACY][GUARD_K] = 1;
	now.v[SIDE_NEW][GUARD_LAT_N] = 19;
	now.v[SIDE_NEW][GUARD_LAT_K] = 2;

	guards_count(&s, &now, &then, c);

	cr_assert(c[0].n1 == 20 && c[0].k1 == 3);
	cr_assert(c[1].n1 == 19 && c[1].k1 == 2);
	cr_assert(c[2].n1 == 20 && c[2].k1 == 3 && c[2].n0 == 80 && c[2].k0 == 1);
}

Test(guards, a_counter_that_went_back_counts_nothing)
{
	struct migration_counts then = { .v = { { 0 } } }, now = then;
	then.v[SIDE_NEW][GUARD_N] = 1000;
	now.v[SIDE_NEW][GUARD_N] = 3;

	cr_assert_eq(guards_delta(&now, &then, SIDE_NEW, GUARD_N), 0);
}

/* --- reload ------------------------------------------------------------------- */

static void feed_bad(struct engine *e)
{
	struct guard_counts c[GUARD_MAX] = { { .n1 = 10, .k1 = 2 },
		{ .n1 = 10, .k1 = 5 } };

	(void)engine_tick(e, 100, 8, 2, c);
}

Test(guards, a_changed_threshold_starts_its_own_guard_anew_and_no_other)
{
	struct config_migration m = with(0.01, 500000);
	struct guard_set old = set_of(&m);
	struct engine e;
	guards_init_engine(&e, &old);
	feed_bad(&e);
	double errors = guard_evidence(&e.guard[0]);
	m.guard.p95_latency_us = 400000;
	struct guard_set now = set_of(&m);

	bool changed = guards_change_engine(&e, &old, &now);

	cr_assert(changed);
	cr_assert(errors > 0);
	cr_assert_float_eq(guard_evidence(&e.guard[0]), errors, 0);
	cr_assert_float_eq(guard_evidence(&e.guard[1]), 0, 0);
	cr_assert_eq(e.elapsed_ms, 100);
}

Test(guards, an_unchanged_file_changes_no_evidence)
{
	struct config_migration m = with(0.01, 500000);
	struct guard_set old = set_of(&m), now = set_of(&m);
	struct engine e;
	guards_init_engine(&e, &old);
	feed_bad(&e);
	struct engine before = e;

	bool changed = guards_change_engine(&e, &old, &now);

	cr_assert_not(changed);
	cr_assert_float_eq(e.guard[1].s[0], before.guard[1].s[0], 0);
}

Test(guards, a_guard_that_goes_takes_no_other_along)
{
	struct config_migration m = with(0.01, 500000);
	m.guard.error_ratio = 1.5;
	struct guard_set old = set_of(&m);
	struct engine e;
	guards_init_engine(&e, &old);
	feed_bad(&e);
	double slow = guard_evidence(&e.guard[1]);
	m.guard.error_rate = 0;
	struct guard_set now = set_of(&m);

	(void)guards_change_engine(&e, &old, &now);

	cr_assert_eq(e.n_guards, 2);
	cr_assert_eq(now.def[0].kind, GUARD_P95_LATENCY);
	cr_assert_float_eq(guard_evidence(&e.guard[0]), slow, 0);
}

Test(guards, no_relative_guard_is_asked_where_legacy_has_no_share)
{
	struct config_migration m = with(0.01, 500000);
	m.guard.error_ratio = 1.5;
	struct guard_set s = set_of(&m);
	struct engine e;
	guards_init_engine(&e, &s);

	guards_ask(&e, 500000);
	cr_assert_eq(e.asked, 7);

	guards_ask(&e, 1000000);
	cr_assert_eq(e.asked, 3);
}
