/*
 * health - the probes of all servers: which there are, whose turn it is, and when
 * each has been checked once.
 *
 * At most AT_ONCE checks are under way; the others wait in order. Checks start from
 * the loop, never from inside a call.
 */
#include "sluice/health.h"

#include <stdlib.h>

#include "sluice/base/hash.h"
#include "sluice/base/mem.h"
#include "sluice/pool/pool.h"

#include "health_priv.h"

/* Descriptors, and for two hundred servers still all at once. */
enum { AT_ONCE = 256 };

struct health {
	struct net_loop *loop;
	struct health_owner owner;
	struct link probes, queue;
	struct hash_table *by_server;
	struct net_waker *waker;
	struct h2_shared *h2;
	unsigned active, epoch;
	size_t initial_left; /* of the first update, not checked yet */
	bool updated, settled;
};

struct net_loop *health_loop(struct health *h)
{
	return h->loop;
}

struct h2_shared *health_h2(struct health *h)
{
	if (h->h2 == NULL)
		h->h2 = h2_shared_new(net_loop_bufs(h->loop));
	return h->h2;
}

void health_changed(struct health *h, struct probe *p, bool up, const char *why)
{
	h->owner.on_change(h->owner.arg, p->server, up, why);
}

static void note_checked(struct health *h, struct probe *p)
{
	if (!p->initial)
		return;
	p->initial = false;
	h->initial_left--;
}

void health_queue(struct health *h, struct probe *p)
{
	list_push(&h->queue, &p->waiting);
	net_wake(h->waker);
}

void health_over(struct health *h, struct probe *p)
{
	h->active--;
	note_checked(h, p);
	net_wake(h->waker);
}

static void on_wake(void *arg)
{
	struct health *h = arg;

	while (h->active < AT_ONCE && !list_empty(&h->queue)) {
		struct probe *p = LIST_ENTRY(h->queue.next, struct probe, waiting);

		list_remove(&p->waiting);
		h->active++;
		probe_begin(p);
	}
	if (h->updated && !h->settled && h->initial_left == 0) {
		h->settled = true;
		h->owner.on_settled(h->owner.arg);
	}
}

struct health *health_new(struct net_loop *l, const struct health_owner *owner)
{
	struct health *h = mem_zero(sizeof(*h));

	h->loop = l;
	h->owner = *owner;
	list_init(&h->probes);
	list_init(&h->queue);
	h->waker = net_waker_new(l, on_wake, h);
	return h;
}

static void drop(struct health *h, struct probe *p)
{
	if (p->step != PROBE_REST)
		h->active--;
	note_checked(h, p);
	probe_free(p);
}

void health_free(struct health *h)
{
	if (!h)
		return;
	LIST_EACH (&h->probes, it, after) {
		drop(h, LIST_ENTRY(it, struct probe, link));
	}
	hash_table_free(h->by_server);
	net_waker_free(h->waker);
	h2_shared_free(h->h2);
	free(h);
}

/* --- updates ------------------------------------------------------------- */

static struct span key_of(const uint64_t *id)
{
	return (struct span){ .p = (const char *)id, .n = sizeof(*id) };
}

static struct probe *add(struct health *h, const struct pool *pool, size_t i)
{
	struct probe *p = probe_new(h, pool, i);
	const struct config_server *c = &pool_config(pool)->servers[i];

	list_push(&h->probes, &p->link);
	if (!h->updated) {
		p->initial = true;
		h->initial_left++;
	}
	/* Nothing to ask and nowhere to look it up: nobody has to wait for a turn. */
	if (pool_config(pool)->health.type == CONFIG_HEALTH_NONE && c->address.numeric)
		(void)server_set_health(p->server, SERVER_UP, "not checked");
	health_queue(h, p);
	return p;
}

static void see(struct health *h, struct hash_table *now, struct pool *pool, size_t i)
{
	const uint64_t id = server_id(pool_server(pool, i));
	struct probe *p =
		h->by_server ? hash_table_get(h->by_server, key_of(&id)) : NULL;

	if (p)
		probe_move(p, pool, i);
	else
		p = add(h, pool, i);
	p->epoch = h->epoch;
	(void)hash_table_put(now, key_of(&id), p);
}

static void drop_unseen(struct health *h)
{
	LIST_EACH (&h->probes, it, after) {
		struct probe *p = LIST_ENTRY(it, struct probe, link);

		if (p->epoch != h->epoch)
			drop(h, p);
	}
}

void health_update(struct health *h, struct pool *const *pools, size_t n)
{
	struct hash_table *now = hash_table_new(64);

	h->epoch++;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < pool_n_servers(pools[i]); k++)
			see(h, now, pools[i], k);
	}
	drop_unseen(h);
	hash_table_free(h->by_server);
	h->by_server = now;
	h->updated = true;
	net_wake(h->waker);
}
