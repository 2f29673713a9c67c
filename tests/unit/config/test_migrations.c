#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "scene.h"

#define PAIR "legacy = \"old\"; new = \"next\"; "
#define SPLIT "weights = { legacy = 90; new = 10; }; "

static struct slip slips[] = {
	{ "new = \"next\"; " SPLIT,
		"migrations.m.legacy: is missing: the pool that serves" },
	{ "legacy = \"old\"; " SPLIT,
		"migrations.m.new: is missing: the pool to move to" },
	{ "legacy = \"od\"; new = \"next\"; " SPLIT,
		"migrations.m.legacy: there is no pool \"od\"; the nearest is "
		"\"old\"" },
	{ "legacy = \"old\"; new = \"old\"; " SPLIT,
		"migrations.m.new: is the same pool as legacy" },
	{ PAIR, "migrations.m.weights: is missing: the split" },
	{ PAIR "weights = { legacy = 90; };", "weights.new: is missing" },
	{ PAIR "weights = { };", "weights.legacy: is missing" },
	{ PAIR "weights = { legacy = 0; new = 0.0; };",
		"weights: are both 0: set legacy" },
	{ PAIR "weights = { legacy = -1; new = 1; };",
		"weights.legacy: expected 0..1000000" },
	{ PAIR "weights = { legacy = \"9\"; new = 1; };",
		"weights.legacy: expected a number" },
	{ PAIR "weights = { legacy = 1000000; new = 0.1; };",
		"below one in a million" },
	{ PAIR "weights = { legacy = 0.1; new = 1000000; };",
		"below one in a million" },
	{ PAIR "weights = [ 90, 10 ];", "weights: expected a group" },
	{ PAIR SPLIT "sticky = { by = \"own\"; };",
		"sticky: is not available in this version" },
	{ PAIR SPLIT "guard = { error_rate = 0.00009; };",
		"expected 0.0001..50, got 9e-05" },
	{ PAIR SPLIT "guard = { error_rate = 51; };",
		"error_rate: expected 0.0001..50, got 51" },
	{ PAIR SPLIT "guard = { error_rate = 0; };",
		"error_rate: expected 0.0001..50, got 0" },
	{ PAIR SPLIT "guard = { p95_latency = 500; };",
		"p95_latency: expected a duration" },
	{ PAIR SPLIT "guard = { p95_latency = \"0\"; };",
		"p95_latency: expected 1ms..1h" },
	{ PAIR SPLIT "guard = { error_ratio = 0.09; };",
		"error_ratio: expected 0.1..100" },
	{ PAIR SPLIT "guard = { p95_ratio = 101; };",
		"p95_ratio: expected 0.1..100, got 101" },
	{ PAIR SPLIT "guard = { dwell = \"61m\"; };",
		"dwell: expected 0..1h, got 61m" },
	{ PAIR SPLIT "guard = { min_bad = -1; };",
		"min_bad: expected 0..1000000, got -1" },
	{ PAIR SPLIT "guard = { cap_rps = 0; };",
		"cap_rps: expected 0.001..1000000, got 0" },
	{ PAIR SPLIT "guard = { h = 0.9; };", "guard.h: expected 1..100, got 0.9" },
	{ PAIR SPLIT "guard = { h = 101; };", "guard.h: expected 1..100, got 101" },
	{ PAIR SPLIT "guard = { alpha_promote = 0; };",
		"alpha_promote: expected 1e-09..0.99" },
	{ PAIR SPLIT "guard = { alpha_promote = 1; };",
		"alpha_promote: expected 1e-09..0.99" },
	{ PAIR SPLIT "guard = { p_min = 50.1; };",
		"p_min: expected 0.0001..50, got 50.1" },
	{ PAIR SPLIT "guard = { bin_min = 0; };",
		"bin_min: expected 1..1000000, got 0" },
	{ PAIR SPLIT "guard = { t_min = \"6s\"; };",
		"t_min: expected 1ms..5s, got 6s" },
	{ PAIR SPLIT "guard = { on_breach = \"hold\"; };",
		"on_breach: \"hold\" is not available in this version: expected "
		"\"revert\"" },
	{ PAIR SPLIT "guard = { on_breach = \"step_back\"; };",
		"on_breach: \"step_back\" is not available in this version" },
	{ PAIR SPLIT "guard = { mode = \"watch\"; };",
		"mode: expected \"enforce\" or" },
	{ PAIR SPLIT "guard = { eror_rate = 1; };",
		"the nearest known one is \"error_rate\"" },
	{ PAIR SPLIT "plan = { };", "plan.steps: is missing: a plan needs steps" },
	{ PAIR SPLIT "plan = { steps = ( ); };",
		"plan.steps: is empty: a plan needs steps" },
	{ PAIR SPLIT "plan = { steps = ( { } ); };", "steps[0].weight: is missing" },
	{ PAIR SPLIT "plan = { steps = ( { weight = 0; } ); };",
		"expected 0.0001..100, got 0" },
	{ PAIR SPLIT "plan = { steps = ( { weight = 101; } ); };",
		"expected 0.0001..100" },
	{ PAIR SPLIT "plan = { steps = ( { weight = 5; }, { weight = 5; } ); };",
		"steps[1].weight: expected more than the 5 of the step before, got 5" },
	{ PAIR SPLIT "plan = { steps = ( { weight = 50; }, { weight = 5; } ); };",
		"steps[1].weight: expected more than the 50 of the step before, got "
		"5" },
	{ PAIR SPLIT "plan = { steps = ( { weight = 5; hold = \"1m\"; timeout = "
		     "\"1m\"; } ); };",
		"steps[0].timeout: is not longer than hold" },
	{ PAIR SPLIT "plan = { steps = ( { weight = 5; timeout = \"20s\"; } ); };",
		"steps[0].timeout: is not longer than hold" },
	{ PAIR SPLIT "plan = { steps = ( { weight = 5; hold = \"721h\"; } ); };",
		"0..720h" },
	{ PAIR SPLIT "plan = { on_timeout = \"wait\"; steps = ( { weight = 5; } ); };",
		"on_timeout: expected \"hold\" or \"advance\" or \"revert\"" },
	{ PAIR SPLIT "rescue = { max_body = \"17m\"; };",
		"max_body: expected 0..123k, got 17m" },
	{ PAIR SPLIT "rescue = { max_body = \"93k\"; };",
		"rescue.max_body: is more than can be held beside a head of 32k "
		"(limits.header_bytes): at most 92k" },
	{ PAIR SPLIT "rescue = { budget = 101; };",
		"budget: expected 0..100, got 101" },
	{ PAIR SPLIT "rescue = { enabled = 0; };",
		"enabled: expected true or false, got 0" },
	{ PAIR SPLIT "tunnels = { on_revert = \"close\"; };",
		"tunnels.on_revert: expected \"stay\" or \"drain\" or \"cut\", got "
		"\"close\"" },
	{ PAIR SPLIT "tunnels = { drain_rate = 0; };",
		"tunnels.drain_rate: expected 1..100000, got 0" },
	{ PAIR SPLIT "tunnels = { drain_rate = 100001; };",
		"tunnels.drain_rate: expected 1..100000, got 100001" },
	{ PAIR SPLIT "tunnels = { rate = 1000001; };",
		"tunnels.rate: expected 0..1000000, got 1000001" },
	{ PAIR SPLIT "tunnels = { burst = 0; };", "burst: expected 1..1000000, got 0" },
	{ PAIR SPLIT "tunnels = { queue = 100001; };",
		"tunnels.queue: expected 0..100000, got 100001" },
	{ PAIR SPLIT "tunnels = { enable = false; };",
		"the nearest known one is \"enabled\"" },
	{ PAIR SPLIT "errors = { status = [ 399 ]; };",
		"errors.status[0]: expected a status in 400..599, got 399" },
	{ PAIR SPLIT "errors = { status = [ 500, 600 ]; };",
		"errors.status[1]: expected a status in 400..599, got 600" },
	{ PAIR SPLIT "errors = { status = 500; };",
		"errors.status: expected an array of statuses" },
	{ PAIR SPLIT "errors = { grpc = [ 0 ]; };",
		"errors.grpc[0]: expected a status in 1..16, got 0" },
	{ PAIR SPLIT "errors = { grpc = [ 17 ]; };",
		"errors.grpc[0]: expected a status in 1..16, got 17" },
	{ PAIR SPLIT "errors = { grpc = [ \"UNAVAILABLE\" ]; };",
		"expected a status in 1..16, got \"UNAVAILABLE\"" },
	{ PAIR SPLIT "errors = { stauts = [ 500 ]; };",
		"the nearest known one is \"status\"" },
	{ PAIR SPLIT "gates = ( );", "migrations.m.gates: unknown setting" },
};

