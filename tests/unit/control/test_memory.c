/*
 * What is kept of a migration: JSON there and back, the pinned plan (S6), autostart
 * (S42), and what a start makes of what it finds (S2).
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/control/memory.h"

static struct config_step steps[] = {
	{ .new_ppm = 50000, .hold_ms = 1000, .timeout_ms = 9000 },
	{ .new_ppm = 250000, .hold_ms = 2000, .timeout_ms = 9000 },
	{ .new_ppm = 1000000, .hold_ms = 3000, .timeout_ms = 9000 },
};

static struct config_migration file_with_weight(uint32_t ppm)
{
	return (struct config_migration){
		.name = "api",
		.new_ppm = ppm,
		.plan = { .steps = steps, .n_steps = 3 },
	};
}

static struct memory kept_in(enum shift_phase phase, uint64_t generation)
{
	struct config_migration c = file_with_weight(0);

	return (struct memory){
		.state = { .phase = phase, .step = 1, .passed_ppm = 50000 },
		.plan = memory_file_plan(&c),
		.plan_seen = true,
		.run = 3,
		.generation = generation,
	};
}

static struct live_value live(uint32_t ppm, enum live_latch latch, uint64_t generation)
{
	return (struct live_value){
		.new_ppm = ppm,
		.latch = latch,
		.generation = generation,
	};
}

static enum memory_origin start(
	struct memory *out, const struct memory *kept, struct live_value v, bool lost)
{
	struct config_migration c = file_with_weight(100000);

	return memory_at_start(out,
		&(struct memory_found){ .kept = kept, .live = v, .lost = lost }, &c);
}

static const struct live_value no_live = { .generation = 0 };

/* --- JSON ------------------------------------------------------------------- */

Test(memory, comes_back_from_its_json_as_it_was)
{
	struct memory m = kept_in(SHIFT_RUNNING, 7), back = { .generation = 7 };
	m.state.timed_out = true;
	m.file_ppm = 123456;

	char *text = memory_print(&m);
	struct err err = { .text = "" };

	cr_assert_eq(memory_parse(&back, text, &err), 0, "%s", err.text);
	char *again = memory_print(&back);
	cr_assert_str_eq(again, text);
	cr_assert_eq(back.generation, 7);
	cr_assert_eq(memory_new_ppm(&back), 250000);
	free(text);
	free(again);
}

struct damage {
	char from[40], to[40];
};

