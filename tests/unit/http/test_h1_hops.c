/* Who passed a message on: Via and Forwarded, by option. */
#include <criterion/criterion.h>

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

TestSuite(h1_hops, .init = setup, .fini = teardown);

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

static struct h1_forward telling(const char *ip)
{
	struct h1_forward f = plain;

	f.client_ip = span_of(ip);
	f.forwarded = true;
	return f;
}

#define NAMED(ip, element)                                       \
	"GET / HTTP/1.1\r\nHost: up\r\nX-Forwarded-For: " ip     \
	"\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n" \
	"X-Request-Id: id-1\r\nForwarded: " element "\r\n\r\n"

Test(h1_hops, a_via_is_added_with_the_version_that_came)
{
	struct h1_forward f = plain;
	f.via = SPAN("edge");

	write_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", f);
	assert_written(
		"GET / HTTP/1.1\r\nHost: up\r\n" FORWARDED "Via: 1.1 edge\r\n\r\n");

	write_request("GET / HTTP/1.0\r\nHost: a\r\n\r\n", f);
	assert_written(
		"GET / HTTP/1.1\r\nHost: up\r\n" FORWARDED "Via: 1.0 edge\r\n\r\n");

	f.from_h2 = true;
	write_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", f);
	assert_written(
		"GET / HTTP/1.1\r\nHost: up\r\n" FORWARDED "Via: 2 edge\r\n\r\n");
}

Test(h1_hops, a_via_comes_behind_those_of_earlier_hops)
{
	struct h1_forward f = plain;
	f.via = SPAN("edge");

	write_request("GET / HTTP/1.1\r\nVia: 1.0 a, 1.1 b\r\nHost: a\r\n\r\n", f);

	assert_written("GET / HTTP/1.1\r\nHost: up\r\nVia: 1.0 a, 1.1 b\r\n" FORWARDED
		       "Via: 1.1 edge\r\n\r\n");
}

Test(h1_hops, a_forwarded_names_client_host_and_scheme)
{
	struct h1_forward tls = telling("10.0.0.9");

	write_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", telling("10.0.0.9"));
	assert_written(NAMED("10.0.0.9", "for=10.0.0.9;host=a;proto=http"));

	tls.tls = true;
	write_request("GET / HTTP/1.0\r\n\r\n", tls);
	assert_written("GET / HTTP/1.1\r\nHost: up\r\nX-Forwarded-For: 10.0.0.9\r\n"
		       "X-Forwarded-Proto: https\r\nX-Request-Id: id-1\r\n"
		       "Forwarded: for=10.0.0.9;proto=https\r\n\r\n");
}

Test(h1_hops, a_forwarded_quotes_what_is_no_token)
{
	write_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", telling("2001:db8::9"));
	assert_written(NAMED("2001:db8::9", "for=\"[2001:db8::9]\";host=a;proto=http"));

	write_request("GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n", telling("10.0.0.9"));
	assert_written("GET / HTTP/1.1\r\nHost: up\r\nX-Forwarded-For: 10.0.0.9\r\n"
		       "X-Forwarded-Proto: http\r\nX-Forwarded-Host: a:8080\r\n"
		       "X-Request-Id: id-1\r\n"
		       "Forwarded: for=10.0.0.9;host=\"a:8080\";proto=http\r\n\r\n");

	write_request("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", telling("10.0.0.9"));
	assert_written("GET / HTTP/1.1\r\nHost: up\r\nX-Forwarded-For: 10.0.0.9\r\n"
		       "X-Forwarded-Proto: http\r\nX-Forwarded-Host: [::1]\r\n"
		       "X-Request-Id: id-1\r\n"
		       "Forwarded: for=10.0.0.9;host=\"[::1]\";proto=http\r\n\r\n");
}

Test(h1_hops, a_client_without_an_address_is_unknown)
{
	write_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", telling("unix"));

	assert_written(NAMED("unix", "for=unknown;host=a;proto=http"));
}

Test(h1_hops, a_forwarded_of_an_untrusted_peer_is_replaced)
{
	write_request("GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=1.2.3.4\r\n\r\n",
		telling("10.0.0.9"));

	assert_written(NAMED("10.0.0.9", "for=10.0.0.9;host=a;proto=http"));
}

Test(h1_hops, those_of_a_trusted_peer_come_before_ours_in_one_line)
{
	struct h1_forward f = telling("10.0.0.9");
	f.trusted = true;

	write_request("GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=1.2.3.4, for=b\r\n"
		      "Forwarded:\r\nforwarded: for=c\r\n\r\n",
		f);

	assert_written(NAMED("10.0.0.9", "for=1.2.3.4, for=b, for=c, "
					 "for=10.0.0.9;host=a;proto=http"));
}

/* --- responses ------------------------------------------------------------ */

Test(h1_hops, a_response_tells_of_us_by_option_too)
{
	struct h1_answer a = { .client_minor = 1,
		.framing = HTTP_LENGTH,
		.keep_alive = true,
		.added.via = SPAN("edge") };

	write_response("HTTP/1.1 200 OK\r\nVia: 1.0 x\r\nContent-Length: 2\r\n\r\n",
		HTTP_GET, a);
	assert_written("HTTP/1.1 200 OK\r\nVia: 1.0 x\r\nVia: 1.1 edge\r\n"
		       "Content-Length: 2\r\n\r\n");

	write_response("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", HTTP_GET, a);
	assert_written("HTTP/1.1 200 OK\r\nVia: 1.0 edge\r\nContent-Length: 2\r\n\r\n");

	a.from_h2 = true;
	write_response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", HTTP_GET, a);
	assert_written("HTTP/1.1 200 OK\r\nVia: 2 edge\r\nContent-Length: 2\r\n\r\n");
}

Test(h1_hops, so_does_an_interim_one)
{
	struct h1_answer a = {
		.client_minor = 1, .interim = true, .added.via = SPAN("edge")
	};

	write_response("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", HTTP_GET, a);

	assert_written("HTTP/1.1 103 Early Hints\r\nLink: x\r\nVia: 1.1 edge\r\n\r\n");
}
