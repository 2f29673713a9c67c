/* What sluice answers itself, and why it refuses. */
#include <criterion/criterion.h>
#include <string.h>

#include "sluice/http/h1.h"

static struct buf_pool pool;
static struct buf out;

static void setup(void)
{
	buf_pool_init(&pool, 4);
}

static void teardown(void)
{
	buf_release(&pool, &out);
	buf_pool_fini(&pool);
}

TestSuite(h1_own, .init = setup, .fini = teardown);

static void assert_answer(struct http_own o, const char *wanted)
{
	cr_assert_eq(h1_write_own(&pool, &out, &o), 0);
	cr_assert(span_eq((struct span){ .p = buf_head(&out), .n = buf_len(&out) },
			  span_of(wanted)),
		"%.*s", (int)buf_len(&out), buf_head(&out));
	buf_drop(&out, buf_len(&out));
}

Test(h1_own, an_answer_says_what_happened_and_to_which_request)
{
	struct http_own o = { .status = 502,
		.text = "the backend closed the connection",
		.request_id = SPAN("id-1"),
		.keep_alive = true };

	assert_answer(o, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\n"
			 "Cache-Control: no-store\r\nX-Request-Id: id-1\r\n"
			 "Connection: keep-alive\r\nContent-Length: 68\r\n\r\n"
			 "502 Bad Gateway: the backend closed the connection\n"
			 "request id: id-1\n");
}

Test(h1_own, a_status_without_a_text_speaks_for_itself)
{
	assert_answer((struct http_own){ .status = 404 },
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: "
		"14\r\n\r\n"
		"404 Not Found\n");
}

Test(h1_own, head_gets_the_length_but_not_the_body)
{
	assert_answer((struct http_own){ .status = 404, .head_only = true },
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\n"
		"Content-Length: 14\r\n\r\n");
}

Test(h1_own, overload_says_when_to_come_back)
{
	assert_answer((struct http_own){ .status = 503, .retry_after_s = 5 },
		"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
		"Cache-Control: no-store\r\nRetry-After: 5\r\nConnection: close\r\n"
		"Content-Length: 24\r\n\r\n503 Service Unavailable\n");
}

Test(h1_own, a_redirect_says_where_to_go)
{
	struct http_own o = {
		.status = 308, .location = SPAN("https://a/b"), .keep_alive = true
	};

	assert_answer(o,
		"HTTP/1.1 308 Permanent Redirect\r\nContent-Type: text/plain\r\n"
		"Cache-Control: no-store\r\nLocation: https://a/b\r\n"
		"Connection: keep-alive\r\nContent-Length: 23\r\n\r\n"
		"308 Permanent Redirect\n");
}

Test(h1_own, a_method_that_is_not_allowed_gets_those_that_are)
{
	assert_answer((struct http_own){ .status = 405, .head_only = true },
		"HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\n"
		"Cache-Control: no-store\r\n"
		"Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"
		"Connection: close\r\nContent-Length: 23\r\n\r\n");
}

Test(h1_own, an_options_that_was_for_us_gets_the_methods_too)
{
	assert_answer((struct http_own){ .status = 200, .keep_alive = true },
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		"Cache-Control: no-store\r\n"
		"Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"
		"Connection: keep-alive\r\nContent-Length: 7\r\n\r\n"
		"200 OK\n");
}

Test(h1_own, an_interim_answer_is_its_line)
{
	assert_answer(
		(struct http_own){ .status = 100 }, "HTTP/1.1 100 Continue\r\n\r\n");
}

Test(h1_own, every_reason_has_a_name_a_sentence_and_a_status)
{
	for (int why = HTTP_FINE; why < HTTP_N_BAD; why++) {
		unsigned status = http_bad_status((enum http_bad)why);

		cr_assert_gt(strlen(http_bad_name((enum http_bad)why)), 3);
		cr_assert_gt(strlen(http_bad_text((enum http_bad)why)), 10);
		cr_assert(why == HTTP_FINE || (status >= 400 && status <= 505));
	}
}

Test(h1_own, reasons_have_the_status_that_the_rfc_gives_them)
{
	cr_assert_eq(http_bad_status(HTTP_BAD_FRAMING), 400);
	cr_assert_eq(http_bad_status(HTTP_BAD_METHOD), 405);
	cr_assert_eq(http_bad_status(HTTP_TARGET_TOO_LONG), 414);
	cr_assert_eq(http_bad_status(HTTP_BAD_EXPECT), 417);
	cr_assert_eq(http_bad_status(HTTP_HEAD_TOO_LARGE), 431);
	cr_assert_eq(http_bad_status(HTTP_BAD_CODING), 501);
	cr_assert_eq(http_bad_status(HTTP_BAD_VERSION), 505);
}
