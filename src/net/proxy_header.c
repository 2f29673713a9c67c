/*
 * The header of the PROXY protocol, read and written.
 *
 * It decides whose address counts, so nothing is repaired or guessed. What follows the
 * addresses of version 2 (TLVs) is checked to be whole and means nothing here.
 */
#include "sluice/net/proxy_header.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* V1_MAX: the longest line with its CRLF, as the specification counts it. */
enum { V1_MAX = 107, V2_HEAD = 16, TLV_HEAD = 3 };

/* The two of version 2, by its last two bytes of the head. */
enum command { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum family { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX = 0x31 };
enum { TCP4_BYTES = 12, TCP6_BYTES = 36, UNIX_BYTES = 216 };

static_assert((int)V1_MAX <= (int)NET_PROXY_WRITE_MAX, "what is read can be written");

#define V1_SIGN SPAN("PROXY ")
#define V1_UNKNOWN SPAN("PROXY UNKNOWN\r\n")
#define V2_SIGN SPAN("\r\n\r\n\0\r\nQUIT\n")

/* --- version 1: a line ------------------------------------------------------------ */

static bool read_port(struct span text, in_port_t *port)
{
	uint64_t n;

	if (text.n == 0 || text.n > 5 || (text.n > 1 && text.p[0] == '0') ||
		!span_u64(text, &n) || n > UINT16_MAX)
		return false;
	*port = htons((uint16_t)n);
	return true;
}

/* The address and port of one end. */
static bool read_end(
	int family, struct span address, struct span port, union net_address *out)
{
	char text[INET6_ADDRSTRLEN];

	if (address.n == 0 || address.n >= sizeof(text))
		return false;
	memcpy(text, address.p, address.n);
	text[address.n] = '\0';
	memset(out, 0, sizeof(*out));
	out->any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		return inet_pton(AF_INET, text, &out->in4.sin_addr) == 1 &&
		       read_port(port, &out->in4.sin_port);
	return inet_pton(AF_INET6, text, &out->in6.sin6_addr) == 1 &&
	       read_port(port, &out->in6.sin6_port);
}

/* What stands between the signature and CRLF. */
static bool read_line(struct span line, struct net_proxy *out)
{
	struct span protocol = span_cut(&line, ' ');
	struct span client = span_cut(&line, ' '), local = span_cut(&line, ' ');
	struct span client_port = span_cut(&line, ' ');
	int family = span_eq(protocol, SPAN("TCP4")) ? AF_INET : AF_INET6;

	/* "the receiver must ignore anything presented before the CRLF is found" */
	if (span_eq(protocol, SPAN("UNKNOWN")))
		return true;
	if (family == AF_INET6 && !span_eq(protocol, SPAN("TCP6")))
		return false;
	out->has_client = true;
	return read_end(family, client, client_port, &out->client) &&
	       read_end(family, local, line, &out->local);
}

/* Visible, or a blank: no NUL ends a text early. */
static bool is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	}
	return true;
}

static enum net_proxy_result read_v1(struct span in, struct net_proxy *out)
{
	size_t most = in.n < V1_MAX ? in.n : V1_MAX;
	const char *cr = memchr(in.p, '\r', most);
	struct span text = { .p = in.p, .n = cr != NULL ? (size_t)(cr - in.p) : most };
	struct span line = { .p = in.p + V1_SIGN.n, .n = text.n - V1_SIGN.n };

	if (!is_text(text) || text.n + 2 > V1_MAX)
		return NET_PROXY_BAD;
	if (cr == NULL || text.n + 1 == in.n)
		return NET_PROXY_MORE;
	if (cr[1] != '\n' || !read_line(line, out))
		return NET_PROXY_BAD;
	out->bytes = text.n + 2;
	return NET_PROXY_DONE;
}

/* --- version 2: bytes ------------------------------------------------------------- */

