/* One guard: what raises its bar, what lowers it, what proves health. */
#include <float.h>
#include <math.h>

#include <criterion/criterion.h>

#include "sluice/shift.h"

enum { TICK_MS = 100 };

static struct engine engine;
static const struct guard *guard = &engine.guard[0];

static void watch(struct guard_params p)
{
	struct engine_params e = engine_defaults();

	engine_init(&engine, &e, &p, 1);
}

static struct guard_params five_percent(void)
{
	struct guard_params p = guard_defaults();

	p.p0 = 0.05;
	return p;
}

static struct guard_params relative(void)
{
	struct guard_params p = guard_defaults();

	p.relative = true;
	return p;
}

/* seconds of ten ticks each, with the same counts in each tick */
static void both_serve(double seconds, int n1, int k1, int n0, int k0)
{
	const struct guard_counts c = { .n1 = n1, .k1 = k1, .n0 = n0, .k0 = k0 };

	for (int i = 0; i < (int)(seconds * 10); i++)
		engine_tick(&engine, TICK_MS, 1, 0, &c);
}

static void new_serves(double seconds, int n, int bad)
{
	both_serve(seconds, n, bad, 0, 0);
}

Test(guard, defaults_are_those_of_the_rule_and_in_range)
{
	struct guard_params p = guard_defaults();

	cr_assert_null(guard_check(&p));
	cr_assert_not(p.relative);
	cr_assert_not(p.observe);
	cr_assert_float_eq(p.h, 16.11809565095832, 1e-12);
	cr_assert_eq(p.dwell_ms, 3000);
	cr_assert_eq(p.min_bad, 5);
}

static const char *fault_of(size_t offset, double value)
{
	struct guard_params p = guard_defaults();

	*(double *)(void *)((char *)&p + offset) = value;
	return guard_check(&p);
}

#define FAULT(field, value) fault_of(offsetof(struct guard_params, field), value)

Test(guard, a_parameter_out_of_range_is_named)
{
	struct guard_params no_bin = guard_defaults();

	no_bin.bin_min = 0;

	cr_assert_str_eq(FAULT(p0, 0.0), "p0");
	cr_assert_str_eq(FAULT(p0, 0.51), "p0");
	cr_assert_str_eq(FAULT(rho, 0.09), "rho");
	cr_assert_str_eq(FAULT(rho, 100.5), "rho");
	cr_assert_str_eq(FAULT(p_min, 0.9e-6), "p_min");
	cr_assert_str_eq(FAULT(h, 0.5), "h");
	cr_assert_str_eq(FAULT(h, 101.0), "h");
	cr_assert_str_eq(FAULT(cap_rps, 0.0), "cap_rps");
	cr_assert_str_eq(FAULT(alpha_promote, 0.0), "alpha_promote");
	cr_assert_str_eq(FAULT(alpha_promote, 1.0), "alpha_promote");
	cr_assert_str_eq(guard_check(&no_bin), "bin_min");
}

Test(guard, a_parameter_that_is_no_number_or_endless_is_refused)
{
	cr_assert_str_eq(FAULT(p0, NAN), "p0");
	cr_assert_str_eq(FAULT(rho, NAN), "rho");
	cr_assert_str_eq(FAULT(h, INFINITY), "h");
	cr_assert_str_eq(FAULT(cap_rps, INFINITY), "cap_rps");
	cr_assert_str_eq(FAULT(cap_rps, NAN), "cap_rps");
	cr_assert_str_eq(FAULT(alpha_promote, NAN), "alpha_promote");
	cr_assert_str_eq(FAULT(alpha_promote, DBL_TRUE_MIN), "alpha_promote");
}

Test(guard, a_bad_request_raises_the_bar_and_good_ones_lower_it)
{
	watch(five_percent());

	new_serves(0.1, 1, 1);
	double after_bad = guard_evidence(guard);
	new_serves(0.1, 10, 0);

	cr_assert_float_eq(after_bad, 2.6736487743848776 / guard->p.h, 1e-12);
	cr_assert_lt(guard_evidence(guard), after_bad);
}

Test(guard, thirty_good_minutes_are_no_credit)
{
	watch(five_percent());
	new_serves(0.1, 10, 10);
	double fresh = guard_evidence(guard);
	watch(five_percent());
	new_serves(1800, 10, 0);

	new_serves(0.1, 10, 10);

	cr_assert_float_eq(guard_evidence(guard), fresh, 0.0);
}

Test(guard, an_idle_pool_neither_clears_nor_adds_evidence)
{
	watch(five_percent());
	new_serves(0.1, 10, 10);
	double before = guard_evidence(guard);

	new_serves(60, 0, 0);

	cr_assert_float_eq(guard_evidence(guard), before, 0.0);
}

Test(guard, a_total_outage_fires_after_the_dwell_and_not_before)
{
	watch(five_percent());

	new_serves(2.9, 5, 5);
	bool early = guard->fired;
	new_serves(0.2, 5, 5);

	cr_assert_not(early);
	cr_assert(guard->fired);
}

