/*
 * Idle upstream connections: one short list for each server and data thread, the
 * one used last on top, so that few are kept busy and the rest age out.
 *
 * A server that closes idle connections after a while is met half-way: what it was seen
 * to allow is the limit here, less a fifth, so that a request does not take a
 * connection in the moment in which it goes. The limit rises again while it proves too
 * careful.
 *
 * More requests at once than connections are kept would open and close one for each
 * request: what is too many is therefore kept for a second, in which a busy server uses it
 * again.
 *
 * A kept connection stays armed for reading and needs no call to be used again. If the
 * peer closes it, or says anything unasked, it is closed here.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "sluice/base/units.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"

#include "pool_priv.h"

/* A close after less than this says nothing about a limit: the server restarted. */
enum { LEAST_SEEN_MS = 250 };

/* Of what is too many: how long, and how many for each that may be kept. */
enum { SURPLUS_MS = 1000, SURPLUS_TIMES = 16 };

struct idle {
	struct link link;
	uint64_t since_ns, manner;
	uint64_t until_ns; /* it is kept no longer; 0: no bound */
	uint32_t requests; /* that it has had */
	uint32_t place;
	struct net_conn *conn;
	struct server *server;
	struct net_timer timer;
	unsigned thread;
	bool surplus;
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

/* Four steps an octave, downwards: a loop has one list of timers for each duration. */
static uint32_t coarse(uint64_t ms)
{
	unsigned bits;

	if (ms > INT32_MAX)
		ms = INT32_MAX;
	bits = ms > 8 ? 61u - (unsigned)__builtin_clzll(ms) : 0;
	return (uint32_t)(ms >> bits << bits);
}

static uint32_t limit_of(const struct server *s, uint32_t configured_ms)
{
	uint32_t seen_ms = atomic_load_explicit(&s->idle_ms, memory_order_relaxed);

	return seen_ms != 0 && seen_ms < configured_ms ? seen_ms : configured_ms;
}

/* The server closed it, or said something unasked. */
static void on_idle_event(void *arg, unsigned events)
{
	struct idle *i = arg;
	uint64_t now_ns = net_loop_now_ns(net_conn_loop(i->conn));
	uint64_t idle_ms = (now_ns - i->since_ns) / NS_PER_MS;

	(void)events;
	if (idle_ms >= LEAST_SEEN_MS)
		atomic_store_explicit(&i->server->idle_ms, coarse(idle_ms / 5 * 4),
			memory_order_relaxed);
	drop(i);
}

/* The limit was ours: if it was learned, it may be too careful by now. */
static void on_idle_due(void *arg)
{
	struct idle *i = arg;
	uint32_t seen_ms =
		atomic_load_explicit(&i->server->idle_ms, memory_order_relaxed);

	if (seen_ms != 0 && !i->surplus)
		atomic_store_explicit(&i->server->idle_ms,
			coarse(seen_ms + (uint64_t)seen_ms / 4 + 1),
			memory_order_relaxed);
	drop(i);
}

static bool is_old(const struct idle *i)
{
	return i->until_ns != 0 &&
	       net_loop_now_ns(net_conn_loop(i->conn)) >= i->until_ns;
}

/* Its share of what is set, 90 to 100 %: by where it lies, which is as good as chance. */
static uint64_t share_of(const struct idle *i, uint64_t whole)
{
	return whole - whole / 10 * ((uintptr_t)i / 64 % 16) / 16;
}

static bool is_there(const struct server *s, const struct net_conn *c)
{
	const struct sockaddr *peer = net_conn_peer(c);

	return server_is_at(s, peer,
		peer->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					   : sizeof(struct sockaddr_in6));
}

/* After one more request. The name of a server may have moved meanwhile. */
static bool may_stay(struct idle *i, struct server *s, const struct server_keeping *k)
{
	i->requests++;
	if (i->until_ns == 0 && k->age_ms != 0)
		i->until_ns = net_loop_now_ns(net_conn_loop(i->conn)) +
			      share_of(i, (uint64_t)k->age_ms * NS_PER_MS);
	if (k->requests != 0 && i->requests >= share_of(i, k->requests))
		return false;
	return !is_old(i) && (!s->is_named || is_there(s, i->conn));
}

struct net_conn *server_take_idle(struct server *s, unsigned thread, uint64_t manner)
{
	struct server_cell *cell = &s->cell[thread];
	struct idle *i;
	struct net_conn *c;

	while (!list_empty(&cell->idle)) {
		i = LIST_ENTRY(cell->idle.next, struct idle, link);
		if (!is_old(i) && i->place == server_place(s))
			break;
		drop(i);
	}
	if (list_empty(&cell->idle))
		return NULL;
	i = LIST_ENTRY(cell->idle.next, struct idle, link);
	if (i->manner != manner)
		return NULL;
	c = i->conn;
	leave(i);
	count_add(&cell->reuses, 1);
	return c;
}

void server_drop_closed(struct server *s, unsigned thread)
{
	struct link *kept = &s->cell[thread].idle;

	while (!list_empty(kept)) {
		struct idle *i = LIST_ENTRY(kept->next, struct idle, link);

		if (net_conn_is_quiet(i->conn))
			return;
		drop(i);
	}
}

void server_take_back(struct server *s, unsigned thread, struct net_conn **conn,
	const struct server_keeping *k)
{
	struct server_cell *cell = &s->cell[thread];
	struct net_conn *c = *conn;
	uint32_t n = atomic_load_explicit(&cell->n_idle, memory_order_relaxed);
	struct idle *i = net_conn_user(c);

	*conn = NULL;
	i->conn = c;
	if (n >= k->max * (1 + SURPLUS_TIMES) || server_is_retired(s) ||
		k->manner != server_manner(s) || !may_stay(i, s, k)) {
		net_conn_close(c);
		return;
	}
	i->server = s;
	i->place = server_place(s);
	i->thread = thread;
	i->surplus = n >= k->max;
	i->manner = k->manner;
	i->since_ns = net_loop_now_ns(net_conn_loop(c));
	net_timer_init(&i->timer, net_conn_loop(c), on_idle_due, i);
	net_timer_set(&i->timer,
		limit_of(s, i->surplus && k->idle_ms > SURPLUS_MS ? SURPLUS_MS
								  : k->idle_ms));
	net_conn_own(c, (struct net_owner){ .on_event = on_idle_event, .arg = i });
	net_conn_want_read(c, true); /* back-pressure may have turned it off */
	list_push_front(&cell->idle, &i->link);
	atomic_store_explicit(&cell->n_idle, n + 1, memory_order_relaxed);
}

void server_close_idle(struct server *s, unsigned thread, bool all)
{
	all |= server_is_retired(s);
	LIST_EACH (&s->cell[thread].idle, it, next) {
		struct idle *i = LIST_ENTRY(it, struct idle, link);

		if (all || i->manner != server_manner(s) || i->place != server_place(s))
			drop(i);
	}
}