ParameterizedTestParameters(migrations, a_slip_is_named)
{
	return cr_make_param_array(
		struct slip, slips, sizeof(slips) / sizeof(slips[0]));
}

ParameterizedTest(struct slip *s, migrations, a_slip_is_named)
{
	char *text = mem_print("migrations = { m = { %s }; };\n" LEAST, s->text);
	struct loaded l = load(text);

	cr_assert_null(l.c, "accepted: %s", s->text);
	cr_assert(told(&l, s->words), "%s", l.problems.text[0]);
	unload(&l);
	free(text);
}

/* The share of new that a file with these weights gives. */
static uint32_t new_ppm(const char *legacy, const char *new_)
{
	char *text = mem_print("migrations = { m = { " PAIR
			       "weights = { legacy = %s; new = %s; }; }; };\n" LEAST,
		legacy, new_);
	struct loaded l = load(text);
	uint32_t ppm;

	expect_accepted(&l);
	ppm = l.c->migrations[0].new_ppm;
	unload(&l);
	free(text);
	return ppm;
}

Test(migrations, weights_are_relative_to_their_sum)
{
	cr_expect_eq(new_ppm("100", "0"), 0);
	cr_expect_eq(new_ppm("0", "1"), 1000000);
	cr_expect_eq(new_ppm("90", "10"), 100000);
	cr_expect_eq(new_ppm("9", "1"), 100000);
	cr_expect_eq(new_ppm("99.9", "0.1"), 1000);
	cr_expect_eq(new_ppm("999999", "1"), 1);
}

