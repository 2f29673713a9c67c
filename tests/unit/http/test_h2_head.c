/* What the head of a request must be to pass, and what is said otherwise. */
#include "h2_script.h"

#include <criterion/parameterized.h>

static void start(void)
{
	static struct script s;

	setup();
	put_preface(&s);
	cr_assert_eq(tell(server, &s), 0);
	errors_of(server);
}

TestSuite(h2_head, .init = start, .fini = teardown);

static const char *tell_request(int flags, const char *lines)
{
	static struct script s;

	put_headers(&s, 1, flags, span_of(lines));
	cr_assert_eq(tell(server, &s), 0);
	return errors_of(server);
}

#define REST ":scheme: https\n:path: /\n:authority: a"

struct example {
	char lines[400];
	char said[400];
	char errors[40];
	int flags;
};

static void check(const struct example *e)
{
	const char *errors = tell_request(e->flags, e->lines);

	cr_assert_str_eq(server->said, e->said, "%s\nsaid %s", e->lines, server->said);
	cr_assert_str_eq(errors, e->errors, "%s\nwrote %s", e->lines, errors);
}

/* --- what passes ---------------------------------------------------------- */

ParameterizedTestParameters(h2_head, passes)
{
	static struct example all[] = {
		{ GET_LINES, "1 GET / a nothing\n1 end\n", "", END_STREAM },
		{ POST_LINES, "1 POST / a open\n", "", 0 },
		{ POST_LINES "\ncontent-length: 007",
			"1 POST / a length 7\n  content-length: 007\n", "", 0 },
		{ POST_LINES "\ncontent-length: 0",
			"1 POST / a length 0\n  content-length: 0\n1 end\n", "",
			END_STREAM },
		{ ":method: PURGE\n" REST, "1 PURGE / a nothing\n1 end\n", "",
			END_STREAM },
		{ ":method: OPTIONS\n:scheme: http\n:path: *\n:authority: a",
			"1 OPTIONS * a nothing\n1 end\n", "", END_STREAM },
		{ ":method: GET\n:scheme: https\n:path: //a/../%00?b?\n:authority: "
		  "[::1]:1",
			"1 GET //a/../%00?b? [::1]:1 nothing\n1 end\n", "",
			END_STREAM },
		{ ":method: GET\n:scheme: https\n:path: /\nhost: h",
			"1 GET / h nothing\n  host: h\n1 end\n", "", END_STREAM },
		{ GET_LINES "\nhost: A", "1 GET / a nothing\n  host: A\n1 end\n", "",
			END_STREAM },
		{ GET_LINES "\nte: trailers",
			"1 GET / a nothing te\n  (te: trailers)\n1 end\n", "",
			END_STREAM },
		{ POST_LINES "\nexpect: 100-continue",
			"1 POST / a open continue\n  expect: 100-continue\n", "", 0 },
		{ GET_LINES "\nexpect: 100-continue",
			"1 GET / a nothing\n  expect: 100-continue\n1 end\n", "",
			END_STREAM },
		{ GET_LINES "\ncookie: a=1\nx: y\ncookie: b=2\ncookie: c=3",
			"1 GET / a nothing\n  x: y\n  cookie: a=1; b=2; c=3\n1 end\n",
			"", END_STREAM },
		{ GET_LINES "\nproxy-authorization: x\nproxy: y\nhttp2-settings: z",
			"1 GET / a nothing\n  (proxy-authorization: x)\n"
			"  (proxy: y)\n  (http2-settings: z)\n1 end\n",
			"", END_STREAM },
		{ GET_LINES "\nx: \na: b\tc \x80",
			"1 GET / a nothing\n  x: \n  a: b\tc \x80\n1 end\n", "",
			END_STREAM },
		{ ":method: CONNECT\n:protocol: websocket\n" REST,
			"1 GET / a nothing tunnel\n", "", 0 },
	};

	return cr_make_param_array(struct example, all, sizeof all / sizeof all[0]);
}

ParameterizedTest(struct example *e, h2_head, passes)
{
	check(e);
}

