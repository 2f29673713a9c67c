/* What forbids an advance (S11, S12, S30). */
#include <criterion/criterion.h>

#include "world.h"

static struct world w;

static void setup(void)
{
	world_open(&w);
	world_asks(&w, COMMAND_START, 0);
}

static void teardown(void)
{
	world_close(&w);
}

TestSuite(held, .init = setup, .fini = teardown);

static enum shift_reason held_after(uint64_t ms)
{
	w.ms += ms;
	const struct beat b = { .now_ms = w.ms, .dt_ms = TICK_MS };

	held_follow(&w.c, w.t, &b);
	return held_reason(&w.c, w.t, &b);
}

Test(held, nothing_holds_a_plan_whose_pools_are_well)
{
	cr_assert_eq(held_after(100), WHY_NOTHING);
}

Test(held, a_legacy_that_is_down_is_no_reason_to_give_new_more)
{
	w.legacy_down = true;

	cr_assert_eq(held_after(100), WHY_LEGACY_DOWN);
}

Test(held, new_holds_when_it_spills_for_three_seconds_and_not_before)
{
	w.new_down = true;

	cr_assert_eq(held_after(100), WHY_NOTHING);
	cr_assert_eq(held_after(2999), WHY_NOTHING);
	cr_assert_eq(held_after(1), WHY_SPILL);
}

Test(held, a_spill_that_ended_is_counted_anew)
{
	w.new_down = true;
	held_after(100);
	w.new_down = false;
	held_after(2000);
	w.new_down = true;

	cr_assert_eq(held_after(2000), WHY_NOTHING);
}

Test(held, a_journal_that_fails_holds)
{
	w.c.journal_status.failing = true;

	cr_assert_eq(held_after(100), WHY_JOURNAL);
}

Test(held, the_question_changes_nothing)
{
	const struct beat b = { .now_ms = w.ms };
	const struct track before = *w.t;

	w.new_down = true;
	held_reason(&w.c, w.t, &b);

	cr_assert_eq(before.spill_since_ms, w.t->spill_since_ms);
}
