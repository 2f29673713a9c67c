/* Requests that are refused, and why: each row is one way to be understood in two. Each
 * is read at once and byte by byte (heads.h). */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "heads.h"

TestSuite(h1_refused, .fini = forget_all);

struct row {
	char text[200];
	size_t n;
	enum http_bad why;
};

#define ROW(bytes, reason)                                             \
	{                                                              \
		.text = bytes, .n = sizeof(bytes) - 1, .why = (reason) \
	}
#define HEAD(lines) "GET / HTTP/1.1\r\nHost: a\r\n" lines "\r\n\r\n"
#define POST(lines) "POST / HTTP/1.1\r\nHost: a\r\n" lines "\r\n\r\n"
#define HOST(lines) "GET / HTTP/1.1\r\n" lines "\r\n"
#define LINE(line) line "\r\nHost: a\r\n\r\n"

static void assert_refused(const struct row *row)
{
	struct reading *r =
		read_head((struct span){ .p = row->text, .n = row->n }, HTTP_OTHER);

	cr_assert_eq(r->result, H1_BAD, "accepted: %s", row->text);
	cr_assert_eq(r->why, row->why, "%s: %s", http_bad_name(r->why), row->text);
}

#define ROWS(suite, name)                                               \
	ParameterizedTestParameters(suite, name)                        \
	{                                                               \
		size_t n = sizeof name##_rows / sizeof name##_rows[0];  \
		return cr_make_param_array(struct row, name##_rows, n); \
	}                                                               \
	ParameterizedTest(struct row *row, suite, name)                 \
	{                                                               \
		assert_refused(row);                                    \
	}

static struct row where_the_body_ends_must_be_plain_rows[] = {
	ROW(POST("Content-Length: 3\r\nTransfer-Encoding: chunked"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: chunked\r\nContent-Length: 3"), HTTP_BAD_FRAMING),
	ROW(POST("Content-Length: 3\r\nContent-Length: 4"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 3\r\nContent-Length: 3"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 3\r\ncontent-length: 3"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 3, 3"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: +3"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: -3"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 3 3"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 0x3"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 3a"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 3.0"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 1e3"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 1_0"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: \"3\""), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length:"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: \t "), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: \xd9\xa3"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 9223372036854775808"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 18446744073709551616"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 18446744073709551619"), HTTP_BAD_LENGTH),
	ROW(POST("Content-Length: 99999999999999999999999"), HTTP_BAD_LENGTH),
	ROW(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
		HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
		HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: identity"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: chunked, identity"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: chunked, chunked"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: chunked, gzip"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: chunked,"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: ,chunked,"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: gzip"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: xchunked"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: chunkedx"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: chunked;q=1"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: \"chunked\""), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: chunked chunked"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: c hunked"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: \xc3\xa7hunked"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding:"), HTTP_BAD_FRAMING),
	ROW(POST("Transfer-Encoding: gzip, chunked"), HTTP_BAD_CODING),
	ROW(POST("Transfer-Encoding: GZip, Chunked"), HTTP_BAD_CODING),
	ROW(POST("Transfer-Encoding: \x0b"
		 "chunked"),
		HTTP_BAD_FIELD),
	ROW(POST("Transfer-Encoding : chunked"), HTTP_BAD_FIELD),
	ROW(POST("Transfer-Encoding\t: chunked"), HTTP_BAD_FIELD),
	ROW(POST("Transfer-Encoding:\n chunked"), HTTP_BAD_FIELD),
	ROW(POST("Content-Length : 3"), HTTP_BAD_FIELD),
	ROW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_FRAMING),
};
ROWS(h1_refused, where_the_body_ends_must_be_plain)

