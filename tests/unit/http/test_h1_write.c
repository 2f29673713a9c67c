/* What goes upstream and to the client, byte for byte. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "heads.h"

static struct buf_pool pool;
static struct buf out;

static void setup(void)
{
	buf_pool_init(&pool, 4);
}

static void teardown(void)
{
	forget_all();
	buf_release(&pool, &out);
	buf_pool_fini(&pool);
}

TestSuite(h1_write, .init = setup, .fini = teardown);

static const struct h1_forward plain = { .client_ip = { .p = "10.0.0.9", .n = 8 },
	.request_id = { .p = "id-1", .n = 4 },
	.host = { .p = "up", .n = 2 },
	.keep_alive = true };

#define FORWARDED                                                  \
	"X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Proto: http\r\n" \
	"X-Forwarded-Host: a\r\nX-Request-Id: id-1\r\n"

static void assert_written(const char *wanted)
{
	cr_assert_eq(buf_len(&out), strlen(wanted), "%.*s", (int)buf_len(&out),
		buf_head(&out));
	cr_assert(span_eq((struct span){ .p = buf_head(&out), .n = buf_len(&out) },
			  span_of(wanted)),
		"%.*s", (int)buf_len(&out), buf_head(&out));
	buf_drop(&out, buf_len(&out));
}

static void write_request(const char *text, struct h1_forward f)
{
	struct reading *r = read_head(span_of(text), HTTP_OTHER);

	cr_assert_eq(r->result, H1_DONE, "%s", http_bad_name(r->why));
	cr_assert_eq(h1_write_request(&pool, &out, &r->head, &f), 0);
}

static void write_response(
	const char *text, enum http_method method, struct h1_answer a)
{
	struct reading *r = read_head(span_of(text), method);

	cr_assert_eq(r->result, H1_DONE, "%s", http_bad_name(r->why));
	cr_assert_eq(h1_write_response(&pool, &out, &r->head, &a), 0);
}

/* --- requests ------------------------------------------------------------- */

Test(h1_write, a_request_goes_on_in_its_order_with_our_host_first_and_our_lines_last)
{
	write_request("GET /x?y HTTP/1.1\r\nUser-Agent: c\r\nHost: a\r\nAccept: */*\r\n"
		      "Cookie: d\r\n\r\n",
		plain);

	assert_written(
		"GET /x?y HTTP/1.1\r\nHost: up\r\nUser-Agent: c\r\nAccept: */*\r\n"
		"Cookie: d\r\n" FORWARDED "\r\n");
}

Test(h1_write, blanks_around_values_become_one_before)
{
	write_request(
		"GET / HTTP/1.1\r\nHost: a\r\nA:b\r\nC: \t d \t\r\nE:\tf\r\nG:\r\n"
		"H: i\r\n\r\n",
		plain);

	assert_written("GET / HTTP/1.1\r\nHost: up\r\nA: b\r\nC: d\r\nE: f\r\nG: \r\n"
		       "H: i\r\n" FORWARDED "\r\n");
}

Test(h1_write, an_absolute_target_becomes_its_path_and_1_0_becomes_1_1)
{
	write_request("GET http://a/b?c HTTP/1.0\r\n\r\n", plain);

	assert_written("GET /b?c HTTP/1.1\r\nHost: up\r\n" FORWARDED "\r\n");
}

Test(h1_write, a_request_without_host_address_and_id_is_still_a_request)
{
	write_request(
		"GET / HTTP/1.0\r\n\r\n", (struct h1_forward){ .keep_alive = true });

	assert_written("GET / HTTP/1.1\r\nHost: \r\nX-Forwarded-For: \r\n"
		       "X-Forwarded-Proto: http\r\n\r\n");
}

Test(h1_write, a_length_is_written_anew)
{
	write_request(
		"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 0012\r\nB: c\r\n\r\n",
		plain);

	assert_written("POST / HTTP/1.1\r\nHost: up\r\nB: c\r\n" FORWARDED
		       "Content-Length: 12\r\n\r\n");
}

Test(h1_write, chunked_is_written_anew)
{
	write_request("POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-encoding: CHUNKED\r\n"
		      "Trailer: X\r\n\r\n",
		plain);

	assert_written("POST / HTTP/1.1\r\nHost: up\r\nTrailer: X\r\n" FORWARDED
		       "Transfer-Encoding: chunked\r\n\r\n");
}

Test(h1_write, fields_of_the_clients_connection_stay_here)
{
	write_request(
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop, Cookie\r\n"
		"X-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\n"
		"Proxy-Connection: x\r\nProxy: x\r\nHTTP2-Settings: x\r\n"
		"Upgrade: h2c\r\nTE: gzip\r\nCookie: a\r\n\r\n",
		plain);

	assert_written("GET / HTTP/1.1\r\nHost: up\r\nCookie: a\r\n" FORWARDED "\r\n");
}

