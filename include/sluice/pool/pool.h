/*
 * pool - the servers of a pool as one snapshot of the configuration sees them,
 * the choice among them, and the registry of live objects.
 *
 * A struct pool is built for one snapshot and immutable but for its counters; its
 * servers are live objects shared with the snapshots before and after.
 */
#ifndef SLUICE_POOL_POOL_H
#define SLUICE_POOL_POOL_H

#include "sluice/base/err.h"
#include "sluice/config.h"
#include "sluice/live.h"
#include "sluice/pool/server.h"

struct pool;
struct registry;
struct migration;
struct net_tls;

/* --- the registry: control thread only --------------------------------------- */

struct registry *registry_new(unsigned threads, struct live *live);
void registry_free(struct registry *r);
unsigned registry_threads(const struct registry *r);
struct live *registry_live(const struct registry *r);

/* Counted references; made when there is none of this name. A server whose last
 * reference goes is retired and freed when no thread holds an attempt or a kept
 * connection of it: registry_sweep, called each second, does that. */
struct server *registry_server(
	struct registry *r, const char *pool, const struct config_server *c);
struct migration *registry_migration(struct registry *r, const char *name);
void registry_sweep(struct registry *r);
/* Whether a snapshot, perhaps an old one, still names that migration. */
bool registry_has_migration(const struct registry *r, const char *name);
/* The servers of these pools are the ones that count from now, in the manner of these
 * pools; all others retire: nobody keeps connections to them any more. */
void registry_commit(struct registry *r, struct pool *const *pools, size_t n);

/* --- pools: built on control, read by data threads -------------------------------- */

/* What waits for a disk: certificates. Any thread; c must outlive the pool. */
int pool_load(struct pool **out, const struct config_pool *c, struct err *err) MUST_USE;
/* Control thread, once: its servers, found again or made. */
void pool_bind(struct pool *p, struct registry *r);
/* Control thread, which gets its references back; any thread before pool_bind. */
void pool_free(struct pool *p);

const struct config_pool *pool_config(const struct pool *p);
struct net_tls *pool_tls(const struct pool *p); /* NULL: plain */
/* For checks, which may speak HTTP/2 where requests do not. */
struct net_tls *pool_check_tls(const struct pool *p);
/* Equal where connections are made alike: protocol, TLS with its files, PROXY header. */
uint64_t pool_manner(const struct pool *p);
size_t pool_n_servers(const struct pool *p);
struct server *pool_server(const struct pool *p, size_t i);

/* S11's share: weights of usable servers of all weights. new pools count unknown
 * servers as not usable, legacy ones as usable (S10). */
struct pool_capacity {
	uint32_t usable, total; /* summed weights */
	uint32_t n_usable, n_ejected;
};
struct pool_capacity pool_capacity(const struct pool *p, bool unknown_counts);

enum pool_miss { POOL_NONE_USABLE, POOL_ALL_BUSY };

struct pool_wish {
	unsigned thread;
	bool unknown_counts;
	bool has_waited; /* it stands in the queue: its turn may have come */
	bool fail_open;  /* both pools are bad: take any (S13) */
	const struct server *tried[4]; /* avoided while another one is there */
	unsigned n_tried;
};

/* A server with one more in flight (server_release ends it), or NULL and why. */
struct server *pool_pick(
	struct pool *p, const struct pool_wish *wish, enum pool_miss *miss);

/* The retry budget (S24, S25): each request adds the pool's share of a retry, time
 * adds ten a second over all threads; each retry takes one. */
void pool_note_request(struct pool *p, unsigned thread);
bool pool_may_retry(struct pool *p, unsigned thread, uint64_t now_ns);

#endif