Test(migrations, weights_are_rounded_to_the_nearest_millionth)
{
	cr_expect_eq(new_ppm("2", "1"), 333333);
	cr_expect_eq(new_ppm("1", "2"), 666667);
	cr_expect_eq(new_ppm("6", "1"), 142857);
	cr_expect_eq(new_ppm("1000000", "1000000"), 500000);
}

static struct loaded load_migration(const char *more)
{
	char *text =
		mem_print("migrations = { m = { " PAIR SPLIT "%s }; };\n" LEAST, more);
	struct loaded l = load(text);

	expect_accepted(&l);
	free(text);
	return l;
}

Test(migrations, a_bare_one_has_no_guard_no_plan_and_rescues)
{
	struct loaded l = load_migration("");
	const struct config_migration *m = &l.c->migrations[0];

	cr_expect_str_eq(m->name, "m");
	cr_expect_str_eq(l.c->pools[m->legacy].name, "old");
	cr_expect_str_eq(l.c->pools[m->new_].name, "next");
	cr_expect_not(m->has_guard);
	cr_expect_eq(m->plan.n_steps, 0);
	cr_expect(m->rescue);
	cr_expect_eq(m->rescue_max_body, 65536);
	cr_expect_eq(m->rescue_budget_ppm, 200000);
	unload(&l);
}

Test(migrations, beside_large_heads_less_of_a_body_is_held)
{
	struct loaded l =
		load("limits = { header_bytes = \"64k\"; };\n" LEAST MIGRATION(""));

	expect_accepted(&l);
	cr_expect_eq(l.c->migrations[0].rescue_max_body, 61440);
	unload(&l);
}

