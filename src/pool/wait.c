/*
 * Waiting for a server. See wait.h.
 *
 * Two sides meet here without a lock. Who waits says so first and looks for a free
 * server then; who gives one back does that first and looks for waiters then. Whatever
 * the order, one of the two sees the other, so no server stays free beside a waiter.
 */
#include "sluice/pool/wait.h"

#include <assert.h>

#include "pool_priv.h"

/* So many waiters in a row that find no server are enough to believe that there is none:
 * the first ones may belong to an older snapshot, with other servers. */
enum { TRIED_IN_VAIN = 4 };

/* A ticket of 0 is that of serve()'s bookmark. */
static void show_first(struct group_cell *c)
{
	uint64_t ticket = 0;

	LIST_EACH (&c->waiters, it, next) {
		ticket = LIST_ENTRY(it, struct pool_waiter, link)->ticket;
		if (ticket != 0)
			break;
	}
	atomic_store(&c->first, ticket);
}

/* The thread whose waiter has waited longest; threads: there is none. */
static unsigned longest(const struct group *g)
{
	uint64_t lowest = UINT64_MAX;
	unsigned thread = g->threads;

	for (unsigned i = 0; i < g->threads; i++) {
		uint64_t ticket = atomic_load(&g->cell[i].first);

		if (ticket != 0 && ticket < lowest) {
			lowest = ticket;
			thread = i;
		}
	}
	return thread;
}

static bool enter(struct pool *p)
{
	uint32_t before =
		atomic_fetch_add_explicit(&p->waiting, 1, memory_order_relaxed);

	if (p->config->max_pending == 0 || before < p->config->max_pending)
		return true;
	atomic_fetch_sub_explicit(&p->waiting, 1, memory_order_relaxed);
	return false;
}

enum pool_place pool_wait(struct pool *p, unsigned thread, struct pool_waiter *w)
{
	struct group *g = p->group;
	struct group_cell *c = &g->cell[thread];

	assert(w->pool == NULL && w->on_turn != NULL);
	if (!enter(p))
		return POOL_PLACE_FULL;
	w->pool = p;
	w->ticket = atomic_fetch_add(&g->tickets, 1) + 1;
	if (list_empty(&c->waiters))
		list_push(&p->registry->waited[thread], &c->of_thread);
	list_push(&c->waiters, &w->link);
	atomic_fetch_add(&g->n_waiting, 1);
	show_first(c);
	return longest(g) == thread && c->waiters.next == &w->link ? POOL_PLACE_FIRST
								   : POOL_PLACE_BEHIND;
}

void pool_wait_stop(unsigned thread, struct pool_waiter *w)
{
	struct pool *p = w->pool;
	struct group_cell *c;

	if (p == NULL)
		return;
	w->pool = NULL;
	c = &p->group->cell[thread];
	list_remove(&w->link);
	if (list_empty(&c->waiters))
		list_remove(&c->of_thread);
	show_first(c);
	atomic_fetch_sub(&p->group->n_waiting, 1);
	atomic_fetch_sub_explicit(&p->waiting, 1, memory_order_relaxed);
}

bool pool_is_awaited(const struct pool *p)
{
	return atomic_load_explicit(&p->group->n_waiting, memory_order_relaxed) > 0;
}

/* --- serving ---------------------------------------------------------------- */

void registry_on_room(struct registry *r,
	void (*on_room)(void *arg, unsigned from, unsigned thread), void *arg)
{
	r->on_room = on_room;
	r->on_room_arg = arg;
}

void wait_call(struct group *g, unsigned from)
{
	unsigned thread;

	atomic_thread_fence(
		memory_order_seq_cst); /* the server was given back before */
	if (atomic_load_explicit(&g->n_waiting, memory_order_relaxed) == 0)
		return;
	thread = longest(g);
	if (thread == g->threads || g->registry->on_room == NULL)
		return;
	atomic_store(&g->cell[thread].called, true);
	g->registry->on_room(g->registry->on_room_arg, from, thread);
}

/* Each that is served makes place for the next; one that is not goes on waiting. The
 * bookmark stands behind the one whose turn it is: that one may go, and others come. */
static void serve(struct group_cell *c, bool all)
{
	struct pool_waiter bookmark = { .ticket = 0 };
	struct link *mark = &bookmark.link;
	unsigned in_vain = 0;

	list_init(mark);
	list_push_front(&c->waiters, mark);
	while (mark->next != &c->waiters && (all || in_vain < TRIED_IN_VAIN)) {
		struct link *turn = mark->next;

		list_remove(mark);
		list_push_front(turn, mark); /* behind it */
		LIST_ENTRY(turn, struct pool_waiter, link)
			->on_turn(LIST_ENTRY(turn, struct pool_waiter, link));
		in_vain += mark->prev == turn; /* it is still there */
	}
	list_remove(mark);
	if (list_empty(&c->waiters))
		list_remove(&c->of_thread);
	show_first(c);
}

void registry_serve(struct registry *r, unsigned thread, bool all)
{
	struct link now;

	list_init(&now);
	list_take(&now, &r->waited[thread]);
	while (!list_empty(&now)) {
		struct group_cell *c =
			LIST_ENTRY(now.next, struct group_cell, of_thread);
		bool called = atomic_exchange(&c->called, false);

		list_remove(&c->of_thread);
		list_push(&r->waited[thread], &c->of_thread);
		if (all || called)
			serve(c, all);
		if (called && list_empty(&c->waiters))
			wait_call(c->group, thread); /* those of other threads */
	}
}