/* --- what we refuse, and can answer --------------------------------------- */

ParameterizedTestParameters(h2_head, is_refused_with_a_reason)
{
#define REFUSED(lines, why)                                         \
	{                                                           \
		lines, "1 refused " why "\n", "rst 1 1", END_STREAM \
	}
	static struct example all[] = {
		REFUSED(":method: TRACE\n" REST, "method"),
		REFUSED(":method: CONNECT\n:authority: a:1", "method"),
		REFUSED(":method: CONNECT\n:protocol: connect-udp\n" REST, "method"),
		REFUSED(":method: GET\n:scheme: ftp\n:path: /\n:authority: a",
			"target"),
		REFUSED(":method: GET\n:scheme: https\n:path: /a#b\n:authority: a",
			"target"),
		REFUSED(":method: GET\n:scheme: https\n:path: /\x80\n:authority: a",
			"target"),
		REFUSED(":method: GET\n:scheme: https\n:path: /\n:authority: u@a",
			"host"),
		REFUSED(":method: GET\n:scheme: https\n:path: /\n:authority: a:70000",
			"host"),
		REFUSED(":method: GET\n:scheme: https\n:path: /\n:authority: a%62",
			"host"),
		REFUSED(":method: GET\n:scheme: https\n:path: /\nhost: a,b", "host"),
		REFUSED(GET_LINES "\nhost: b", "host"),
		REFUSED(GET_LINES "\nhost: a:443", "host"),
		REFUSED(GET_LINES "\nexpect: 200-ok", "expect"),
		REFUSED(":method: CONNECT\n:protocol: websocket\n" REST
			"\ncontent-length: 0",
			"framing"),
	};

	return cr_make_param_array(struct example, all, sizeof all / sizeof all[0]);
}

ParameterizedTest(struct example *e, h2_head, is_refused_with_a_reason, .init = NULL,
	.fini = NULL)
{
	check(e);
}

/* --- what is malformed (RFC 9113, 8.1.1): reset at once ------------------- */

ParameterizedTestParameters(h2_head, is_malformed)
{
#define MALFORMED(lines)                                          \
	{                                                         \
		lines, "1 refused field\n", "rst 1 1", END_STREAM \
	}
	static struct example all[] = {
		MALFORMED(GET_LINES "\nconnection: close"),
		MALFORMED(GET_LINES "\nkeep-alive: 1"),
		MALFORMED(GET_LINES "\nproxy-connection: close"),
		MALFORMED(GET_LINES "\ntransfer-encoding: chunked"),
		MALFORMED(GET_LINES "\nupgrade: h2c"),
		MALFORMED(GET_LINES "\nte: gzip"),
		MALFORMED(GET_LINES "\nte: trailers, gzip"),
		MALFORMED(GET_LINES "\nX-Upper: 1"),
		MALFORMED(GET_LINES "\nx y: 1"),
		MALFORMED(GET_LINES "\nx\r: 1"),
		MALFORMED(GET_LINES "\nx:y: 1"),
		MALFORMED(GET_LINES "\nx: a\rb"),
		MALFORMED(GET_LINES "\nx: a\r"),
		MALFORMED(GET_LINES "\nx: \x01"),
		MALFORMED(GET_LINES "\nx: \x7f"),
		MALFORMED(GET_LINES "\nx:  a"),
		MALFORMED(GET_LINES "\nx: a "),
		MALFORMED(GET_LINES "\nx: 1\n:path: /"),
		MALFORMED(GET_LINES "\n:path: /"),
		MALFORMED(GET_LINES "\n:method: GET"),
		MALFORMED(GET_LINES "\n:authority: a"),
		MALFORMED(GET_LINES "\n:scheme: https"),
		MALFORMED(GET_LINES "\n:status: 200"),
		MALFORMED(GET_LINES "\n:new: 1"),
		MALFORMED(GET_LINES "\nhost: a\nhost: a"),
		MALFORMED(":scheme: https\n:path: /\n:authority: a"),
		MALFORMED(":method: GET\n:path: /\n:authority: a"),
		MALFORMED(":method: GET\n:scheme: https\n:authority: a"),
		MALFORMED(":method: GET\n:scheme: https\n:path: /"),
		MALFORMED(":method: GET\n:scheme: https\n:path: \n:authority: a"),
		MALFORMED(":method: GET\n:scheme: https\n:path: a\n:authority: a"),
		MALFORMED(":method: GET\n:scheme: https\n:path: *\n:authority: a"),
		MALFORMED(":method: GET\n:scheme: https\n:path: http://a/\n:authority: "
			  "a"),
		MALFORMED(":method: GET\n:scheme: https\n:path: /a b\n:authority: a"),
		MALFORMED(":method: G T\n" REST),
		MALFORMED(":method: \n" REST),
		MALFORMED(":method: GET\n:scheme: https\n:path: /\n:authority: a b"),
		MALFORMED(":method: GET\n:protocol: websocket\n" REST),
		MALFORMED(GET_LINES "\ncontent-length: 1"),
		MALFORMED(GET_LINES "\ncontent-length: 0\ncontent-length: 0"),
		MALFORMED(GET_LINES "\ncontent-length: +0"),
		MALFORMED(GET_LINES "\ncontent-length: 0x0"),
		MALFORMED(GET_LINES "\ncontent-length: 0,0"),
		MALFORMED(GET_LINES "\ncontent-length: 9223372036854775808"),
	};

	return cr_make_param_array(struct example, all, sizeof all / sizeof all[0]);
}

