/* The header of the PROXY protocol: what it says, what is refused, what is written. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>

#include "sluice/net/proxy_header.h"

static struct net_proxy said;

static enum net_proxy_result read_whole(struct span in)
{
	return net_proxy_read(in, &said);
}

static const char *text_of(const union net_address *a)
{
	static char text[4][80];
	static unsigned turn;
	char *out = text[turn++ % 4], ip[INET6_ADDRSTRLEN];

	if (a->any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &a->in4.sin_addr, ip, sizeof(ip));
		(void)snprintf(out, 80, "%s:%u", ip, ntohs(a->in4.sin_port));
	} else if (a->any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &a->in6.sin6_addr, ip, sizeof(ip));
		(void)snprintf(out, 80, "[%s]:%u", ip, ntohs(a->in6.sin6_port));
	} else {
		(void)snprintf(out, 80, "none");
	}
	return out;
}

/* A header and what it says: client and local address; more bytes may follow. */
struct good {
	char name[40], bytes[300], client[60], local[60];
	size_t n;
};

#define SIGN "\r\n\r\n\0\r\nQUIT\n"
#define GOOD(what, text, from, to)                                                  \
	{                                                                           \
		.name = what, .bytes = text, .n = sizeof(text) - 1, .client = from, \
		.local = to                                                         \
	}
#define V4_ADDRESSES "\xc0\0\2\1\xc6\x33\x64\2\xdb\xa0\1\xbb"

static struct good goods[] = {
	GOOD("v1 of IPv4", "PROXY TCP4 192.0.2.1 198.51.100.2 56224 443\r\n",
		"192.0.2.1:56224", "198.51.100.2:443"),
	GOOD("v1 of IPv6", "PROXY TCP6 2001:db8::1 2001:DB8::2 1 65535\r\n",
		"[2001:db8::1]:1", "[2001:db8::2]:65535"),
	GOOD("v1 of a port 0", "PROXY TCP4 192.0.2.1 198.51.100.2 0 443\r\n",
		"192.0.2.1:0", "198.51.100.2:443"),
	GOOD("v1 of nobody", "PROXY UNKNOWN\r\n", "none", "none"),
	GOOD("v1 of nobody, with more", "PROXY UNKNOWN ffff::1 x  y 999999\r\n", "none",
		"none"),
	GOOD("v2 of IPv4", SIGN "\x21\x11\0\x0c" V4_ADDRESSES, "192.0.2.1:56224",
		"198.51.100.2:443"),
	GOOD("v2 of IPv4 with TLVs",
		SIGN "\x21\x11\0\x16" V4_ADDRESSES "\1\0\2h2\4\0\2\0\0",
		"192.0.2.1:56224", "198.51.100.2:443"),
	GOOD("v2 of IPv6",
		SIGN
		"\x21\x21\0\x24"
		" \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
		"\xdb\xa0\1\xbb",
		"[2001:db8::1]:56224", "[2001:db8::2]:443"),
	GOOD("v2 without an address", SIGN "\x21\0\0\0", "none", "none"),
	GOOD("v2 without an address, with bytes", SIGN "\x21\0\0\3abc", "none", "none"),
	GOOD("v2 of the proxy itself", SIGN "\x20\0\0\0", "none", "none"),
	GOOD("v2 of the proxy itself, with addresses",
		SIGN "\x20\x11\0\x0c" V4_ADDRESSES, "none", "none"),
	{ .name = "v2 of a socket's path",
		.bytes = SIGN "\x21\x31\0\xd8",
		.n = 16 + 216,
		.client = "none",
		.local = "none" },
};

ParameterizedTestParameters(proxy_header, a_good_header_says_who_the_client_is)
{
	return cr_make_param_array(
		struct good, goods, sizeof(goods) / sizeof(goods[0]));
}

ParameterizedTest(struct good *c, proxy_header, a_good_header_says_who_the_client_is)
{
	char in[400];
	memcpy(in, c->bytes, c->n);
	memcpy(in + c->n, "GET /", 5);

	cr_assert_eq(read_whole((struct span){ .p = in, .n = c->n + 5 }),
		NET_PROXY_DONE, "%s", c->name);

	cr_expect_eq(said.bytes, c->n, "%s: %zu", c->name, said.bytes);
	cr_expect_eq(said.has_client, strcmp(c->client, "none") != 0, "%s", c->name);
	if (said.has_client) {
		cr_expect_str_eq(text_of(&said.client), c->client);
		cr_expect_str_eq(text_of(&said.local), c->local);
	}
}

ParameterizedTestParameters(proxy_header, a_part_of_a_good_header_wants_more)
{
	return cr_make_param_array(
		struct good, goods, sizeof(goods) / sizeof(goods[0]));
}

