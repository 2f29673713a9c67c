/*
 * pool/wait - who waits for a server of a pool that has none free.
 *
 * First come, first served, over all data threads and all snapshots that have a pool of
 * this name: each waiter draws a ticket, and whoever gives a server back calls the
 * thread whose waiter has the lowest. No lock: each thread's waiters are its own list,
 * of which the others read the first ticket.
 */
#ifndef SLUICE_POOL_WAIT_H
#define SLUICE_POOL_WAIT_H

#include <stdbool.h>

#include "sluice/base/list.h"
#include "sluice/pool/pool.h"

struct pool_waiter {
	struct link link; /* in its thread's waiters of this pool */
	uint64_t ticket;
	struct pool *pool; /* NULL: it does not wait */
	/* It is its turn: take a server and stop waiting, or go on waiting. Anything may
	 * be done in it but to free other waiters. */
	void (*on_turn)(struct pool_waiter *w);
};

enum pool_place {
	POOL_PLACE_FULL,   /* the pool's max_pending wait already */
	POOL_PLACE_FIRST,  /* before all others: ask once more now, a server that came
			    * free a moment ago called nobody */
	POOL_PLACE_BEHIND, /* on_turn will come */
};

/* w's on_turn is set; it stands in no queue. */
enum pool_place pool_wait(struct pool *p, unsigned thread, struct pool_waiter *w);
/* In any state. */
void pool_wait_stop(unsigned thread, struct pool_waiter *w);
/* Somebody waits: who comes now, waits behind. */
bool pool_is_awaited(const struct pool *p);

/* Called on whatever thread gives a server back: thread has waiters to be served
 * (registry_serve). Set before any thread runs. */
void registry_on_room(struct registry *r,
	void (*on_room)(void *arg, unsigned from, unsigned thread), void *arg);
/* On that thread, and not from within on_turn: those whose turn it is. all: health,
 * weights or limits have changed, and anyone may find a server. */
void registry_serve(struct registry *r, unsigned thread, bool all);

#endif
