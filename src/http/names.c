/*
 * Names of fields and methods that mean something to a proxy. A field's length and
 * first letter choose its slot; two names in one slot would not compile
 * (-Winitializer-overrides, -Woverride-init).
 */
#include <assert.h>

#include "http_priv.h"

enum { SLOTS = 128, NAME_MAX = 19, CASE_BIT = 0x20 };

#define SLOT(n, first) (((size_t)(first)*5 + (n)) % SLOTS)
#define ROW(text, name)                                               \
	{                                                             \
		.n = sizeof(text) - 1, .id = (name), .lower = "" text \
	}
#define NAME(first, text, name) [SLOT(sizeof(text) - 1, first)] = ROW(text, name)

static_assert(HTTP_N_NAMES <= 64, "sets of names are 64 bits");

static const struct {
	uint8_t n, id;
	char lower[NAME_MAX + 1];
} names[SLOTS] = {
	NAME('h', "host", HTTP_N_HOST),
	NAME('c', "content-length", HTTP_N_CONTENT_LENGTH),
	NAME('t', "transfer-encoding", HTTP_N_TRANSFER_ENCODING),
	NAME('c', "connection", HTTP_N_CONNECTION),
	NAME('k', "keep-alive", HTTP_N_KEEP_ALIVE),
	NAME('p', "proxy-connection", HTTP_N_PROXY_CONNECTION),
	NAME('p', "proxy-authenticate", HTTP_N_PROXY_AUTHENTICATE),
	NAME('p', "proxy-authorization", HTTP_N_PROXY_AUTHORIZATION),
	NAME('t', "te", HTTP_N_TE),
	NAME('t', "trailer", HTTP_N_TRAILER),
	NAME('u', "upgrade", HTTP_N_UPGRADE),
	NAME('h', "http2-settings", HTTP_N_HTTP2_SETTINGS),
	NAME('e', "expect", HTTP_N_EXPECT),
	NAME('m', "max-forwards", HTTP_N_MAX_FORWARDS),
	NAME('x', "x-forwarded-for", HTTP_N_X_FORWARDED_FOR),
	NAME('x', "x-forwarded-proto", HTTP_N_X_FORWARDED_PROTO),
	NAME('x', "x-forwarded-host", HTTP_N_X_FORWARDED_HOST),
	NAME('x', "x-request-id", HTTP_N_X_REQUEST_ID),
	NAME('i', "idempotency-key", HTTP_N_IDEMPOTENCY_KEY),
	NAME('c', "content-type", HTTP_N_CONTENT_TYPE),
	NAME('c', "cookie", HTTP_N_COOKIE),
	NAME('f', "forwarded", HTTP_N_FORWARDED),
	NAME('d', "date", HTTP_N_DATE),
	NAME('a', "accept", HTTP_N_ACCEPT),
	NAME('p', "proxy", HTTP_N_PROXY),
};

static uint64_t word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof w);
	return w;
}

/* No other byte of a token or value becomes a letter, digit or dash by its case bit.
 * The last word may overlap the one before. */
static bool is_same(const char *p, const char *lower, size_t n)
{
	const uint64_t bits = UINT64_C(0x2020202020202020);

	if (n < sizeof bits) {
		size_t i = 0;

		while (i < n && (p[i] | CASE_BIT) == lower[i])
			i++;
		return i == n;
	}
	for (size_t i = 0; i + sizeof bits < n; i += sizeof bits)
		if ((word(p + i) | bits) != word(lower + i))
			return false;
	return (word(p + n - sizeof bits) | bits) == word(lower + n - sizeof bits);
}

bool http_is(struct span s, struct span wanted)
{
	return s.n == wanted.n && is_same(s.p, wanted.p, s.n);
}

enum http_name http_name_of(struct span name)
{
	if (name.n == 0)
		return HTTP_N_OTHER;

	size_t slot = SLOT(name.n, (unsigned char)(name.p[0] | CASE_BIT));
	if (names[slot].n != name.n || !is_same(name.p, names[slot].lower, name.n))
		return HTTP_N_OTHER;
	return (enum http_name)names[slot].id;
}

static const struct span methods[] = {
	[HTTP_OTHER] = { .p = "OTHER", .n = 0 },
	[HTTP_GET] = { .p = "GET", .n = 3 },
	[HTTP_HEAD] = { .p = "HEAD", .n = 4 },
	[HTTP_POST] = { .p = "POST", .n = 4 },
	[HTTP_PUT] = { .p = "PUT", .n = 3 },
	[HTTP_DELETE] = { .p = "DELETE", .n = 6 },
	[HTTP_OPTIONS] = { .p = "OPTIONS", .n = 7 },
	[HTTP_PATCH] = { .p = "PATCH", .n = 5 },
	[HTTP_CONNECT] = { .p = "CONNECT", .n = 7 },
	[HTTP_TRACE] = { .p = "TRACE", .n = 5 },
};

enum http_method http_method_of(struct span method)
{
	for (size_t m = HTTP_GET; m < sizeof methods / sizeof methods[0]; m++)
		if (span_eq(method, methods[m]))
			return (enum http_method)m;
	return HTTP_OTHER;
}

const char *http_method_text(enum http_method m)
{
	return methods[m].p;
}