ParameterizedTest(struct example *e, h2_head, is_malformed)
{
	check(e);
}

static struct script s;

Test(h2_head, a_name_or_value_may_not_hold_a_nul_or_newline)
{
	static const struct span values[] = { { "a\0b", 3 }, { "a\nb", 3 },
		{ "a\r\nx: y", 7 } };

	for (uint32_t i = 0; i < 3; i++) {
		static struct script block;
		char expected[20];

		block.n = 0;
		put_fields(&block, SPAN(GET_LINES));
		put_field(&block, SPAN("x"), values[i]);
		put_frame(&s, HEADERS, END_STREAM | END_HEADERS, 2 * i + 1,
			(struct span){ .p = block.bytes, .n = block.n });
		tell(server, &s);
		snprintf(expected, sizeof expected, "rst %u 1", 2 * i + 1);
		cr_assert_str_eq(errors_of(server), expected);
	}
}

Test(h2_head, websockets_are_malformed_where_they_were_not_offered)
{
	struct h2_limits limits = ample;

	teardown();
	limits.websocket = false;
	open_sides(&limits);
	put_preface(&s);
	put_headers(&s, 1, 0, SPAN(":method: CONNECT\n:protocol: websocket\n" REST));
	tell(server, &s);

	cr_assert_str_eq(errors_of(server), "rst 1 1");
}

/* --- limits --------------------------------------------------------------- */

static void request_with_path(size_t n)
{
	char path[2 * TARGET_BYTES], text[3 * TARGET_BYTES];

	memset(path, 'a', n);
	path[n] = '\0';
	path[0] = '/';
	snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	request(text, false);
	talk();
}

TestSuite(h2_limits, .init = setup, .fini = teardown);

Test(h2_limits, the_longest_target_passes)
{
	request_with_path(TARGET_BYTES);

	cr_assert_eq(server->said[0], '1');
	cr_assert_eq(server->why, HTTP_FINE);
}

Test(h2_limits, a_longer_target_is_refused_and_can_be_answered)
{
	server->answers = true;

	request_with_path(TARGET_BYTES + 1);

	cr_assert_eq(server->why, HTTP_TARGET_TOO_LONG);
	cr_assert_eq(strncmp(client->said, "1 414 length", 12), 0);
}

