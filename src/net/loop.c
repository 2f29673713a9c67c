/*
 * The event loop of one thread, on libev's epoll backend.
 *
 * A turn is: poll, read the clock once, run the events by priority, free what
 * was closed meanwhile. So no callback meets freed memory, and the clock costs
 * one call however many events there were.
 */
#include "sluice/net/loop.h"

#include <assert.h>
#include <stdlib.h>

#include "sluice/base/clock.h"
#include "sluice/base/mem.h"
#include "sluice/base/reserve.h"

#include "net_priv.h"

enum { KEEP_CONNS = 256 };

static void on_after_poll(struct ev_loop *ev, ev_check *w, int revents)
{
	struct net_loop *l = w->data;

	(void)ev;
	(void)revents;
	l->now_ns = clock_mono_ns();
	fair_begin_turn(&l->fair);
}

static void free_closed(struct net_loop *l)
{
	LIST_EACH (&l->closed, it, next) {
		list_remove(it);
		slab_give(&l->conns, LIST_ENTRY(it, struct net_conn, link));
	}
}

/* Those that come while these run have their turn next, without a sleep before it. */
static void run_tasks(struct net_loop *l)
{
	struct link now;

	list_init(&now);
	list_take(&now, &l->tasks);
	while (!list_empty(&now)) {
		struct net_task *t = LIST_ENTRY(now.next, struct net_task, link);

		list_remove(&t->link);
		t->run(t->arg);
	}
}

static void choose_sleep(struct net_loop *l)
{
	if (!list_empty(&l->tasks) || !fair_is_idle(&l->fair))
		ev_idle_start(l->ev, &l->no_sleep);
	else
		ev_idle_stop(l->ev, &l->no_sleep);
}

static void on_before_poll(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct net_loop *l = w->data;

	(void)ev;
	(void)revents;
	fair_run(l);
	run_tasks(l);
	choose_sleep(l);
	free_closed(l);
}

static void on_idle(struct ev_loop *ev, ev_idle *w, int revents)
{
	(void)ev;
	(void)w;
	(void)revents;
}

void net_task_init(
	struct net_task *t, struct net_loop *l, void (*run)(void *), void *arg)
{
	list_init(&t->link);
	t->loop = l;
	t->run = run;
	t->arg = arg;
}

void net_task_later(struct net_task *t)
{
	if (list_empty(&t->link))
		list_push(&t->loop->tasks, &t->link);
}

void net_task_cancel(struct net_task *t)
{
	list_remove(&t->link);
}

void net_loop_bound(struct net_loop *l, struct net_bounds b)
{
	atomic_store_explicit(&l->max_accepted, b.accepted, memory_order_relaxed);
	atomic_store_explicit(&l->max_opened, b.opened, memory_order_relaxed);
}

static bool is_at(const _Atomic unsigned *bound, unsigned n)
{
	unsigned max = atomic_load_explicit(bound, memory_order_relaxed);

	return max > 0 && n >= max;
}

bool net_loop_may_open(const struct net_loop *l)
{
	return !is_at(&l->max_opened, l->n_opened);
}

/* Control takes its operators whatever happens. */
static bool loop_is_short(void)
{
	return memory_level() != MEMORY_ENOUGH && !reserve_is_entitled();
}

bool loop_is_full(const struct net_loop *l)
{
	return is_at(&l->max_accepted, l->n_accepted) || loop_is_short();
}

void loop_count(struct net_loop *l, bool accepted, int delta)
{
	unsigned *n = accepted ? &l->n_accepted : &l->n_opened;

	*n += (unsigned)delta;
	if (accepted && delta < 0 && !list_empty(&l->full) && !loop_is_full(l))
		accept_resume_all(l);
}

/* Releases c's memory when the current events are over. */
void loop_defer_free(struct net_conn *c)
{
	c->state = CONN_CLOSED;
	list_push(&c->loop->closed, &c->link);
}

/* libev cannot be told that there is none: what it takes grows with descriptors, a few
 * hundred bytes each, and is from the reserve if need be. */
static void *loop_memory(void *p, long bytes)
{
	if (bytes > 0)
		return mem_grow(p, (size_t)bytes);
	free(p);
	return NULL;
}

__attribute__((constructor)) static void set_memory(void)
{
	ev_set_allocator(loop_memory);
}

struct net_loop *net_loop_new(size_t user_bytes)
{
	struct net_loop *l = mem_zero(sizeof(*l));

	l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	assert(l->ev != NULL);
	l->user_bytes = user_bytes;
	l->now_ns = clock_mono_ns();
	list_init(&l->closed);
	list_init(&l->lingering);
	l->linger = (struct net_linger){ .ms = 30000, .most = 1024 };
	list_init(&l->tasks);
	list_init(&l->full);
	buf_pool_init(&l->bufs, 0);
	slab_init(&l->conns, sizeof(struct net_conn) + user_bytes, 0, KEEP_CONNS);
	timers_init(l);

	ev_check_init(&l->after_poll, on_after_poll);
	ev_set_priority(&l->after_poll, EV_MAXPRI);
	l->after_poll.data = l;
	ev_check_start(l->ev, &l->after_poll);
	ev_unref(l->ev);
	ev_prepare_init(&l->before_poll, on_before_poll);
	l->before_poll.data = l;
	ev_prepare_start(l->ev, &l->before_poll);
	ev_unref(l->ev);
	ev_idle_init(&l->no_sleep, on_idle);
	return l;
}

void net_loop_free(struct net_loop *l)
{
	if (l == NULL)
		return;
	linger_end_all(l);
	fair_fini(&l->fair);
	free_closed(l);
	resolve_free(l->resolver);
	free_closed(l);
	timers_fini(l);
	tls_io_free(l->tls_io);
	ends_free(l->ends);
	slab_fini(&l->conns);
	buf_pool_fini(&l->bufs);
	ev_loop_destroy(l->ev);
	free(l);
}

void net_loop_run(struct net_loop *l)
{
	ev_run(l->ev, 0);
	tls_mem_release(); /* the thread is about to end */
}

void net_loop_stop(struct net_loop *l)
{
	ev_break(l->ev, EVBREAK_ALL);
}

uint64_t net_loop_now_ns(const struct net_loop *l)
{
	return l->now_ns;
}

struct buf_pool *net_loop_bufs(struct net_loop *l)
{
	return &l->bufs;
}

size_t net_loop_trim(struct net_loop *l)
{
	return slab_trim(&l->conns) + buf_pool_trim(&l->bufs);
}
