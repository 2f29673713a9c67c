#include <criterion/criterion.h>
#include <string.h>

#include "sluice/base/json.h"

#include "fixture.h"

static struct fixture *fixture;
static struct got answer;
static struct json *status;

static void ask(void)
{
	fixture_start(fixture);
	answer = client_ask(fixture, "GET", "/v1/status", NULL);
	status = json_parse(answer.body, answer.body_n, NULL);
	cr_assert_eq(answer.status, 200);
	cr_assert_not_null(status, "%s", answer.body);
}

static void teardown(void)
{
	json_free(status);
	got_fini(&answer);
	fixture_close(fixture);
}

TestSuite(status, .fini = teardown, .timeout = 120);

static const struct json *migration(size_t i)
{
	return json_at(json_get(status, "migrations"), i);
}

static const struct json *guard(size_t i)
{
	return json_at(json_get(json_get(migration(0), "guard"), "guards"), i);
}

static void tick(int64_t n1, int64_t k1)
{
	struct guard_counts c = { .n1 = n1, .k1 = k1, .n0 = 100, .k0 = 0 };

	(void)engine_tick(&fixture->engine, 100, n1 - k1, k1,
		(struct guard_counts[]){ c, c, c, c });
}

Test(status, tells_where_a_migration_stands)
{
	fixture = fixture_open(1);

	ask();

	cr_assert_str_eq(json_text(migration(0), "name", ""), "m0");
	cr_assert_str_eq(json_text(migration(0), "phase", ""), "running");
	cr_assert_float_eq(json_number(migration(0), "weight_percent", 0), 25, 1e-9);
	cr_assert_eq(json_int(migration(0), "generation", 0), 7);
	cr_assert_eq(json_int(migration(0), "step", 0), 2);
	cr_assert_eq(json_int(migration(0), "steps", 0), 2);
	cr_assert_str_eq(json_text(migration(0), "held", ""), "spill");
	cr_assert_not(json_bool(migration(0), "latched", true));
}

Test(status, tells_what_both_pools_do)
{
	fixture = fixture_open(1);

	ask();

	const struct json *legacy = json_get(json_get(migration(0), "pools"), "legacy");
	cr_assert_str_eq(json_text(legacy, "name", ""), "legacy0");
	cr_assert_eq(json_int(legacy, "servers_total", 0), 2);
	cr_assert_float_eq(json_number(legacy, "rps", 0), 75, 1e-9);
	cr_assert_float_eq(json_number(legacy, "error_percent", 0), 0.4, 1e-9);
	cr_assert_float_eq(json_number(legacy, "p99_ms", 0), 80.5, 1e-9);
	cr_assert_eq(json_count(json_get(legacy, "servers")), 2);
}

Test(status, a_quiet_guard_says_that_there_is_nothing_against_new)
{
	fixture = fixture_open(1);

	ask();

	cr_assert_str_eq(json_text(guard(0), "name", ""), "error_rate");
	cr_assert_str_eq(json_text(guard(0), "mode", ""), "enforce");
	cr_assert_str_eq(json_text(guard(2), "mode", ""), "observe");
	cr_assert_eq(json_int(guard(0), "bar_percent", -1), 0);
	cr_assert_str_eq(json_text(guard(0), "text", ""),
		"0 %: nothing against new (limit 1 %)");
	cr_assert_eq(json_int(guard(0), "needs", 0), 431);
	cr_assert_float_eq(json_number(guard(0), "cap_rps", 0), 100, 1e-9);
}

Test(status, a_guard_with_evidence_says_from_what_and_since_when)
{
	fixture = fixture_open(1);
	for (int i = 0; i < 4; i++)
		tick(10, 1);

	ask();

	const char *text = json_text(guard(0), "text", "");
	cr_assert_eq(json_int(guard(0), "bad", 0), 4);
	cr_assert_eq(json_int(guard(0), "n", 0), 40);
	cr_assert_gt(json_int(guard(0), "bar_percent", 0), 10);
	cr_assert(strstr(text, "%: 4 of 40 bad (10.0 %, limit 1 %) since ") != NULL,
		"%s", text);
	cr_assert_eq(text[strlen(text) - 1], 'Z');
}