Test(h1_write, who_wants_trailers_gets_them)
{
	struct h1_forward closing = plain;
	const char *text = "GET / HTTP/1.1\r\nHost: a\r\nTE: gzip, Trailers\r\n\r\n";

	closing.keep_alive = false;

	write_request(text, plain);
	assert_written("GET / HTTP/1.1\r\nHost: up\r\n" FORWARDED
		       "TE: trailers\r\nConnection: TE\r\n\r\n");
	write_request(text, closing);
	assert_written("GET / HTTP/1.1\r\nHost: up\r\n" FORWARDED
		       "TE: trailers\r\nConnection: TE, close\r\n\r\n");
}

Test(h1_write, close_is_said_where_the_connection_is_not_kept)
{
	struct h1_forward closing = plain;

	closing.keep_alive = false;
	write_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", closing);

	assert_written(
		"GET / HTTP/1.1\r\nHost: up\r\n" FORWARDED "Connection: close\r\n\r\n");
}

Test(h1_write, an_upgrade_goes_on_only_where_it_may)
{
	const char *text =
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
		"upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";
	struct h1_forward upgrading = plain;

	upgrading.upgrade = true;

	write_request(text, upgrading);
	assert_written(
		"GET / HTTP/1.1\r\nHost: up\r\nSec-WebSocket-Key: k\r\n" FORWARDED
		"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");
	write_request(text, plain);
	assert_written(
		"GET / HTTP/1.1\r\nHost: up\r\nSec-WebSocket-Key: k\r\n" FORWARDED
		"\r\n");
}

#define SPOOFED                                                             \
	"GET / HTTP/1.1\r\nHost: a\r\nx-forwarded-for: 1.1.1.1\r\n"         \
	"X-Forwarded-For: 2.2.2.2, 3.3.3.3\r\nX-Forwarded-Proto: https\r\n" \
	"X-Forwarded-Host: evil\r\nForwarded: for=1.1.1.1\r\nX-Request-Id: x\r\n\r\n"

Test(h1_write, what_a_stranger_says_about_itself_is_replaced)
{
	write_request(SPOOFED, plain);

	assert_written("GET / HTTP/1.1\r\nHost: up\r\n" FORWARDED "\r\n");
}

Test(h1_write, what_a_trusted_peer_says_is_kept_and_its_address_appended)
{
	struct h1_forward trusted = plain;

	trusted.trusted = true;
	write_request(SPOOFED, trusted);

	assert_written("GET / HTTP/1.1\r\nHost: up\r\nX-Forwarded-Proto: https\r\n"
		       "X-Forwarded-Host: evil\r\nForwarded: for=1.1.1.1\r\n"
		       "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 10.0.0.9\r\n"
		       "X-Request-Id: id-1\r\n\r\n");
}

Test(h1_write, a_trusted_peer_that_says_nothing_is_spoken_for)
{
	struct h1_forward trusted = plain;

	trusted.trusted = trusted.tls = true;
	write_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", trusted);

	assert_written("GET / HTTP/1.1\r\nHost: up\r\nX-Forwarded-For: 10.0.0.9\r\n"
		       "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"
		       "X-Request-Id: id-1\r\n\r\n");
}