ParameterizedTestParameters(memory, a_damaged_state_is_an_error_and_changes_nothing)
{
	static struct damage cases[] = {
		{ "\"running\"", "\"walking\"" },
		{ "\"step\":1", "\"step\":3" },
		{ "\"step\":1", "\"step\":-1" },
		{ "\"person_ppm\":0", "\"person_ppm\":1000001" },
		{ "\"hold\"", "\"wait\"" },
		{ "[250000,2000,9000]", "[250000,2000]" },
		{ "[250000,2000,9000]", "[1e300,2000,9000]" },
		{ "[250000,2000,9000]", "[250000,-1,9000]" },
		{ "\"run\":3", "\"run\":\"3\"" },
		{ "\"version\":1", "\"version\":0" },
		{ "{\"version\"", "[\"version\"" },
	};

	return cr_make_param_array(
		struct damage, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(
	struct damage *d, memory, a_damaged_state_is_an_error_and_changes_nothing)
{
	struct memory m = kept_in(SHIFT_RUNNING, 7), back = { .run = 99 };
	char *text = memory_print(&m), *at = strstr(text, d->from);
	struct err err = { .text = "" };
	cr_assert_not_null(at, "%s is not in %s", d->from, text);
	size_t n = strlen(text) + strlen(d->to) + 1;
	char *bad = malloc(n);
	(void)snprintf(bad, n, "%.*s%s%s", (int)(at - text), text, d->to,
		at + strlen(d->from));

	int rc = memory_parse(&back, bad, &err);

	cr_assert_eq(rc, -1);
	cr_assert_neq(err.text[0], '\0');
	cr_assert_eq(back.run, 99);
	free(text);
	free(bad);
}

/* --- the plan ---------------------------------------------------------------- */

Test(memory, a_plan_edited_while_it_runs_waits_until_it_runs_no_more)
{
	struct memory m = kept_in(SHIFT_RUNNING, 1);
	struct config_migration c = file_with_weight(0);
	c.plan.n_steps = 2;
	struct shift_plan edited = memory_file_plan(&c);

	bool pending = memory_adopt_plan(&m, &edited);

	cr_assert(pending);
	cr_assert_eq(m.plan.n_steps, 3);
	m.state.phase = SHIFT_MANUAL;
	cr_assert_not(memory_adopt_plan(&m, &edited));
	cr_assert_eq(m.plan.n_steps, 2);
}

Test(memory, a_plan_that_is_done_keeps_its_weight_whatever_the_file_says)
{
	struct memory m = kept_in(SHIFT_DONE, 1);
	struct shift_plan none = { .n_steps = 0 };
	m.state.step = 2;

	(void)memory_adopt_plan(&m, &none);

	cr_assert_eq(memory_new_ppm(&m), 1000000);
}

Test(memory, autostart_has_one_chance_only)
{
	struct config_migration c = file_with_weight(0);
	c.plan.autostart = true;
	struct memory m = { .state = { .phase = SHIFT_IDLE } };

	bool first = memory_autostarts(&m, &c), second = memory_autostarts(&m, &c);

	cr_assert(first);
	cr_assert_not(second);
}

Test(memory, autostart_does_not_override_a_person)
{
	struct config_migration c = file_with_weight(0);
	c.plan.autostart = true;
	struct memory m = { .state = { .phase = SHIFT_MANUAL, .person_ppm = 10000 } };

	cr_assert_not(memory_autostarts(&m, &c));
}

/* --- at start ----------------------------------------------------------------- */

Test(start, the_first_one_takes_the_files_weight)
{
	struct memory m;

	enum memory_origin origin = start(&m, NULL, no_live, false);

	cr_assert_eq(origin, ORIGIN_FIRST);
	cr_assert_eq(memory_new_ppm(&m), 100000);
	cr_assert_eq(m.state.phase, SHIFT_IDLE);
	cr_assert_eq(m.generation, 1);
}

Test(start, a_running_step_goes_on_at_its_weight)
{
	struct memory m, kept = kept_in(SHIFT_RUNNING, 5);

	enum memory_origin origin = start(&m, &kept, live(250000, LIVE_OPEN, 5), false);

	cr_assert_eq(origin, ORIGIN_KEPT);
	cr_assert_eq(m.state.phase, SHIFT_RUNNING);
	cr_assert_eq(memory_new_ppm(&m), 250000);
	cr_assert_eq(m.generation, 5);
}

Test(start, a_revert_that_the_journal_missed_stands)
{
	struct memory m, kept = kept_in(SHIFT_RUNNING, 5);

	enum memory_origin origin = start(&m, &kept, live(0, LIVE_REVERTED, 6), false);

	cr_assert_eq(origin, ORIGIN_LIVE);
	cr_assert_eq(m.state.phase, SHIFT_REVERTED);
	cr_assert_eq(m.generation, 6);
}

Test(start, a_plan_that_something_unrecorded_happened_to_walks_no_more)
{
	struct memory m, kept = kept_in(SHIFT_RUNNING, 5);

	start(&m, &kept, live(250000, LIVE_OPEN, 6), false);

	cr_assert_eq(m.state.phase, SHIFT_MANUAL);
	cr_assert_eq(memory_new_ppm(&m), 250000);
}

Test(start, a_resume_that_the_journal_missed_is_idle_at_zero)
{
	struct memory m, kept = kept_in(SHIFT_REVERTED, 5);

	start(&m, &kept, live(0, LIVE_OPEN, 6), false);

	cr_assert_eq(m.state.phase, SHIFT_IDLE);
	cr_assert_eq(memory_new_ppm(&m), 0);
}

Test(start, a_rise_that_was_committed_but_not_yet_in_force_comes_into_force)
{
	struct memory m, kept = kept_in(SHIFT_RUNNING, 6);

	start(&m, &kept, live(50000, LIVE_OPEN, 5), false);

	cr_assert_eq(memory_new_ppm(&m), 250000);
	cr_assert_eq(m.generation, 6);
}

Test(start, on_equal_generations_the_lower_weight_holds)
{
	struct memory m, kept = kept_in(SHIFT_RUNNING, 5);

	enum memory_origin origin = start(&m, &kept, live(50000, LIVE_OPEN, 5), false);

	cr_assert_eq(origin, ORIGIN_DOUBT);
	cr_assert_eq(memory_new_ppm(&m), 50000);
	cr_assert_eq(m.state.phase, SHIFT_MANUAL);
	cr_assert_eq(m.generation, 6);
}

Test(start, on_equal_generations_a_higher_live_weight_is_not_believed)
{
	struct memory m, kept = kept_in(SHIFT_PAUSED, 5);

	start(&m, &kept, live(900000, LIVE_OPEN, 5), false);

	cr_assert_eq(memory_new_ppm(&m), 250000);
	cr_assert_eq(m.state.phase, SHIFT_PAUSED);
}

Test(start, on_equal_generations_a_latch_on_either_side_holds)
{
	struct memory a, b, open = kept_in(SHIFT_RUNNING, 5);
	struct memory latched = kept_in(SHIFT_CUTBACK, 5);

	start(&a, &open, live(0, LIVE_CUTBACK, 5), false);
	start(&b, &latched, live(250000, LIVE_OPEN, 5), false);

	cr_assert_eq(a.state.phase, SHIFT_CUTBACK);
	cr_assert_eq(b.state.phase, SHIFT_CUTBACK);
}

Test(start, with_a_lost_journal_nothing_goes_to_new_and_the_plan_stands)
{
	struct memory m;

	enum memory_origin origin = start(&m, NULL, live(250000, LIVE_OPEN, 5), true);

	cr_assert_eq(origin, ORIGIN_LOST);
	cr_assert_eq(memory_new_ppm(&m), 0);
	cr_assert_neq(m.state.phase, SHIFT_RUNNING);
	cr_assert_eq(m.generation, 6);
	cr_assert(m.plan_seen, "autostart must not undo it");
}

Test(start, with_a_lost_journal_the_live_files_latch_stands)
{
	struct memory m;

	start(&m, NULL, live(0, LIVE_CUTBACK, 5), true);

	cr_assert_eq(m.state.phase, SHIFT_CUTBACK);
}

Test(start, with_a_lost_live_file_the_journals_latch_stands_and_weights_do_not)
{
	struct memory a, b, latched = kept_in(SHIFT_REVERTED, 5);
	struct memory running = kept_in(SHIFT_RUNNING, 5);

	start(&a, &latched, no_live, true);
	start(&b, &running, no_live, true);

	cr_assert_eq(a.state.phase, SHIFT_REVERTED);
	cr_assert_eq(memory_new_ppm(&b), 0);
	cr_assert_gt(b.generation, 5);
}

Test(start, a_word_without_a_row_never_exceeds_the_files_weight)
{
	struct memory high, low;

	start(&high, NULL, live(900000, LIVE_OPEN, 1), false);
	start(&low, NULL, live(20000, LIVE_OPEN, 1), false);

	cr_assert_eq(memory_new_ppm(&high), 100000);
	cr_assert_eq(memory_new_ppm(&low), 20000);
}

Test(start, a_word_without_a_row_gives_autostart_no_second_chance)
{
	struct config_migration c = file_with_weight(0);
	c.plan.autostart = true;
	struct memory m;

	start(&m, NULL, live(100000, LIVE_OPEN, 1), false);

	cr_assert_not(memory_autostarts(&m, &c));
}
