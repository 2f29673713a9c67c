/* The data threads as control sees them: start, nudge, drain, end. */
#include "sluice/proxy.h"

#include <assert.h>
#include <stdlib.h>

#include "sluice/base/clock.h"

#include "tunnel/tunnel_priv.h"

enum { DRAIN_TICK_MS = 20 };

struct proxy *proxy_new(unsigned workers, struct registry *r, struct stats *stats)
{
	struct proxy *p = mem_zero(sizeof(*p) + workers * sizeof(struct thread));

	assert(workers == registry_threads(r));
	p->n = workers;
	p->registry = r;
	p->stats = stats;
	p->peers = peers_new();
	p->rings = handover_rings_new(workers);
	list_init(&p->published);
	registry_on_room(r, thread_has_room, p);
	for (unsigned i = 0; i < workers; i++)
		proxy_thread_init(&p->thread[i], p, i);
	return p;
}

void proxy_bound(struct proxy *p, unsigned clients, unsigned servers)
{
	const struct net_bounds each = { clients / p->n, servers / p->n };

	for (unsigned i = 0; i < p->n; i++)
		net_loop_bound(p->thread[i].loop, each);
}

int proxy_start(struct proxy *p, struct err *err)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (proxy_thread_start(&p->thread[i], err) != 0)
			return -1;
	}
	return 0;
}

void proxy_nudge(struct proxy *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		atomic_store(&p->thread[i].nudged, true);
		net_wake(p->thread[i].waker);
	}
}

void proxy_accept(struct proxy *p)
{
	atomic_store_explicit(&p->accepting, true, memory_order_release);
	proxy_nudge(p);
}

static bool all_drained(const struct proxy *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (!atomic_load_explicit(&p->thread[i].drained, memory_order_acquire))
			return false;
	}
	return true;
}

static void on_drain_tick(void *arg)
{
	struct proxy *p = arg;

	if (!all_drained(p) && clock_mono_ms() < p->drain_until_ms) {
		proxy_nudge(p); /* each thread looks again whether it is empty */
		return;
	}
	net_ticker_free(p->drain_ticker);
	p->drain_ticker = NULL;
	p->on_drained(p->drained_arg);
}

void proxy_drain(struct proxy *p, struct net_loop *control, uint32_t ms,
	void (*on_drained)(void *arg), void *arg)
{
	if (p->drain_ticker != NULL)
		return;
	p->on_drained = on_drained;
	p->drained_arg = arg;
	p->drain_until_ms = clock_mono_ms() + ms;
	p->drain_ticker =
		net_ticker_new(control, DRAIN_TICK_MS, NET_NORMAL, on_drain_tick, p);
	p->leave_rate = tunnels_leave_rate(p->stats, ms);
	atomic_store_explicit(&p->draining, true, memory_order_release);
	proxy_nudge(p);
}

void proxy_free(struct proxy *p)
{
	if (p == NULL)
		return;
	net_ticker_free(p->drain_ticker);
	atomic_store_explicit(&p->stopping, true, memory_order_release);
	proxy_nudge(p);
	for (unsigned i = 0; i < p->n; i++) {
		if (p->thread[i].started)
			pthread_join(p->thread[i].handle, NULL);
	}
	registry_on_room(p->registry, NULL, NULL); /* nobody serves any more */
	for (unsigned i = 0; i < p->n; i++)
		proxy_thread_fini(&p->thread[i]);
	LIST_EACH (&p->published, it, next) {
		list_remove(
			it); /* control may hold the last one, and outlive the list */
		snapshot_unref(LIST_ENTRY(it, struct snapshot, link));
	}
	handover_close(p->rings);
	free(p->rings);
	peers_free(p->peers);
	free(p);
}
