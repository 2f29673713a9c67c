/*
 * sluicectl status: the table, and what the notes below it say at night.
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

TestSuite(status, .init = scene_open, .fini = scene_close, .timeout = 60);

Test(status, status_of_garbled_json_is_a_failure)
{
	d.answer[0] = OK "{\"migrations\":";
	start();

	cr_assert_eq(run("status"), CTL_FAILED);
}

#define FULL_STATUS                                                                   \
	OK "{\"process\":{\"ready\":true,\"running_is_file\":false,\"reload_error\":" \
	   "\"x.conf:3: bad\",\"config_file\":\"x.conf\"},\"journal\":{\"forward\":"  \
	   "\"away\",\"away_since\":\"T\",\"waiting\":7,\"trouble\":\"refused\"},"    \
	   "\"migrations\":[{\"name\":\"api\",\"phase\":\"reverted\","                \
	   "\"weight_percent\":0,\"latched\":true,\"generation\":5,\"guard\":{"       \
	   "\"guards\":[{\"name\":\"error_rate\",\"bar_percent\":63,\"text\":"        \
	   "\"63 %: 37 of 210 bad\"}]},\"pools\":{\"legacy\":{\"name\":\"old\","      \
	   "\"healthy\":2,\"servers_total\":2,\"rps\":75.25,\"error_percent\":0.4,"   \
	   "\"p50_ms\":12,\"p95_ms\":40,\"p99_ms\":1500,\"samples\":750},\"new\":{"   \
	   "\"name\":\"new\",\"healthy\":0,\"servers_total\":1,\"samples\":0,"        \
	   "\"servers\":[{\"address\":\"127.0.0.1:1\",\"health\":\"down\","           \
	   "\"reason\":\"status 500\"}]}},\"last_decision\":{\"action\":\"revert\","  \
	   "\"from_percent\":25,\"to_percent\":0,\"actor\":\"guard\",\"reason\":"     \
	   "\"bad \\u001b[31mred\",\"time\":\"2026-01-01T00:00:00.000000Z\"}}]}"

Test(status, status_is_a_table_with_notes)
{
	d.answer[0] = FULL_STATUS;
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	char *text = all_of(cr_get_redirected_stdout());
	cr_assert(strstr(text, "MIGRATION  PHASE ") == text, "%s", text);
	cr_assert(strstr(text, "api        reverted     0 %  legacy (old)") != NULL,
		"%s", text);
	cr_assert(strstr(text, "1.50 s") != NULL, "%s", text);
	cr_assert(strstr(text, "[######....]  63 %") != NULL, "%s", text);
	cr_assert(strstr(text, "revert 25 % -> 0 % by guard") != NULL, "%s", text);
	cr_assert(
		strstr(text, "running configuration is not the file: x.conf:3: bad") !=
			NULL,
		"%s", text);
	cr_assert(strstr(text, "7 rows wait") != NULL, "%s", text);
	cr_assert(strstr(text, "sluicectl resume api") != NULL, "%s", text);
	cr_assert(strstr(text, "127.0.0.1:1 of pool new is down: status 500") != NULL,
		"%s", text);
	cr_assert(strchr(text, '\033') == NULL, "no control characters, no colours");
}

Test(status, rows_that_postgresql_refuses_are_told)
{
	d.answer[0] = OK "{\"journal\":{\"forward\":\"connected\",\"trouble\":"
			 "\"2 rows refused by PostgreSQL: no\"},\"migrations\":[]}";
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	char *text = all_of(cr_get_redirected_stdout());
	cr_expect(strstr(text, "2 rows refused by PostgreSQL: no") != NULL, "%s", text);
}

Test(status, status_on_a_narrow_terminal_tells_the_last_decision_below)
{
	setenv("COLUMNS", "100", 1);
	d.answer[0] = FULL_STATUS;
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	char *text = all_of(cr_get_redirected_stdout());
	cr_assert(strstr(text, "LAST DECISION") == NULL, "%s", text);
	cr_assert(strstr(text, "\nlast: api: revert 25 % -> 0 % by guard, ") != NULL,
		"%s", text);
	cr_assert(strstr(text, " ago: bad ?[31mred\n") != NULL, "%s", text);
}

Test(status, no_line_of_a_table_ends_with_blanks)
{
	d.answer[0] = OK "{\"migrations\":[{\"name\":\"api\",\"phase\":\"idle\"}]}";
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	char *text = all_of(cr_get_redirected_stdout());
	cr_assert(strstr(text, "api        idle") != NULL, "%s", text);
	cr_assert(strstr(text, " \n") == NULL, "%s", text);
}

Test(status, status_of_one_migration_leaves_the_others_out)
{
	d.answer[0] = TWO;
	start();

	cr_assert_eq(run("status|shop"), CTL_DONE);

	char *text = all_of(cr_get_redirected_stdout());
	cr_assert(strstr(text, "shop ") != NULL, "%s", text);
	cr_assert(strstr(text, "api") == NULL, "%s", text);
}

Test(status, status_json_of_one_migration_is_its_object)
{
	d.answer[0] = TWO;
	start();

	cr_assert_eq(run("status|shop|--json"), CTL_DONE);

	cr_assert_str_eq(all_of(cr_get_redirected_stdout()), "{\"name\":\"shop\"}\n");
}

Test(status, status_of_a_name_that_is_none_lists_those_that_are)
{
	d.answer[0] = TWO;
	start();

	cr_assert_eq(run("status|nosuch"), CTL_FAILED);

	assert_err_has("no migration is called nosuch; there are: api shop");
}

#define WAITING(held)                                                                 \
	OK "{\"migrations\":[{\"name\":\"api\",\"phase\":\"running\",\"weight_"       \
	   "percent\":"                                                               \
	   "100,\"step_elapsed_ms\":12400,\"step_hold_ms\":10000,\"held_text\":" held \
	   ",\"guard\":{\"guards\":[{\"name\":\"error_rate\",\"mode\":\"enforce\","   \
	   "\"needs\":61,\"cap_rps\":2.0},{\"name\":\"p95_latency\",\"mode\":"        \
	   "\"observe\",\"needs\":"                                                   \
	   "85},"                                                                     \
	   "{\"name\":\"p95_ratio\",\"mode\":\"enforce\",\"needs\":700}]},\"pools\":" \
	   "{\"new\":{\"rps\":250.0}}}]}"

Test(status, a_step_that_waits_for_proof_says_for_how_much_at_the_rate_that_counts)
{
	d.answer[0] = WAITING("null");
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	assert_out_has("note: api does not advance: after 12 s in its step error_rate "
		       "needs about 61 more good requests, some 31 s at this rate\n");
}

Test(status, a_step_that_is_held_says_by_what)
{
	d.answer[0] = WAITING("\"held, legacy is unhealthy\"");
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	char *text = all_of(cr_get_redirected_stdout());
	cr_assert(strstr(text, "does not advance: held, legacy is unhealthy\n") != NULL,
		"%s", text);
	cr_assert(strstr(text, "more good requests") == NULL, "%s", text);
}

#define LATCHED(action, from)                                                         \
	OK "{\"migrations\":[{\"name\":\"api\",\"phase\":\"reverted\",\"latched\":"   \
	   "true,\"last_decision\":{\"action\":\"" action "\",\"phase_from\":\"" from \
	   "\",\"phase_to\":\"reverted\",\"reason\":\"r\"}}]}"

Test(status, a_latch_whose_reason_is_not_in_the_table_says_where_it_is)
{
	d.answer[0] = LATCHED("refused", "reverted");
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	assert_out_has("why it is latched: sluicectl decisions --migration api\n");
}

Test(status, a_latch_whose_reason_is_in_the_table_says_no_more)
{
	d.answer[0] = LATCHED("revert", "running");
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	char *text = all_of(cr_get_redirected_stdout());
	cr_assert(strstr(text, "is latched: ") != NULL, "%s", text);
	cr_assert(strstr(text, "why it is latched") == NULL, "%s", text);
}

Test(status, status_tells_what_users_saw_of_the_errors)
{
	d.answer[0] = OK "{\"migrations\":[{\"name\":\"api\",\"rescued\":110,"
			 "\"window_ms\":9800,\"pools\":{\"legacy\":{\"user_errors\":2}"
			 "}}]}";
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	assert_out_has("users saw 0 errors of new and 2 of legacy in the last 10 s; "
		       "legacy rescued 110 requests of new\n");
}

Test(status, status_tells_that_users_saw_nothing_of_errors_that_were_rescued)
{
	d.answer[0] = OK "{\"migrations\":[{\"name\":\"api\",\"rescued\":110,"
			 "\"window_ms\":7600}]}";
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	assert_out_has("no user saw an error in the last 8 s; legacy rescued 110 "
		       "requests of new\n");
}

Test(status, status_json_is_what_the_daemon_said)
{
	d.answer[0] = TWO;
	start();

	cr_assert_eq(run("status|--json"), CTL_DONE);

	assert_out_has("{\"migrations\":[{\"name\":\"api\"},{\"name\":\"shop\"}]}");
}
