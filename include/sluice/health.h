/*
 * health - probes servers actively and tells pool up or down and why.
 *
 * Lives on the control loop. All servers are checked at once when they are first seen,
 * and that first check alone decides; rise and fall count from then on (S10). Checks go
 * on at weight 0 (S15), never count as traffic, and are jittered. An ejected server is
 * checked like any other, and comes back when a check passes. A server given by name is
 * resolved here, again before each check.
 */
#ifndef SLUICE_HEALTH_H
#define SLUICE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

struct health;
struct net_loop;
struct pool;
struct server;

struct health_owner {
	/* A server's health changed, or it is back from ejection. */
	void (*on_change)(void *arg, struct server *s, bool up, const char *why);
	/* Every server that was there at the first update has had its first check or
	 * that check's time is over: listeners may accept. Once. */
	void (*on_settled)(void *arg);
	void *arg;
};

struct health *health_new(struct net_loop *l, const struct health_owner *owner);
void health_free(struct health *h);

/* The pools of the snapshot now in force: probes of servers that stay go on as they
 * are, with the new settings; those of others end. The pools must stay valid
 * until the next call. Servers of a pool without checks are up at once, once they have
 * an address. */
void health_update(struct health *h, struct pool *const *pools, size_t n);

#endif
