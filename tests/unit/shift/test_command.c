/* Commands: S42 pair by pair, and what each wish leaves behind. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "sluice/shift.h"

enum { PERCENT = 10000 };

static const struct shift_plan plan = {
	.n_steps = 4,
	.step = {
		{ .new_ppm = 5 * PERCENT },
		{ .new_ppm = 25 * PERCENT },
		{ .new_ppm = 50 * PERCENT },
		{ .new_ppm = 100 * PERCENT },
	},
};
static const struct shift_plan no_plan = { .n_steps = 0 };

static struct shift_state in_phase(enum shift_phase phase)
{
	return (struct shift_state){
		.phase = phase,
		.step = 2,
		.person_ppm = 30 * PERCENT,
		.passed_ppm = 25 * PERCENT,
		.timed_out = true,
	};
}

static struct shift_change wish(enum shift_phase phase, enum shift_command command)
{
	struct shift_state s = in_phase(phase);

	return shift_command(&s, &plan, command, 10 * PERCENT);
}

static struct shift_change wish_weight(struct shift_state s, uint32_t percent)
{
	return shift_command(&s, &plan, COMMAND_WEIGHT, percent * PERCENT);
}

static struct shift_change resume_at(uint32_t percent)
{
	struct shift_state s = in_phase(SHIFT_MANUAL);

	s.person_ppm = percent * PERCENT;
	return shift_command(&s, &plan, COMMAND_RESUME, 0);
}

static uint32_t percent_of(struct shift_state s)
{
	return shift_new_ppm(&s, &plan) / PERCENT;
}

static bool is_same(struct shift_state a, struct shift_state b)
{
	return a.phase == b.phase && a.step == b.step && a.person_ppm == b.person_ppm &&
	       a.passed_ppm == b.passed_ppm && a.timed_out == b.timed_out;
}

struct leads {
	enum shift_phase from;
	enum shift_command command;
	enum shift_phase to;
	uint32_t percent;
};

ParameterizedTestParameters(command, leads_where_s42_says)
{
	static struct leads all[] = {
		{ SHIFT_IDLE, COMMAND_START, SHIFT_RUNNING, 5 },
		{ SHIFT_IDLE, COMMAND_WEIGHT, SHIFT_MANUAL, 10 },
		{ SHIFT_IDLE, COMMAND_CUTBACK, SHIFT_CUTBACK, 0 },
		{ SHIFT_RUNNING, COMMAND_PAUSE, SHIFT_PAUSED, 50 },
		{ SHIFT_RUNNING, COMMAND_ABORT, SHIFT_IDLE, 0 },
		{ SHIFT_RUNNING, COMMAND_WEIGHT, SHIFT_MANUAL, 10 },
		{ SHIFT_RUNNING, COMMAND_CUTBACK, SHIFT_CUTBACK, 0 },
		{ SHIFT_WAITING, COMMAND_PAUSE, SHIFT_PAUSED, 50 },
		{ SHIFT_WAITING, COMMAND_ABORT, SHIFT_IDLE, 0 },
		{ SHIFT_WAITING, COMMAND_WEIGHT, SHIFT_MANUAL, 10 },
		{ SHIFT_WAITING, COMMAND_CUTBACK, SHIFT_CUTBACK, 0 },
		{ SHIFT_PAUSED, COMMAND_RESUME, SHIFT_RUNNING, 50 },
		{ SHIFT_PAUSED, COMMAND_ABORT, SHIFT_IDLE, 0 },
		{ SHIFT_PAUSED, COMMAND_WEIGHT, SHIFT_MANUAL, 10 },
		{ SHIFT_PAUSED, COMMAND_CUTBACK, SHIFT_CUTBACK, 0 },
		{ SHIFT_MANUAL, COMMAND_START, SHIFT_RUNNING, 5 },
		{ SHIFT_MANUAL, COMMAND_RESUME, SHIFT_RUNNING, 25 },
		{ SHIFT_MANUAL, COMMAND_ABORT, SHIFT_IDLE, 0 },
		{ SHIFT_MANUAL, COMMAND_WEIGHT, SHIFT_MANUAL, 10 },
		{ SHIFT_MANUAL, COMMAND_CUTBACK, SHIFT_CUTBACK, 0 },
		{ SHIFT_DONE, COMMAND_WEIGHT, SHIFT_MANUAL, 10 },
		{ SHIFT_DONE, COMMAND_CUTBACK, SHIFT_CUTBACK, 0 },
		{ SHIFT_REVERTED, COMMAND_RESUME, SHIFT_IDLE, 0 },
		{ SHIFT_CUTBACK, COMMAND_RESUME, SHIFT_IDLE, 0 },
	};

	return cr_make_param_array(struct leads, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct leads *way, command, leads_where_s42_says)
{
	struct shift_change c = wish(way->from, way->command);

	cr_assert(c.changed);
	cr_assert_not(c.refused);
	cr_assert_eq(c.reason, WHY_COMMAND);
	cr_assert_eq(c.next.phase, way->to);
	cr_assert_eq(percent_of(c.next), way->percent);
	cr_assert_eq(c.next.timed_out, way->to == SHIFT_PAUSED);
}

struct stays {
	enum shift_phase phase;
	enum shift_command command;
	enum shift_reason reason; /* WHY_ALREADY: accepted, all others: refused */
};

