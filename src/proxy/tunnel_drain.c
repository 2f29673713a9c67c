/*
 * Who has to leave, and when: tunnels and endless answers of a side that gets no more
 * traffic, or of a process that ends.
 *
 * Every 100 ms, while there are any, a thread looks at each side of each migration that
 * it has some of. A revert or cutback empties new as on_revert says; a process that
 * drains, and a server that left the configuration, are left by all. Who drains goes at
 * a rate that all threads share, at a moment of its own within the tick.
 */
#include <stdlib.h>

#include "tunnel_priv.h"

enum {
	TICK_MS = 100,
	TICKS_A_REVIEW = 10, /* of servers: they leave seldom */
	JITTER_STEP_MS = 10, /* a loop has one list of timers for each duration */
	LEAST_RATE = 50,
};

/* What one thread has of one side. */
struct group {
	struct link link;
	struct migration *migration; /* NULL: plain pools */
	enum side side;
	struct link tunnels; /* struct tunnel */
	struct link asked;   /* of these, those that leave already */
	struct link streams; /* struct exchange */
};

static bool is_empty(const struct group *g)
{
	return list_empty(&g->tunnels) && list_empty(&g->asked) &&
	       list_empty(&g->streams);
}

/* --- who leaves, and how ----------------------------------------------------------- */

struct way {
	struct bucket *bucket;
	struct config_bucket pace;
	enum ws_code code;
};

static struct config_bucket pace_of(uint32_t rate)
{
	return (struct config_bucket){ .rate = rate,
		.burst = rate * TICK_MS / 1000 + 1 };
}

static bool may_leave(struct thread *t, struct way *w)
{
	return bucket_take(w->bucket, &w->pace, net_loop_now_ns(t->loop));
}

static uint32_t jitter_ms(struct thread *t)
{
	t->jitter = t->jitter * 1664525 + 1013904223;
	return (t->jitter >> 16) % (TICK_MS / JITTER_STEP_MS) * JITTER_STEP_MS;
}

static void ask(struct thread *t, struct group *g, struct tunnel *u, enum ws_code code)
{
	list_remove(&u->link);
	list_push(&g->asked, &u->link);
	if (g->migration != NULL)
		migration_add(
			g->migration, t->index, g->side, COUNT_TUNNELS_DRAINED, 1);
	tunnel_leave_in(u, code, jitter_ms(t));
}

static void drain(struct thread *t, struct group *g, struct way w)
{
	while (!list_empty(&g->tunnels) && may_leave(t, &w))
		ask(t, g, LIST_ENTRY(g->tunnels.next, struct tunnel, link), w.code);
	while (!list_empty(&g->streams) && may_leave(t, &w)) {
		struct exchange *r = LIST_ENTRY(g->streams.next, struct exchange, link);

		list_remove(&r->link);
		response_ends_now(r);
	}
}

static void cut(struct group *g)
{
	while (!list_empty(&g->tunnels))
		tunnel_cut(LIST_ENTRY(g->tunnels.next, struct tunnel, link));
	while (!list_empty(&g->asked))
		tunnel_cut(LIST_ENTRY(g->asked.next, struct tunnel, link));
	while (!list_empty(&g->streams)) {
		struct exchange *r = LIST_ENTRY(g->streams.next, struct exchange, link);

		exchange_cut(r);
	}
}

/* The configuration of now counts, not that of its beginning. */
static const struct config_tunnels *policy_of(
	const struct thread *t, const struct migration *m)
{
	const struct snapshot *s = t->current->snapshot;

	for (size_t i = 0; i < s->n_migrations; i++) {
		if (s->migration[i] == m)
			return &s->config->migrations[i].tunnels;
	}
	return NULL;
}