static struct row lines_have_one_spelling_rows[] = {
	ROW(HEAD("X: a\r\n b"), HTTP_BAD_FIELD),
	ROW(HEAD("X: a\r\n\tb"), HTTP_BAD_FIELD),
	ROW(HEAD("X: a\r\n "), HTTP_BAD_FIELD),
	ROW("GET / HTTP/1.1\r\n Host: a\r\n\r\n", HTTP_BAD_FIELD),
	ROW("GET / HTTP/1.1\r\nHost: a\n\r\n", HTTP_BAD_FIELD),
	ROW("GET / HTTP/1.1\r\nHost: a\r\n\n", HTTP_BAD_FIELD),
	ROW("GET / HTTP/1.1\r\nHost: a\r\n\rX", HTTP_BAD_FIELD),
	ROW(HEAD("X: a\rY: b"), HTTP_BAD_FIELD),
	ROW(HEAD("X: a\nY: b"), HTTP_BAD_FIELD),
	ROW(HEAD("X: a\r\r\nY: b"), HTTP_BAD_FIELD),
	ROW(HEAD("X: a\0b"), HTTP_BAD_FIELD),
	ROW(HEAD("X: a\x01"
		 "b"),
		HTTP_BAD_FIELD),
	ROW(HEAD("X: a\x1f"
		 "b"),
		HTTP_BAD_FIELD),
	ROW(HEAD("X: a\x7f"
		 "b"),
		HTTP_BAD_FIELD),
	ROW(HEAD("X: \0"), HTTP_BAD_FIELD),
	ROW(HEAD("X\0: a"), HTTP_BAD_FIELD),
	ROW(HEAD("X : a"), HTTP_BAD_FIELD),
	ROW(HEAD("X\t: a"), HTTP_BAD_FIELD),
	ROW(HEAD("X Y: a"), HTTP_BAD_FIELD),
	ROW(HEAD(": a"), HTTP_BAD_FIELD),
	ROW(HEAD(":"), HTTP_BAD_FIELD),
	ROW(HEAD("X"), HTTP_BAD_FIELD),
	ROW(HEAD("X(y): a"), HTTP_BAD_FIELD),
	ROW(HEAD("X\x80: a"), HTTP_BAD_FIELD),
	ROW(HEAD("X/y: a"), HTTP_BAD_FIELD),
	ROW(HEAD("X@y: a"), HTTP_BAD_FIELD),
	ROW(HEAD("\"X\": a"), HTTP_BAD_FIELD),
	ROW(HEAD("Connection: \"close\""), HTTP_BAD_FIELD),
	ROW(HEAD("Connection: a b"), HTTP_BAD_FIELD),
};
ROWS(h1_refused, lines_have_one_spelling)

