/*
 * A data thread: its loop and the snapshot it uses.
 *
 * Control reaches it through the mailbox, a few flags and a wake-up; it never waits for
 * control or for another thread.
 */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/digest.h"
#include "sluice/base/log.h"

#include "tunnel/tunnel_priv.h"
#include "upstream/upstream_priv.h"

enum { LATE_MS = 100, KEEP_EXCHANGES = 128, KEEP_TUNNELS = 1024 };
/* What a peak took goes back within half a second. The C library is asked to look for whole
 * pages only where so much was freed. */
enum { TRIM_MS = 250, RETURN_BYTES = 1 << 18 };
/* As much as a thousand requests at once take. */
enum { HEAP_BYTES = 24 << 20 };

const struct config *thread_config(const struct thread *t)
{
	return t->current->snapshot->config;
}

void thread_count(struct thread *t, enum stats_item which, int64_t delta)
{
	stats_add(t->proxy->stats, t->index, which, delta);
}

static void close_idle(struct thread *t, const struct snapshot *s, bool all)
{
	for (size_t i = 0; i < s->n_pools; i++) {
		for (size_t k = 0; k < pool_n_servers(s->pool[i]); k++)
			server_close_idle(pool_server(s->pool[i], k), t->index, all);
	}
	upstream_sessions_sweep(t);
}

void thread_close_idle(struct thread *t)
{
	close_idle(t, t->current->snapshot, true);
}

static void use_free(struct thread *t, struct use *u)
{
	/* What was given back after the newer snapshot came is closed at once; this is
	 * for what was idle before. */
	close_idle(t, u->snapshot, false);
	snapshot_drop(u->snapshot);
	free(u);
}

/* An exchange is over; the last one of an older snapshot gives that back. */
void thread_release_use(struct thread *t, struct use *u)
{
	assert(u->users > 0);
	if (--u->users == 0 && u != t->current)
		use_free(t, u);
}

static void adopt(struct thread *t, struct snapshot *s)
{
	struct use *old = t->current, *u = mem_zero(sizeof(*u));

	u->snapshot = s;
	t->current = u;
	client_bound_linger(t);
	if (old == NULL)
		return;
	close_idle(t, old->snapshot, false);
	if (old->users == 0)
		use_free(t, old);
}

static void on_late(void *arg)
{
	struct thread *t = arg;

	LIST_EACH (&t->awaiting, it, next)
		attempt_check_late(LIST_ENTRY(it, struct exchange, awaiting));
	if (list_empty(&t->awaiting)) {
		net_ticker_free(t->late_ticker);
		t->late_ticker = NULL;
	}
}

void thread_await(struct thread *t, struct link *l)
{
	list_push(&t->awaiting, l);
	if (t->late_ticker == NULL)
		t->late_ticker = net_ticker_new(t->loop, LATE_MS, NET_LAST, on_late, t);
}

/* Until nothing is left of what requests took. */
static void on_trim(void *arg)
{
	struct thread *t = arg;
	size_t bytes = net_loop_trim(t->loop) + h2_shared_trim(t->h2) +
		       slab_trim(&t->exchanges) + slab_trim(&t->tunnels);

	if (bytes >= RETURN_BYTES)
		mem_return();
	if (bytes == 0 && t->exchanges.out + t->exchanges.kept == 0) {
		net_ticker_free(t->trim_ticker);
		t->trim_ticker = NULL;
	}
}

void thread_trim_later(struct thread *t)
{
	if (t->trim_ticker == NULL)
		t->trim_ticker = net_ticker_new(t->loop, TRIM_MS, NET_LAST, on_trim, t);
}

/* A server of this thread was given back, and this thread has a request for it. */
static void on_room(void *arg)
{
	struct thread *t = arg;

	registry_serve(t->proxy->registry, t->index, false);
}

void thread_has_room(void *arg, unsigned from, unsigned thread)
{
	struct proxy *p = arg;

	if (from == thread)
		net_task_later(&p->thread[thread].room);
	else
		net_wake(p->thread[thread].waker);
}