static void tell_fields_named(struct span name, int n, size_t value_n)
{
	static struct script block;
	static char value[1 << 16];

	memset(value, 'v', value_n);
	block.n = 0;
	put_fields(&block, SPAN(GET_LINES));
	for (int i = 0; i < n; i++)
		put_field(&block, name, (struct span){ .p = value, .n = value_n });

	size_t at = 0;
	while (at < block.n) {
		size_t piece = block.n - at < 16384 ? block.n - at : 16384;
		bool last = at + piece == block.n;

		put_frame(&s, at == 0 ? HEADERS : CONTINUATION,
			(at == 0 ? END_STREAM : 0) | (last ? END_HEADERS : 0), 1,
			(struct span){ .p = block.bytes + at, .n = piece });
		at += piece;
	}
	server->received = tell(server, &s);
}

static void tell_fields(int n, size_t value_n)
{
	tell_fields_named(SPAN("x"), n, value_n);
}

Test(h2_head, the_crumbs_of_a_cookie_count_as_one_field)
{
	tell_fields_named(SPAN("cookie"), 200, 3);

	cr_assert_eq(server->received, 0);
	cr_assert_eq(server->why, HTTP_FINE);
	cr_assert_neq(strstr(server->said, "cookie: vvv; vvv; vvv"), NULL);
}

Test(h2_head, crumbs_are_bounded_like_any_bytes_of_a_head)
{
	tell_fields_named(SPAN("cookie"), 40, 2000);

	cr_assert_eq(server->why, HTTP_HEAD_TOO_LARGE);
}

Test(h2_head, as_many_fields_as_allowed_pass)
{
	tell_fields(64, 1);

	cr_assert_eq(server->why, HTTP_FINE);
	cr_assert_eq(server->n_owners, 1);
}

Test(h2_head, one_field_more_is_too_large)
{
	tell_fields(65, 1);

	cr_assert_str_eq(server->said, "1 refused too_many_fields\n");
}

Test(h2_head, more_bytes_than_allowed_are_too_large_and_the_connection_lives)
{
	tell_fields(1, HEAD_BYTES);
	cr_assert_str_eq(server->said, "1 refused head_too_large\n");
	hush();

	put_get(&s, 3);
	tell(server, &s);

	cr_assert_str_eq(server->said, "3 GET / a nothing\n3 end\n");
}

Test(h2_head, what_comes_behind_a_refused_head_is_dropped)
{
	server->answers = true;
	put_headers(&s, 1, 0, SPAN(":method: TRACE\n" REST));
	put_frame(&s, DATA, 0, 1, SPAN("dropped"));
	tell(server, &s);

	cr_assert_str_eq(errors_of(server), "ping");
	cr_assert_str_eq(server->said, "1 refused method\n");
}

/* Where both come at once, there are clients that lose the answer over the reset. */
Test(h2_head, the_reset_behind_an_early_answer_waits_until_that_has_come)
{
	server->answers = true;
	put_headers(&s, 1, 0, SPAN(":method: TRACE\n" REST));
	put_headers(&s, 3, 0, SPAN(":method: TRACE\n" REST));
	tell(server, &s);
	cr_assert_str_eq(errors_of(server), "ping ping");

	put_frame(&s, PING, ACK, 0, (struct span){ .p = pinged, .n = sizeof(pinged) });
	cr_assert_eq(tell(server, &s), 0);

	cr_assert_str_eq(errors_of(server), "rst 3 0");
}

Test(h2_head, an_upload_that_ends_meanwhile_needs_no_reset)
{
	server->answers = true;
	put_headers(&s, 1, 0, SPAN(":method: TRACE\n" REST));
	tell(server, &s);
	cr_assert_str_eq(errors_of(server), "ping");

	put_frame(&s, DATA, END_STREAM, 1, SPAN("the last"));
	put_frame(&s, PING, ACK, 0, (struct span){ .p = pinged, .n = sizeof(pinged) });
	cr_assert_eq(tell(server, &s), 0);

	cr_assert_str_eq(errors_of(server), "");
	cr_assert_eq(h2_open_streams(server->h2), 0);
}

Test(h2_head, an_answer_to_no_ping_of_ours_is_harmless)
{
	server->answers = true;
	put_headers(&s, 1, 0, SPAN(":method: TRACE\n" REST));
	put_frame(&s, PING, ACK, 0, SPAN("\0\0\0\0\1\0\0\0"));
	put_frame(&s, PING, ACK, 0, SPAN("earl\xff\xff\xff\xff"));
	cr_assert_eq(tell(server, &s), 0);

	cr_assert_str_eq(errors_of(server), "ping");
}

