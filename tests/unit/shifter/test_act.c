/* The order of effect and record (S3), and what people may (S42). */
#include <criterion/criterion.h>

#include "world.h"

static struct world w;

static void setup(void)
{
	world_open(&w);
}

static void teardown(void)
{
	world_close(&w);
}

TestSuite(act, .init = setup, .fini = teardown);

static void plan_rises_to(uint32_t step)
{
	struct shift_state next = w.t->m.state;

	next.step = step;
	act_do(&w.c, w.t,
		&(struct act){ .action = DECISION_ADVANCE,
			.actor = { ACTOR_PLAN, NULL },
			.reason = "the test says so",
			.next = next,
			.new_run = true,
			.waits = true });
}

static void guard_reverts(void)
{
	act_do(&w.c, w.t,
		&(struct act){ .action = DECISION_REVERT,
			.actor = { ACTOR_GUARD, NULL },
			.reason = "the test says so",
			.next = { .phase = SHIFT_REVERTED },
			.waits = true });
}

Test(act, a_wish_of_a_person_takes_effect_before_it_is_recorded)
{
	world_asks(&w, COMMAND_WEIGHT, 300000);

	cr_assert_eq(w.rows, 1);
	cr_assert_eq(w.row[0].live_ppm, 300000);
	cr_assert_str_eq(w.row[0].action, "weight");
	cr_assert_str_eq(w.row[0].actor, "user:root");
	cr_assert_eq(w.nudges, 1);
}

Test(act, a_rise_of_the_plan_waits_until_it_is_on_the_disk)
{
	world_asks(&w, COMMAND_START, 0);
	plan_rises_to(1);

	cr_assert_eq(world_live_ppm(&w), 100000);
	cr_assert_eq(w.row[1].to_ppm, 500000);
	world_commits(&w);
	cr_assert_eq(world_live_ppm(&w), 500000);
}

Test(act, a_revert_takes_effect_before_it_is_recorded)
{
	world_asks(&w, COMMAND_START, 0);
	guard_reverts();

	cr_assert_eq(w.row[1].live_ppm, 0);
	cr_assert_eq(w.row[1].from_ppm, 100000);
	cr_assert_str_eq(w.row[1].phase, "reverted");
}

Test(act, a_rise_that_waits_is_forgotten_when_a_guard_reverts)
{
	world_asks(&w, COMMAND_START, 0);
	plan_rises_to(1);
	guard_reverts();
	world_commits(&w);

	cr_assert_eq(world_live_ppm(&w), 0);
	cr_assert_eq(w.t->m.state.phase, SHIFT_REVERTED);
}

Test(act, a_latch_refuses_a_weight_and_a_start_and_writes_that_down)
{
	world_asks(&w, COMMAND_WEIGHT, 300000);
	world_asks(&w, COMMAND_CUTBACK, 0);

	cr_assert_eq(world_asks(&w, COMMAND_WEIGHT, 1000000).outcome, ADMIN_REFUSED);
	cr_assert_eq(world_asks(&w, COMMAND_START, 0).outcome, ADMIN_REFUSED);

	cr_assert_eq(world_live_ppm(&w), 0);
	cr_assert_str_eq(w.row[3].action, "refused");
	cr_assert_eq(world_asks(&w, COMMAND_RESUME, 0).outcome, ADMIN_DONE);
	cr_assert_eq(world_live_ppm(&w), 0);
}

Test(act, a_decision_on_an_old_generation_loses_but_not_a_cutback)
{
	struct admin_request q = { .migration = "shop",
		.actor = "user:root",
		.has_generation = true,
		.command = COMMAND_WEIGHT,
		.new_ppm = 700000 };
	struct admin_reply out;

	world_asks(&w, COMMAND_WEIGHT, 300000);
	command(&w.c, &q, &out);
	cr_assert_eq(out.outcome, ADMIN_REFUSED);
	cr_assert_eq(world_live_ppm(&w), 300000);

	q.command = COMMAND_CUTBACK;
	command(&w.c, &q, &out);
	cr_assert_eq(out.outcome, ADMIN_DONE);
	cr_assert_eq(world_live_ppm(&w), 0);
}
