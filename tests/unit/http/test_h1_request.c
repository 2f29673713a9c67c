/* What a request may look like, what it means, and how large it may be; what is refused
 * is in test_h1_refused.c. Each is read at once and byte by byte (heads.h). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "heads.h"

static struct reading *request(struct span text)
{
	return read_head(text, HTTP_OTHER);
}

static struct reading *good(const char *text)
{
	struct reading *r = request(span_of(text));

	cr_assert_eq(r->result, H1_DONE, "refused: %s", http_bad_name(r->why));
	return r;
}

static bool is(const struct reading *r, struct http_text t, const char *wanted)
{
	return span_eq(http_text(&r->head, t), span_of(wanted));
}

static bool is_dropped(const struct reading *r, const char *name)
{
	for (size_t i = 0; i < r->head.n_fields; i++)
		if (span_ieq(http_field_name(&r->head, &r->fields[i]), span_of(name)))
			return r->fields[i].dropped;
	cr_assert_fail("no field %s", name);
	return false;
}

TestSuite(h1_request, .fini = forget_all);

#define HEAD(lines) "GET / HTTP/1.1\r\nHost: a\r\n" lines "\r\n\r\n"
#define POST(lines) "POST / HTTP/1.1\r\nHost: a\r\n" lines "\r\n\r\n"
#define HOST(lines) "GET / HTTP/1.1\r\n" lines "\r\n"

/* --- bytes ---------------------------------------------------------------- */

/* In the middle of a head, behind so many others, so that it is met alone and in a
 * block. */
static enum h1_result with_byte(const char *before, size_t filler, int byte)
{
	char text[200] = "";
	size_t n;

	strcpy(text, before);
	n = strlen(text);
	memset(text + n, 'x', filler);
	text[n + filler] = (char)byte;
	strcpy(text + n + filler + 1, "y HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
	n += filler + 1;
	return request((struct span){ .p = text, .n = n + strlen(text + n) })->result;
}

static struct reading *request_by_method(char byte)
{
	char text[80];

	snprintf(text, sizeof text,
		"A-LONG-METHOD-OF%cMANY-LETTERS / HTTP/1.1\r\nHost: a\r\n\r\n", byte);
	return request(span_of(text));
}

/* A colon ends a name, and may be the value's first byte. */
static struct reading *request_by_name(char byte)
{
	char text[80];

	snprintf(text, sizeof text,
		"GET / HTTP/1.1\r\nHost: a\r\nx%cy-many-letters: z\r\n\r\n", byte);
	return request(span_of(text));
}

static void assert_taken(const char *before, int byte, bool wanted)
{
	for (size_t filler = 0; filler < 36; filler += 5)
		cr_assert_eq(with_byte(before, filler, byte) == H1_DONE, wanted,
			"byte %d behind %zu", byte, filler);
}

static bool is_visible(int byte)
{
	return byte > ' ' && byte < 0x7f;
}

Test(h1_request, a_target_is_of_visible_ascii_but_for_the_number_sign)
{
	for (int byte = 0; byte < 256; byte++)
		assert_taken("GET /", byte, is_visible(byte) && byte != '#');
}

Test(h1_request, a_value_is_of_anything_but_controls)
{
	const char *before = "GET / HTTP/1.1\r\nY: ";

	for (int byte = 0; byte < 256; byte++)
		assert_taken(
			before, byte, byte == '\t' || (byte >= ' ' && byte != 0x7f));
}

Test(h1_request, a_method_is_a_token)
{
	const char *others = "(),/:;<=>?@[\\]{}\"";

	for (int byte = 1; byte < 256; byte++)
		cr_assert_eq(request_by_method((char)byte)->result == H1_DONE,
			is_visible(byte) && strchr(others, byte) == NULL, "byte %d",
			byte);
}

Test(h1_request, a_name_is_a_token)
{
	const char *others = "(),/;<=>?@[\\]{}\"";

	for (int byte = 1; byte < 256; byte++)
		cr_assert_eq(request_by_name((char)byte)->result == H1_DONE,
			is_visible(byte) && strchr(others, byte) == NULL, "byte %d",
			byte);
}

/* --- limits --------------------------------------------------------------- */

static void append(char *text, size_t text_n, const char *more, int times)
{
	while (times-- > 0)
		strncat(text, more, text_n - strlen(text) - 1);
}

Test(h1_request, a_target_may_be_as_long_as_the_limit_and_no_longer)
{
	char fits[256] = "GET /", too_long[256] = "GET /", endless[256] = "GET /";

	append(fits, sizeof fits, "x", MAX_TARGET - 1);
	append(fits, sizeof fits, " HTTP/1.1\r\nHost: a\r\n\r\n", 1);
	append(too_long, sizeof too_long, "x", MAX_TARGET);
	append(too_long, sizeof too_long, " HTTP/1.1\r\nHost: a\r\n\r\n", 1);
	append(endless, sizeof endless, "?", 200);

	good(fits);
	cr_assert_eq(request(span_of(too_long))->why, HTTP_TARGET_TOO_LONG);
	cr_assert_eq(request(span_of(endless))->why, HTTP_TARGET_TOO_LONG);
}

Test(h1_request, there_may_be_as_many_fields_as_the_limit_and_no_more)
{
	char fits[1024] = "GET / HTTP/1.1\r\nHost: a\r\n", too_many[1024];

	append(fits, sizeof fits, "X: y\r\n", MAX_FIELDS - 1);
	strcpy(too_many, fits);
	append(fits, sizeof fits, "\r\n", 1);
	append(too_many, sizeof too_many, "X: y\r\n\r\n", 1);

	good(fits);
	cr_assert_eq(request(span_of(too_many))->why, HTTP_TOO_MANY_FIELDS);
}

static struct reading *request_of(size_t bytes)
{
	static const char begin_text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
	char text[MAX_HEAD + 100] = "";
	size_t fixed = sizeof begin_text - 1 + 4;