Test(guard, a_burst_shorter_than_the_dwell_is_forgiven)
{
	watch(five_percent());

	new_serves(2, 5, 5);
	new_serves(60, 5, 0);

	cr_assert_not(guard->fired);
	cr_assert_eq(guard_bar_percent(guard), 0);
}

Test(guard, fewer_bad_requests_than_min_bad_never_fire)
{
	struct guard_params p = five_percent();

	p.p0 = 1e-6;
	watch(p);
	new_serves(0.1, 4, 4);
	new_serves(60, 0, 0);
	cr_assert_not(guard->fired);

	new_serves(0.1, 1, 1);
	cr_assert(guard->fired);
}

Test(guard, a_rate_of_twice_the_limit_fires_and_one_of_half_of_it_does_not)
{
	watch(five_percent());
	new_serves(600, 40, 1); /* 2.5 % */
	bool half = guard->fired;
	new_serves(600, 10, 1); /* 10 % */

	cr_assert_not(half);
	cr_assert(guard->fired);
}

Test(guard, a_tick_of_two_thousand_requests_weighs_as_ten)
{
	watch(five_percent());
	new_serves(0.1, 2000, 2000);
	double busy = guard->s[1];
	watch(five_percent());
	new_serves(0.1, 10, 10);

	cr_assert_float_eq(busy, guard->s[1], 1e-9);
	cr_assert_eq(guard->bad[1], 10);
}

Test(guard, the_bar_shows_99_until_the_guard_has_fired)
{
	watch(five_percent());
	new_serves(1, 10, 10);
	unsigned full = guard_bar_percent(guard);
	new_serves(3, 10, 10);

	cr_assert_eq(full, 99);
	cr_assert_eq(guard_bar_percent(guard), 100);
}

Test(guard, the_leader_is_the_fullest_bar_and_of_equals_the_lowest)
{
	watch(five_percent());
	cr_assert_eq(guard_leader(guard), 0);

	new_serves(0.1, 1, 1);
	unsigned after_one = guard_leader(guard);
	new_serves(1, 10, 10);

	cr_assert_eq(after_one, 3);
	cr_assert_eq(guard_leader(guard), 0); /* all stand at the bar by now */
}

Test(guard, broken_counters_are_clamped)
{
	watch(five_percent());

	new_serves(0.1, 3, 9);
	int64_t bad = guard->bad[0];
	new_serves(0.1, -5, -1);

	cr_assert_eq(bad, 3);
	cr_assert_eq(guard->n[0], 3);
}

Test(guard, good_requests_that_prove_health_are_85_at_5_percent_and_431_at_1)
{
	struct guard_params five = five_percent(), one = guard_defaults();

	cr_assert_eq(guard_need(&five), 85);
	cr_assert_eq(guard_need(&one), 431);
}

Test(guard, exactly_as_many_good_requests_as_needed_prove_health)
{
	watch(five_percent());

	for (int i = 0; i < 84; i++)
		new_serves(0.1, 1, 0);
	bool early = guard->proven;
	double almost = guard_promote(guard);
	new_serves(0.1, 1, 0);

	cr_assert_not(early);
	cr_assert_lt(almost, 1.0);
	cr_assert(guard->proven);
	cr_assert_float_eq(guard_promote(guard), 1.0, 0.0);
}

Test(guard, proof_stays_when_the_rate_worsens_within_the_step)
{
	watch(five_percent());
	new_serves(60, 10, 0);

	new_serves(1, 10, 3);

	cr_assert(guard->proven);
}

Test(guard, a_relative_guard_is_quiet_while_legacy_is_as_bad)
{
	watch(relative());

	both_serve(600, 10, 2, 10, 2);

	cr_assert_not(guard->fired);
	cr_assert_lt(guard_evidence(guard), 0.5);
}

Test(guard, a_relative_guard_fires_when_new_is_four_times_worse)
{
	watch(relative());

	both_serve(60, 10, 4, 10, 1);

	cr_assert(guard->fired);
}

Test(guard, a_relative_guard_without_legacy_traffic_is_silent)
{
	watch(relative());

	both_serve(60, 10, 10, 0, 0);

	cr_assert_eq(guard_bar_percent(guard), 0);
	cr_assert_eq(guard->bin[0], 6000);
}

Test(guard, a_relative_guard_waits_until_its_bin_is_full_on_both_sides)
{
	watch(relative());

	both_serve(0.1, 2, 2, 10, 0);
	double half_full = guard_evidence(guard);
	both_serve(0.1, 2, 2, 10, 0);

	cr_assert_float_eq(half_full, 0.0, 0.0);
	cr_assert_gt(guard_evidence(guard), 0.0);
	cr_assert_eq(guard->bin[0], 0);
	cr_assert_eq(guard->age_ms[1], 200);
}

Test(guard, many_times_next_to_nothing_does_not_fire_a_relative_guard)
{
	struct guard_params p = relative();

	p.p_min = 0.01;
	watch(p);
	for (int i = 0; i < 3000; i++) { /* 0.25 % of new, none of legacy */
		both_serve(0.1, 40, i % 10 == 0, 40, 0);
	}

	cr_assert_eq(guard_bar_percent(guard), 99);
	cr_assert_not(guard->fired);
}