static unsigned u16_at(const char *p)
{
	return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static bool are_tlvs(struct span s)
{
	while (s.n >= TLV_HEAD) {
		size_t n = TLV_HEAD + u16_at(s.p + 1);

		if (n > s.n)
			return false;
		s = (struct span){ .p = s.p + n, .n = s.n - n };
	}
	return s.n == 0;
}

static void take_tcp4(const char *p, struct net_proxy *out)
{
	out->client.in4.sin_family = out->local.in4.sin_family = AF_INET;
	memcpy(&out->client.in4.sin_addr, p, 4);
	memcpy(&out->local.in4.sin_addr, p + 4, 4);
	memcpy(&out->client.in4.sin_port, p + 8, 2);
	memcpy(&out->local.in4.sin_port, p + 10, 2);
}

static void take_tcp6(const char *p, struct net_proxy *out)
{
	out->client.in6.sin6_family = out->local.in6.sin6_family = AF_INET6;
	memcpy(&out->client.in6.sin6_addr, p, 16);
	memcpy(&out->local.in6.sin6_addr, p + 16, 16);
	memcpy(&out->client.in6.sin6_port, p + 32, 2);
	memcpy(&out->local.in6.sin6_port, p + 34, 2);
}

static bool read_addresses(unsigned family, struct span s, struct net_proxy *out)
{
	size_t n = 0;

	switch (family) {
	case V2_UNSPEC: /* "the receiver should ignore address information" */
		return true;
	case V2_TCP4:
		n = TCP4_BYTES;
		break;
	case V2_TCP6:
		n = TCP6_BYTES;
		break;
	case V2_UNIX:
		n = UNIX_BYTES;
		break;
	default: /* unassigned, or datagrams */
		return false;
	}
	if (s.n < n || !are_tlvs((struct span){ .p = s.p + n, .n = s.n - n }))
		return false;
	if (family == V2_TCP4)
		take_tcp4(s.p, out);
	if (family == V2_TCP6)
		take_tcp6(s.p, out);
	out->has_client = family != V2_UNIX;
	return true;
}

static bool is_family(unsigned family)
{
	return family >> 4 <= 3 && (family & 15) <= 2;
}

static enum net_proxy_result read_v2(struct span in, struct net_proxy *out)
{
	unsigned command, family;
	struct span rest;

	if (in.n > 12 && in.p[12] != V2_LOCAL && in.p[12] != V2_PROXY)
		return NET_PROXY_BAD;
	if (in.n > 13 && !is_family((unsigned char)in.p[13]))
		return NET_PROXY_BAD;
	if (in.n < V2_HEAD)
		return NET_PROXY_MORE;
	command = (unsigned char)in.p[12];
	family = (unsigned char)in.p[13];
	rest = (struct span){ .p = in.p + V2_HEAD, .n = u16_at(in.p + 14) };
	if (V2_HEAD + rest.n > NET_PROXY_MAX)
		return NET_PROXY_BAD;
	if (in.n < V2_HEAD + rest.n)
		return NET_PROXY_MORE;
	/* LOCAL: "the receiver must accept and must use the real endpoints" */
	if (command == V2_PROXY && !read_addresses(family, rest, out))
		return NET_PROXY_BAD;
	out->bytes = V2_HEAD + rest.n;
	return NET_PROXY_DONE;
}

/* Whether in is, as far as it goes, what sign says. */
static bool may_be(struct span in, struct span sign)
{
	if (in.n < sign.n)
		sign.n = in.n;
	return span_starts(in, sign);
}

enum net_proxy_result net_proxy_read(struct span in, struct net_proxy *out)
{
	memset(out, 0, sizeof(*out));
	out->client.any.sa_family = out->local.any.sa_family = AF_UNIX;
	if (in.n == 0)
		return NET_PROXY_MORE;
	if (!may_be(in, V1_SIGN) && !may_be(in, V2_SIGN))
		return NET_PROXY_BAD;
	if (in.p[0] == 'P')
		return in.n < V1_SIGN.n ? NET_PROXY_MORE : read_v1(in, out);
	return in.n < V2_SIGN.n ? NET_PROXY_MORE : read_v2(in, out);
}

/* --- writing ---------------------------------------------------------------------- */

static bool is_mapped(const union net_address *a)
{
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
}

static void unmap(union net_address *a)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = a->in6.sin6_port };

	memcpy(&v4.sin_addr, &a->in6.sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
	a->in4 = v4;
}

