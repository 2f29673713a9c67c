/*
 * The whole program against a daemon that says what the test wants it to.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <criterion/redirect.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/base/mem.h"
#include "sluice/ctl.h"

enum { MAX_TURNS = 4 };

/* Answers one connection after the other, in this order. */
static struct daemon {
	char folder[64], socket[80];
	int fd;
	pthread_t thread;
	const char *answer[MAX_TURNS]; /* the bytes; NULL: the end */
	char request[MAX_TURNS][2048];
	bool started;
} d;

static void setup(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	d = (struct daemon){ .folder = "/tmp/sluice-ctl-XXXXXX" };
	cr_assert_not_null(mkdtemp(d.folder));
	snprintf(d.socket, sizeof(d.socket), "%s/sock", d.folder);
	memcpy(un.sun_path, d.socket, strlen(d.socket));
	d.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(d.fd, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(listen(d.fd, 8), 0);
	setenv("SLUICE_SOCKET", d.socket, 1);
	cr_redirect_stdout();
	cr_redirect_stderr();
}

static bool is_whole(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n");
	const char *length = strstr(request, "Content-Length: ");

	return end != NULL && strlen(end + 4) >= strtoul(length + 16, NULL, 10);
}

static void serve_one(size_t turn)
{
	int fd = accept(d.fd, NULL, NULL);
	size_t n = 0;

	while (!is_whole(d.request[turn])) {
		ssize_t got = recv(
			fd, d.request[turn] + n, sizeof(d.request[turn]) - 1 - n, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	(void)send(fd, d.answer[turn], strlen(d.answer[turn]), MSG_NOSIGNAL);
	close(fd);
}

static void *serve(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < MAX_TURNS && d.answer[i] != NULL; i++)
		serve_one(i);
	return NULL;
}

static void start(void)
{
	d.started = true;
	cr_assert_eq(pthread_create(&d.thread, NULL, serve, NULL), 0);
}

static void teardown(void)
{
	close(d.fd);
	unlink(d.socket);
	rmdir(d.folder);
}

TestSuite(run, .init = setup, .fini = teardown, .timeout = 60);

/* Up to five words behind the program's name. */
static enum ctl_exit run(const char *line)
{
	char *text = mem_text(line);
	char *argv[12] = { "sluicectl" };
	int argc = 1;
	enum ctl_exit done;

	for (char *w = strtok(text, "|"); w != NULL; w = strtok(NULL, "|"))
		argv[argc++] = w;
	done = ctl_run(argc, argv);
	if (d.started)
		pthread_join(d.thread, NULL);
	free(text);
	fflush(stdout);
	fflush(stderr);
	return done;
}

static char *all_of(FILE *f)
{
	static char text[16384];

	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	return text;
}

static void assert_out_has(const char *what)
{
	char *text = all_of(cr_get_redirected_stdout());

	cr_assert(strstr(text, what) != NULL, "%s", text);
}

static void assert_err_has(const char *what)
{
	char *text = all_of(cr_get_redirected_stderr());

	cr_assert(strstr(text, what) != NULL, "%s", text);
}

#define OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define CONFLICT "HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n"
#define ONE OK "{\"migrations\":[{\"name\":\"api\",\"generation\":5}]}"
#define TWO OK "{\"migrations\":[{\"name\":\"api\"},{\"name\":\"shop\"}]}"

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

Test(run, status_of_garbled_json_is_a_failure)
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

Test(run, status_is_a_table_with_notes)
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

Test(run, status_on_a_narrow_terminal_tells_the_last_decision_below)
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

Test(run, no_line_of_a_table_ends_with_blanks)
{
	d.answer[0] = OK "{\"migrations\":[{\"name\":\"api\",\"phase\":\"idle\"}]}";
	start();

	cr_assert_eq(run("status"), CTL_DONE);

	char *text = all_of(cr_get_redirected_stdout());
	cr_assert(strstr(text, "api        idle") != NULL, "%s", text);
	cr_assert(strstr(text, " \n") == NULL, "%s", text);
}

Test(run, status_json_is_what_the_daemon_said)
{
	d.answer[0] = TWO;
	start();

	cr_assert_eq(run("status|--json"), CTL_DONE);

	assert_out_has("{\"migrations\":[{\"name\":\"api\"},{\"name\":\"shop\"}]}");
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