ParameterizedTest(struct good *c, proxy_header, a_part_of_a_good_header_wants_more)
{
	for (size_t n = 0; n < c->n; n++) {
		char *part = malloc(n + 1); /* its end is where a sanitizer looks */
		memcpy(part, c->bytes, n);

		cr_expect_eq(read_whole((struct span){ .p = part, .n = n }),
			NET_PROXY_MORE, "%s, %zu bytes", c->name, n);
		free(part);
	}
}

struct bad {
	char name[40], bytes[300];
	size_t n;
};

#define BAD(what, text)                                            \
	{                                                          \
		.name = what, .bytes = text, .n = sizeof(text) - 1 \
	}

static struct bad bads[] = {
	BAD("a request", "GET / HTTP/1.1\r\n"),
	BAD("a request that begins alike", "PROPFIND / HTTP/1.1\r\n"),
	BAD("a ClientHello", "\x16\3\1\2\0\1\0"),
	BAD("another case", "proxy TCP4"),
	BAD("no blank", "PROXY\r\n"),
	BAD("two blanks", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"),
	BAD("another protocol", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"),
	BAD("a protocol in small letters", "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n"),
	BAD("a longer UNKNOWN", "PROXY UNKNOWNS\r\n"),
	BAD("nothing but a protocol", "PROXY TCP4\r\n"),
	BAD("no ports", "PROXY TCP4 1.2.3.4 1.2.3.4\r\n"),
	BAD("one port", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"),
	BAD("three ports", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"),
	BAD("a blank at the end", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"),
	BAD("a tab", "PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n"),
	BAD("a port too large", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"),
	BAD("a port that overflows", "PROXY TCP4 1.2.3.4 1.2.3.4 1 4294967297\r\n"),
	BAD("a port with a zero before it", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"),
	BAD("a port with a sign", "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n"),
	BAD("a port of hex", "PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n"),
	BAD("an address with a zero before it", "PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n"),
	BAD("three numbers", "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"),
	BAD("a name", "PROXY TCP4 localhost 1.2.3.4 1 2\r\n"),
	BAD("IPv6 under TCP4", "PROXY TCP4 ::1 ::1 1 2\r\n"),
	BAD("IPv4 under TCP6", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"),
	BAD("a zone", "PROXY TCP6 fe80::1%lo ::1 1 2\r\n"),
	BAD("a NUL behind an address", "PROXY TCP4 1.2.3.4\0x 1.2.3.4 1 2\r\n"),
	BAD("a NUL behind UNKNOWN", "PROXY UNKNOWN \0\r\n"),
	BAD("a bare LF", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"),
	BAD("a bare CR", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rG"),
	BAD("a line of 108 bytes",
		"PROXY UNKNOWN "
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
	BAD("a line without an end",
		"PROXY UNKNOWN "
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
	BAD("a signature cut short", "\r\n\r\n\0\r\nQUIT\r"),
	BAD("version 1 in binary", SIGN "\x11\x11\0\x0c"),
	BAD("version 3", SIGN "\x31"),
	BAD("an unknown command", SIGN "\x22"),
	BAD("an unknown family", SIGN "\x21\x41"),
	BAD("an unknown transport", SIGN "\x21\x13"),
	BAD("datagrams", SIGN "\x21\x12\0\x0c" V4_ADDRESSES),
	BAD("addresses too short", SIGN "\x21\x11\0\x0b" V4_ADDRESSES),
	BAD("IPv6 with IPv4's length", SIGN "\x21\x21\0\x0c" V4_ADDRESSES),
	BAD("a path too short", SIGN "\x21\x31\0\x0c" V4_ADDRESSES),
	BAD("a header too long", SIGN "\x21\x11\x0f\xf1"),
	BAD("half a TLV", SIGN "\x21\x11\0\x0e" V4_ADDRESSES "\1\0"),
	BAD("a TLV longer than the header", SIGN "\x21\x11\0\x10" V4_ADDRESSES "\1\0\2h"
						 "xx"),
};

ParameterizedTestParameters(proxy_header, what_is_not_quite_a_header_is_refused)
{
	return cr_make_param_array(struct bad, bads, sizeof(bads) / sizeof(bads[0]));
}

ParameterizedTest(struct bad *c, proxy_header, what_is_not_quite_a_header_is_refused)
{
	cr_expect_eq(read_whole((struct span){ .p = c->bytes, .n = c->n }),
		NET_PROXY_BAD, "%s", c->name);
}

Test(proxy_header, the_longest_line_there_may_be_is_read)
{
	char line[NET_PROXY_WRITE_MAX + 1];
	(void)snprintf(line, sizeof(line), "PROXY UNKNOWN %090d\r\n", 0);

	cr_assert_eq(strlen(line), 106);
	cr_expect_eq(read_whole(span_of(line)), NET_PROXY_DONE);

	(void)snprintf(line, sizeof(line), "PROXY UNKNOWN %091d\r\n", 0);
	cr_expect_eq(read_whole(span_of(line)), NET_PROXY_DONE);
	cr_expect_eq(said.bytes, 107);
}

Test(proxy_header, a_header_with_tlvs_up_to_the_bound_is_read)
{
	char in[NET_PROXY_MAX] = SIGN "\x21\x11\x0f\xf0" V4_ADDRESSES "\4\x0f\xe1";

	cr_expect_eq(
		read_whole((struct span){ .p = in, .n = sizeof(in) }), NET_PROXY_DONE);

	cr_expect_eq(said.bytes, NET_PROXY_MAX);
}

Test(proxy_header, foreign_bytes_are_refused_at_the_first_one)
{
	cr_expect_eq(read_whole(SPAN("G")), NET_PROXY_BAD);
	cr_expect_eq(read_whole(SPAN("PRI")), NET_PROXY_BAD);
	cr_expect_eq(read_whole(SPAN("\r\n\r\r")), NET_PROXY_BAD);
}

/* --- writing ----------------------------------------------------------------------- */

static const struct sockaddr *address(const char *ip, uint16_t port)
{
	static union net_address of[2];
	static unsigned turn;
	union net_address *a = &of[turn++ % 2];

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, ip, &a->in4.sin_addr) == 1) {
		a->in4.sin_family = AF_INET;
		a->in4.sin_port = htons(port);
	} else if (inet_pton(AF_INET6, ip, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
	} else {
		a->any.sa_family = AF_UNIX;
	}
	return &a->any;
}

struct ends {
	char client[60], local[60], line[110], read_client[60], read_local[60];
};

ParameterizedTestParameters(proxy_header, what_is_written_says_both_addresses)
{
	static struct ends cases[] = {
		{ "192.0.2.1", "198.51.100.2",
			"PROXY TCP4 192.0.2.1 198.51.100.2 56224 443\r\n",
			"192.0.2.1:56224", "198.51.100.2:443" },
		{ "2001:db8::1", "2001:db8::2",
			"PROXY TCP6 2001:db8::1 2001:db8::2 56224 443\r\n",
			"[2001:db8::1]:56224", "[2001:db8::2]:443" },
		{ "::ffff:192.0.2.1", "198.51.100.2",
			"PROXY TCP4 192.0.2.1 198.51.100.2 56224 443\r\n",
			"192.0.2.1:56224", "198.51.100.2:443" },
		{ "192.0.2.1", "2001:db8::2",
			"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 56224 443\r\n",
			"[::ffff:192.0.2.1]:56224", "[2001:db8::2]:443" },
		{ "2001:db8::1", "198.51.100.2",
			"PROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 56224 443\r\n",
			"[2001:db8::1]:56224", "[::ffff:198.51.100.2]:443" },
		{ "unix", "198.51.100.2", "PROXY UNKNOWN\r\n", "none", "none" },
		{ "192.0.2.1", "unix", "PROXY UNKNOWN\r\n", "none", "none" },
	};

	return cr_make_param_array(
		struct ends, cases, sizeof(cases) / sizeof(cases[0]));
}

static void assert_read_back(struct span written, const struct ends *c)
{
	cr_assert_eq(read_whole(written), NET_PROXY_DONE, "%s", c->line);
	cr_expect_eq(said.bytes, written.n, "%s", c->line);
	cr_expect_str_eq(text_of(&said.client), c->read_client);
	cr_expect_str_eq(text_of(&said.local), c->read_local);
}

ParameterizedTest(struct ends *c, proxy_header, what_is_written_says_both_addresses)
{
	char out[NET_PROXY_WRITE_MAX];
	const struct sockaddr *client = address(c->client, 56224);
	const struct sockaddr *local = address(c->local, 443);
	struct span v1 = { .p = out, .n = net_proxy_write(1, client, local, out) };

	cr_expect(span_eq(v1, span_of(c->line)), "%.*s", (int)v1.n, v1.p);
	assert_read_back(v1, c);

	struct span v2 = { .p = out, .n = net_proxy_write(2, client, local, out) };
	assert_read_back(v2, c);
}

Test(proxy_header, a_connection_of_our_own_says_so)
{
	char out[NET_PROXY_WRITE_MAX];
	struct span v1 = { .p = out, .n = net_proxy_write(1, NULL, NULL, out) };
	cr_expect(span_eq(v1, SPAN("PROXY UNKNOWN\r\n")));

	struct span v2 = { .p = out, .n = net_proxy_write(2, NULL, NULL, out) };
	cr_expect(span_eq(v2, SPAN(SIGN "\x20\0\0\0")));
}
