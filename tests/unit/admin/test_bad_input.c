#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/json.h"
#include "sluice/base/mem.h"

#include "fixture.h"

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

TestSuite(bad_input, .init = setup, .fini = teardown, .timeout = 60);

static void assert_alive(void)
{
	struct got a = client_ask(fixture, "GET", "/healthz", NULL);

	cr_assert_eq(a.status, 200);
	got_fini(&a);
}

/* An error is an object that says what is wrong and what would be right. */
static void assert_is_error(const struct got *a, unsigned status, const char *says)
{
	struct json *j = json_parse(a->body, a->body_n, NULL);

	cr_assert_eq(a->status, status, "%u: %s", a->status, a->body);
	cr_assert(strstr(json_text(j, "error", ""), says) != NULL, "%s", a->body);
	cr_assert(strlen(json_text(j, "hint", "")) > 5, "%s", a->body);
	json_free(j);
}

struct wrong {
	char method[8], target[200], body[200];
	unsigned status;
	char says[64];
};

#define WEIGHT "/v1/migrations/m0/weight"
#define START "/v1/migrations/m0/start"

ParameterizedTestParameters(bad_input, is_refused_with_what_and_how)
{
	static struct wrong all[] = {
		{ "GET", "/", "", 404, "no such path" },
		{ "GET", "/v1/status/", "", 404, "no such path" },
		{ "GET", "/v1/status?x=1", "", 400, "no parameters" },
		{ "DELETE", "/v1/status", "", 405, "GET, HEAD" },
		{ "FOO", "/metrics", "", 405, "GET, HEAD" },
		{ "GET", WEIGHT, "", 405, "POST" },
		{ "POST", "/v1/migrations/", "", 404, "no such path" },
		{ "POST", "/v1/migrations/m0", "", 404, "no such path" },
		{ "POST", "/v1/migrations//start", "", 404, "no such path" },
		{ "POST", "/v1/migrations/m0/start/", "", 404, "no such path" },
		{ "POST", "/v1/migrations/m0/explode", "", 404, "no such path" },
		{ "POST", START "?reason=x", "", 400, "no parameters" },
		{ "POST", WEIGHT, "", 400, "percent: missing" },
		{ "POST", WEIGHT, "{\"percent\": NaN}", 400, "column" },
		{ "POST", WEIGHT, "{\"percent\": 1e999}", 400, "line 1" },
		{ "POST", WEIGHT, "{\"percent\": -0.1}", 400, "0..100" },
		{ "POST", WEIGHT, "{\"percent\": 100.0001}", 400, "0..100" },
		{ "POST", WEIGHT, "{\"percent\": \"50\"}", 400, "0..100" },
		{ "POST", WEIGHT, "{\"percent\": null}", 400, "0..100" },
		{ "POST", WEIGHT, "{\"percent\": 0.00001}", 400, "decimals" },
		{ "POST", WEIGHT, "{\"percent\": 1, \"percent\": 2}", 400,
			"duplicate" },
		{ "POST", WEIGHT, "{\"percent\": 1, \"generaton\": 2}", 400,
			"unknown" },
		{ "POST", START, "{\"percent\": 1}", 400, "unknown field" },
		{ "POST", START, "{\"reason\": 5}", 400, "reason" },
		{ "POST", START, "{\"reason\": \"a\\nb\"}", 400, "one line" },
		{ "POST", START, "{\"hard\": true}", 400, "unknown field" },
		{ "POST", START, "{\"generation\": 7, \"x\": \"\"}", 400, "\"x\"" },
		{ "POST", START, "{\"reason\": \"\\u001b[2J\"}", 400, "one line" },
		{ "POST", START, "{\"generation\": -1}", 400, "generation" },
		{ "POST", START, "{\"generation\": 1.5}", 400, "generation" },
		{ "POST", START, "{\"generation\": \"7\"}", 400, "generation" },
		{ "POST", START, "[]", 400, "expected an object" },
		{ "POST", START, "7", 400, "expected an object" },
		{ "POST", START, "{", 400, "body" },
		{ "POST", START, "{} {}", 400, "body" },
		{ "GET", "/v1/decisions?since=yesterday", "", 400, "since" },
		{ "GET", "/v1/decisions?since=%zz", "", 400, "escapes" },
		{ "GET", "/v1/decisions?since=%00", "", 400, "escapes" },
		{ "GET", "/v1/decisions?limit=0", "", 400, "1..1000" },
		{ "GET", "/v1/decisions?limit=1001", "", 400, "1..1000" },
		{ "GET", "/v1/decisions?limit=-5", "", 400, "1..1000" },
		{ "GET", "/v1/decisions?nonsense=1", "", 400, "unknown parameter" },
		{ "GET",
			"/v1/"
			"decisions?migration=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"", 400, "63" },
	};

	return cr_make_param_array(struct wrong, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct wrong *w, bad_input, is_refused_with_what_and_how)
{
	struct got a = client_ask(fixture, w->method, w->target, w->body);

	assert_is_error(&a, w->status, w->says);
	cr_assert_eq(fixture->command.n, 0, "nothing may be half applied");
	got_fini(&a);
	assert_alive();
}

Test(bad_input, a_reason_may_be_long_but_not_endless)
{
	char *body = mem_print("{\"reason\": \"%0*d\"}", 501, 0);

	struct got a = client_ask(fixture, "POST", START, body);

	assert_is_error(&a, 400, "500");
	got_fini(&a);
	free(body);
}

/* Sends bytes, and the answer is the last thing on the connection. */
static struct got send_raw(const char *bytes, size_t n)
{
	int fd = client_open(fixture);

	client_send(fd, bytes, n);
	struct got a = client_receive(fd, false);
	cr_assert(client_sees_end(fd));
	close(fd);
	return a;
}

struct raw {
	char bytes[200];
	unsigned status;
};

ParameterizedTestParameters(bad_input, that_is_no_http_is_answered_and_closed)
{
	static struct raw all[] = {
		{ "\x16\x03\x01\x02", 400 },
		{ "GET /healthz\r\n\r\n", 400 },
		{ "GET /healthz HTTP/3.0\r\n\r\n", 505 },
		{ "GET /healthz HTTP/1.1\r\n\r\n", 400 },
		{ "GET /healthz HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n", 400 },
		{ "POST /v1/migrations/m0/start HTTP/1.1\r\nHost: a\r\nContent-Length: "
		  "70000\r\n\r\n",
			413 },
		{ "POST /v1/cutback HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
			400 },
		{ "POST /v1/migrations/m0/start HTTP/1.1\r\nHost: "
		  "a\r\nTransfer-Encoding: "
		  "chunked\r\n\r\nzz\r\n",
			400 },
		{ "POST /v1/cutback HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
		  "chunked\r\nContent-Length: 2\r\n\r\n{}",
			400 },
	};

	return cr_make_param_array(struct raw, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct raw *raw, bad_input, that_is_no_http_is_answered_and_closed)
{
	struct got a = send_raw(raw->bytes, strlen(raw->bytes));

	cr_assert_eq(a.status, raw->status, "%u: %s", a.status, a.body);
	cr_assert(strstr(a.head, "Connection: close") != NULL);
	cr_assert_eq(fixture->command.n, 0);
	got_fini(&a);
	assert_alive();
}

Test(bad_input, a_chunked_body_is_bounded_too)
{
	static const char head[] = "POST " START " HTTP/1.1\r\nHost: a\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n20000\r\n";
	size_t n = strlen(head) + 0x20000;
	char *bytes = mem_alloc(n);

	memset(bytes, ' ', n);
	memcpy(bytes, head, strlen(head));
	struct got a = send_raw(bytes, n);

	assert_is_error(&a, 413, "64 KiB");
	cr_assert_eq(fixture->command.n, 0);
	got_fini(&a);
	free(bytes);
	assert_alive();
}

Test(bad_input, too_many_header_fields_are_431)
{
	char *bytes = mem_alloc(100 + 1000 * 6), *end = bytes;

	end += strlen(strcpy(end, "GET /healthz HTTP/1.1\r\nHost: a\r\n"));
	for (int i = 0; i < 1000; i++)
		end += strlen(strcpy(end, "X: y\r\n"));
	strcpy(end, "\r\n");
	struct got a = send_raw(bytes, strlen(bytes));

	cr_assert_eq(a.status, 431);
	got_fini(&a);
	free(bytes);
	assert_alive();
}
