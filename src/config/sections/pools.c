/*
 * pools - named sets of servers: how one is chosen, checked, ejected, retried.
 */
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

enum { MOST_SERVERS = 1000 };

static const struct key server_keys[] = {
	{
		.name = "address",
		.kind = &kind_address,
		AT(config_server, address),
		.required = true,
		.help = "where the server is, as \"127.0.0.1:9001\", \"[::1]:9001\", "
			"\"app.internal:9001\" or \"unix:/run/app.sock\"",
	},
	{
		.name = "weight",
		.kind = &kind_integer,
		AT(config_server, weight),
		.preset = 1,
		.high = 100,
		.help = "its share of the pool's requests, relative to the others; 0 = "
			"no new ones",
	},
	{
		.name = "max_requests",
		.kind = &kind_integer,
		AT(config_server, max_requests),
		.high = 1000000,
		.help = "most requests at once on this server; 0 = no bound",
	},
};

static void identify_server(FILE *f, const void *base)
{
	fputs(((const struct config_server *)base)->address.text, f);
}

static const struct table table_server = {
	TABLE_KEYS(server_keys),
	.size = sizeof(struct config_server),
	.identify = identify_server,
};

static const struct key eject_keys[] = {
	{
		.name = "failures",
		.kind = &kind_integer,
		AT(config_pool, eject_failures),
		.preset = 3,
		.low = 1,
		.high = 1000,
		.help = "connect failures or resets in a row that take a server out at "
			"once",
	},
	{
		.name = "max_share",
		.kind = &kind_percent_ppm,
		AT(config_pool, eject_max_ppm),
		.preset = 50,
		.high = 100,
		.help = "percent of the pool that may be out by ejection, rounded "
			"down; 0 = never eject",
	},
};

static const struct table table_eject = { TABLE_KEYS(eject_keys) };

static const struct key retry_keys[] = {
	{
		.name = "attempts",
		.kind = &kind_integer,
		AT(config_pool, retry_attempts),
		.preset = 2,
		.low = 1,
		.high = 10,
		.help = "tries of one request in all; 1 = no retry",
	},
	{
		.name = "budget",
		.kind = &kind_percent_ppm,
		AT(config_pool, retry_budget_ppm),
		.preset = 20,
		.high = 100,
		.help = "percent of the pool's requests that may be retried, 10 at "
			"least",
	},
};

static const struct table table_retry = { TABLE_KEYS(retry_keys) };

static const struct key pool_tls_keys[] = {
	{
		.name = "verify",
		.kind = &kind_switch,
		AT(config_pool, tls_verify),
		.preset = true,
		.help = "refuse servers whose certificate does not prove their name",
	},
	{
		.name = "server_name",
		.kind = &kind_text,
		AT(config_pool, tls_server_name),
		.high = 253,
		.help = "the name asked for and verified; empty = the address's host",
	},
	{
		.name = "ca_file",
		.kind = &kind_file,
		AT(config_pool, tls_ca_file),
		.help = "PEM file with the authorities to trust; empty = the system's",
	},
	{
		.name = "cert",
		.kind = &kind_file,
		AT(config_pool, tls_cert_file),
		.help = "PEM file with the certificate shown to servers that ask, and "
			"the chain above it; empty = none",
	},
	{
		.name = "key",
		.kind = &kind_file,
		AT(config_pool, tls_key_file),
		.help = "PEM file with its private key",
	},
};

static void check_pool_tls(struct reader *rd, void *base, config_setting_t *s)
{
	struct config_pool *p = base;
	const char *name = p->tls_server_name;

	p->tls = true;
	if (*name != '\0' && !address_host_is_valid(name, strlen(name)))
		problem_at_member(rd, s, "server_name",
			"expected a host name, got \"%.60s\"", name);
	if ((*p->tls_cert_file != '\0') != (*p->tls_key_file != '\0') &&
		problem_is_absent(rd, s, "cert") && problem_is_absent(rd, s, "key"))
		problem_at_member(rd, s, *p->tls_cert_file != '\0' ? "key" : "cert",
			"a certificate and its key go together");
}

static const struct table table_pool_tls = {
	TABLE_KEYS(pool_tls_keys),
	.check = check_pool_tls,
};

static bool speaks_tls(const void *base)
{
	return ((const struct config_pool *)base)->tls;
}

static const struct word balances[] = {
	{ .text = "round_robin", .value = CONFIG_ROUND_ROBIN },
	{ .text = "least_inflight", .value = CONFIG_LEAST_INFLIGHT },
	{ .text = "peak_ewma", .value = CONFIG_PEAK_EWMA, .later = true },
	{ .text = "hash", .value = CONFIG_HASH, .later = true },
	{ 0 },
};

static const struct word protocols[] = {
	{ .text = "http/1.1", .value = CONFIG_HTTP1 },
	{ .text = "h2", .value = CONFIG_H2 },
	{ 0 },
};

static const struct word proxy_headers[] = {
	{ .text = "off", .value = CONFIG_PROXY_OFF },
	{ .text = "v1", .value = CONFIG_PROXY_V1 },
	{ .text = "v2", .value = CONFIG_PROXY_V2 },
	{ 0 },
};

