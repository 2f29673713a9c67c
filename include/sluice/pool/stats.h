/*
 * pool/stats - what the data threads count besides migrations and servers:
 * connections, requests, every limit that bites. One block a thread, written by
 * it alone, summed by anybody.
 */
#ifndef SLUICE_POOL_STATS_H
#define SLUICE_POOL_STATS_H

#include <stdint.h>

enum stats_item {
	STAT_CONNECTIONS,      /* accepted */
	STAT_CONNECTIONS_OPEN, /* now */
	STAT_HANDSHAKES,
	STAT_HANDSHAKE_FAILURES,
	STAT_PROXY_UNTRUSTED, /* peers that may not send a PROXY header */
	STAT_PROXY_HEADER_BAD,
	STAT_REQUESTS,
	STAT_REQUESTS_OPEN, /* now */
	STAT_OWN_2XX,
	STAT_OWN_3XX,
	STAT_OWN_4XX,
	STAT_OWN_5XX, /* answered by sluice itself */
	STAT_BAD_REQUESTS,
	STAT_LIMIT_CONNECTIONS,
	STAT_LIMIT_CLIENT,
	STAT_LIMIT_HANDSHAKES,
	STAT_LIMIT_HEADER_BYTES,
	STAT_LIMIT_HEADER_COUNT,
	STAT_LIMIT_URI,
	STAT_LIMIT_BODY,
	STAT_LIMIT_MEMORY,
	STAT_LIMIT_DESCRIPTORS,
	STAT_LIMIT_IDLE_CLOSED,
	STAT_LIMIT_ACCEPT_PAUSED,
	STAT_LIMIT_SERVER, /* every server of a pool at max_requests */
	STAT_LIMIT_PENDING,
	STAT_LIMIT_UPGRADES,
	STAT_LIMIT_STREAMS,
	STAT_H2_CONNECTIONS,
	STAT_H2_FLOOD_RESETS, /* in the order of enum h2_flood */
	STAT_H2_FLOOD_HEADERS,
	STAT_H2_FLOOD_CONTROL,
	STAT_H2_FLOOD_EMPTY,
	STAT_TIMEOUT_HEADER,
	STAT_TIMEOUT_BODY,
	STAT_TIMEOUT_SLOW, /* below limits.client_rate */
	STAT_TIMEOUT_IDLE,
	STAT_TIMEOUT_HANDSHAKE,
	STAT_TIMEOUT_CONNECT,
	STAT_TIMEOUT_RESPONSE,
	STAT_TIMEOUT_STREAM,
	STAT_TIMEOUT_TUNNEL,
	STAT_TUNNELS,
	STAT_TUNNELS_OPEN, /* now */
	STAT_NO_ROUTE,
	STAT_NO_SERVER,
	STAT_CLIENT_GONE,
	STAT_STUCK, /* exchanges closed by the guard against endless steps */
	STAT_UPSTREAM_CONNECTS,
	STAT_UPSTREAM_REUSES,
	STAT_RETRIES,
	STAT_UNPROCESSED,
	N_STATS,
};

struct stats;

struct stats *stats_new(unsigned threads);
void stats_free(struct stats *s);

/* On the thread's own block; delta may be negative for those that say "now". */
void stats_add(struct stats *s, unsigned thread, enum stats_item which, int64_t delta);
uint64_t stats_of(const struct stats *s, unsigned thread, enum stats_item which);
uint64_t stats_sum(const struct stats *s, enum stats_item which);

/* "limit_header_bytes", one line of help, and whether it is a gauge. */
const char *stats_name(enum stats_item which);
const char *stats_help(enum stats_item which);
int stats_is_gauge(enum stats_item which);

#endif
