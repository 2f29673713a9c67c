/* What a backend's response may look like, and where its body ends. Each is read at
 * once and byte by byte (heads.h). */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>

#include "heads.h"

static struct reading *response(const char *text, enum http_method method)
{
	struct reading *r = read_head(span_of(text), method);

	cr_assert_eq(r->result, H1_DONE, "refused: %s", http_bad_name(r->why));
	return r;
}

static bool is_dropped(const struct reading *r, size_t i)
{
	return r->fields[i].dropped;
}

TestSuite(h1_response, .fini = forget_all);

struct row {
	char text[200];
	size_t n;
	enum http_bad why;
};

#define ROW(bytes, reason)                                             \
	{                                                              \
		.text = bytes, .n = sizeof(bytes) - 1, .why = (reason) \
	}
#define OK(lines) "HTTP/1.1 200 OK\r\n" lines "\r\n\r\n"

static struct row bad[] = {
	ROW(OK("Na me: v"), HTTP_BAD_FIELD),
	ROW(OK("Name x : v"), HTTP_BAD_FIELD),
	ROW(OK("Name "), HTTP_BAD_FIELD),
	ROW(OK(" : v"), HTTP_BAD_FIELD),
	ROW("HTTP/1.1 200 OK\n\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1 200 O\0K\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1 200 O\rK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1  200 OK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1 20 OK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1 2000 OK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1 099 OK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1 600 OK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1 +20 OK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1 200\tOK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/1.1\t200 OK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW(" HTTP/1.1 200 OK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("\r\nHTTP/1.1 200 OK\r\n\r\n", HTTP_BAD_STATUS_LINE),
	ROW("ICY 200 OK\r\n\r\nmore", HTTP_BAD_STATUS_LINE),
	ROW("<html>not http</html>", HTTP_BAD_STATUS_LINE),
	ROW("HTTP/2.0 200 OK\r\n\r\n", HTTP_BAD_VERSION),
	ROW("HTTP/1.2 200 OK\r\n\r\n", HTTP_BAD_VERSION),
	ROW("HTTP/0.9 200 OK\r\n\r\n", HTTP_BAD_VERSION),
	ROW(OK("Content-Length: 3\r\nTransfer-Encoding: chunked"), HTTP_BAD_FRAMING),
	ROW(OK("Content-Length: 3\r\nContent-Length: 3"), HTTP_BAD_LENGTH),
	ROW(OK("Content-Length: 3\r\nContent-Length: 4"), HTTP_BAD_LENGTH),
	ROW(OK("Content-Length: 3, 3"), HTTP_BAD_LENGTH),
	ROW(OK("Content-Length: -1"), HTTP_BAD_LENGTH),
	ROW(OK("Content-Length: 9223372036854775808"), HTTP_BAD_LENGTH),
	ROW(OK("Transfer-Encoding: gzip, chunked"), HTTP_BAD_CODING),
	ROW(OK("Transfer-Encoding: identity"), HTTP_BAD_FRAMING),
	ROW(OK("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
		HTTP_BAD_FRAMING),
	ROW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_FRAMING),
	ROW(OK("X: a\r\n b"), HTTP_BAD_FIELD),
	ROW(OK("X: a\nY: b"), HTTP_BAD_FIELD),
	ROW(OK("X: a\rY: b"), HTTP_BAD_FIELD),
	ROW(OK("X: \0"), HTTP_BAD_FIELD),
	ROW(OK(": x"), HTTP_BAD_FIELD),
};

ParameterizedTestParameters(h1_response, what_is_malformed_is_refused)
{
	return cr_make_param_array(struct row, bad, sizeof bad / sizeof bad[0]);
}

ParameterizedTest(struct row *row, h1_response, what_is_malformed_is_refused)
{
	struct span text = { .p = row->text, .n = row->n };

	struct reading *r = read_head(text, HTTP_GET);

	cr_assert_eq(r->result, H1_BAD, "accepted: %s", row->text);
	cr_assert_eq(r->why, row->why, "%s: %s", http_bad_name(r->why), row->text);
}

struct end {
	char text[100];
	enum http_method method;
	enum http_framing framing;
	bool keep_alive;
};

static struct end ends[] = {
	{ .text = OK("Content-Length: 5"),
		.method = HTTP_GET,
		.framing = HTTP_LENGTH,
		.keep_alive = true },
	{ .text = OK("Content-Length: 0"),
		.method = HTTP_GET,
		.framing = HTTP_LENGTH,
		.keep_alive = true },
	{ .text = OK("Transfer-Encoding: chunked"),
		.method = HTTP_GET,
		.framing = HTTP_CHUNKED,
		.keep_alive = true },
	{ .text = OK("X: y"), .method = HTTP_GET, .framing = HTTP_UNTIL_CLOSE },
	{ .text = OK("Connection: keep-alive"),
		.method = HTTP_GET,
		.framing = HTTP_UNTIL_CLOSE },
	{ .text = OK("Connection: close\r\nContent-Length: 5"),
		.method = HTTP_GET,
		.framing = HTTP_LENGTH },
	{ .text = OK("Content-Length: 5"),
		.method = HTTP_HEAD,
		.framing = HTTP_NO_BODY,
		.keep_alive = true },
	{ .text = OK("Transfer-Encoding: chunked"),
		.method = HTTP_HEAD,
		.framing = HTTP_NO_BODY,
		.keep_alive = true },
	{ .text = OK("X: y"),
		.method = HTTP_HEAD,
		.framing = HTTP_NO_BODY,
		.keep_alive = true },
	{ .text = "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
		.method = HTTP_GET,
		.framing = HTTP_NO_BODY,
		.keep_alive = true },
	{ .text = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
		.method = HTTP_GET,
		.framing = HTTP_NO_BODY,
		.keep_alive = true },
	{ .text = "HTTP/1.1 103 Early Hints\r\n\r\n",
		.method = HTTP_GET,
		.framing = HTTP_NO_BODY,
		.keep_alive = true },
	{ .text = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
		.method = HTTP_GET,
		.framing = HTTP_LENGTH },
	{ .text = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
		  "Content-Length: 5\r\n\r\n",
		.method = HTTP_GET,
		.framing = HTTP_LENGTH,
		.keep_alive = true },
	{ .text = "HTTP/1.0 200 OK\r\n\r\n",
		.method = HTTP_GET,
		.framing = HTTP_UNTIL_CLOSE },
};

ParameterizedTestParameters(h1_response, where_the_body_ends_depends_on_the_request_too)
{
	return cr_make_param_array(struct end, ends, sizeof ends / sizeof ends[0]);
}

ParameterizedTest(
	struct end *end, h1_response, where_the_body_ends_depends_on_the_request_too)
{
	struct reading *r = response(end->text, end->method);

