/*
 * Which fields may come behind a body. What frames, routes, authenticates or controls
 * a message was decided upon before the body, and may not change after it
 * (RFC 9110, 6.5.1).
 */
#include "http_priv.h"

static const char *const refused[] = { "age", "authorization", "cache-control",
	"connection", "content-encoding", "content-length", "content-range",
	"content-type", "cookie", "date", "expect", "expires", "forwarded", "host",
	"if-match", "if-modified-since", "if-none-match", "if-range",
	"if-unmodified-since", "keep-alive", "location", "max-forwards", "pragma",
	"proxy", "proxy-authenticate", "proxy-authorization", "proxy-connection",
	"range", "retry-after", "set-cookie", "te", "trailer", "transfer-encoding",
	"upgrade", "vary", "via", "www-authenticate", "x-forwarded-for",
	"x-forwarded-host", "x-forwarded-proto", "x-request-id" };

bool http_trailer_allowed(struct span name)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (span_ieq(name, span_of(refused[i])))
			return false;
	return true;
}