static void revert(struct thread *t, struct group *g)
{
	const struct config_tunnels *policy = policy_of(t, g->migration);
	struct way w = { .bucket = migration_leaving(g->migration),
		.code = WS_RESTART };

	if (migration_is_hard(g->migration)) {
		cut(g);
		return;
	}
	switch (policy != NULL ? policy->on_revert : CONFIG_DRAIN) {
	case CONFIG_STAY:
		break;
	case CONFIG_DRAIN:
		w.pace = pace_of(policy != NULL ? policy->drain_rate : LEAST_RATE);
		drain(t, g, w);
		break;
	case CONFIG_CUT:
		cut(g);
		break;
	}
}

static void review(struct thread *t, struct group *g)
{
	struct proxy *p = t->proxy;

	if (t->draining)
		drain(t, g,
			(struct way){ .bucket = &p->leaving,
				.pace = pace_of(p->leave_rate),
				.code = WS_GOING_AWAY });
	else if (g->migration != NULL && g->side == SIDE_NEW &&
		 migration_is_latched(g->migration))
		revert(t, g);
}

/* --- servers that left the configuration -------------------------------------------- */

uint32_t tunnels_leave_rate(const struct stats *s, uint32_t within_ms)
{
	/* Four fifths of the time, so that the last ones have some too. */
	uint64_t rate = stats_sum(s, STAT_TUNNELS_OPEN) * 1250 / (within_ms + 1) + 1;

	return rate < LEAST_RATE ? LEAST_RATE : (uint32_t)rate;
}

static void review_servers(struct thread *t, struct group *g)
{
	struct proxy *p = t->proxy;
	uint32_t rate =
		tunnels_leave_rate(p->stats, thread_config(t)->timeouts.drain_ms);
	struct way w = { .bucket = &p->leaving,
		.pace = { .rate = rate, .burst = rate + 1 },
		.code = WS_RESTART };

	LIST_EACH (&g->tunnels, it, next) {
		struct tunnel *u = LIST_ENTRY(it, struct tunnel, link);

		if (server_is_retired(u->server) && may_leave(t, &w))
			ask(t, g, u, w.code);
	}
}

/* --- groups ------------------------------------------------------------------------- */

static void on_tick(void *arg)
{
	struct thread *t = arg;
	bool servers = t->tunnel_ticks++ % TICKS_A_REVIEW == 0;

	LIST_EACH (&t->groups, it, next) {
		struct group *g = LIST_ENTRY(it, struct group, link);

		if (!is_empty(g))
			review(t, g);
		if (servers && !t->draining)
			review_servers(t, g);
		if (is_empty(g)) {
			list_remove(&g->link);
			free(g);
		}
	}
	if (list_empty(&t->groups)) {
		net_ticker_free(t->tunnel_ticker);
		t->tunnel_ticker = NULL;
	}
}

static struct group *group_of(struct thread *t, struct migration *m, enum side side)
{
	struct group *g;

	LIST_EACH (&t->groups, it, next) {
		g = LIST_ENTRY(it, struct group, link);
		if (g->migration == m && g->side == side)
			return g;
	}
	g = mem_zero(sizeof(*g));
	g->migration = m;
	g->side = side;
	list_init(&g->tunnels);
	list_init(&g->asked);
	list_init(&g->streams);
	list_push(&t->groups, &g->link);
	if (t->tunnel_ticker == NULL)
		t->tunnel_ticker =
			net_ticker_new(t->loop, TICK_MS, NET_LAST, on_tick, t);
	return g;
}

void tunnel_join(struct tunnel *t)
{
	list_push(&group_of(t->thread, t->migration, t->side)->tunnels, &t->link);
}

void stream_join(struct exchange *r)
{
	list_push(&group_of(r->thread, r->migration, r->side)->streams, &r->link);
}

/* After the last tunnel. */
void tunnels_fini(struct thread *t)
{
	LIST_EACH (&t->groups, it, next) {
		struct group *g = LIST_ENTRY(it, struct group, link);

		list_remove(&g->link);
		free(g);
	}
	net_ticker_free(t->tunnel_ticker);
	net_ticker_free(t->upgrade_ticker);
	slab_fini(&t->tunnels);
}