static const struct key pool_keys[] = {
	{
		.name = "servers",
		.kind = &kind_list,
		AT(config_pool, servers),
		.count_at = offsetof(struct config_pool, n_servers),
		.table = &table_server,
		.low = 1,
		.high = MOST_SERVERS,
		.required = true,
		.help = "the addresses of its servers",
		.hint = "a pool needs servers, as ( { address = \"127.0.0.1:9001\"; } "
			")",
	},
	{
		.name = "balance",
		.kind = &kind_choice,
		AT(config_pool, balance),
		.words = balances,
		.preset = CONFIG_LEAST_INFLIGHT,
		.help = "how a server is chosen: each in turn, or the one with the "
			"least under way",
	},
	{
		.name = "protocol",
		.kind = &kind_choice,
		AT(config_pool, protocol),
		.words = protocols,
		.preset = CONFIG_HTTP1,
		.help = "what the servers speak; \"h2\" is agreed on by ALPN where "
			"there is a tls group, else spoken at once (prior knowledge)",
	},
	{
		.name = "keepalive",
		.kind = &kind_integer,
		AT(config_pool, keepalive),
		.preset = 32,
		.high = 10000,
		.help = "unused connections kept for each server and data thread; "
			"after "
			"a burst more are for a second; none are where proxy_protocol "
			"is sent, whatever stands here",
	},
	{
		.name = "keepalive_age",
		.kind = &kind_duration,
		AT(config_pool, keepalive_age_ms),
		.preset = HOUR,
		.high = 7 * 24 * HOUR,
		.help = "greatest age of a connection to a server, a tenth less for "
			"some; older ones end with their request; 0 = no bound",
	},
	{
		.name = "keepalive_requests",
		.kind = &kind_integer,
		AT(config_pool, keepalive_requests),
		.high = 1000000000,
		.help = "most requests over one connection to a server, a tenth less "
			"for some; 0 = no bound",
	},
	{
		.name = "max_requests",
		.kind = &kind_integer,
		AT(config_pool, max_requests),
		.high = 1000000,
		.help = "most requests at once in the whole pool, over all threads; "
			"those above wait, or are answered 503; 0 = no bound",
	},
	{
		.name = "max_pending",
		.kind = &kind_integer,
		AT(config_pool, max_pending),
		.high = 1000000,
		.help = "most requests that wait for a server of this pool, over all "
			"threads; one more is answered 503; 0 = only limits.pending "
			"counts",
	},
	{
		.name = "proxy_protocol",
		.kind = &kind_choice,
		AT(config_pool, proxy_header),
		.words = proxy_headers,
		.preset = CONFIG_PROXY_OFF,
		.help = "begin each connection to a server with a PROXY header of this "
			"version, which names the client; as it names one client, such "
			"a connection serves no other: keepalive counts as 0, and "
			"protocol cannot be \"h2\"",
	},
	{
		.name = "health",
		.kind = &kind_group,
		AT(config_pool, health),
		.table = &table_health,
		.help = "active checks of each server",
	},
	{
		.name = "eject",
		.kind = &kind_group,
		.table = &table_eject,
		.help = "taking out a server that fails real requests",
	},
	{
		.name = "retry",
		.kind = &kind_group,
		.table = &table_retry,
		.help = "trying another server of the pool",
	},
	{
		.name = "tls",
		.kind = &kind_group,
		.table = &table_pool_tls,
		.written = speaks_tls,
		.help = "speak TLS to the servers; without this group, plain HTTP",
	},
	{
		.name = "headers",
		.kind = &kind_group,
		AT(config_pool, headers),
		.table = &table_header_rules,
		.help = "fields that requests to its servers and responses of them get "
			"and lose",
	},
};

static void check_servers(
	struct reader *rd, const struct config_pool *p, config_setting_t *servers)
{
	struct hash_table *seen = hash_table_new(p->n_servers);
	uint64_t weights = 0;

	for (size_t i = 0; i < p->n_servers; i++) {
		config_setting_t *entry = config_setting_get_elem(servers, (unsigned)i);

		weights += p->servers[i].weight;
		if (p->servers[i].address.text != NULL)
			(void)problem_unless_first(rd, seen,
				span_of(p->servers[i].address.text), entry, "address");
	}
	hash_table_free(seen);
	if (p->n_servers > 0 && weights == 0)
		problem_at(rd, servers,
			"all have weight 0, so the pool could serve nobody: give one "
			"more");
}

/* The header names one client for all that follows on its connection. */
static void check_proxy_header(
	struct reader *rd, struct config_pool *p, config_setting_t *s)
{
	if (p->proxy_header == CONFIG_PROXY_OFF)
		return;
	p->keepalive = 0;
	if (p->protocol == CONFIG_H2)
		problem_at_member(rd, s, "proxy_protocol",
			"does not go with protocol = \"h2\": its header names one "
			"client for a whole connection, and the requests of many "
			"share an HTTP/2 connection");
}

static void check_pool(struct reader *rd, void *base, config_setting_t *s)
{
	struct config_pool *p = base;

	if (config_setting_get_member(s, "health") == NULL)
		p->health.type = CONFIG_HEALTH_NONE;
	check_proxy_header(rd, p, s);
	check_servers(rd, p, config_setting_get_member(s, "servers"));
	if (*p->name != '\0')
		hash_table_put(rd->pools, span_of(p->name), p);
}

static void identify(FILE *f, const void *base)
{
	fputs(((const struct config_pool *)base)->name, f);
}

const struct table table_pool = {
	TABLE_KEYS(pool_keys),
	.size = sizeof(struct config_pool),
	.check = check_pool,
	.identify = identify,
};