Test(migrations, a_guard_has_the_documented_defaults)
{
	struct loaded l = load_migration("guard = { };");
	const struct config_guard *g = &l.c->migrations[0].guard;

	cr_expect(l.c->migrations[0].has_guard);
	cr_expect_eq(g->error_rate, 0.0);
	cr_expect_eq(g->p95_latency_us, 0);
	cr_expect_eq(g->error_ratio, 0.0);
	cr_expect_eq(g->p95_ratio, 0.0);
	cr_expect_eq(g->dwell_ms, 3000);
	cr_expect_eq(g->min_bad, 5);
	cr_expect_eq(g->cap_rps, 100.0);
	cr_expect_eq(g->h, 16.11809565095832);
	cr_expect_eq(g->alpha_promote, 0.05);
	cr_expect_eq(g->p_min, 0.005);
	cr_expect_eq(g->bin_min, 4);
	cr_expect_eq(g->t_min_ms, 20);
	cr_expect_eq(g->mode, CONFIG_ENFORCE);
	unload(&l);
}

Test(migrations, percents_become_the_nearest_share_and_integers_do_for_fractions)
{
	struct loaded l =
		load_migration("guard = { error_rate = 1; p95_latency = \"500ms\";\n"
			       "error_ratio = 2; p_min = 0.07; h = 16; on_breach = "
			       "\"revert\"; mode = \"observe\"; };");
	const struct config_guard *g = &l.c->migrations[0].guard;

	cr_expect_eq(g->error_rate, 0.01);
	cr_expect_eq(g->p95_latency_us, 500000);
	cr_expect_eq(g->error_ratio, 2.0);
	cr_expect_eq(g->p_min, 0.07 / 100);
	cr_expect_eq(g->h, 16.0);
	cr_expect_eq(g->mode, CONFIG_OBSERVE);
	unload(&l);
}

Test(migrations, a_step_holds_30_seconds_and_times_out_30_minutes_later)
{
	struct loaded l = load_migration(
		"plan = { steps = ( { weight = 5; },\n"
		"{ weight = 25; hold = \"10m\"; },\n"
		"{ weight = 100; hold = \"0\"; timeout = \"1ms\"; } ); };");
	const struct config_plan *p = &l.c->migrations[0].plan;

	cr_assert_eq(p->n_steps, 3);
	cr_expect_not(p->autostart);
	cr_expect_eq(p->on_timeout, CONFIG_TIMEOUT_HOLD);
	cr_expect_eq(p->steps[0].new_ppm, 50000);
	cr_expect_eq(p->steps[0].hold_ms, 30000);
	cr_expect_eq(p->steps[0].timeout_ms, 30000 + 1800000);
	cr_expect_eq(p->steps[1].timeout_ms, 600000 + 1800000);
	cr_expect_eq(p->steps[2].timeout_ms, 1);
	unload(&l);
}

Test(migrations, a_plan_has_at_most_64_steps)
{
	char steps[4096] = "";
	size_t n = 0;

	for (int i = 1; i <= CONFIG_MAX_STEPS; i++)
		n += (size_t)sprintf(
			steps + n, "%s{ weight = %d; }", i == 1 ? "" : ", ", i);
	char *most = mem_print("plan = { steps = ( %s ); };", steps);
	char *more = mem_print(
		MIGRATION("plan = { steps = ( %s, { weight = 99; } ); };") LEAST,
		steps);
	struct loaded l = load_migration(most);

	cr_assert_eq(l.c->migrations[0].plan.n_steps, CONFIG_MAX_STEPS);
	expect_refused(more, "plan.steps: expected 1..64 entries, got 65");
	unload(&l);
	free(more);
	free(most);
}

