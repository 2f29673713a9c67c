/*
 * address - "HOST:PORT", "[IPv6]:PORT" and "unix:/PATH".
 *
 * What an operator spells in several ways is kept in one: other rooms find servers
 * and sockets again by the text of their address.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

enum { MAX_HOST = 253, MAX_LABEL = 63, V4_AT = 12 };

static bool label_is_valid(struct span label)
{
	if (label.n == 0 || label.n > MAX_LABEL)
		return false;
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!isalnum((unsigned char)label.p[i]) && label.p[i] != '-' &&
			label.p[i] != '_')
			return false;
	return true;
}

/* What ends in a number is an IPv4 address to half of the world's software, in decimal,
 * octal or hex, in one part or four: 0x7f000001, 127.1. No top-level domain is one. */
static bool is_number(struct span label)
{
	size_t at = 0;
	bool hex = label.n > 1 && label.p[0] == '0' && (label.p[1] | ' ') == 'x';

	for (at = hex ? 2 : 0; at < label.n; at++)
		if (hex ? !isxdigit((unsigned char)label.p[at])
			: !isdigit((unsigned char)label.p[at]))
			return false;
	return true;
}

bool address_host_is_valid(const char *host, size_t n)
{
	struct span rest = { .p = host, .n = n }, label = rest;

	if (n == 0 || n > MAX_HOST)
		return false;
	while (rest.p != NULL) {
		label = span_cut(&rest, '.');
		if (!label_is_valid(label))
			return false;
	}
	return !is_number(label);
}

static int parse_unix(struct config_address *a, const char *path, struct err *err)
{
	struct sockaddr_un *un = &a->sa.un;

	if (*path != '/')
		return err_set(err, ERR_CONFIG,
			"expected a path from the root, as \"unix:/run/app.sock\"");
	if (strlen(path) >= sizeof(un->sun_path))
		return err_set(err, ERR_CONFIG,
			"the path has %zu bytes: the system allows %zu", strlen(path),
			sizeof(un->sun_path) - 1);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path) + 1);
	a->sa_len = sizeof(*un);
	a->numeric = true;
	a->host = mem_text(path);
	return 0;
}

static int parse_port(struct config_address *a, struct span text, struct err *err)
{
	uint64_t port;

	if (!span_u64(text, &port) || port < 1 || port > UINT16_MAX)
		return err_set(err, ERR_CONFIG,
			"the port is \"%.*s\": expected 1..65535",
			text.n > 40 ? 40 : (int)text.n, text.p);
	a->port = (uint16_t)port;
	return 0;
}

static void take_ipv4(struct config_address *a)
{
	a->sa.in4.sin_family = AF_INET;
	a->sa.in4.sin_port = htons(a->port);
	a->sa_len = sizeof(a->sa.in4);
	a->numeric = true;
}

/* An IPv4 address that is written as an IPv6 one is the IPv4 address. */
static int take_ipv6(struct config_address *a, struct err *err)
{
	struct in6_addr v6;
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET6, a->host, &v6) != 1)
		return err_set(err, ERR_CONFIG, "[%.60s] is no IPv6 address", a->host);
	if (IN6_IS_ADDR_V4MAPPED(&v6)) {
		memcpy(&a->sa.in4.sin_addr, v6.s6_addr + V4_AT, sizeof(struct in_addr));
		take_ipv4(a);
		inet_ntop(AF_INET, &a->sa.in4.sin_addr, text, sizeof(text));
	} else {
		a->sa.in6.sin6_addr = v6;
		a->sa.in6.sin6_family = AF_INET6;
		a->sa.in6.sin6_port = htons(a->port);
		a->sa_len = sizeof(a->sa.in6);
		a->numeric = true;
		inet_ntop(AF_INET6, &v6, text, sizeof(text));
	}
	free(a->host);
	a->host = mem_text(text);
	return 0;
}

