/* Names, methods, statuses and hosts. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <ctype.h>
#include <string.h>

#include "sluice/http/message.h"

struct name {
	char text[24];
	enum http_name id;
};

static struct name known[] = {
	{ .text = "Host", .id = HTTP_N_HOST },
	{ .text = "Content-Length", .id = HTTP_N_CONTENT_LENGTH },
	{ .text = "Transfer-Encoding", .id = HTTP_N_TRANSFER_ENCODING },
	{ .text = "Connection", .id = HTTP_N_CONNECTION },
	{ .text = "Keep-Alive", .id = HTTP_N_KEEP_ALIVE },
	{ .text = "Proxy-Connection", .id = HTTP_N_PROXY_CONNECTION },
	{ .text = "Proxy-Authenticate", .id = HTTP_N_PROXY_AUTHENTICATE },
	{ .text = "Proxy-Authorization", .id = HTTP_N_PROXY_AUTHORIZATION },
	{ .text = "TE", .id = HTTP_N_TE },
	{ .text = "Trailer", .id = HTTP_N_TRAILER },
	{ .text = "Upgrade", .id = HTTP_N_UPGRADE },
	{ .text = "HTTP2-Settings", .id = HTTP_N_HTTP2_SETTINGS },
	{ .text = "Expect", .id = HTTP_N_EXPECT },
	{ .text = "Max-Forwards", .id = HTTP_N_MAX_FORWARDS },
	{ .text = "X-Forwarded-For", .id = HTTP_N_X_FORWARDED_FOR },
	{ .text = "X-Forwarded-Proto", .id = HTTP_N_X_FORWARDED_PROTO },
	{ .text = "X-Forwarded-Host", .id = HTTP_N_X_FORWARDED_HOST },
	{ .text = "X-Request-Id", .id = HTTP_N_X_REQUEST_ID },
	{ .text = "Idempotency-Key", .id = HTTP_N_IDEMPOTENCY_KEY },
	{ .text = "Content-Type", .id = HTTP_N_CONTENT_TYPE },
	{ .text = "Cookie", .id = HTTP_N_COOKIE },
	{ .text = "Forwarded", .id = HTTP_N_FORWARDED },
	{ .text = "Date", .id = HTTP_N_DATE },
	{ .text = "Accept", .id = HTTP_N_ACCEPT },
	{ .text = "Proxy", .id = HTTP_N_PROXY },
};

enum { KNOWN = sizeof known / sizeof known[0] };

static void change_case(char *text, int (*change)(int))
{
	for (; *text != '\0'; text++)
		*text = (char)change(*text);
}

ParameterizedTestParameters(message, a_name_is_known_in_any_case_and_no_other_is_it)
{
	return cr_make_param_array(struct name, known, KNOWN);
}

ParameterizedTest(
	struct name *n, message, a_name_is_known_in_any_case_and_no_other_is_it)
{
	char upper[24], lower[24], other[24];
	size_t last = strlen(n->text) - 1;

	strcpy(upper, n->text);
	change_case(upper, toupper);
	strcpy(lower, n->text);
	change_case(lower, tolower);
	strcpy(other, n->text);
	other[last] ^= 1;

	cr_assert_eq(http_name_of(span_of(n->text)), n->id);
	cr_assert_eq(http_name_of(span_of(upper)), n->id);
	cr_assert_eq(http_name_of(span_of(lower)), n->id);
	cr_assert_eq(http_name_of(span_of(other)), HTTP_N_OTHER);
	cr_assert_eq(
		http_name_of((struct span){ .p = n->text, .n = last }), HTTP_N_OTHER);
}

Test(message, every_name_that_means_something_is_in_the_list_above)
{
	cr_assert_eq(KNOWN, HTTP_N_NAMES - 1);
}

Test(message, methods_are_known_by_their_exact_text)
{
	for (int m = HTTP_GET; m <= HTTP_TRACE; m++) {
		const char *text = http_method_text((enum http_method)m);

		cr_assert_eq(http_method_of(span_of(text)), (enum http_method)m);
	}
	cr_assert_eq(http_method_of(SPAN("get")), HTTP_OTHER);
	cr_assert_eq(http_method_of(SPAN("GETS")), HTTP_OTHER);
}

Test(message, only_get_head_and_options_may_be_repeated)
{
	cr_assert(http_is_safe(HTTP_GET) && http_is_safe(HTTP_HEAD) &&
		  http_is_safe(HTTP_OPTIONS));
	cr_assert_not(http_is_safe(HTTP_POST) || http_is_safe(HTTP_PUT) ||
		      http_is_safe(HTTP_DELETE) || http_is_safe(HTTP_OTHER));
}

Test(message, what_can_have_no_body)
{
	cr_assert(http_may_have_body(HTTP_GET, 200));
	cr_assert(http_may_have_body(HTTP_POST, 404));
	cr_assert_not(http_may_have_body(HTTP_HEAD, 200));
	cr_assert_not(http_may_have_body(HTTP_GET, 101));
	cr_assert_not(http_may_have_body(HTTP_GET, 204));
	cr_assert_not(http_may_have_body(HTTP_GET, 304));
}

Test(message, statuses_have_their_phrases)
{
	cr_assert_str_eq(http_status_text(502), "Bad Gateway");
	cr_assert_str_eq(http_status_text(299), "Unknown");
	cr_assert_str_eq(http_status_text(999), "Unknown");
}

struct host {
	char text[24], name[24];
};

static struct host hosts[] = {
	{ .text = "Example.COM", .name = "example.com" },
	{ .text = "example.com:8443", .name = "example.com" },
	{ .text = "example.com.", .name = "example.com" },
	{ .text = "example.com.:80", .name = "example.com" },
	{ .text = "127.0.0.1:80", .name = "127.0.0.1" },
	{ .text = "[2001:DB8::1]:443", .name = "[2001:db8::1]" },
	{ .text = "", .name = "" },
};

ParameterizedTestParameters(message, routes_compare_a_host_without_port_dot_and_case)
{
	return cr_make_param_array(struct host, hosts, sizeof hosts / sizeof hosts[0]);
}

ParameterizedTest(
	struct host *h, message, routes_compare_a_host_without_port_dot_and_case)
{
	char out[24];
	size_t n;

	cr_assert(http_host_name(span_of(h->text), out, sizeof out, &n));
	cr_assert(span_eq((struct span){ .p = out, .n = n }, span_of(h->name)));
}

Test(message, a_host_that_does_not_fit_is_told)
{
	char out[5];
	size_t n;

	cr_assert(http_host_name(SPAN("abcde:80"), out, sizeof out, &n));
	cr_assert_not(http_host_name(SPAN("abcdef"), out, sizeof out, &n));
}

Test(message, trailers_cannot_change_what_was_decided_before_the_body)
{
	cr_assert_not(http_trailer_allowed(SPAN("Content-Length")));
	cr_assert_not(http_trailer_allowed(SPAN("TRANSFER-ENCODING")));
	cr_assert_not(http_trailer_allowed(SPAN("Host")));
	cr_assert_not(http_trailer_allowed(SPAN("Authorization")));
	cr_assert_not(http_trailer_allowed(SPAN("Set-Cookie")));
	cr_assert_not(http_trailer_allowed(SPAN("Content-Encoding")));
	cr_assert_not(http_trailer_allowed(SPAN("X-Forwarded-For")));
	cr_assert(http_trailer_allowed(SPAN("grpc-status")));
	cr_assert(http_trailer_allowed(SPAN("X-Checksum")));
}

Test(message, find_gives_the_first_that_was_not_dropped)
{
	static const char text[] = "CookieabCookiecd";
	struct http_field fields[] = {
		{ .name = 0,
			.name_n = 6,
			.value = 6,
			.value_n = 2,
			.id = HTTP_N_COOKIE,
			.dropped = true },
		{ .name = 8,
			.name_n = 6,
			.value = 14,
			.value_n = 2,
			.id = HTTP_N_COOKIE },
	};
	struct http_head h = { .base = text, .fields = fields, .n_fields = 2 };

	const struct http_field *f = http_find(&h, HTTP_N_COOKIE);

	cr_assert_eq(f, &fields[1]);
	cr_assert(span_eq(http_field_value(&h, f), SPAN("cd")));
	cr_assert(span_eq(http_field_name(&h, f), SPAN("Cookie")));
	cr_assert_null(http_find(&h, HTTP_N_HOST));
}
