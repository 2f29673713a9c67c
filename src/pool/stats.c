/* The counters of the data threads and their table of names. */
#include "sluice/pool/stats.h"

#include <stdlib.h>

#include "pool_priv.h"

struct block {
	_Alignas(CACHE_LINE) _Atomic uint64_t v[N_STATS];
};

struct stats {
	unsigned threads;
	struct block block[];
};

static const struct {
	const char *name, *help;
	int gauge;
} table[N_STATS] = {
	[STAT_CONNECTIONS] = { "connections", "Client connections accepted.", 0 },
	[STAT_CONNECTIONS_OPEN] = { "connections_open", "Client connections open now.",
		1 },
	[STAT_HANDSHAKES] = { "handshakes",
		"TLS handshakes with clients that succeeded.", 0 },
	[STAT_HANDSHAKE_FAILURES] = { "handshake_failures",
		"TLS handshakes with clients that failed.", 0 },
	[STAT_PROXY_UNTRUSTED] = { "proxy_header_untrusted",
		"Connections closed because their peer, from which a PROXY header is "
		"due, is not in trusted.",
		0 },
	[STAT_PROXY_HEADER_BAD] = { "proxy_header_bad",
		"Connections closed because they did not begin with a PROXY header.",
		0 },
	[STAT_REQUESTS] = { "requests", "Requests of which a head was read.", 0 },
	[STAT_REQUESTS_OPEN] = { "requests_open", "Requests under way now.", 1 },
	[STAT_OWN_2XX] = { "own_2xx", "Responses 2xx made by sluice itself.", 0 },
	[STAT_OWN_3XX] = { "own_3xx",
		"Responses 3xx made by sluice itself (redirects).", 0 },
	[STAT_OWN_4XX] = { "own_4xx", "Responses 4xx made by sluice itself.", 0 },
	[STAT_OWN_5XX] = { "own_5xx", "Responses 5xx made by sluice itself.", 0 },
	[STAT_BAD_REQUESTS] = { "bad_requests", "Requests refused as malformed.", 0 },
	[STAT_LIMIT_CONNECTIONS] = { "limit_connections",
		"Connections closed because limits.connections was reached.", 0 },
	[STAT_LIMIT_CLIENT] = { "limit_connections_per_client",
		"Connections closed because limits.connections_per_client was reached.",
		0 },
	[STAT_LIMIT_HANDSHAKES] = { "limit_handshakes_per_client",
		"Connections closed because limits.handshakes_per_client was reached.",
		0 },
	[STAT_LIMIT_HEADER_BYTES] = { "limit_header_bytes",
		"Requests refused for limits.header_bytes.", 0 },
	[STAT_LIMIT_HEADER_COUNT] = { "limit_header_count",
		"Requests refused for limits.header_count.", 0 },
	[STAT_LIMIT_URI] = { "limit_uri_bytes",
		"Requests refused for limits.uri_bytes.", 0 },
	[STAT_LIMIT_BODY] = { "limit_body_bytes",
		"Requests refused for limits.body_bytes.", 0 },
	[STAT_LIMIT_MEMORY] = { "limit_memory", "Requests refused for want of memory.",
		0 },
	[STAT_LIMIT_DESCRIPTORS] = { "limit_descriptors",
		"Attempts for which no descriptor or local port was left.", 0 },
	[STAT_LIMIT_IDLE_CLOSED] = { "limit_idle_closed",
		"Idle client connections closed so that new ones find a descriptor.",
		0 },
	[STAT_LIMIT_ACCEPT_PAUSED] = { "limit_accept_paused",
		"Times that new connections waited because no descriptor was left.",
		0 },
	[STAT_LIMIT_SERVER] = { "limit_max_requests",
		"Requests that found every server of a pool at max_requests.", 0 },
	[STAT_LIMIT_PENDING] = { "limit_pending",
		"Requests refused because too many waited for a server.", 0 },
	[STAT_LIMIT_UPGRADES] = { "limit_upgrades",
		"Upgrades refused by a bucket, or because tunnels are not enabled.",
		0 },
	[STAT_LIMIT_STREAMS] = { "limit_streams",
		"Streams of HTTP/2 refused because limits.streams was reached.", 0 },
	[STAT_H2_CONNECTIONS] = { "h2_connections",
		"Client connections that speak HTTP/2.", 0 },
	[STAT_H2_FLOOD_RESETS] = { "h2_flood_resets",
		"HTTP/2 connections closed for streams that were reset at once.", 0 },
	[STAT_H2_FLOOD_HEADERS] = { "h2_flood_headers",
		"HTTP/2 connections closed for header blocks without bound.", 0 },
	[STAT_H2_FLOOD_CONTROL] = { "h2_flood_control",
		"HTTP/2 connections closed for too many control frames.", 0 },
	[STAT_H2_FLOOD_EMPTY] = { "h2_flood_empty",
		"HTTP/2 connections closed for frames that bring nothing.", 0 },
	[STAT_TIMEOUT_HEADER] = { "timeout_client_header",
		"Requests whose head did not come in time.", 0 },
	[STAT_TIMEOUT_BODY] = { "timeout_client_body",
		"Requests whose body stood still for too long.", 0 },
	[STAT_TIMEOUT_SLOW] = { "timeout_client_slow",
		"Requests whose client was below limits.client_rate for too long.", 0 },
	[STAT_TIMEOUT_IDLE] = { "timeout_client_idle", "Idle connections closed.", 0 },
	[STAT_TIMEOUT_HANDSHAKE] = { "timeout_tls_handshake",
		"TLS handshakes that took too long.", 0 },
	[STAT_TIMEOUT_CONNECT] = { "timeout_connect",
		"Connects upstream that took too long.", 0 },
	[STAT_TIMEOUT_RESPONSE] = { "timeout_response_head",
		"Attempts whose response head did not come in time.", 0 },
	[STAT_TIMEOUT_STREAM] = { "timeout_stream_idle",
		"Exchanges whose stream stood still for too long.", 0 },
	[STAT_TIMEOUT_TUNNEL] = { "timeout_tunnel_idle",
		"Tunnels closed because nothing passed for timeouts.tunnel_idle.", 0 },
	[STAT_TUNNELS] = { "tunnels", "Tunnels (WebSocket) that began.", 0 },
	[STAT_TUNNELS_OPEN] = { "tunnels_open", "Tunnels (WebSocket) open now.", 1 },
	[STAT_NO_ROUTE] = { "no_route", "Requests that no route fits.", 0 },
	[STAT_NO_SERVER] = { "no_server", "Requests for which no server was there.",
		0 },
	[STAT_CLIENT_GONE] = { "client_gone", "Exchanges whose client went away.", 0 },
	[STAT_STUCK] = { "stuck",
		"Exchanges closed because they made no progress (a bug).", 0 },
	[STAT_UPSTREAM_CONNECTS] = { "upstream_connects",
		"Connections opened upstream.", 0 },
	[STAT_UPSTREAM_REUSES] = { "upstream_reuses",
		"Attempts that used a kept upstream connection.", 0 },
	[STAT_RETRIES] = { "retries", "Attempts after the first one of a request.", 0 },
	[STAT_UNPROCESSED] = { "unprocessed",
		"Requests that a server refused before it looked at them, asked again.",
		0 },
};

struct stats *stats_new(unsigned threads)
{
	struct stats *s = mem_zero(CACHE_LINE + threads * sizeof(struct block));

	s->threads = threads;
	return s;
}

void stats_free(struct stats *s)
{
	free(s);
}

void stats_add(struct stats *s, unsigned thread, enum stats_item which, int64_t delta)
{
	count_add(&s->block[thread].v[which], (uint64_t)delta);
}

uint64_t stats_of(const struct stats *s, unsigned thread, enum stats_item which)
{
	return count_read(&s->block[thread].v[which]);
}

uint64_t stats_sum(const struct stats *s, enum stats_item which)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < s->threads; i++)
		sum += count_read(&s->block[i].v[which]);
	return sum;
}

const char *stats_name(enum stats_item which)
{
	return table[which].name;
}

const char *stats_help(enum stats_item which)
{
	return table[which].help;
}

int stats_is_gauge(enum stats_item which)
{
	return table[which].gauge;
}
