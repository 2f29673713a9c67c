/*
 * proxy - the data threads and the life of an exchange.
 *
 * control builds a snapshot from a configuration and publishes it; each data
 * thread takes it over at its next turn, and every exchange keeps the one it
 * began with to its end (docs/architecture.md, Processes and threads).
 */
#ifndef SLUICE_PROXY_H
#define SLUICE_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/base/err.h"
#include "sluice/config.h"

struct migration;
struct pool;
struct proxy;
struct registry;
struct snapshot;
struct stats;

/* --- snapshots: load on any thread, bind on control ------------------------------ */

/* All that waits for a disk and all that can fail: certificates, revocation lists,
 * stapled answers. Any thread. Takes *config over (NULL then) on success. */
int snapshot_load(struct snapshot **out, struct config **config, struct err *err);
/* Control thread, once: the live objects that s names, found again or made. */
void snapshot_bind(struct snapshot *s, struct registry *r);
/* Control thread, or any thread before snapshot_bind; the last reference frees the
 * snapshot, and what it holds of live objects. */
void snapshot_unref(struct snapshot *s);
const struct config *snapshot_config(const struct snapshot *s);
/* As many as the configuration has, in its order. */
struct pool *const *snapshot_pools(const struct snapshot *s);
struct migration *const *snapshot_migrations(const struct snapshot *s);

/* --- threads: control thread ----------------------------------------------------- */

/* workers threads that do nothing yet. */
struct proxy *proxy_new(unsigned workers, struct registry *r, struct stats *stats);
/* Most descriptors for connections of clients and to servers, over all threads. Any
 * time. */
void proxy_bound(struct proxy *p, unsigned clients, unsigned servers);
/* Starts the threads; they block all signals. */
int proxy_start(struct proxy *p, struct err *err);
/* Opens the listeners that s has and the running one has not (all sockets, before
 * anything changes; -1 and nothing happened), hands s to every thread, retires the
 * listeners it has not. Keeps no reference beyond what the threads use. */
int proxy_publish(struct proxy *p, struct snapshot *s, struct err *err);
/* Listeners of the published snapshot start to accept. Until then they only queue. */
void proxy_accept(struct proxy *p);
/* Something that waiting exchanges look at has changed (health, weight). */
void proxy_nudge(struct proxy *p);
/* Snapshots that no thread uses any more are freed; called each second. */
void proxy_sweep(struct proxy *p);
/* Stops accepting, answers what runs with Connection: close, closes idle connections.
 * on_drained runs on control when all are gone or ms have passed. */
struct net_loop;
void proxy_drain(struct proxy *p, struct net_loop *control, uint32_t ms,
	void (*on_drained)(void *arg), void *arg);
/* Ends the threads at once and frees. The caller's own reference to the current
 * snapshot may be given back before or after. */
void proxy_free(struct proxy *p);

#endif
