/*
 * network - address ranges: which peers are trusted.
 *
 * IPv4 is kept as ::ffff:a.b.c.d, so that a peer that comes over an IPv6 socket
 * is the same peer.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

enum { V4_BITS = 96, ALL_BITS = 128, MOST_NETWORKS = 1024 };

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* Bytes of an address without a prefix length. */
static bool parse_address(struct config_network *net, const char *text, bool *v4)
{
	*v4 = strchr(text, ':') == NULL;
	if (!*v4)
		return inet_pton(AF_INET6, text, net->address) == 1;
	memcpy(net->address, v4_prefix, sizeof(v4_prefix));
	return inet_pton(AF_INET, text, net->address + sizeof(v4_prefix)) == 1;
}

static void keep_prefix(uint8_t address[static 16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = bits >= 8 * (i + 1) ? 8
				: bits > 8 * i      ? bits - 8 * i
						    : 0;

		address[i] &= (uint8_t)(0xff00u >> kept);
	}
}

static int refuse_host_bits(const uint8_t kept[static 16], bool v4, const char *text,
	const char *slash, struct err *err)
{
	char fix[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? kept + sizeof(v4_prefix) : kept, fix,
		sizeof(fix));
	return err_set(err, ERR_CONFIG,
		"\"%.60s\" has bits set behind its prefix: write \"%s%s\"", text, fix,
		slash);
}

int network_parse(struct config_network *net, const char *text, struct err *err)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN + 1];
	size_t n = slash == NULL ? strlen(text) : (size_t)(slash - text);
	uint64_t bits;
	bool v4;

	if (n >= sizeof(address))
		n = sizeof(address) - 1;
	memcpy(address, text, n);
	address[n] = '\0';
	if (!parse_address(net, address, &v4))
		return err_set(err, ERR_CONFIG,
			"expected an address or a range, as \"10.0.0.0/8\" or "
			"\"fd00::/8\", got \"%.60s\"",
			text);
	bits = v4 ? ALL_BITS - V4_BITS : ALL_BITS;
	if (slash != NULL &&
		(!span_u64(span_of(slash + 1), &bits) || bits > (v4 ? 32 : 128)))
		return err_set(err, ERR_CONFIG,
			"the prefix of \"%.60s\" is not in 0..%d", text, v4 ? 32 : 128);
	net->prefix_bits = (uint8_t)(v4 ? bits + V4_BITS : bits);

	uint8_t kept[16];

	memcpy(kept, net->address, sizeof(kept));
	keep_prefix(kept, net->prefix_bits);
	if (memcmp(kept, net->address, sizeof(kept)) != 0)
		return refuse_host_bits(kept, v4, text, slash, err);
	return 0;
}

static bool contains(const struct config_network *net, const uint8_t address[static 16])
{
	unsigned whole = net->prefix_bits / 8, rest = net->prefix_bits % 8;

	if (memcmp(address, net->address, whole) != 0)
		return false;
	return rest == 0 || (address[whole] ^ net->address[whole]) >> (8 - rest) == 0;
}

/* A peer on a unix socket is of this machine: as 127.0.0.1. */
bool config_trusts(const struct config *c, const struct sockaddr *peer)
{
	uint8_t address[16];
	struct in_addr v4 = { .s_addr = htonl(INADDR_LOOPBACK) };

	memcpy(address, v4_prefix, sizeof(v4_prefix));
	if (peer->sa_family == AF_INET6)
		memcpy(address,
			&((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr,
			sizeof(address));
	else if (peer->sa_family == AF_INET)
		v4 = ((const struct sockaddr_in *)(const void *)peer)->sin_addr;
	else if (peer->sa_family != AF_UNIX)
		return false;
	if (peer->sa_family != AF_INET6)
		memcpy(address + sizeof(v4_prefix), &v4, sizeof(v4));
	for (size_t i = 0; i < c->n_trusted; i++)
		if (contains(&c->trusted[i], address))
			return true;
	return false;
}

static void networks_fini(const struct key *k, void *base)
{
	struct config *c = base;

	(void)k;
	free(c->trusted);
	c->trusted = NULL;
	c->n_trusted = 0;
}

static void networks_preset(const struct key *k, void *base)
{
	struct config *c = base;

	(void)k;
	c->trusted = mem_zero(sizeof(*c->trusted));
	c->n_trusted = 1;
	memcpy(c->trusted->address, v4_prefix, sizeof(v4_prefix));
	c->trusted->address[sizeof(v4_prefix)] = 127;
	c->trusted->prefix_bits = V4_BITS + 8;
}

static void networks_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	struct config *c = base;
	struct err err;

	if (s->type != CONFIG_TYPE_ARRAY && s->type != CONFIG_TYPE_LIST) {
		problem_type(
			rd, s, "an array of address ranges, as [ \"10.0.0.0/8\" ]");
		return;
	}

	int n = config_setting_length(s);

	if (n > MOST_NETWORKS) {
		problem_at(
			rd, s, "expected at most %d ranges, got %d", MOST_NETWORKS, n);
		return;
	}
	networks_fini(k, base);
	c->trusted = mem_zero(((size_t)n + 1) * sizeof(*c->trusted));
	for (int i = 0; i < n; i++) {
		config_setting_t *entry = config_setting_get_elem(s, (unsigned)i);
		const char *text =
			text_of_setting(rd, entry, "an address range in quotes");

		if (text != NULL &&
			network_parse(&c->trusted[c->n_trusted], text, &err) == 0)
			c->n_trusted++;
		else if (text != NULL)
			problem_at(rd, entry, "%s", err.text);
	}
}

static void print_network(FILE *f, const struct config_network *net)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = net->prefix_bits >= V4_BITS &&
		  memcmp(net->address, v4_prefix, sizeof(v4_prefix)) == 0;

	inet_ntop(v4 ? AF_INET : AF_INET6,
		v4 ? net->address + sizeof(v4_prefix) : net->address, text,
		sizeof(text));
	fprintf(f, "\"%s/%d\"", text,
		v4 ? net->prefix_bits - V4_BITS : net->prefix_bits);
}

static void networks_print(struct printer *p, const struct key *k, const void *base)
{
	const struct config *c = base;

	(void)k;
	fputs(c->n_trusted == 0 ? "[" : "[ ", p->f);
	for (size_t i = 0; i < c->n_trusted; i++) {
		print_network(p->f, &c->trusted[i]);
		fputs(i + 1 < c->n_trusted ? ", " : " ", p->f);
	}
	fputc(']', p->f);
}

const struct kind kind_networks = {
	.name = "array of address ranges",
	.preset = networks_preset,
	.read = networks_read,
	.print = networks_print,
	.fini = networks_fini,
};