static int take_host(struct config_address *a, bool brackets, struct err *err)
{
	if (brackets)
		return take_ipv6(a, err);
	if (strspn(a->host, "0123456789.") == strlen(a->host)) {
		if (inet_pton(AF_INET, a->host, &a->sa.in4.sin_addr) != 1)
			return err_set(
				err, ERR_CONFIG, "%.60s is no IPv4 address", a->host);
		take_ipv4(a);
	} else if (!address_host_is_valid(a->host, strlen(a->host))) {
		return err_set(err, ERR_CONFIG, "\"%.60s\" is no host name", a->host);
	}
	for (char *p = a->host; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return 0;
}

static int parse_host_port(struct config_address *a, const char *text, struct err *err)
{
	const char *colon = strrchr(text, ':');
	const char *close = strchr(text, ']');
	bool brackets = *text == '[';
	const char *end = brackets ? close : colon;

	if (end == NULL || (brackets && end[1] != ':') || end == text)
		return err_set(err, ERR_CONFIG,
			"expected \"HOST:PORT\", \"[IPv6]:PORT\" or \"unix:/PATH\", "
			"got \"%.60s\"",
			text);
	if (!brackets && strchr(text, ':') != colon)
		return err_set(err, ERR_CONFIG,
			"an IPv6 address stands in brackets, as \"[::1]:8080\"; got "
			"\"%.60s\"",
			text);
	if (parse_port(a, span_of(end + 1 + brackets), err) != 0)
		return -1;
	a->host = mem_text_n(text + brackets, (size_t)(end - text) - brackets);
	return take_host(a, brackets, err);
}

static char *print_address(const struct config_address *a)
{
	if (a->sa.any.sa_family == AF_UNIX)
		return mem_print("unix:%s", a->host);
	if (a->sa.any.sa_family == AF_INET6)
		return mem_print("[%s]:%u", a->host, a->port);
	return mem_print("%s:%u", a->host, a->port);
}

int address_parse(struct config_address *a, const char *text, struct err *err)
{
	static const char prefix[] = "unix:";
	size_t n = strlen(prefix);
	int rc;

	memset(a, 0, sizeof(*a));
	if (strncmp(text, prefix, n) == 0)
		rc = parse_unix(a, text + n, err);
	else
		rc = parse_host_port(a, text, err);
	if (rc == 0)
		a->text = print_address(a);
	else
		address_fini(a);
	return rc;
}

void address_fini(struct config_address *a)
{
	free(a->text);
	free(a->host);
	memset(a, 0, sizeof(*a));
}

static bool is_loopback(const struct config_address *a)
{
	if (a->sa.any.sa_family == AF_INET)
		return ntohl(a->sa.in4.sin_addr.s_addr) >> 24 == 127;
	return a->sa.any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&a->sa.in6.sin6_addr);
}

static int any_fits(const struct config_address *a, struct err *err)
{
	(void)a;
	(void)err;
	return 0;
}

static int bind_fits(const struct config_address *a, struct err *err)
{
	if (a->numeric)
		return 0;
	return err_set(err, ERR_CONFIG,
		"\"%.60s\" is a name: expected a numeric address to listen on, as "
		"\"0.0.0.0:%u\" or \"[::]:%u\"",
		a->host, a->port, a->port);
}

static int loopback_fits(const struct config_address *a, struct err *err)
{
	if (is_loopback(a))
		return 0;
	return err_set(err, ERR_CONFIG,
		"expected a loopback address, as \"127.0.0.1:9900\" or \"[::1]:9900\", "
		"because anyone who reaches it may read it; got \"%.60s\"",
		a->text);
}

static void read_address(struct reader *rd, config_setting_t *s,
	struct config_address *a,
	int (*fits)(const struct config_address *, struct err *))
{
	const char *text =
		text_of_setting(rd, s, "an address in quotes, as \"127.0.0.1:9001\"");
	struct config_address parsed;
	struct err err;

	if (text == NULL)
		return;
	if (address_parse(&parsed, text, &err) != 0) {
		problem_at(rd, s, "%s", err.text);
	} else if (fits(&parsed, &err) != 0) {
		problem_at(rd, s, "%s", err.text);
		address_fini(&parsed);
	} else {
		address_fini(a);
		*a = parsed;
	}
}

static void address_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	read_address(rd, s, key_slot(k, base), any_fits);
}

static void bind_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	read_address(rd, s, key_slot(k, base), bind_fits);
}

static void loopback_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	read_address(rd, s, key_slot(k, base), loopback_fits);
}

static void address_print(struct printer *p, const struct key *k, const void *base)
{
	const struct config_address *a = key_field(k, base);

	print_text(p->f, a->text == NULL ? "" : a->text);
}

static void address_free(const struct key *k, void *base)
{
	address_fini(key_slot(k, base));
}

const struct kind kind_address = {
	.name = "address",
	.read = address_read,
	.print = address_print,
	.fini = address_free,
};

const struct kind kind_bind_address = {
	.name = "numeric address",
	.read = bind_read,
	.print = address_print,
	.fini = address_free,
};

const struct kind kind_loopback_address = {
	.name = "loopback address",
	.read = loopback_read,
	.print = address_print,
	.fini = address_free,
};