	cr_assert_eq(r->head.framing, end->framing, "%s", end->text);
	cr_assert_eq(r->head.keep_alive, end->keep_alive, "%s", end->text);
}

Test(h1_response, status_and_reason_are_read_also_where_the_reason_is_empty)
{
	struct reading *r = response("HTTP/1.1 404 Not \xff Found\r\n\r\n", HTTP_GET);
	struct reading *empty = response("HTTP/1.1 200 \r\n\r\n", HTTP_GET);
	struct reading *none = response("HTTP/1.0 500\r\n\r\n", HTTP_GET);

	cr_assert_eq(r->head.status, 404);
	cr_assert(span_eq(http_text(&r->head, r->head.reason), SPAN("Not \xff Found")));
	cr_assert_eq(empty->head.status, 200);
	cr_assert_eq(empty->head.reason.n, 0);
	cr_assert_eq(none->head.status, 500);
	cr_assert_eq(none->head.minor, 0);
}

Test(h1_response, blanks_before_a_colon_are_no_part_of_the_name)
{
	struct reading *r = response(OK("X-A : 1\r\nContent-Length \t : 3"), HTTP_GET);

	cr_assert(span_eq(http_field_name(&r->head, &r->fields[0]), SPAN("X-A")));
	cr_assert(span_eq(http_field_value(&r->head, &r->fields[0]), SPAN("1")));
	cr_assert_eq(r->head.length, 3);
}

Test(h1_response, lengths_and_codings_where_no_body_can_be_mean_nothing)
{
	static const char *const fields[] = {
		"Content-Length: 3\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding: chunked\r\nContent-Length: 3",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
		"Content-Length: many",
	};
	static const unsigned statuses[] = { 103, 204, 304 };
	char text[200];

	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 4; j++) {
			(void)snprintf(text, sizeof(text),
				"HTTP/1.1 %u X\r\n%s\r\n\r\n", statuses[i], fields[j]);
			struct reading *r = response(text, HTTP_GET);

			cr_assert_eq(r->head.framing, HTTP_NO_BODY);
			cr_assert(is_dropped(r, 0));
		}
	}
}

Test(h1_response, of_two_lengths_of_what_is_not_sent_the_first_is_told)
{
	struct reading *r =
		response(OK("Content-Length: 3\r\nContent-Length: 4"), HTTP_HEAD);

	cr_assert_not(is_dropped(r, 0));
	cr_assert(is_dropped(r, 1));
}

Test(h1_response, the_head_ends_where_the_body_begins)
{
	struct reading *r = response(OK("Content-Length: 5") "HTTP/1.1 200", HTTP_GET);

	cr_assert_eq(r->head.bytes, strlen(OK("Content-Length: 5")));
	cr_assert_eq(r->head.length, 5);
}

Test(h1_response, fields_of_this_connection_are_dropped)
{
	struct reading *r = response(OK("Connection: close, X-Hop\r\nKeep-Alive: 5\r\n"
					"X-Hop: 1\r\nUpgrade: h2c\r\nSet-Cookie: a"),
		HTTP_GET);

	cr_assert(is_dropped(r, 0) && is_dropped(r, 1) && is_dropped(r, 2) &&
		  is_dropped(r, 3));
	cr_assert_not(is_dropped(r, 4));
}

Test(h1_response, a_sloppy_connection_field_of_a_backend_is_forgiven)
{
	struct reading *r = response(OK("Connection: keep-alive; x=1\r\n"
					"Content-Length: 0"),
		HTTP_GET);

	cr_assert(r->head.keep_alive);
}

Test(h1_response, only_a_101_that_names_its_protocol_upgrades)
{
	struct reading *r =
		response("HTTP/1.1 101 Switching Protocols\r\n"
			 "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
			HTTP_GET);
	struct reading *unnamed = response("HTTP/1.1 101 X\r\n\r\n", HTTP_GET);
	struct reading *ok =
		response(OK("Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0"),
			HTTP_GET);

	cr_assert(r->head.upgrade);
	cr_assert_not(unnamed->head.upgrade);
	cr_assert_not(ok->head.upgrade);
}