static struct row request_lines_have_one_spelling_rows[] = {
	ROW(LINE("GET  / HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET /  HTTP/1.1"), HTTP_BAD_START_LINE),
	ROW(LINE("GET / HTTP/1.1 "), HTTP_BAD_START_LINE),
	ROW(LINE(" GET / HTTP/1.1"), HTTP_BAD_START_LINE),
	ROW(LINE("GET\t/ HTTP/1.1"), HTTP_BAD_START_LINE),
	ROW(LINE("GET /\tHTTP/1.1"), HTTP_BAD_TARGET),
	ROW("GET / HTTP/1.1\nHost: a\n\n", HTTP_BAD_START_LINE),
	ROW("GET / HTTP/1.1\rHost: a\r\n\r\n", HTTP_BAD_START_LINE),
	ROW(LINE("G=T / HTTP/1.1"), HTTP_BAD_START_LINE),
	ROW(LINE("G\0T / HTTP/1.1"), HTTP_BAD_START_LINE),
	ROW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", HTTP_BAD_START_LINE),
	ROW("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_BAD_START_LINE),
	ROW("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_BAD_START_LINE),
	ROW("GET\r\n", HTTP_BAD_START_LINE),
	ROW("GET /\r\n", HTTP_BAD_START_LINE),
	ROW("GET / \r\n", HTTP_BAD_START_LINE),
	ROW(LINE("GET / http/1.1"), HTTP_BAD_START_LINE),
	ROW(LINE("GET / HTTP/1"), HTTP_BAD_START_LINE),
	ROW(LINE("GET / HTTP/11"), HTTP_BAD_START_LINE),
	ROW(LINE("GET / HTTP/1.10"), HTTP_BAD_START_LINE),
	ROW(LINE("GET / HTTP/1.x"), HTTP_BAD_START_LINE),
	ROW(LINE("GET / HTTPS/1.1"), HTTP_BAD_START_LINE),
	ROW(LINE("GET / HTTP /1.1"), HTTP_BAD_START_LINE),
	ROW(LINE("GET / HTTP/0.9"), HTTP_BAD_VERSION),
	ROW(LINE("GET / HTTP/1.2"), HTTP_BAD_VERSION),
	ROW(LINE("GET / HTTP/2.0"), HTTP_BAD_VERSION),
	ROW(LINE("GET / HTTP/3.0"), HTTP_BAD_VERSION),
	ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_BAD_VERSION),
	ROW("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", HTTP_BAD_METHOD),
	ROW("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_BAD_METHOD),
	ROW(LINE("TRACE / HTTP/1.1"), HTTP_BAD_METHOD),
};
ROWS(h1_refused, request_lines_have_one_spelling)

static struct row targets_are_plain_rows[] = {
	ROW(LINE("GET /#f HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET /?a#f HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET /a\0b HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET /a\x1f"
		 "b HTTP/1.1"),
		HTTP_BAD_TARGET),
	ROW(LINE("GET /a\x7f"
		 "b HTTP/1.1"),
		HTTP_BAD_TARGET),
	ROW(LINE("GET /\xc3\xa4 HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET /a\nb HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET a HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET ?a HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET a:80 HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET * HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("POST * HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("OPTIONS ** HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("OPTIONS *?a HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET ftp://a/ HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET http:/a/ HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET http:// HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET http:///x HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET http://a?b HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("GET http://a?b/c HTTP/1.1"), HTTP_BAD_TARGET),
	ROW(LINE("OPTIONS http://a HTTP/1.1"), HTTP_BAD_TARGET),
};
ROWS(h1_refused, targets_are_plain)

static struct row there_is_one_host_rows[] = {
	ROW("GET / HTTP/1.1\r\n\r\n", HTTP_BAD_HOST),
	ROW(HOST("X: a\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a\r\nHost: a\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a\r\nHost: b\r\n"), HTTP_BAD_HOST),
	ROW("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", HTTP_BAD_HOST),
	ROW(HOST("Host:\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a, b\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a b\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a/b\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: u@a\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a?b\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a#b\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a%2e\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a\xc3\xa4\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: http://a\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: .a\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: :80\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a:\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a:b\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a:80:80\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a:-1\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a:65536\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: a:000080\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: ::1\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: [::1\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: []\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: [::1]80\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: [fe80::1%25eth0]\r\n"), HTTP_BAD_HOST),
	ROW(HOST("Host: [v1.a]\r\n"), HTTP_BAD_HOST),
	ROW("GET http://a/ HTTP/1.1\r\n\r\n", HTTP_BAD_HOST),
	ROW("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", HTTP_BAD_HOST),
	ROW("GET http://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", HTTP_BAD_HOST),
	ROW("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_BAD_HOST),
	ROW("GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", HTTP_BAD_HOST),
	ROW("GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HTTP_BAD_HOST),
};
ROWS(h1_refused, there_is_one_host)

static struct row nothing_else_is_promised_rows[] = {
	ROW(POST("Expect: 200-ok"), HTTP_BAD_EXPECT),
	ROW(POST("Expect:"), HTTP_BAD_EXPECT),
	ROW(POST("Expect: 100-continue, x"), HTTP_BAD_EXPECT),
	ROW(POST("Expect: 100-continue\r\nExpect: x"), HTTP_BAD_EXPECT),
	ROW(HEAD("Connection: upgrade\r\nUpgrade: a b"), HTTP_BAD_UPGRADE),
	ROW(HEAD("Upgrade: a/"), HTTP_BAD_UPGRADE),
};
ROWS(h1_refused, nothing_else_is_promised)
