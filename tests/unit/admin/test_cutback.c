#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/mem.h"

#include "fixture.h"

/* S48 (cutback has no precondition): whatever its body is, it reaches control. */

static struct fixture *fixture;

static void setup(void)
{
	fixture = fixture_open(1);
	fixture_start(fixture);
}

static void teardown(void)
{
	fixture_close(fixture);
}

TestSuite(cutback, .init = setup, .fini = teardown, .timeout = 60);

#define CUTBACK "/v1/migrations/m0/cutback"

static void assert_was_told(const char *migration, const char *reason)
{
	cr_assert_eq(fixture->command.n, 1);
	cr_assert_eq(fixture->command.command, COMMAND_CUTBACK);
	cr_assert_str_eq(fixture->command.migration, migration);
	cr_assert_str_eq(fixture->command.reason, reason);
}

struct odd {
	char body[96], reason[160];
};

ParameterizedTestParameters(cutback, takes_effect_whatever_stands_in_its_body)
{
	static struct odd all[] = {
		{ "", "" },
		{ "{\"reason\": \"a\\nb\\tc\"}", "a b c [cleaned]" },
		{ "{\"reason\": 5}", "[reason was no text]" },
		{ "{\"reason\": \"x\", \"hard\": 1}",
			"x [hard was neither true nor false]" },
		{ "{\"raeson\": \"x\"}", "[unknown fields left out]" },
		{ "{\"reason\": \"x\", \"generation\": \"old\"}", "x" },
		{ "checkout is down",
			"checkout is down [the body was no JSON object]" },
		{ "{\"reason\": \"x\"",
			"{\"reason\": \"x\" [the body was no JSON object]" },
		{ "\xff\xfe", "?? [the body was no JSON object; cleaned]" },
		{ "[]", "[] [the body was no JSON object]" },
	};

	return cr_make_param_array(struct odd, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct odd *o, cutback, takes_effect_whatever_stands_in_its_body)
{
	struct got a = client_ask(fixture, "POST", CUTBACK, o->body);

	cr_assert_eq(a.status, 200, "%s", a.body);
	assert_was_told("m0", o->reason);
	got_fini(&a);
}

Test(cutback, a_reason_that_is_too_long_is_cut_between_two_characters)
{
	char *body = mem_print("{\"reason\": \"%0*d\xc3\xa9 tail\"}", 499, 0);
	char *kept = mem_print("%0*d [cut]", 499, 0);

	struct got a = client_ask(fixture, "POST", "/v1/cutback", body);

	cr_assert_eq(a.status, 200);
	assert_was_told("", kept);
	got_fini(&a);
	free(body);
	free(kept);
}

Test(cutback, a_query_in_its_path_is_no_reason_to_refuse_it)
{
	struct got a = client_ask(fixture, "POST", CUTBACK "?reason=x", NULL);

	cr_assert_eq(a.status, 200);
	assert_was_told("m0", "");
	got_fini(&a);
}

static struct got send_raw(const char *bytes)
{
	int fd = client_open(fixture);

	client_send(fd, bytes, strlen(bytes));
	struct got a = client_receive(fd, false);
	cr_assert(client_sees_end(fd), "what follows is not understood");
	close(fd);
	return a;
}

Test(cutback, a_body_that_is_announced_too_long_is_not_waited_for)
{
	struct got a = send_raw("POST " CUTBACK " HTTP/1.1\r\nHost: a\r\n"
				"Content-Length: 70000\r\n\r\n");

	cr_assert_eq(a.status, 200);
	assert_was_told("m0", "[the body is longer than 64 KiB]");
	got_fini(&a);
}

Test(cutback, a_body_whose_chunks_are_garbled_does_not_stop_it)
{
	struct got a = send_raw("POST " CUTBACK " HTTP/1.1\r\nHost: a\r\n"
				"Transfer-Encoding: chunked\r\n\r\nzz\r\n");

	cr_assert_eq(a.status, 200);
	cr_assert_eq(fixture->command.n, 1);
	cr_assert(strlen(fixture->command.reason) > 5, "it is marked");
	got_fini(&a);
}
