/*
 * A decision can be explained in a sentence and played again from its evidence.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/control/evidence.h"

static struct config_step steps[] = {
	{ .new_ppm = 50000, .hold_ms = 1000, .timeout_ms = 60000 },
	{ .new_ppm = 1000000, .hold_ms = 1000, .timeout_ms = 60000 },
};

/* A migration in the first step of its plan, and the tick it lives through. */
struct story {
	struct config_migration file;
	struct memory memory;
	struct guard_set guards;
	struct engine engine;
	struct sample sample;
	struct window_view window;
	struct shift_change change;
	unsigned ticks;
};

static void begin(struct story *s)
{
	const struct config_timeouts timeouts = { .response_head_ms = 30000 };

	*s = (struct story){
		.file = {
			.name = "api",
			.has_guard = true,
			.plan = { .steps = steps, .n_steps = 2 },
			.guard = {
				.error_rate = 0.01,
				.p95_latency_us = 500000,
				.error_ratio = 1.5,
				.dwell_ms = 3000,
				.min_bad = 5,
				.bin_min = 4,
				.t_min_ms = 20,
				.cap_rps = 100,
				.h = 16.118,
				.alpha_promote = 0.05,
				.p_min = 0.005,
			},
		},
	};
	s->memory.state.phase = SHIFT_RUNNING;
	s->memory.plan = memory_file_plan(&s->file);
	s->guards = guards_of(&s->file, &timeouts);
	guards_init_engine(&s->engine, &s->guards);
	s->engine.p.min_hold_ms = 1000;
	s->engine.p.max_hold_ms = 60000;
}

/* Ten requests to new and ninety to legacy in each tick, bad of the ten are errors,
 * until something is decided. */
static void live_through(struct story *s, int64_t bad)
{
	const int64_t ok = 10 - bad;

	for (s->ticks = 1; s->ticks <= 1000; s->ticks++) {
		s->sample = (struct sample){
			.before = s->engine, .dt_ms = 100, .ok = ok, .failed = bad
		};
		for (unsigned i = 0; i < s->guards.n; i++)
			s->sample.counts[i] = (struct guard_counts){
				.n1 = 10, .k1 = i == 1 ? 0 : bad, .n0 = 90
			};
		(void)engine_tick(&s->engine, 100, ok, bad, s->sample.counts);
		s->change = shift_decide(
			&s->memory.state, &s->memory.plan, &s->engine, s->sample.held);
		if (s->change.changed)
			return;
	}
}

static char *print(const struct story *s, bool with_tick)
{
	return evidence_print(&(struct evidence){
		.memory = &s->memory,
		.guards = &s->guards,
		.engine = &s->engine,
		.sample = with_tick ? &s->sample : NULL,
		.window = &s->window,
	});
}

static void replays_equal(const struct story *s)
{
	char *text = print(s, true);
	struct replay r;
	struct err err = { .text = "" };

	int rc = evidence_replay(&r, text, &err);

	cr_assert_eq(rc, 0, "%s", err.text);
	cr_assert_eq(r.verdict_then, s->engine.verdict);
	cr_assert_eq(r.verdict_now, s->engine.verdict);
	cr_assert_eq(r.engine.reason, s->engine.reason);
	cr_assert_eq(r.change.reason, s->change.reason);
	cr_assert_eq(r.change.next.phase, s->change.next.phase);
	for (unsigned i = 0; i < s->guards.n; i++)
		cr_assert_arr_eq(r.engine.guard[i].s, s->engine.guard[i].s,
			sizeof(s->engine.guard[i].s));
	free(text);
}

Test(evidence, a_revert_by_a_guard_can_be_played_again)
{
	struct story s;
	begin(&s);

	live_through(&s, 2);

	cr_assert_eq(s.change.reason, WHY_BREACH);
	replays_equal(&s);
}

Test(evidence, a_revert_by_the_floor_can_be_played_again)
{
	struct story s;
	begin(&s);

	live_through(&s, 10);

	cr_assert_eq(s.change.reason, WHY_FLOOR);
	replays_equal(&s);
}

Test(evidence, an_advance_can_be_played_again)
{
	struct story s;
	begin(&s);

	live_through(&s, 0);

	cr_assert_eq(s.change.reason, WHY_PASSED);
	replays_equal(&s);
}

Test(evidence, a_command_has_nothing_to_play)
{
	struct story s;
	begin(&s);
	char *text = print(&s, false);
	struct replay r;
	struct err err;

	int rc = evidence_replay(&r, text, &err);

	cr_assert_eq(rc, -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	free(text);
}

Test(evidence, no_cut_of_its_json_is_played_or_crashes)
{
	struct story s;
	begin(&s);
	live_through(&s, 2);
	char *text = print(&s, true);

	for (size_t n = 0; n < strlen(text); n += 7) {
		char *cut = strndup(text, n);
		struct replay r;

		cr_assert_eq(evidence_replay(&r, cut, NULL), -1);
		free(cut);
	}
	free(text);
}

Test(evidence, the_sentence_names_guard_counts_limit_and_time)
{
	struct story s;
	char text[256];
	begin(&s);
	live_through(&s, 2);

	evidence_sentence(text, sizeof(text), &s.guards, &s.engine);

	cr_assert_not_null(strstr(text, "error_rate: "), "%s", text);
	cr_assert_not_null(strstr(text, "limit 1 %"), "%s", text);
	cr_assert_not_null(strstr(text, " bad (20 %"), "%s", text);
	cr_assert_not_null(strstr(text, "within 3.0 s"), "%s", text);
}

Test(evidence, the_sentence_of_the_floor_counts_failures_in_a_row)
{
	struct story s;
	char text[256];
	begin(&s);
	live_through(&s, 10);

	evidence_sentence(text, sizeof(text), &s.guards, &s.engine);

	cr_assert_str_eq(text, "30 failed attempts in a row over 3 ticks, none good");
}

Test(evidence, the_sentence_of_a_pass_counts_what_the_step_has_seen)
{
	struct story s;
	char text[256];
	begin(&s);
	live_through(&s, 0);

	evidence_sentence(text, sizeof(text), &s.guards, &s.engine);

	cr_assert_not_null(strstr(text, "error_rate 0 of "), "%s", text);
	cr_assert_not_null(strstr(text, "p95_latency 0 of "), "%s", text);
}

Test(evidence, the_sentence_of_a_time_out_says_what_was_missing)
{
	struct story s;
	char text[256];
	begin(&s);
	s.engine.p.max_hold_ms = 1500;

	live_through(&s, 0);
	evidence_sentence(text, sizeof(text), &s.guards, &s.engine);

	cr_assert_eq(s.change.reason, WHY_TIMED_OUT);
	cr_assert_str_eq(
		text, "error_rate: too little traffic, 150 of 431 requests needed");
}
