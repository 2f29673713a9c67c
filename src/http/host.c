/*
 * Hosts with and without a port. RFC 3986 would let a name have percent signs, commas
 * and more; no name in the DNS has them, and two readers may see two hosts in them.
 */
#include "http_priv.h"

enum { NAME_MAX = 255, PORT_DIGITS_MAX = 5, PORT_MAX = 65535 };

static char lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return c;
}

/* Digits, colons and the dots of an IPv4 tail; what they mean is for the origin. */
static bool is_ipv6_byte(char c)
{
	return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f') ||
	       c == ':' || c == '.';
}

/* The bytes before the port; 0 when there is no host. */
static size_t name_length(struct span s)
{
	const char *at = s.p, *end = s.p + s.n;

	if (s.n == 0 || *at != '[') {
		while (at < end && (http_byte[(unsigned char)*at] & HTTP_HOST) != 0)
			at++;
		return (size_t)(at - s.p);
	}
	at++;
	while (at < end && is_ipv6_byte(*at))
		at++;
	if (at == end || *at != ']' || at < s.p + 3)
		return 0;
	return (size_t)(at + 1 - s.p);
}

static bool is_port(struct span s)
{
	unsigned port = 0;

	if (s.n == 0 || s.n > PORT_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

		if (digit > 9)
			return false;
		port = port * 10 + digit;
	}
	return port <= PORT_MAX;
}

bool http_is_host(struct span s)
{
	size_t n = name_length(s);

	if (n == 0 || n > NAME_MAX || s.p[0] == '.')
		return false;
	if (n == s.n)
		return true;
	return s.p[n] == ':' &&
	       is_port((struct span){ .p = s.p + n + 1, .n = s.n - n - 1 });
}

bool http_host_name(struct span host, char *out, size_t out_n, size_t *n)
{
	size_t name_n = name_length(host);

	if (name_n > 1 && host.p[name_n - 1] == '.')
		name_n--;
	if (name_n > out_n)
		return false;
	for (size_t i = 0; i < name_n; i++)
		out[i] = lower(host.p[i]);
	*n = name_n;
	return true;
}