Test(h1_write, an_expectation_goes_on_if_there_is_one)
{
	write_request("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
		      "Content-Length: 1\r\n\r\n",
		plain);
	assert_written(
		"POST / HTTP/1.1\r\nHost: up\r\nExpect: 100-continue\r\n" FORWARDED
		"Content-Length: 1\r\n\r\n");
	write_request(
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", plain);
	assert_written("POST / HTTP/1.1\r\nHost: up\r\n" FORWARDED "\r\n");
}

Test(h1_write, max_forwards_of_options_is_one_less)
{
	write_request(
		"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 10\r\n\r\n", plain);
	assert_written("OPTIONS * HTTP/1.1\r\nHost: up\r\nMax-Forwards: 9\r\n" FORWARDED
		       "\r\n");
	write_request("GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 10\r\n\r\n", plain);
	assert_written(
		"GET / HTTP/1.1\r\nHost: up\r\nMax-Forwards: 10\r\n" FORWARDED "\r\n");
}

Test(h1_write, a_head_that_was_no_text_is_written_field_by_field)
{
	static const char arena[] = "GET/x?yaccept*/*cookiea=b";
	struct http_field fields[] = {
		{ .name = 7, .name_n = 6, .value = 13, .value_n = 3 },
		{ .name = 16,
			.name_n = 6,
			.value = 22,
			.value_n = 3,
			.id = HTTP_N_COOKIE },
	};
	struct http_head h = { .base = arena,
		.fields = fields,
		.n_fields = 2,
		.method = HTTP_GET,
		.method_text = { .at = 0, .n = 3 },
		.target = { .at = 3, .n = 4 } };

	cr_assert_eq(h1_write_request(&pool, &out, &h, &plain), 0);

	assert_written("GET /x?y HTTP/1.1\r\nHost: up\r\naccept: */*\r\ncookie: a=b\r\n"
		       "X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Proto: http\r\n"
		       "X-Request-Id: id-1\r\n\r\n");
}

Test(h1_write, writing_appends_and_tells_when_there_is_no_room)
{
	struct reading *r =
		read_head(SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_OTHER);
	struct h1_forward f = plain;

	cr_assert(buf_reserve(&pool, &out, BUF_LARGE));
	buf_add(&out, "before", 6);
	cr_assert_eq(h1_write_request(&pool, &out, &r->head, &f), 0);
	cr_assert_eq(memcmp(buf_head(&out), "beforeGET / HTTP/1.1\r\n", 22), 0);
	out.tail = BUF_LARGE - 10;
	cr_assert_eq(h1_write_request(&pool, &out, &r->head, &f), -1);
	cr_assert_eq(out.tail, BUF_LARGE - 10);
}

/* --- responses ------------------------------------------------------------ */

#define OK(lines) "HTTP/1.1 200 OK\r\n" lines "\r\n\r\n"

static const struct h1_answer kept = {
	.client_minor = 1, .framing = HTTP_LENGTH, .keep_alive = true
};

Test(h1_write, a_response_goes_on_without_what_concerned_its_connection)
{
	write_response(OK("Server: s\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
			  "Keep-Alive: 5\r\nContent-Length: 03\r\nSet-Cookie: a\r\n"
			  "Set-Cookie: b"),
		HTTP_GET, kept);

	assert_written(
		"HTTP/1.1 200 OK\r\nServer: s\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
		"Content-Length: 3\r\n\r\n");
}

Test(h1_write, a_blank_before_a_colon_does_not_go_on)
{
	write_response("HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length: 0\r\n\r\n",
		HTTP_GET,
		(struct h1_answer){ .client_minor = 1,
			.framing = HTTP_LENGTH,
			.keep_alive = true });

	assert_written("HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n");
}

Test(h1_write, a_body_until_close_may_become_chunked)
{
	struct h1_answer chunked = kept;

	chunked.framing = HTTP_CHUNKED;
	write_response("HTTP/1.0 404 Away\r\nA: b\r\n\r\n", HTTP_GET, chunked);

	assert_written(
		"HTTP/1.1 404 Away\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n");
}

Test(h1_write, a_client_of_1_0_is_told_whether_the_connection_is_kept)
{
	struct h1_answer old = { .client_minor = 0, .framing = HTTP_LENGTH };

	write_response(OK("Content-Length: 3"), HTTP_GET, old);
	assert_written(
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n");
	old.keep_alive = true;
	write_response(OK("Content-Length: 3"), HTTP_GET, old);
	assert_written("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
		       "Content-Length: 3\r\n\r\n");
}

Test(h1_write, chunks_for_a_client_of_1_0_end_with_the_connection)
{
	struct h1_answer old = { .client_minor = 0, .framing = HTTP_UNTIL_CLOSE };

	write_response(OK("Transfer-Encoding: chunked"), HTTP_GET, old);

	assert_written("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

Test(h1_write, head_and_304_keep_the_length_of_what_they_do_not_send)
{
	struct h1_answer none = kept;

	none.framing = HTTP_NO_BODY;
	write_response(OK("Content-Length: 1234"), HTTP_HEAD, none);
	assert_written("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
	write_response(
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
		HTTP_GET, none);
	assert_written(
		"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5\r\n\r\n");
	write_response(OK("Transfer-Encoding: chunked"), HTTP_HEAD, none);
	assert_written("HTTP/1.1 200 OK\r\n\r\n");
	write_response(
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", HTTP_GET, none);
	assert_written("HTTP/1.1 204 No Content\r\n\r\n");
}

Test(h1_write, an_interim_response_says_nothing_about_connection_or_body)
{
	struct h1_answer interim = { .client_minor = 1, .interim = true };

	write_response("HTTP/1.1 103 Early Hints\r\nLink: x\r\nConnection: close\r\n"
		       "Content-Length: 5\r\n\r\n",
		HTTP_GET, interim);

	assert_written("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
}

Test(h1_write, a_101_says_what_was_switched_to)
{
	struct h1_answer interim = { .client_minor = 1, .interim = true };

	write_response("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
		       "Connection: Upgrade\r\nSec-WebSocket-Accept: k\r\n\r\n",
		HTTP_GET, interim);

	assert_written("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: k\r\n"
		       "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");
}

Test(h1_write, a_missing_reason_is_the_usual_one)
{
	write_response("HTTP/1.1 502\r\nContent-Length: 0\r\n\r\n", HTTP_GET, kept);

	assert_written("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
}
