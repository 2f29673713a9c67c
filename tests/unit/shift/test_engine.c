/* The engine: when the guards of a migration together say pass, breach or hold. */
#include <criterion/criterion.h>

#include "sluice/shift.h"

enum { ERRORS, LATENCY, N_GUARDS };

static struct engine engine;

static struct guard_params five_percent(void)
{
	struct guard_params p = guard_defaults();

	p.p0 = 0.05;
	return p;
}

static void set_up(struct guard_params errors, struct guard_params latency)
{
	const struct guard_params p[] = { [ERRORS] = errors, [LATENCY] = latency };
	struct engine_params e = engine_defaults();

	engine_init(&engine, &e, p, N_GUARDS);
}

static void setup(void)
{
	set_up(five_percent(), five_percent());
}

static void setup_with_watching_latency(void)
{
	struct guard_params watching = five_percent();

	watching.observe = true;
	set_up(five_percent(), watching);
}

/* Ten ticks a second with n requests each, of which some fail and some are slow. */
static enum shift_verdict serve(double seconds, int n, int failed, int slow)
{
	const struct guard_counts c[] = {
		[ERRORS] = { .n1 = n, .k1 = failed },
		[LATENCY] = { .n1 = n, .k1 = slow },
	};

	for (int i = 0; i < (int)(seconds * 10); i++)
		engine_tick(&engine, 100, n - failed, failed, c);
	return engine.verdict;
}

static enum shift_verdict all_good(double seconds)
{
	return serve(seconds, 10, 0, 0);
}

TestSuite(engine, .init = setup);

Test(engine, health_passes_when_the_hold_is_over_and_not_before)
{
	cr_assert_eq(all_good(29.9), VERDICT_HOLD);
	cr_assert_eq(all_good(0.1), VERDICT_PASS);
	cr_assert_eq(engine.reason, BECAUSE_NOTHING);
}

Test(engine, one_guard_without_proof_keeps_the_step)
{
	cr_assert_eq(serve(60, 20, 0, 1), VERDICT_HOLD); /* slow ones: at the limit */
	cr_assert(engine.guard[ERRORS].proven);
	cr_assert_not(engine.guard[LATENCY].proven);
}

Test(engine, unsettled_evidence_keeps_a_proven_step)
{
	all_good(29.9);

	serve(0.2, 10, 10, 0);

	cr_assert(engine.guard[ERRORS].proven);
	cr_assert_eq(engine.verdict, VERDICT_HOLD);
}

Test(engine, a_guard_that_fires_is_a_breach_and_is_named)
{
	cr_assert_eq(serve(4, 10, 0, 9), VERDICT_BREACH);
	cr_assert_eq(engine.reason, BECAUSE_GUARD);
	cr_assert_eq(engine.reason_guard, LATENCY);
}

Test(engine, of_two_firing_guards_the_lower_is_named)
{
	cr_assert_eq(serve(4, 10, 9, 9), VERDICT_BREACH);
	cr_assert_eq(engine.reason_guard, ERRORS);
}

Test(engine, a_breach_is_latched_through_good_times_steps_and_other_limits)
{
	struct guard_params lax = guard_defaults();

	lax.p0 = 0.5;
	serve(4, 10, 0, 9);

	engine_step(&engine);
	engine_config(&engine, LATENCY, &lax);

	cr_assert_eq(all_good(600), VERDICT_BREACH);
	cr_assert_eq(engine.reason, BECAUSE_GUARD);
}

Test(engine, a_new_run_begins_from_zero)
{
	serve(4, 10, 9, 9);

	engine_start(&engine);

	cr_assert_eq(engine.verdict, VERDICT_HOLD);
	cr_assert_eq(engine.run, 0);
	cr_assert_not(engine.guard[LATENCY].fired);
	cr_assert_float_eq(guard_evidence(&engine.guard[ERRORS]), 0.0, 0.0);
	cr_assert_eq(all_good(30), VERDICT_PASS);
}

Test(engine, ten_failures_in_a_row_over_three_ticks_are_the_floor)
{
	cr_assert_eq(serve(0.2, 10, 10, 0), VERDICT_HOLD);
	cr_assert_eq(serve(0.1, 10, 10, 0), VERDICT_BREACH);
	cr_assert_eq(engine.reason, BECAUSE_FLOOR);
}

Test(engine, one_good_answer_takes_new_off_the_floor)
{
	serve(0.2, 10, 10, 0);
	serve(0.1, 10, 9, 0);

	cr_assert_eq(engine.run, 0);
	cr_assert_eq(serve(0.2, 10, 10, 0), VERDICT_HOLD);
}

Test(engine, idle_ticks_neither_count_for_the_floor_nor_reset_it)
{
	serve(0.2, 10, 10, 0);
	serve(60, 0, 0, 0);

	cr_assert_eq(engine.run, 20);
	cr_assert_eq(engine.run_ticks, 2);
}

Test(engine, the_floor_is_deeper_where_many_errors_are_allowed)
{
	double h = guard_defaults().h;

	cr_assert_eq(engine_floor_fails(h, 0.5), 24);
	cr_assert_eq(engine_floor_fails(h, 0.01), 10);
	cr_assert_eq(engine_floor_fails(100.0, 0.5), 145);
}