/* --- responses ------------------------------------------------------------ */

struct response {
	char lines[200];
	char said[200];
	char errors[20];
	int flags;
};

ParameterizedTestParameters(h2_head, responses)
{
#define BAD(lines)                      \
	{                               \
		lines, "", "rst 1 1", 0 \
	}
	static struct response all[] = {
		{ ":status: 200\ncontent-length: 3",
			"1 200 length 3\n  content-length: 3\n", "", 0 },
		{ ":status: 200", "1 200 nothing\n1 end\n1 closed\n", "", END_STREAM },
		{ ":status: 204\ncontent-length: 0", "1 204 nothing\n1 end\n1 closed\n",
			"", END_STREAM },
		{ ":status: 599", "1 599 open\n", "", 0 },
		BAD(":status: 101"),
		BAD(":status: 600"),
		BAD(":status: 099"),
		BAD(":status: 20"),
		BAD(":status: abc"),
		BAD("x: y"),
		BAD(":status: 200\n:status: 200"),
		BAD(":status: 200\n:path: /"),
		BAD(":status: 200\nconnection: close"),
		BAD(":status: 200\nkeep-alive: 1"),
		BAD(":status: 200\ntransfer-encoding: chunked"),
		BAD(":status: 200\nupgrade: h2c"),
		BAD(":status: 200\nx: a\rb"),
		BAD(":status: 200\nX: a"),
		BAD(":status: 200\ncontent-length: 1\ncontent-length: 1"),
		BAD(":status: 100\ncontent-length: 1"),
		BAD(":status: 204\ncontent-length: 1"),
		{ ":status: 100", "", "rst 1 1", END_STREAM },
		{ ":status: 200\ncontent-length: 1", "", "rst 1 1", END_STREAM },
	};

	return cr_make_param_array(struct response, all, sizeof all / sizeof all[0]);
}

ParameterizedTest(struct response *e, h2_head, responses)
{
	get();
	cr_assert(h2_write(client->h2, &client->out, BUF_MEDIUM));
	buf_drop(&client->out, buf_len(&client->out));
	put_frame(&s, SETTINGS, 0, 0, SPAN(""));
	put_headers(&s, 1, e->flags, span_of(e->lines));
	tell(client, &s);

	cr_assert_str_eq(client->said, e->said, "%s\nsaid %s", e->lines, client->said);
	const char *errors = errors_of(client);
	cr_assert_str_eq(errors, e->errors, "%s\nwrote %s", e->lines, errors);
}

/* --- trailers ------------------------------------------------------------- */

static void tell_trailers(int flags, const char *lines)
{
	put_headers(&s, 1, 0, SPAN(POST_LINES));
	put_frame(&s, DATA, 0, 1, SPAN("x"));
	tell(server, &s);
	hush();
	put_headers(&s, 1, flags, span_of(lines));
	tell(server, &s);
}

Test(h2_head, trailers_are_filtered)
{
	tell_trailers(END_STREAM, "x-a: 1\ncontent-type: x\ncookie: y");

	cr_assert_str_eq(server->said, "1 trailers\n  x-a: 1\n1 end\n");
}

Test(h2_head, trailers_of_which_none_may_go_on_are_an_end)
{
	tell_trailers(END_STREAM, "te: trailers\nhost: x");

	cr_assert_str_eq(server->said, "1 end\n");
}

Test(h2_head, trailers_end_the_stream)
{
	tell_trailers(0, "x-a: 1");

	cr_assert_str_eq(errors_of(server), "rst 1 1");
	cr_assert_str_eq(server->said, "1 reset 1\n");
}

Test(h2_head, trailers_have_no_pseudo_fields)
{
	tell_trailers(END_STREAM, ":path: /");

	cr_assert_str_eq(errors_of(server), "rst 1 1");
	cr_assert_str_eq(server->said, "1 reset 1\n");
}
