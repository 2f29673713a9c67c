#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/json.h"

#include "fixture.h"

static struct fixture *fixture;
static struct got answer;

static void setup(void)
{
	fixture = fixture_open(2);
	fixture_start(fixture);
	answer = (struct got){ .status = 0 };
}

static void teardown(void)
{
	got_fini(&answer);
	fixture_close(fixture);
}

TestSuite(api, .init = setup, .fini = teardown, .timeout = 60);

static void ask(const char *method, const char *target, const char *body)
{
	got_fini(&answer);
	answer = client_ask(fixture, method, target, body);
}

/* A text of the answer's object; lives until the next call. */
static const char *said(const char *key)
{
	static char text[1024];
	struct json *j = json_parse(answer.body, answer.body_n, NULL);

	snprintf(text, sizeof(text), "%s", json_text(j, key, ""));
	json_free(j);
	return text;
}

static void record(const char *migration, const char *reason)
{
	(void)journal_append(fixture->journal,
		&(struct decision){
			.migration = migration,
			.action = "weight",
			.phase_from = "idle",
			.phase_to = "manual",
			.from_ppm = 0,
			.to_ppm = 125000,
			.actor = "user:root",
			.reason = reason,
			.evidence_json = "{\"why\":[1,2]}",
			.config_hash = "abc",
			.generation = 3,
		},
		NULL, 0);
}

Test(api, healthz_is_ok_while_the_loop_runs)
{
	fixture->draining = true;

	ask("GET", "/healthz", NULL);

	cr_assert_eq(answer.status, 200);
	cr_assert_str_eq(answer.body, "ok\n");
}

Test(api, readyz_is_ok_when_ready)
{
	ask("GET", "/readyz", NULL);

	cr_assert_eq(answer.status, 200);
}

Test(api, readyz_is_503_before_servers_are_checked_and_while_draining)
{
	fixture->ready = false;
	ask("GET", "/readyz", NULL);
	cr_assert_eq(answer.status, 503);

	fixture->ready = true;
	fixture->draining = true;
	ask("GET", "/readyz", NULL);

	cr_assert_eq(answer.status, 503);
	cr_assert(strstr(answer.body, "draining") != NULL);
}

Test(api, a_weight_reaches_control_exactly_with_who_and_why)
{
	ask("POST", "/v1/migrations/m1/weight",
		"{\"percent\": 12.3456, \"reason\": \"canary\", \"generation\": 7}");

	cr_assert_eq(answer.status, 200);
	cr_assert_eq(fixture->command.command, COMMAND_WEIGHT);
	cr_assert_str_eq(fixture->command.migration, "m1");
	cr_assert_eq(fixture->command.new_ppm, 123456);
	cr_assert(fixture->command.has_generation);
	cr_assert_eq(fixture->command.generation, 7);
	cr_assert_str_eq(fixture->command.reason, "canary");
	cr_assert_eq(strncmp(fixture->command.actor, "user:", 5), 0);
	cr_assert_str_eq(said("phase"), "manual");
}

struct verb {
	char path[64];
	enum shift_command command;
};

ParameterizedTestParameters(api, each_verb_becomes_its_command)
{
	static struct verb verbs[] = {
		{ "/v1/migrations/m0/start", COMMAND_START },
		{ "/v1/migrations/m0/pause", COMMAND_PAUSE },
		{ "/v1/migrations/m0/resume", COMMAND_RESUME },
		{ "/v1/migrations/m0/abort", COMMAND_ABORT },
		{ "/v1/migrations/m0/cutback", COMMAND_CUTBACK },
	};

	return cr_make_param_array(
		struct verb, verbs, sizeof(verbs) / sizeof(verbs[0]));
}

ParameterizedTest(struct verb *verb, api, each_verb_becomes_its_command)
{
	ask("POST", verb->path, NULL);

	cr_assert_eq(answer.status, 200);
	cr_assert_eq(fixture->command.command, verb->command);
	cr_assert_str_eq(fixture->command.migration, "m0");
	cr_assert_not(fixture->command.has_generation);
}

Test(api, a_cutback_without_a_name_is_for_all)
{
	ask("POST", "/v1/cutback", "{\"reason\":\"all of it\"}");

	cr_assert_eq(answer.status, 200);
	cr_assert_eq(fixture->command.command, COMMAND_CUTBACK);
	cr_assert_str_eq(fixture->command.migration, "");
}

Test(api, a_cutback_has_no_precondition)
{
	ask("POST", "/v1/migrations/m0/cutback", "{\"generation\": 1}");

	cr_assert_eq(fixture->command.n, 1);
	cr_assert_not(fixture->command.has_generation);
}

Test(api, what_control_refuses_is_an_error_with_the_generation_now)
{
	fixture->reply_outcome = ADMIN_REFUSED;

	ask("POST", "/v1/migrations/m0/start", "{\"generation\": 1}");

	cr_assert_eq(answer.status, 409);
	cr_assert_str_eq(said("error"), "as control says");
	cr_assert(strlen(said("hint")) > 0);
	cr_assert(strstr(answer.body, "\"generation\":8") != NULL);
}

Test(api, decisions_come_with_their_evidence_oldest_first)
{
	record("m0", "first");
	record("m0", "second");

	ask("GET", "/v1/decisions", NULL);

	struct json *j = json_parse(answer.body, answer.body_n, NULL);
	const struct json *rows = json_get(j, "decisions");
	cr_assert_eq(json_count(rows), 2);
	cr_assert_str_eq(json_text(json_at(rows, 0), "reason", ""), "first");
	cr_assert_str_eq(json_text(json_at(rows, 1), "reason", ""), "second");
	cr_assert_float_eq(json_number(json_at(rows, 0), "to_percent", 0), 12.5, 1e-9);
	cr_assert_eq(
		json_count(json_get(json_get(json_at(rows, 0), "evidence"), "why")), 2);
	json_free(j);
}

Test(api, decisions_are_chosen_by_migration_and_limit)
{
	record("m0", "one");
	record("m1", "two");
	record("m1", "three");

	ask("GET", "/v1/decisions?since=1h&migration=m%31&limit=1", NULL);

	struct json *j = json_parse(answer.body, answer.body_n, NULL);
	const struct json *rows = json_get(j, "decisions");
	cr_assert_eq(json_count(rows), 1);
	cr_assert_str_eq(json_text(json_at(rows, 0), "reason", ""), "three");
	json_free(j);
}

Test(api, without_decisions_there_is_an_empty_list)
{
	ask("GET", "/v1/decisions?migration=nobody", NULL);

	cr_assert_eq(answer.status, 200);
	cr_assert_str_eq(answer.body, "{\"decisions\":[]}\n");
}

Test(api, who_asks_for_decisions_and_leaves_disturbs_nobody)
{
	static const char request[] = "GET /v1/decisions HTTP/1.1\r\nHost: a\r\n\r\n";

	record("m0", "one");
	for (int i = 0; i < 50; i++) {
		int fd = client_open(fixture);

		client_send(fd, request, strlen(request));
		close(fd);
	}
	ask("GET", "/v1/decisions", NULL);

	cr_assert_eq(answer.status, 200);
	cr_assert(strstr(answer.body, "\"one\"") != NULL);
}

Test(api, head_is_answered_without_a_body)
{
	ask("HEAD", "/healthz", NULL);

	cr_assert_eq(answer.status, 200);
	cr_assert(strstr(answer.head, "Content-Length: 3\r\n") != NULL);
}