Test(engine, too_little_traffic_until_the_time_out_is_inconclusive)
{
	cr_assert_eq(serve(1799.9, 0, 0, 0), VERDICT_HOLD);
	cr_assert_eq(serve(0.1, 0, 0, 0), VERDICT_INCONCLUSIVE);
	cr_assert_eq(engine.reason, BECAUSE_TOO_LITTLE_TRAFFIC);
	cr_assert_eq(engine.reason_guard, ERRORS);
}

Test(engine, a_rate_at_the_limit_until_the_time_out_is_too_close)
{
	cr_assert_eq(serve(1800, 20, 0, 1), VERDICT_INCONCLUSIVE);
	cr_assert_eq(engine.reason, BECAUSE_TOO_CLOSE);
	cr_assert_eq(engine.reason_guard, LATENCY);
}

Test(engine, fresh_harm_at_the_time_out_is_not_settled)
{
	all_good(20);
	engine.p.max_hold_ms = 30000;

	serve(9.7, 0, 0, 0);
	serve(0.3, 10, 10, 0);

	cr_assert_eq(engine.verdict, VERDICT_BREACH); /* the floor comes first */
	engine_start(&engine);
	all_good(29.8);
	serve(0.2, 10, 10, 0);
	cr_assert_eq(engine.verdict, VERDICT_INCONCLUSIVE);
	cr_assert_eq(engine.reason, BECAUSE_NOT_SETTLED);
}

Test(engine, proof_that_comes_after_the_time_out_still_passes)
{
	serve(1800, 0, 0, 0);

	cr_assert_eq(all_good(60), VERDICT_PASS);
}

Test(engine, a_step_asks_for_proof_anew_and_keeps_the_harm)
{
	all_good(29);
	serve(0.2, 10, 5, 0);
	double harm = guard_evidence(&engine.guard[ERRORS]);

	engine_step(&engine);

	cr_assert_eq(engine.elapsed_ms, 0);
	cr_assert_not(engine.guard[ERRORS].proven);
	cr_assert_gt(harm, 0.0);
	cr_assert_float_eq(guard_evidence(&engine.guard[ERRORS]), harm, 0.0);
}

Test(engine, a_changed_limit_zeroes_its_own_guard_only)
{
	struct guard_params other = guard_defaults();

	serve(1, 10, 5, 5);
	double errors = guard_evidence(&engine.guard[ERRORS]);
	engine_config(&engine, LATENCY, &other);

	cr_assert_float_eq(guard_evidence(&engine.guard[ERRORS]), errors, 0.0);
	cr_assert_float_eq(guard_evidence(&engine.guard[LATENCY]), 0.0, 0.0);
	cr_assert_float_eq(engine.guard[LATENCY].p.p0, 0.01, 0.0);
}

Test(engine, a_stall_counts_as_one_second_and_time_never_runs_back)
{
	const struct guard_counts none[N_GUARDS] = { { 0 } };

	engine_tick(&engine, 3600000, 0, 0, none);
	engine_tick(&engine, -50, 0, 0, none);
	engine_tick(&engine, 0, 0, 0, none);

	cr_assert_eq(engine.elapsed_ms, 1002);
}

Test(engine, a_guard_that_observes_shows_its_breach_and_reverts_nothing,
	.init = setup_with_watching_latency)
{
	cr_assert_eq(serve(20, 10, 0, 9), VERDICT_HOLD);
	cr_assert_eq(guard_bar_percent(&engine.guard[LATENCY]), 100);
}

Test(engine, a_guard_that_observes_is_asked_for_no_proof_and_no_calm,
	.init = setup_with_watching_latency)
{
	cr_assert_eq(serve(30, 10, 0, 9), VERDICT_PASS);
}

Test(engine, a_time_out_never_blames_a_guard_that_observes)
{
	struct guard_params watching = five_percent();

	watching.observe = true;
	set_up(watching, five_percent());

	cr_assert_eq(serve(1800, 0, 0, 0), VERDICT_INCONCLUSIVE);
	cr_assert_eq(engine.reason_guard, LATENCY);
}

Test(engine, guards_that_are_not_asked_need_no_proof_but_calm)
{
	engine.asked = 0;

	cr_assert_eq(serve(30, 0, 0, 0), VERDICT_PASS);
	serve(0.2, 10, 10, 0);
	cr_assert_eq(engine.verdict, VERDICT_HOLD);
}

Test(engine, guards_that_are_not_asked_still_revert)
{
	engine.asked = 0;

	cr_assert_eq(serve(4, 10, 0, 9), VERDICT_BREACH);
}

Test(engine, every_step_asks_all_guards_again)
{
	engine.asked = 1U << ERRORS;

	engine_step(&engine);

	cr_assert_eq(engine.asked, 1U << ERRORS | 1U << LATENCY);
}

Test(engine, without_guards_the_hold_alone_counts)
{
	struct engine_params p = engine_defaults();

	engine_init(&engine, &p, NULL, 0);

	cr_assert_eq(all_good(29.9), VERDICT_HOLD);
	cr_assert_eq(all_good(0.1), VERDICT_PASS);
}

Test(engine, guards_go_on_after_a_pass)
{
	all_good(60);

	cr_assert_eq(serve(4, 10, 0, 9), VERDICT_BREACH);
}