static void map(union net_address *a)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_port = a->in4.sin_port };

	v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&v6.sin6_addr.s6_addr[12], &a->in4.sin_addr, sizeof(a->in4.sin_addr));
	a->in6 = v6;
}

static bool take(const struct sockaddr *sa, union net_address *out)
{
	memset(out, 0, sizeof(*out));
	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
		return false;
	memcpy(out, sa, sa->sa_family == AF_INET ? sizeof(out->in4) : sizeof(out->in6));
	if (is_mapped(out))
		unmap(out);
	return true;
}

/* Both as of one family: where only one is IPv4, it is mapped. False: they are not to be
 * told. */
static bool take_both(const struct sockaddr *client, const struct sockaddr *local,
	union net_address *from, union net_address *to)
{
	if (!take(client, from) || !take(local, to))
		return false;
	if (from->any.sa_family == AF_INET && to->any.sa_family == AF_INET6)
		map(from);
	if (from->any.sa_family == AF_INET6 && to->any.sa_family == AF_INET)
		map(to);
	return true;
}

static size_t write_v1(
	const union net_address *from, const union net_address *to, char *out)
{
	bool is_v4 = from->any.sa_family == AF_INET;
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];

	if (is_v4) {
		inet_ntop(AF_INET, &from->in4.sin_addr, a, sizeof(a));
		inet_ntop(AF_INET, &to->in4.sin_addr, b, sizeof(b));
	} else {
		inet_ntop(AF_INET6, &from->in6.sin6_addr, a, sizeof(a));
		inet_ntop(AF_INET6, &to->in6.sin6_addr, b, sizeof(b));
	}
	return (size_t)snprintf(out, NET_PROXY_WRITE_MAX, "PROXY %s %s %s %u %u\r\n",
		is_v4 ? "TCP4" : "TCP6", a, b,
		ntohs(is_v4 ? from->in4.sin_port : from->in6.sin6_port),
		ntohs(is_v4 ? to->in4.sin_port : to->in6.sin6_port));
}

static size_t write_v2(
	const union net_address *from, const union net_address *to, char *out)
{
	char *p = out + V2_HEAD;

	out[12] = V2_PROXY;
	if (from->any.sa_family == AF_INET) {
		out[13] = V2_TCP4;
		out[15] = TCP4_BYTES;
		memcpy(p, &from->in4.sin_addr, 4);
		memcpy(p + 4, &to->in4.sin_addr, 4);
		memcpy(p + 8, &from->in4.sin_port, 2);
		memcpy(p + 10, &to->in4.sin_port, 2);
		return V2_HEAD + TCP4_BYTES;
	}
	out[13] = V2_TCP6;
	out[15] = TCP6_BYTES;
	memcpy(p, &from->in6.sin6_addr, 16);
	memcpy(p + 16, &to->in6.sin6_addr, 16);
	memcpy(p + 32, &from->in6.sin6_port, 2);
	memcpy(p + 34, &to->in6.sin6_port, 2);
	return V2_HEAD + TCP6_BYTES;
}

size_t net_proxy_write(unsigned version, const struct sockaddr *client,
	const struct sockaddr *local, char out[static NET_PROXY_WRITE_MAX])
{
	union net_address from, to;
	bool told = client != NULL && take_both(client, local, &from, &to);

	assert(version == 1 || version == 2);
	if (version == 1 && told)
		return write_v1(&from, &to, out);
	if (version == 1) {
		memcpy(out, V1_UNKNOWN.p, V1_UNKNOWN.n);
		return V1_UNKNOWN.n;
	}
	memcpy(out, V2_SIGN.p, V2_SIGN.n);
	memset(out + V2_SIGN.n, 0, V2_HEAD - V2_SIGN.n);
	if (told)
		return write_v2(&from, &to, out);
	out[12] = client != NULL ? V2_PROXY : V2_LOCAL;
	return V2_HEAD;
}