ParameterizedTestParameters(command, that_has_no_way_out_changes_nothing_and_says_why)
{
	static struct stays all[] = {
		{ SHIFT_IDLE, COMMAND_PAUSE, WHY_NOT_RUNNING },
		{ SHIFT_IDLE, COMMAND_RESUME, WHY_NOT_RUNNING },
		{ SHIFT_IDLE, COMMAND_ABORT, WHY_NOT_RUNNING },
		{ SHIFT_RUNNING, COMMAND_START, WHY_ALREADY },
		{ SHIFT_RUNNING, COMMAND_RESUME, WHY_ALREADY },
		{ SHIFT_WAITING, COMMAND_START, WHY_ALREADY },
		{ SHIFT_WAITING, COMMAND_RESUME, WHY_ALREADY },
		{ SHIFT_PAUSED, COMMAND_START, WHY_PAUSED },
		{ SHIFT_PAUSED, COMMAND_PAUSE, WHY_ALREADY },
		{ SHIFT_MANUAL, COMMAND_PAUSE, WHY_NOT_RUNNING },
		{ SHIFT_DONE, COMMAND_START, WHY_DONE },
		{ SHIFT_DONE, COMMAND_PAUSE, WHY_DONE },
		{ SHIFT_DONE, COMMAND_RESUME, WHY_DONE },
		{ SHIFT_DONE, COMMAND_ABORT, WHY_DONE },
		{ SHIFT_REVERTED, COMMAND_START, WHY_LATCHED },
		{ SHIFT_REVERTED, COMMAND_PAUSE, WHY_LATCHED },
		{ SHIFT_REVERTED, COMMAND_ABORT, WHY_LATCHED },
		{ SHIFT_REVERTED, COMMAND_WEIGHT, WHY_LATCHED },
		{ SHIFT_REVERTED, COMMAND_CUTBACK, WHY_ALREADY },
		{ SHIFT_CUTBACK, COMMAND_START, WHY_LATCHED },
		{ SHIFT_CUTBACK, COMMAND_PAUSE, WHY_LATCHED },
		{ SHIFT_CUTBACK, COMMAND_ABORT, WHY_LATCHED },
		{ SHIFT_CUTBACK, COMMAND_WEIGHT, WHY_LATCHED },
		{ SHIFT_CUTBACK, COMMAND_CUTBACK, WHY_ALREADY },
	};

	return cr_make_param_array(struct stays, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(
	struct stays *way, command, that_has_no_way_out_changes_nothing_and_says_why)
{
	struct shift_change c = wish(way->phase, way->command);

	cr_assert_not(c.changed);
	cr_assert_eq(c.refused, way->reason != WHY_ALREADY);
	cr_assert_eq(c.reason, way->reason);
	cr_assert(is_same(c.next, in_phase(way->phase)));
}

Test(command, start_begins_at_the_first_step_and_forgets_what_passed_before)
{
	struct shift_change c = wish(SHIFT_MANUAL, COMMAND_START);

	cr_assert_eq(c.next.step, 0);
	cr_assert_eq(c.next.passed_ppm, 0);
}

Test(command, start_and_resume_need_a_plan)
{
	struct shift_state manual = in_phase(SHIFT_MANUAL);
	struct shift_state paused = in_phase(SHIFT_PAUSED);

	cr_assert_eq(
		shift_command(&manual, &no_plan, COMMAND_START, 0).reason, WHY_NO_PLAN);
	cr_assert_eq(shift_command(&manual, &no_plan, COMMAND_RESUME, 0).reason,
		WHY_NO_PLAN);
	cr_assert(shift_command(&paused, &no_plan, COMMAND_RESUME, 0).refused);
}

Test(command, resume_from_a_persons_weight_takes_the_nearest_step_below)
{
	cr_assert_eq(percent_of(resume_at(24).next), 5);
	cr_assert_eq(percent_of(resume_at(25).next), 25);
	cr_assert_eq(percent_of(resume_at(99).next), 50);
	cr_assert_eq(percent_of(resume_at(100).next), 100);
}

Test(command, resume_from_a_weight_below_all_steps_takes_the_first)
{
	cr_assert_eq(resume_at(0).next.step, 0);
	cr_assert_eq(percent_of(resume_at(3).next), 5);
}

Test(command, resume_from_a_pause_keeps_the_step_and_what_passed)
{
	struct shift_change c = wish(SHIFT_PAUSED, COMMAND_RESUME);

	cr_assert_eq(c.next.step, 2);
	cr_assert_eq(c.next.passed_ppm, 25 * PERCENT);
}

Test(command, resume_of_a_latch_moves_nothing_and_a_second_one_starts_nothing)
{
	struct shift_change first = wish(SHIFT_REVERTED, COMMAND_RESUME);
	struct shift_change second =
		shift_command(&first.next, &plan, COMMAND_RESUME, 0);

	cr_assert_eq(percent_of(first.next), 0);
	cr_assert(second.refused);
	cr_assert_eq(percent_of(second.next), 0);
}

Test(command, a_weight_of_0_is_no_rise_and_a_latch_accepts_it)
{
	struct shift_change c = wish_weight(in_phase(SHIFT_REVERTED), 0);

	cr_assert_not(c.refused);
	cr_assert_not(c.changed);
	cr_assert_eq(c.reason, WHY_ALREADY);
	cr_assert_eq(c.next.phase, SHIFT_REVERTED);
}

Test(command, the_weight_that_a_person_has_already_set_is_a_no_op)
{
	struct shift_change c = wish_weight(in_phase(SHIFT_MANUAL), 30);

	cr_assert_eq(c.reason, WHY_ALREADY);
	cr_assert_not(c.changed);
}

Test(command, a_weight_equal_to_the_running_step_still_pauses_the_plan)
{
	struct shift_change c = wish_weight(in_phase(SHIFT_RUNNING), 50);

	cr_assert(c.changed);
	cr_assert_eq(c.next.phase, SHIFT_MANUAL);
}

Test(command, a_persons_weight_bounds_what_counts_as_passed)
{
	cr_assert_eq(
		wish_weight(in_phase(SHIFT_RUNNING), 10).next.passed_ppm, 10 * PERCENT);
	cr_assert_eq(
		wish_weight(in_phase(SHIFT_RUNNING), 60).next.passed_ppm, 25 * PERCENT);
}

Test(command, abort_leaves_no_latch)
{
	struct shift_change aborted = wish(SHIFT_RUNNING, COMMAND_ABORT);
	struct shift_change c = shift_command(&aborted.next, &plan, COMMAND_START, 0);

	cr_assert_not(shift_is_latched(aborted.next.phase));
	cr_assert_eq(c.next.phase, SHIFT_RUNNING);
}

Test(command, abort_of_what_is_idle_at_0_is_a_no_op)
{
	struct shift_state idle = { .phase = SHIFT_IDLE };

	cr_assert_eq(shift_command(&idle, &plan, COMMAND_ABORT, 0).reason, WHY_ALREADY);
}

Test(command, cutback_latches_a_migration_that_has_nothing_on_new)
{
	struct shift_state idle = { .phase = SHIFT_IDLE };
	struct shift_change c = shift_command(&idle, &plan, COMMAND_CUTBACK, 0);

	cr_assert(c.changed);
	cr_assert(shift_is_latched(c.next.phase));
}

Test(command, cutback_and_revert_leave_nothing_for_spill)
{
	cr_assert_eq(wish(SHIFT_DONE, COMMAND_CUTBACK).next.passed_ppm, 0);
	cr_assert_eq(wish(SHIFT_REVERTED, COMMAND_RESUME).next.passed_ppm, 0);
}
