/*
 * The whole program against a daemon that says what the test wants it to.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <criterion/redirect.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"

TestSuite(run, .init = scene_open, .fini = scene_close, .timeout = 60);

Test(run, a_change_carries_the_generation_that_was_read_before)
{
	d.answer[0] = ONE;
	d.answer[1] = OK "{\"message\":\"api: 0 % -> 12.5 %\"}";
	start();

	cr_assert_eq(run("weight|api|12.5%|--reason|canary"), CTL_DONE);

	cr_assert(strstr(d.request[1], "POST /v1/migrations/api/weight ") != NULL);
	cr_assert(strstr(d.request[1], "\"percent\":12.5") != NULL);
	cr_assert(strstr(d.request[1], "\"generation\":5") != NULL);
	cr_assert(strstr(d.request[1], "\"reason\":\"canary\"") != NULL);
	assert_out_has("api: 0 % -> 12.5 %\n");
}

Test(run, a_generation_that_is_given_is_taken)
{
	d.answer[0] = OK "{\"message\":\"paused\"}";
	start();

	cr_assert_eq(run("pause|api|--generation=3"), CTL_DONE);

	cr_assert(strstr(d.request[0], "\"generation\":3") != NULL);
}

Test(run, who_was_slower_is_told_so)
{
	d.answer[0] = ONE;
	d.answer[1] = CONFLICT "{\"error\":\"old\",\"hint\":\"h\",\"generation\":6,"
			       "\"phase\":\"paused\",\"weight_percent\":25}";
	start();

	cr_assert_eq(run("start|api"), CTL_FAILED);

	assert_err_has(
		"somebody was faster: generation is 6, not 5; now paused at 25 %");
}

Test(run, a_latch_names_the_way_out)
{
	d.answer[0] = ONE;
	d.answer[1] = CONFLICT "{\"error\":\"latched\",\"hint\":\"h\",\"generation\":5,"
			       "\"phase\":\"cutback\",\"migration\":\"api\"}";
	start();

	cr_assert_eq(run("weight|api|10"), CTL_FAILED);

	assert_err_has("latched: sluicectl resume api\n");
}

Test(run, a_name_that_is_none_lists_those_that_are)
{
	d.answer[0] = TWO;
	start();

	cr_assert_eq(run("start|nosuch"), CTL_FAILED);

	assert_err_has("no migration is called nosuch; there are: api shop");
}

Test(run, a_cutback_by_name_asks_for_nothing_before)
{
	d.answer[0] = OK "{\"message\":\"api: cut back\"}";
	start();

	cr_assert_eq(run("cutback|api|--reason|drill"), CTL_DONE);

	cr_assert(strstr(d.request[0], "POST /v1/migrations/api/cutback ") != NULL);
	cr_assert(strstr(d.request[0], "generation") == NULL);
}

Test(run, a_cutback_of_the_only_migration_needs_no_name)
{
	d.answer[0] = ONE;
	d.answer[1] = OK "{\"message\":\"api: cut back\"}";
	start();

	cr_assert_eq(run("cutback"), CTL_DONE);

	cr_assert(strstr(d.request[1], "POST /v1/migrations/api/cutback ") != NULL);
}

Test(run, a_cutback_of_one_of_several_needs_a_name)
{
	d.answer[0] = TWO;
	start();

	cr_assert_eq(run("cutback"), CTL_USAGE);

	assert_err_has("say which one, or --all");
}

Test(run, a_cutback_of_all_is_one_request)
{
	d.answer[0] = OK "{\"message\":\"all cut back\"}";
	start();

	cr_assert_eq(run("cutback|--all"), CTL_DONE);

	cr_assert(strstr(d.request[0], "POST /v1/cutback ") != NULL);
}

Test(run, a_name_cannot_leave_its_place_in_the_path)
{
	d.answer[0] = OK "{}";
	start();

	(void)run("cutback|../x y");

	cr_assert(
		strstr(d.request[0], "/v1/migrations/%2E%2E%2Fx%20y/cutback ") != NULL);
}

Test(run, without_a_daemon_the_error_names_socket_and_way_out)
{
	close(d.fd);
	unlink(d.socket);

	cr_assert_eq(run("cutback|api"), CTL_UNREACHABLE);

	char *text = all_of(cr_get_redirected_stderr());
	cr_assert(strstr(text, d.socket) != NULL, "%s", text);
	cr_assert(strstr(text, "is sluice running?") != NULL, "%s", text);
	cr_assert(strstr(text, "kill -USR1") != NULL, "%s", text);
}

struct garbage {
	char bytes[128];
};

ParameterizedTestParameters(run, what_answers_nonsense_is_no_daemon)
{
	static struct garbage all[] = { { "SSH-2.0-OpenSSH_9.2\r\n" }, { "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" },
		{ "HTTP/1.1 200 OK\r\nContent-Le" } };

	return cr_make_param_array(struct garbage, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct garbage *g, run, what_answers_nonsense_is_no_daemon)
{
	d.answer[0] = g->bytes;
	start();

	cr_assert_eq(run("status"), CTL_UNREACHABLE);
}

Test(run, a_refusal_is_told_in_words_of_sluicectl)
{
	d.answer[0] = ONE;
	d.answer[1] = CONFLICT "{\"error\":\"api: pause refused\",\"hint\":\"GET /x\","
			       "\"generation\":5,\"phase\":\"idle\"}";
	start();

	cr_assert_eq(run("pause|api"), CTL_FAILED);

	char *text = all_of(cr_get_redirected_stderr());
	cr_assert_str_eq(text, "sluicectl: api: pause refused\n");
}

Test(run, the_version_is_told_by_either_option)
{
	cr_assert_eq(run("-V"), CTL_DONE);

	assert_out_has("sluicectl ");
}

Test(run, decisions_are_asked_for_with_all_that_was_said)
{
	d.answer[0] = OK "{\"decisions\":[]}";
	start();

	cr_assert_eq(run("decisions|--since|2h|--migration|api|--limit=5"), CTL_DONE);

	cr_assert(strstr(d.request[0], "since=%32%68&migration=%61%70%69&limit=%35") !=
		  NULL);
	assert_out_has("no decisions");
}

Test(run, decisions_as_json_are_one_object_a_line)
{
	d.answer[0] = OK "{\"decisions\":[{\"id\":\"a\"},{\"id\":\"b\"}]}";
	start();

	cr_assert_eq(run("decisions|--json"), CTL_DONE);

	assert_out_has("{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
}

Test(run, a_decision_about_the_whole_process_shows_no_weight)
{
	d.answer[0] = OK "{\"decisions\":[{\"time\":\"2026-01-31T12:34:56.000000Z\","
			 "\"migration\":\"\",\"action\":\"reload\",\"from_percent\":0,"
			 "\"to_percent\":0,\"actor\":\"file\",\"reason\":\"r\"}]}";
	start();

	cr_assert_eq(run("decisions"), CTL_DONE);

	char *text = all_of(cr_get_redirected_stdout());
	cr_assert(strstr(text, "2026-01-31 12:34:56") != NULL, "%s", text);
	cr_assert(strchr(text, '%') == NULL, "%s", text);
}

struct usage {
	char line[64];
};

ParameterizedTestParameters(run, wrong_usage_is_told_and_exits_with_2)
{
	static struct usage all[] = { { "" }, { "frobnicate" }, { "weight|api" },
		{ "weight|api|101" }, { "weight|api|-5" }, { "weight|api|ten" },
		{ "weight|api|1|2" }, { "start" }, { "start|api|--all" },
		{ "start|api|--generation|x" }, { "status|--limit|3" },
		{ "status|--nope" }, { "status|--json=1" },
		{ "decisions|--since|never" }, { "decisions|--limit|0" },
		{ "decisions|--limit" }, { "db" }, { "db|frob" },
		{ "db|migrate|--config|a|--postgres|b" }, { "validate" },
		{ "cutback|api|--all" }, { "help|nothing" }, { "status|a|b|c|d|e" } };

	return cr_make_param_array(struct usage, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct usage *u, run, wrong_usage_is_told_and_exits_with_2)
{
	cr_assert_eq(run(u->line), CTL_USAGE, "%s", u->line);

	cr_assert(strlen(all_of(cr_get_redirected_stderr())) > 10);
}

Test(run, help_gives_each_verb_a_line)
{
	cr_assert_eq(run("--help"), CTL_DONE);

	assert_out_has("  db migrate [--config FILE");
}

Test(run, help_on_a_verb_says_more)
{
	cr_assert_eq(run("help|cutback"), CTL_DONE);

	assert_out_has("recorded no-op");
}
