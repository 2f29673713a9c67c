/*
 * Idle upstream connections: one short list for each server and data thread, the
 * one used last on top, so that few are kept busy and the rest age out.
 *
 * A kept connection stays armed for reading and needs no call to be used again. If the
 * peer closes it, or says anything unasked, it is closed here.
 */
#include <stdlib.h>

#include "sluice/net/conn.h"
#include "sluice/net/loop.h"

#include "pool_priv.h"

struct idle {
	struct link link;
	struct net_conn *conn;
	struct server *server;
	struct net_timer timer;
	unsigned thread;
};

size_t server_idle_bytes(void)
{
	return sizeof(struct idle);
}

static void leave(struct idle *i)
{
	_Atomic uint32_t *n = &i->server->cell[i->thread].n_idle;

	list_remove(&i->link);
	net_timer_stop(&i->timer);
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) - 1,
		memory_order_release);
}

static void drop(struct idle *i)
{
	struct net_conn *c = i->conn;

	leave(i);
	net_conn_close(c);
}

static void on_idle_event(void *arg, unsigned events)
{
	(void)events;
	drop(arg);
}

static void on_idle_due(void *arg)
{
	drop(arg);
}

struct net_conn *server_take_idle(struct server *s, unsigned thread)
{
	struct server_cell *cell = &s->cell[thread];
	struct idle *i;
	struct net_conn *c;

	if (list_empty(&cell->idle))
		return NULL;
	i = LIST_ENTRY(cell->idle.next, struct idle, link);
	c = i->conn;
	leave(i);
	count_add(&cell->reuses, 1);
	return c;
}

void server_take_back(struct server *s, unsigned thread, struct net_conn **conn,
	uint32_t max, uint32_t idle_ms)
{
	struct server_cell *cell = &s->cell[thread];
	struct net_conn *c = *conn;
	uint32_t n = atomic_load_explicit(&cell->n_idle, memory_order_relaxed);
	struct idle *i = net_conn_user(c);

	*conn = NULL;
	if (n >= max || server_is_retired(s)) {
		net_conn_close(c);
		return;
	}
	i->conn = c;
	i->server = s;
	i->thread = thread;
	net_timer_init(&i->timer, net_conn_loop(c), on_idle_due, i);
	net_timer_set(&i->timer, idle_ms);
	net_conn_own(c, (struct net_owner){ .on_event = on_idle_event, .arg = i });
	list_push_front(&cell->idle, &i->link);
	atomic_store_explicit(&cell->n_idle, n + 1, memory_order_relaxed);
}

void server_close_idle(struct server *s, unsigned thread, bool all)
{
	if (!all && !server_is_retired(s))
		return;
	LIST_EACH (&s->cell[thread].idle, it, next)
		drop(LIST_ENTRY(it, struct idle, link));
}