/* Without p95_latency in the file the guard's own limit is the only one there is. */
Test(status, a_latency_guard_says_what_is_slow_to_it)
{
	fixture = fixture_open(1);
	for (int i = 0; i < 4; i++)
		tick(10, 1);

	ask();

	const char *text = json_text(guard(1), "text", "");
	cr_assert(strstr(text, "4 of 40 slower than 15000 ms (10.0 %, limit 1 %)") !=
			  NULL,
		"%s", text);
}

Test(status, a_ratio_of_latencies_is_told_as_the_file_says_it)
{
	fixture = fixture_open(1);

	ask();

	cr_assert_str_eq(json_text(guard(3), "text", ""),
		"0 %: nothing against new (limit 1.25 x legacy's p95)");
	cr_assert_str_eq(json_text(guard(2), "text", ""),
		"0 %: nothing against new (limit 1.5 x legacy)");
}

Test(status, a_fired_guard_is_a_breach_at_100_percent)
{
	fixture = fixture_open(1);
	for (int i = 0; i < 100; i++)
		tick(20, 10);

	ask();

	const struct json *verdict = json_get(migration(0), "guard");
	cr_assert_str_eq(json_text(verdict, "verdict", ""), "breach");
	cr_assert_eq(json_int(guard(0), "bar_percent", 0), 100);
	cr_assert(strstr(json_text(guard(0), "text", ""), " within ") != NULL);
	cr_assert_null(json_text(guard(0), "since", NULL));
}

Test(status, what_users_saw_is_told_apart_from_attempts)
{
	fixture = fixture_open(1);

	ask();

	const struct json *pools = json_get(migration(0), "pools");
	const struct json *legacy = json_get(pools, "legacy");
	cr_assert_eq(json_int(legacy, "user_requests", 0), 748);
	cr_assert_eq(json_int(legacy, "user_errors", 0), 2);
	cr_assert_eq(json_int(json_get(pools, "new"), "user_errors", -1), 0);
	cr_assert_eq(json_int(migration(0), "rescued", 0), 7);
	cr_assert_eq(json_int(migration(0), "spilled", -1), 0);
}

Test(status, the_last_decision_is_there_without_its_evidence)
{
	fixture = fixture_open(1);
	fixture->last = (struct decision){
		.wall_us = 1700000000000000,
		.migration = "", /* as control keeps it */
		.action = "revert",
		.from_ppm = 250000,
		.actor = "guard",
		.reason = "error_rate fired",
		.evidence_json = "{}",
	};

	ask();

	const struct json *last = json_get(migration(0), "last_decision");
	cr_assert_str_eq(json_text(last, "action", ""), "revert");
	cr_assert_str_eq(json_text(last, "migration", "x"), "m0");
	cr_assert_str_eq(json_text(last, "time", ""), "2023-11-14T22:13:20.000000Z");
	cr_assert_float_eq(json_number(last, "from_percent", 0), 25, 1e-9);
	cr_assert_not(json_has(last, "evidence"));
}

Test(status, five_hundred_migrations_are_one_whole_answer)
{
	fixture = fixture_open(500);

	ask();

	cr_assert_eq(json_count(json_get(status, "migrations")), 500);
	cr_assert_str_eq(json_text(migration(499), "name", ""), "m499");
	cr_assert(strstr(answer.head, "Content-Length: ") != NULL);
}

Test(status, tells_about_process_and_journal)
{
	fixture = fixture_open(0);

	ask();

	const struct json *process = json_get(status, "process");
	cr_assert(json_bool(process, "ready", false));
	cr_assert(json_bool(process, "running_is_file", false));
	cr_assert_str_eq(json_text(process, "config_file", ""), "/test/sluice.conf");
	cr_assert_str_eq(json_text(json_get(status, "journal"), "forward", ""), "none");
	cr_assert_eq(json_count(json_get(status, "migrations")), 0);
}
