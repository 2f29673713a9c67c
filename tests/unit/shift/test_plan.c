/* The plan: what a verdict means for a migration in each phase. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "sluice/shift.h"

enum { PERCENT = 10000 };

static struct shift_plan plan;
static struct engine engine;

static void setup(void)
{
	struct engine_params p = engine_defaults();

	plan = (struct shift_plan){
		.n_steps = 4,
		.step = {
			{ .new_ppm = 5 * PERCENT },
			{ .new_ppm = 25 * PERCENT },
			{ .new_ppm = 50 * PERCENT },
			{ .new_ppm = 100 * PERCENT },
		},
	};
	engine_init(&engine, &p, NULL, 0);
}

static struct shift_state in_step(unsigned step)
{
	return (struct shift_state){ .phase = SHIFT_RUNNING, .step = step };
}

static struct shift_state in_phase(enum shift_phase phase)
{
	return (struct shift_state){
		.phase = phase,
		.step = 1,
		.person_ppm = 30 * PERCENT,
		.passed_ppm = 5 * PERCENT,
	};
}

static struct shift_change decide(
	struct shift_state s, enum shift_verdict verdict, enum shift_reason held)
{
	engine.verdict = verdict;
	return shift_decide(&s, &plan, &engine, held);
}

static struct shift_change passes(struct shift_state s)
{
	return decide(s, VERDICT_PASS, WHY_NOTHING);
}

static struct shift_change times_out(struct shift_state s)
{
	return decide(s, VERDICT_INCONCLUSIVE, WHY_NOTHING);
}

static uint32_t percent_of(struct shift_state s)
{
	return shift_new_ppm(&s, &plan) / PERCENT;
}

TestSuite(plan, .init = setup);

Test(plan, a_migration_begins_idle_with_a_plan_and_manual_without)
{
	struct shift_plan none = { 0 };

	struct shift_state with = shift_first(&plan, 10 * PERCENT);
	struct shift_state without = shift_first(&none, 10 * PERCENT);

	cr_assert_eq(with.phase, SHIFT_IDLE);
	cr_assert_eq(without.phase, SHIFT_MANUAL);
	cr_assert_eq(percent_of(with), 10);
	cr_assert_eq(percent_of(without), 10);
}

Test(plan, the_weight_follows_from_the_state)
{
	cr_assert_eq(percent_of(in_phase(SHIFT_IDLE)), 30);
	cr_assert_eq(percent_of(in_phase(SHIFT_MANUAL)), 30);
	cr_assert_eq(percent_of(in_phase(SHIFT_RUNNING)), 25);
	cr_assert_eq(percent_of(in_phase(SHIFT_WAITING)), 25);
	cr_assert_eq(percent_of(in_phase(SHIFT_PAUSED)), 25);
	cr_assert_eq(percent_of(in_phase(SHIFT_REVERTED)), 0);
	cr_assert_eq(percent_of(in_phase(SHIFT_CUTBACK)), 0);
}

Test(plan, a_step_that_the_plan_does_not_have_stands_for_0_and_moves_nothing)
{
	struct shift_change c = passes(in_step(4));

	cr_assert_eq(percent_of(in_step(4)), 0);
	cr_assert_not(c.changed);
}

Test(plan, a_plan_that_leaves_the_file_when_done_takes_nothing_back)
{
	struct shift_state s = { .phase = SHIFT_DONE, .step = 3 };

	plan.n_steps = 0;

	cr_assert_eq(percent_of(s), 100);
}

Test(plan, a_pass_leads_to_the_next_step_and_is_remembered)
{
	struct shift_change c = passes(in_step(1));

	cr_assert(c.changed);
	cr_assert_eq(c.reason, WHY_PASSED);
	cr_assert_eq(c.next.phase, SHIFT_RUNNING);
	cr_assert_eq(percent_of(c.next), 50);
	cr_assert_eq(c.next.passed_ppm, 25 * PERCENT);
}

Test(plan, the_last_pass_is_the_end_of_the_plan)
{
	struct shift_change c = passes(in_step(3));

	cr_assert_eq(c.reason, WHY_LAST_PASSED);
	cr_assert_eq(c.next.phase, SHIFT_DONE);
	cr_assert_eq(percent_of(c.next), 100);
	cr_assert_eq(c.next.passed_ppm, 100 * PERCENT);
}

Test(plan, a_step_without_a_verdict_stays_as_it_is)
{
	struct shift_change c = decide(in_step(1), VERDICT_HOLD, WHY_SPILL);

	cr_assert_not(c.changed);
	cr_assert_eq(c.reason, WHY_NOTHING);
	cr_assert_eq(c.next.step, 1);
}

ParameterizedTestParameters(plan, what_forbids_an_advance_holds_a_pass_and_says_so)
{
	static enum shift_reason held[] = { WHY_SPILL, WHY_EJECTED, WHY_JOURNAL,
		WHY_LEGACY_DOWN, WHY_TAINTED };

	return cr_make_param_array(
		enum shift_reason, held, sizeof(held) / sizeof(held[0]));
}

ParameterizedTest(
	enum shift_reason *held, plan, what_forbids_an_advance_holds_a_pass_and_says_so)
{
	struct shift_change c = decide(in_step(1), VERDICT_PASS, *held);

	cr_assert_not(c.changed);
	cr_assert_not(c.refused);
	cr_assert_eq(c.reason, *held);
	cr_assert_eq(c.next.step, 1);
}

Test(plan, nothing_holds_a_revert)
{
	struct shift_change c = decide(in_step(2), VERDICT_BREACH, WHY_JOURNAL);

	cr_assert(c.changed);
	cr_assert_eq(c.next.phase, SHIFT_REVERTED);
}

ParameterizedTestParameters(plan, a_breach_reverts_wherever_new_has_weight)
{
	static enum shift_phase phases[] = { SHIFT_IDLE, SHIFT_RUNNING, SHIFT_WAITING,
		SHIFT_PAUSED, SHIFT_MANUAL, SHIFT_DONE };

	return cr_make_param_array(
		enum shift_phase, phases, sizeof(phases) / sizeof(phases[0]));
}

ParameterizedTest(
	enum shift_phase *phase, plan, a_breach_reverts_wherever_new_has_weight)
{
	struct shift_change c = decide(in_phase(*phase), VERDICT_BREACH, WHY_NOTHING);

	cr_assert(c.changed);
	cr_assert_eq(c.reason, WHY_BREACH);
	cr_assert_eq(c.next.phase, SHIFT_REVERTED);
	cr_assert_eq(percent_of(c.next), 0);
	cr_assert_eq(c.next.passed_ppm, 0);
}

ParameterizedTestParameters(plan, a_breach_of_a_latched_migration_changes_nothing)
{
	static enum shift_phase phases[] = { SHIFT_REVERTED, SHIFT_CUTBACK };

	return cr_make_param_array(
		enum shift_phase, phases, sizeof(phases) / sizeof(phases[0]));
}

ParameterizedTest(
	enum shift_phase *phase, plan, a_breach_of_a_latched_migration_changes_nothing)
{
	struct shift_change c = decide(in_phase(*phase), VERDICT_BREACH, WHY_NOTHING);

	cr_assert_not(c.changed);
	cr_assert_eq(c.next.phase, *phase);
}

Test(plan, a_late_breach_with_nothing_on_new_latches_nothing)
{
	struct shift_state s = { .phase = SHIFT_MANUAL };

	cr_assert_not(decide(s, VERDICT_BREACH, WHY_NOTHING).changed);
}

Test(plan, the_floor_is_told_apart_from_a_guard)
{
	engine.reason = BECAUSE_FLOOR;

	cr_assert_eq(decide(in_step(0), VERDICT_BREACH, WHY_NOTHING).reason, WHY_FLOOR);
}

ParameterizedTestParameters(plan, a_pass_moves_running_steps_only)
{
	static enum shift_phase phases[] = { SHIFT_IDLE, SHIFT_WAITING, SHIFT_PAUSED,
		SHIFT_MANUAL, SHIFT_DONE, SHIFT_REVERTED, SHIFT_CUTBACK };

	return cr_make_param_array(
		enum shift_phase, phases, sizeof(phases) / sizeof(phases[0]));
}

ParameterizedTest(enum shift_phase *phase, plan, a_pass_moves_running_steps_only)
{
	plan.on_timeout = ON_TIMEOUT_REVERT;

	cr_assert_not(passes(in_phase(*phase)).changed);
	cr_assert_not(times_out(in_phase(*phase)).changed);
}

Test(plan, a_step_that_times_out_holds_by_default_and_tells_it_once)
{
	struct shift_change first = times_out(in_step(1));
	struct shift_change second = times_out(first.next);

	cr_assert(first.changed);
	cr_assert_eq(first.reason, WHY_TIMED_OUT);
	cr_assert_eq(percent_of(first.next), 25);
	cr_assert_not(second.changed);
	cr_assert_eq(second.reason, WHY_NOTHING);
}

Test(plan, a_step_that_timed_out_still_passes_when_evidence_comes)
{
	struct shift_change held = times_out(in_step(1));

	struct shift_change c = passes(held.next);

	cr_assert_eq(percent_of(c.next), 50);
	cr_assert_not(c.next.timed_out);
}

Test(plan, a_step_that_times_out_advances_unproven_if_the_plan_says_so)
{
	plan.on_timeout = ON_TIMEOUT_ADVANCE;

	struct shift_change c = times_out(in_step(1));

	cr_assert_eq(c.reason, WHY_TIMED_OUT_ADVANCE);
	cr_assert_eq(percent_of(c.next), 50);
	cr_assert_eq(c.next.passed_ppm, 0); /* it has passed nothing */
	cr_assert_not(decide(in_step(1), VERDICT_INCONCLUSIVE, WHY_SPILL).changed);
}

Test(plan, a_step_that_times_out_reverts_if_the_plan_says_so)
{
	plan.on_timeout = ON_TIMEOUT_REVERT;

	struct shift_change c = times_out(in_step(1));

	cr_assert_eq(c.reason, WHY_TIMED_OUT_REVERT);
	cr_assert_eq(c.next.phase, SHIFT_REVERTED);
}

Test(plan, a_lower_step_that_passes_forgets_no_higher_one)
{
	struct shift_state s = in_step(0);

	s.passed_ppm = 50 * PERCENT;

	cr_assert_eq(passes(s).next.passed_ppm, 50 * PERCENT);
}

Test(plan, the_same_input_gives_the_same_answer)
{
	struct shift_change a = passes(in_step(2)), b = passes(in_step(2));

	cr_assert_eq(a.changed, b.changed);
	cr_assert_eq(a.reason, b.reason);
	cr_assert_eq(a.next.step, b.next.step);
	cr_assert_eq(a.next.passed_ppm, b.next.passed_ppm);
}