	strcpy(text, begin_text);
	append(text, sizeof text, "y", (int)(bytes - fixed));
	append(text, sizeof text, "\r\n\r\n", 1);
	return request(span_of(text));
}

Test(h1_request, a_head_may_be_as_large_as_the_limit_and_no_larger)
{
	cr_assert_eq(request_of(MAX_HEAD)->result, H1_DONE);
	cr_assert_eq(request_of(MAX_HEAD + 1)->why, HTTP_HEAD_TOO_LARGE);
	cr_assert_eq(request_of(MAX_HEAD + 50)->why, HTTP_HEAD_TOO_LARGE);
}

Test(h1_request, a_client_cannot_make_us_look_for_hundreds_of_nominated_fields)
{
	char text[1024] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: a";

	append(text, sizeof text, ",a", 32);
	append(text, sizeof text, "\r\n\r\n", 1);

	cr_assert_eq(request(span_of(text))->why, HTTP_HEAD_TOO_LARGE);
}

/* --- what passes ---------------------------------------------------------- */

Test(h1_request, a_plain_get_has_no_body_and_stays_open)
{
	const char *text = "GET /a/b?c=d?e HTTP/1.1\r\nHost: Example.com:8443\r\n"
			   "Accept:*/*  \r\nX-Empty:\r\n\r\nnext";

	struct reading *r = good(text);

	cr_assert_eq(r->head.method, HTTP_GET);
	cr_assert(is(r, r->head.target, "/a/b?c=d?e"));
	cr_assert(is(r, r->head.path, "/a/b"));
	cr_assert(is(r, r->head.host, "Example.com:8443"));
	cr_assert_eq(r->head.framing, HTTP_NO_BODY);
	cr_assert_eq(r->head.minor, 1);
	cr_assert(r->head.keep_alive);
	cr_assert_eq(r->head.n_fields, 3);
	cr_assert(span_eq(http_field_value(&r->head, &r->fields[1]), SPAN("*/*")));
	cr_assert_eq(r->fields[2].value_n, 0);
	cr_assert_eq(r->head.bytes, strlen(text) - strlen("next"));
}

Test(h1_request, one_or_two_empty_lines_before_it_are_skipped)
{
	struct reading *r = good("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");

	cr_assert_eq(r->head.bytes, 31);
}

Test(h1_request, what_is_not_whole_yet_waits_for_more)
{
	const char text[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n";

	for (size_t n = 0; n < sizeof text - 1; n++) {
		struct reading *r = request((struct span){ .p = text, .n = n });

		cr_assert_eq(r->result, H1_MORE, "at %zu", n);
	}
}

Test(h1_request, an_unknown_method_passes_by_its_own_name)
{
	struct reading *r = good("PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n");

	cr_assert_eq(r->head.method, HTTP_OTHER);
	cr_assert(is(r, r->head.method_text, "PROPFIND"));
}

Test(h1_request, a_length_is_taken_with_its_leading_zeros_and_up_to_63_bits)
{
	struct reading *r = good(POST("Content-Length: 007"));
	struct reading *largest = good(POST("Content-Length:9223372036854775807\t"));

	cr_assert_eq(r->head.framing, HTTP_LENGTH);
	cr_assert_eq(r->head.length, 7);
	cr_assert_eq(largest->head.length, INT64_MAX);
}

Test(h1_request, chunked_is_chunked_whatever_its_case)
{
	struct reading *r = good(POST("tRANSFER-eNCODING:\tChunkeD "));

	cr_assert_eq(r->head.framing, HTTP_CHUNKED);
}

Test(h1_request, values_keep_tabs_and_bytes_from_0x80)
{
	struct reading *r = good(HEAD("X: a\tb \xff\xc3\xa4  c\t "));

	cr_assert(span_eq(http_field_value(&r->head, &r->fields[1]),
		SPAN("a\tb \xff\xc3\xa4  c")));
}

Test(h1_request, an_absolute_target_gives_the_host_and_leaves_the_path)
{
	struct reading *r =
		good("GET HTTP://A.b:80/c?d HTTP/1.1\r\nHost: a.B:80\r\n\r\n");
	struct reading *no_path = good("GET https://a HTTP/1.1\r\nHost: a\r\n\r\n");
	struct reading *old = good("GET http://a/b HTTP/1.0\r\n\r\n");

	cr_assert(is(r, r->head.host, "A.b:80"));
	cr_assert(is(r, r->head.target, "/c?d"));
	cr_assert(is(r, r->head.path, "/c"));
	cr_assert(is(no_path, no_path->head.target, "/"));
	cr_assert(is(no_path, no_path->head.path, "/"));
	cr_assert(is(old, old->head.host, "a"));
}

Test(h1_request, a_url_in_the_query_is_no_absolute_target)
{
	struct reading *r = good("GET /?u=http://b/ HTTP/1.1\r\nHost: a\r\n\r\n");
	struct reading *slash = good("GET http://a/?b/c HTTP/1.1\r\nHost: a\r\n\r\n");

	cr_assert(is(r, r->head.host, "a"));
	cr_assert(is(r, r->head.path, "/"));
	cr_assert(is(slash, slash->head.target, "/?b/c"));
}

Test(h1_request, a_target_is_not_normalised)
{
	struct reading *r =
		good("GET //a/../%2e%2E/%zz\\| HTTP/1.1\r\nHost: a\r\n\r\n");

	cr_assert(is(r, r->head.path, "//a/../%2e%2E/%zz\\|"));
}

Test(h1_request, options_may_ask_about_the_server_itself)
{
	struct reading *r = good("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");

	cr_assert(is(r, r->head.target, "*"));
}

Test(h1_request, hosts_may_be_names_or_addresses)
{
	good(HOST("Host: a_b-c.d~e.:65535\r\n"));
	good(HOST("Host: 127.0.0.1\r\n"));
	good(HOST("Host: [2001:db8::1.2.3.4]:443\r\n"));
}

Test(h1_request, http_1_0_needs_no_host_and_closes_unless_it_asks)
{
	struct reading *r = good("GET / HTTP/1.0\r\n\r\n");
	struct reading *kept = good("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");

	cr_assert_eq(r->head.minor, 0);
	cr_assert_eq(r->head.host.n, 0);
	cr_assert_not(r->head.keep_alive);
	cr_assert(kept->head.keep_alive);
}

Test(h1_request, close_closes_among_other_options_too)
{
	struct reading *r = good(HEAD("Connection: keep-alive, ,\tClose"));
	struct reading *two = good(HEAD("Connection: keep-alive\r\nConnection: close"));

	cr_assert_not(r->head.keep_alive);
	cr_assert_not(two->head.keep_alive);
}

Test(h1_request, fields_of_this_connection_are_dropped)
{
	struct reading *r = good(HEAD("Connection: close\r\nKeep-Alive: 5\r\n"
				      "Proxy-Connection: x\r\nTE: trailers\r\n"
				      "Upgrade: x\r\nHTTP2-Settings: x\r\nProxy: x\r\n"
				      "Proxy-Authorization: x\r\nTrailer: x"));

	for (size_t i = 1; i < r->head.n_fields - 1u; i++)
		cr_assert(r->fields[i].dropped, "%zu", i);
	cr_assert_not(is_dropped(r, "Host"));
	cr_assert_not(is_dropped(r, "Trailer"));
	cr_assert(r->head.te_trailers);
}

Test(h1_request, what_connection_names_is_dropped_before_and_behind_it)
{
	struct reading *r = good(HEAD("X-One: 1\r\nConnection: x-one, X-TWO\r\n"
				      "X-Two: 2\r\nX-Three: 3"));

	cr_assert(is_dropped(r, "X-One"));
	cr_assert(is_dropped(r, "X-Two"));
	cr_assert_not(is_dropped(r, "X-Three"));
}

Test(h1_request, a_client_cannot_drop_what_security_rests_on)
{
	struct reading *r = good(POST("Connection: Host, Content-Length, Cookie, "
				      "Authorization, X-Forwarded-For, X-Real-IP\r\n"
				      "Content-Length: 0\r\nCookie: a\r\n"
				      "Authorization: b\r\nX-Forwarded-For: c\r\n"
				      "X-Real-IP: d"));

	cr_assert_not(is_dropped(r, "Host"));
	cr_assert_not(is_dropped(r, "Content-Length"));
	cr_assert_not(is_dropped(r, "Cookie"));
	cr_assert_not(is_dropped(r, "Authorization"));
	cr_assert_not(is_dropped(r, "X-Forwarded-For"));
	cr_assert_not(is_dropped(r, "X-Real-IP"));
}

Test(h1_request, underscores_are_letters_of_other_names)
{
	struct reading *r = good(POST("Content_Length: 5\r\nTransfer_Encoding: x"));

	cr_assert_eq(r->head.framing, HTTP_NO_BODY);
	cr_assert_eq(r->fields[1].id, HTTP_N_OTHER);
}

Test(h1_request, continue_is_expected_only_by_who_can_wait_for_it)
{
	struct reading *r = good(POST("Expect: 100-Continue\r\nContent-Length: 1"));
	struct reading *empty = good(POST("Expect: 100-continue\r\nContent-Length: 0"));
	struct reading *none = good(HEAD("Expect: 100-continue"));
	struct reading *old = good("POST / HTTP/1.0\r\nExpect: 100-continue\r\n"
				   "Content-Length: 1\r\n\r\n");

	cr_assert(r->head.expect_continue);
	cr_assert_not(empty->head.expect_continue);
	cr_assert_not(none->head.expect_continue);
	cr_assert_not(old->head.expect_continue);
}

Test(h1_request, an_upgrade_is_one_that_connection_names)
{
	struct reading *r = good(HEAD("Connection: Upgrade\r\nUpgrade: websocket"));
	struct reading *unnamed = good(HEAD("Upgrade: websocket"));
	struct reading *unsaid = good(HEAD("Connection: upgrade"));

	cr_assert(r->head.upgrade);
	cr_assert_not(unnamed->head.upgrade);
	cr_assert_not(unsaid->head.upgrade);
}

Test(h1_request, a_websocket_is_found_among_other_wishes)
{
	struct reading *list = good(HEAD("Connection: upgrade, http2-settings\r\n"
					 "Upgrade: h2c, websocket\r\n"
					 "HTTP2-Settings: AAMAAABk"));
	struct reading *lines =
		good(HEAD("Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket"));

	cr_assert(list->head.upgrade && list->head.tunnel);
	cr_assert(lines->head.upgrade && lines->head.tunnel);
}

Test(h1_request, a_method_is_at_most_64_bytes_long)
{
	char text[200];

	(void)snprintf(text, sizeof(text), "%0*d / HTTP/1.1\r\nHost: a\r\n\r\n", 64, 0);
	cr_assert_eq(read_head(span_of(text), HTTP_OTHER)->result, H1_DONE);
	(void)snprintf(text, sizeof(text), "%0*d / HTTP/1.1\r\nHost: a\r\n\r\n", 65, 0);
	struct reading *r = read_head(span_of(text), HTTP_OTHER);

	cr_assert_eq(r->why, HTTP_METHOD_TOO_LONG);
	cr_assert_eq(http_bad_status(r->why), 501);
}

Test(h1_request, no_upgrade_to_h2c_nor_from_1_0_nor_behind_a_body)
{
	struct reading *h2c = good(HEAD("Connection: Upgrade, HTTP2-Settings\r\n"
					"Upgrade: h2C\r\nHTTP2-Settings: A"));
	struct reading *old = good("GET / HTTP/1.0\r\nConnection: upgrade\r\n"
				   "Upgrade: websocket\r\n\r\n");
	struct reading *body = good(POST("Connection: upgrade\r\nUpgrade: websocket\r\n"
					 "Content-Length: 1"));

	cr_assert_not(h2c->head.upgrade);
	cr_assert_not(old->head.upgrade);
	cr_assert_not(body->head.upgrade);
}