static void begin_drain(struct thread *t)
{
	t->draining = true;
	close_idle(t, t->current->snapshot, true);
	LIST_EACH (&t->clients, it, next)
		client_dismiss(LIST_ENTRY(it, struct client, link));
}

static void on_wake(void *arg)
{
	struct thread *t = arg;
	struct proxy *p = t->proxy;
	struct snapshot *s =
		atomic_exchange_explicit(&t->mailbox, NULL, memory_order_acq_rel);

	if (atomic_load_explicit(&p->stopping, memory_order_acquire)) {
		if (s != NULL)
			snapshot_drop(s);
		net_loop_stop(t->loop);
		return;
	}
	if (s != NULL)
		adopt(t, s);
	if (t->current == NULL)
		return;
	if (atomic_load_explicit(&p->draining, memory_order_acquire) && !t->draining)
		begin_drain(t);
	if (atomic_load_explicit(&p->accepting, memory_order_acquire))
		listeners_sync(t);
	handover_take(t);
	registry_serve(p->registry, t->index, atomic_exchange(&t->nudged, false));
	atomic_store_explicit(&t->drained,
		t->draining && list_empty(&t->clients) && list_empty(&t->listeners),
		memory_order_release);
}

static size_t user_bytes(void)
{
	size_t bytes = sizeof(struct client);

	if (bytes < server_idle_bytes())
		bytes = server_idle_bytes();
	return bytes < drain_bytes() ? drain_bytes() : bytes;
}

void proxy_thread_init(struct thread *t, struct proxy *p, unsigned index)
{
	t->proxy = p;
	t->index = index;
	list_init(&t->listeners);
	list_init(&t->clients);
	list_init(&t->awaiting);
	list_init(&t->upgrades);
	list_init(&t->groups);
	list_init(&t->drains);
	list_init(&t->sessions);
	t->received = mem_alloc(RECEIVED_BYTES);
	slab_init(&t->tunnels, sizeof(struct tunnel), 0, KEEP_TUNNELS);
	slab_init(&t->exchanges, sizeof(struct exchange), 0, KEEP_EXCHANGES);
	digest_random(t->id_seed, sizeof(t->id_seed));
	t->jitter = (uint32_t)t->id_seed[0];
	t->loop = net_loop_new(user_bytes());
	t->h2 = h2_shared_new(net_loop_bufs(t->loop));
	t->waker = net_waker_new(t->loop, on_wake, t);
	net_task_init(&t->room, t->loop, on_room, t);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	mem_unlock_heap(HEAP_BYTES);
	net_loop_run(t->loop);
	return NULL;
}

int proxy_thread_start(struct thread *t, struct err *err)
{
	sigset_t all, before;
	int error;

	/* Inherited: a data thread hears no signal but its own fault, live_watch. */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&t->handle, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		return err_set(err, ERR_SYSTEM, "thread: %s", strerror(error));
	t->started = true;
	return 0;
}

/* After its loop ended, on control. */
void proxy_thread_fini(struct thread *t)
{
	struct snapshot *unread = atomic_exchange(&t->mailbox, NULL);

	listeners_free(t);
	LIST_EACH (&t->clients, it, next) {
		struct client *c = LIST_ENTRY(it, struct client, link);

		if (c->exchange != NULL)
			exchange_end(c->exchange);
		if (c->tunnel != NULL)
			tunnel_drop(c->tunnel);
		client_abort(c);
	}
	tunnels_fini(t);
	drain_stop_all(t);
	upstream_sessions_close(t);
	if (t->current != NULL) {
		close_idle(t, t->current->snapshot, true);
		use_free(t, t->current);
	}
	if (unread != NULL)
		snapshot_drop(unread);
	net_ticker_free(t->late_ticker);
	net_ticker_free(t->trim_ticker);
	net_task_cancel(&t->room);
	net_waker_free(t->waker);
	slab_fini(&t->exchanges);
	h2_shared_free(t->h2);
	free(t->received);
	net_loop_free(t->loop);
}