Test(migrations, all_slips_of_one_are_told_in_one_run)
{
	struct loaded l =
		load("migrations = { m = { legacy = \"old\"; new = \"old\";\n"
		     "weights = { legacy = 0; new = 0; };\n"
		     "guard = { h = 0; mode = \"x\"; };\n"
		     "plan = { steps = ( { weight = 5; hold = \"2m\"; timeout = "
		     "\"1m\"; },\n"
		     "{ weight = 1; } ); }; }; };\n" LEAST);

	cr_assert_eq(l.problems.n, 6);
	cr_expect(told(&l, ":1: migrations.m.new: is the same pool"));
	cr_expect(told(&l, ":2: migrations.m.weights: are both 0"));
	cr_expect(told(&l, ":3: migrations.m.guard.h: expected"));
	cr_expect(told(&l, ":3: migrations.m.guard.mode: expected"));
	cr_expect(told(&l, ":4: migrations.m.plan.steps[0].timeout: is not longer"));
	cr_expect(told(&l, ":5: migrations.m.plan.steps[1].weight: expected more"));
	unload(&l);
}

Test(migrations, a_wrong_hold_is_not_blamed_on_the_timeout_too)
{
	expect_refused(MIGRATION("plan = { steps = ( { weight = 5; hold = 5; timeout = "
				 "\"1s\"; } "
				 "); };") LEAST,
		"steps[0].hold: expected a duration");
}

Test(migrations, names_are_resolved_wherever_the_pools_stand)
{
	struct loaded l = load(ROUTES MIGRATION("") POOLS LISTENERS);

	expect_accepted(&l);
	cr_assert_eq(config_find_migration(l.c, "m"), &l.c->migrations[0]);
	cr_assert_null(config_find_migration(l.c, "n"));
	unload(&l);
}

/* What S17 names: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE,
 * DATA_LOSS. */
enum { S17 = 1 << 2 | 1 << 4 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15 };

Test(migrations, tunnels_and_errors_have_the_documented_defaults)
{
	struct loaded l = load(LEAST MIGRATION(""));
	const struct config_tunnels *t = &l.c->migrations[0].tunnels;
	const struct config_errors *e = &l.c->migrations[0].errors;

	cr_expect(t->enabled);
	cr_expect_eq(t->on_revert, CONFIG_DRAIN);
	cr_expect_eq(t->drain_rate, 50);
	cr_expect_eq(t->bucket.rate, 0);
	cr_expect_eq(t->bucket.burst, 100);
	cr_expect_eq(t->bucket.queue, 1000);
	cr_expect_eq(e->n_status, 0);
	cr_expect_eq(e->grpc, S17);
	unload(&l);
}

Test(migrations, say_what_becomes_of_tunnels)
{
	struct loaded l = load(LEAST MIGRATION(
		"tunnels = { enabled = false; on_revert = \"stay\"; drain_rate = 7;\n"
		"rate = 20; burst = 5; queue = 0; };"));
	const struct config_tunnels *t = &l.c->migrations[0].tunnels;

	expect_accepted(&l);
	cr_expect_not(t->enabled);
	cr_expect_eq(t->on_revert, CONFIG_STAY);
	cr_expect_eq(t->drain_rate, 7);
	cr_expect_eq(t->bucket.rate, 20);
	cr_expect_eq(t->bucket.burst, 5);
	cr_expect_eq(t->bucket.queue, 0);
	unload(&l);
}

Test(migrations, say_which_answers_are_errors)
{
	struct loaded l = load(LEAST MIGRATION(
		"errors = { status = [ 429, 500, 599 ]; grpc = [ 1, 16, 8 ]; };"));
	const struct config_errors *e = &l.c->migrations[0].errors;

	expect_accepted(&l);
	cr_assert_eq(e->n_status, 3);
	cr_expect_eq(e->status[0], 429);
	cr_expect_eq(e->status[2], 599);
	cr_expect_eq(e->grpc, 1 << 1 | 1 << 8 | 1 << 16);
	unload(&l);
}

Test(migrations, empty_lists_are_the_rule_for_http_and_nothing_for_grpc)
{
	struct loaded l =
		load(LEAST MIGRATION("errors = { status = [ ]; grpc = [ ]; };"));

	expect_accepted(&l);
	cr_expect_eq(l.c->migrations[0].errors.n_status, 0);
	cr_expect_eq(l.c->migrations[0].errors.grpc, 0);
	unload(&l);
}
