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

#include "tunnel/tunnel_priv.h"

enum {
	TICKS_A_REVIEW = 10, /* of servers: they leave seldom */
	/* A call that is cut has so long to take what came before, and its end. */
	TAKE_MS = 2000,
};

/* What one thread has of one side. */
struct group {
	struct link link;
	struct migration *migration; /* NULL: plain pools */
	enum side side;
	struct link tunnels; /* struct tunnel */
	struct link asked;   /* of these, those that leave already */
	struct link streams; /* struct exchange */
	struct link leaving; /* of these, calls that were asked to end */
};

static bool is_empty(const struct group *g)
{
	return list_empty(&g->tunnels) && list_empty(&g->asked) &&
	       list_empty(&g->streams) && list_empty(&g->leaving);
}

/* --- who leaves, and how ----------------------------------------------------------- */

struct way {
	struct bucket *bucket;
	struct config_bucket pace;
	enum ws_code code;
};

static bool may_leave(struct thread *t, struct way *w)
{
	return bucket_take(w->bucket, &w->pace, net_loop_now_ns(t->loop));
}

static void ask(struct thread *t, struct group *g, struct tunnel *u, enum ws_code code)
{
	list_remove(&u->link);
	list_push(&g->asked, &u->link);
	if (g->migration != NULL)
		migration_add(
			g->migration, t->index, g->side, COUNT_TUNNELS_DRAINED, 1);
	tunnel_leave_in(u, code, pace_jitter_ms(&t->jitter));
}

/* Events end at once, their client comes back. A call may end by itself; its client is
 * told to make the next one on another connection. */
static void ask_stream(struct thread *t, struct group *g, struct exchange *r)
{
	list_remove(&r->grouped);
	if (r->is_events) {
		response_half_ends_now(r);
		return;
	}
	r->leave_ns = net_loop_now_ns(t->loop) +
		      UINT64_C(1000000) * thread_config(t)->timeouts.drain_ms;
	list_push(&g->leaving, &r->grouped);
	if (r->client->streams != NULL)
		streams_drain(r->client);
}

static struct exchange *first_of(const struct link *streams)
{
	return LIST_ENTRY(streams->next, struct exchange, grouped);
}

/* They have been asked one by one, and so they are ended. */
static void end_late(struct thread *t, struct group *g)
{
	while (!list_empty(&g->leaving) &&
		first_of(&g->leaving)->leave_ns <= net_loop_now_ns(t->loop)) {
		struct exchange *r = first_of(&g->leaving);

		list_remove(&r->grouped);
		response_half_ends_now(r);
	}
}

static void drain(struct thread *t, struct group *g, struct way w)
{
	while (!list_empty(&g->tunnels) && may_leave(t, &w))
		ask(t, g, LIST_ENTRY(g->tunnels.next, struct tunnel, link), w.code);
	while (!list_empty(&g->streams) && may_leave(t, &w))
		ask_stream(t, g, first_of(&g->streams));
	end_late(t, g);
}

/* A call's client is told what to do, behind what is on its way to it already. Who does
 * not take that is cut off. */
static void cut_stream(struct thread *t, struct group *g, struct exchange *r)
{
	uint64_t now_ns = net_loop_now_ns(t->loop);

	list_remove(&r->grouped);
	if (!r->grpc || (r->ends_now && r->leave_ns <= now_ns)) {
		exchange_cut(r);
		return;
	}
	list_push(&g->leaving, &r->grouped);
	if (r->ends_now)
		return;
	r->leave_ns = now_ns + TAKE_MS * UINT64_C(1000000);
	response_half_ends_now(r);
}

static void cut(struct thread *t, struct group *g)
{
	struct link calls;

	while (!list_empty(&g->tunnels))
		tunnel_cut(LIST_ENTRY(g->tunnels.next, struct tunnel, link));
	while (!list_empty(&g->asked))
		tunnel_cut(LIST_ENTRY(g->asked.next, struct tunnel, link));
	list_init(&calls);
	list_take(&calls, &g->streams);
	list_take(&calls, &g->leaving);
	while (!list_empty(&calls))
		cut_stream(t, g, first_of(&calls));
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
		cut(t, g);
		return;
	}
	switch (policy != NULL ? policy->on_revert : CONFIG_DRAIN) {
	case CONFIG_STAY:
		break;
	case CONFIG_DRAIN:
		w.pace = pace_of(policy != NULL ? policy->drain_rate : PACE_LEAST);
		drain(t, g, w);
		break;
	case CONFIG_CUT:
		cut(t, g);
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
	else
		list_take(&g->streams, &g->leaving); /* they may stay after all */
}

/* --- servers that left the configuration -------------------------------------------- */

uint32_t tunnels_leave_rate(const struct stats *s, uint32_t within_ms)
{
	return pace_rate(stats_sum(s, STAT_TUNNELS_OPEN), within_ms);
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
	list_init(&g->leaving);
	list_push(&t->groups, &g->link);
	if (t->tunnel_ticker == NULL)
		t->tunnel_ticker =
			net_ticker_new(t->loop, PACE_TICK_MS, NET_LAST, on_tick, t);
	return g;
}

void tunnel_join(struct tunnel *t)
{
	list_push(&group_of(t->thread, t->migration, t->side)->tunnels, &t->link);
}

void stream_join(struct exchange *r)
{
	list_push(&group_of(r->thread, r->migration, r->side)->streams, &r->grouped);
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
