/*
 * Which server of a pool gets the next attempt.
 *
 * Round robin takes turns (turn.c). Least in flight compares what is in flight over all
 * threads, divided by weight, and takes turns among those that have the fewest: an idle
 * pool follows its weights exactly, a loaded one evens out, and no server that has a
 * weight is starved (S43, weights when calm).
 */
#include <assert.h>

#include "pool_priv.h"

static bool was_tried(const struct pool_wish *wish, const struct server *s)
{
	for (unsigned i = 0; i < wish->n_tried; i++) {
		if (wish->tried[i] == s)
			return true;
	}
	return false;
}

static bool has_address(const struct server *s)
{
	return atomic_load_explicit(&s->where_len, memory_order_relaxed) > 0;
}

/* Whether the server may get requests at all. */
static bool serves(const struct server *s, bool unknown_counts)
{
	return server_is_usable(s) &&
	       (unknown_counts || server_health(s) != SERVER_UNKNOWN);
}

enum fitness { UNFIT, BUSY, FIT };

static enum fitness fitness_of(
	const struct pool *p, size_t i, const struct pool_wish *wish, bool again)
{
	const struct server *s = p->server[i];
	const struct config_server *c = &p->config->servers[i];

	if (c->weight == 0 || (!again && was_tried(wish, s)))
		return UNFIT;
	if (wish->fail_open ? !has_address(s) : !serves(s, wish->unknown_counts))
		return UNFIT;
	if (c->max_requests > 0 && server_in_flight(s) >= c->max_requests)
		return BUSY;
	return FIT;
}

struct choice {
	size_t best;
	bool found, busy;
	uint64_t in_flight; /* of best */
};

static bool goes_by_load(const struct pool *p)
{
	switch (p->config->balance) {
	case CONFIG_ROUND_ROBIN:
		break;
	case CONFIG_LEAST_INFLIGHT:
	case CONFIG_PEAK_EWMA:
	case CONFIG_HASH:
		return true;
	}
	return false;
}

/* Less than 0: server i has fewer in flight by its weight than the best so far. */
static int compare_load(
	const struct pool *p, size_t i, uint64_t in_flight, const struct choice *c)
{
	uint64_t mine = in_flight * p->config->servers[c->best].weight;
	uint64_t best = c->in_flight * p->config->servers[i].weight;

	return mine < best ? -1 : mine > best;
}

/* Those with the fewest in flight by weight are the round in which turns are taken. */
static void weigh(struct pool *p, size_t i, struct turns *turns, struct choice *c)
{
	uint64_t in_flight = goes_by_load(p) ? server_in_flight(p->server[i]) : 0;
	int more = c->found ? compare_load(p, i, in_flight, c) : -1;

	if (more > 0)
		return;
	if (more < 0) {
		turns->n = 0;
		c->best = i;
		c->in_flight = in_flight;
		c->found = true;
	}
	turns->index[turns->n++] = (uint32_t)i;
}

static struct choice choose(struct pool *p, const struct pool_wish *wish, bool again)
{
	struct turns *turns = &p->cell[wish->thread].turns;
	struct choice c = { .found = false };

	turns_begin(p, wish->thread);
	turns->n = 0;
	for (size_t i = 0; i < p->n; i++) {
		enum fitness fit = fitness_of(p, i, wish, again);

		c.busy |= fit == BUSY;
		if (fit == FIT)
			weigh(p, i, turns, &c);
	}
	return c;
}

static uint64_t in_flight_of(const struct pool *p)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->n; i++)
		sum += server_in_flight(p->server[i]);
	return sum;
}

static bool is_full(const struct pool *p)
{
	return p->config->max_requests > 0 &&
	       in_flight_of(p) >= p->config->max_requests;
}

/* Others may have taken the last place at the same time. Each thread says first that it
 * takes one, and looks then: of two that pass a bound together one sees the other at
 * least, so that it is never passed. False: too many, and this one is not among them. */
static bool take(const struct pool *p, size_t i, unsigned thread)
{
	uint32_t most = p->config->servers[i].max_requests;
	struct server *s = p->server[i];

	server_hold(s, thread);
	if (most == 0 && p->config->max_requests == 0)
		return true;
	atomic_thread_fence(memory_order_seq_cst);
	if ((most == 0 || server_in_flight(s) <= most) &&
		(p->config->max_requests == 0 ||
			in_flight_of(p) <= p->config->max_requests))
		return true;
	server_release(s, thread);
	return false;
}

struct server *pool_pick(
	struct pool *p, const struct pool_wish *wish, enum pool_miss *miss)
{
	struct choice c;

	if (is_full(p)) {
		*miss = POOL_ALL_BUSY;
		return NULL;
	}
	c = choose(p, wish, false);
	if (!c.found && wish->n_tried > 0)
		c = choose(p, wish, true);
	if (!c.found) {
		*miss = c.busy ? POOL_ALL_BUSY : POOL_NONE_USABLE;
		return NULL;
	}
	if (!wish->has_waited && pool_is_awaited(p)) {
		*miss = POOL_ALL_BUSY; /* first come, first served */
		return NULL;
	}
	c.best = turn_take(p, wish->thread);
	if (!take(p, c.best, wish->thread)) {
		*miss = POOL_ALL_BUSY;
		return NULL;
	}
	count_add(&p->server[c.best]->cell[wish->thread].requests, 1);
	return p->server[c.best];
}

struct pool_capacity pool_capacity(const struct pool *p, bool unknown_counts)
{
	struct pool_capacity sum = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		const struct server *s = p->server[i];

		sum.total += p->config->servers[i].weight;
		sum.n_ejected += server_is_ejected(s);
		/* One of weight 0 gets no requests: it is nobody's hope. */
		if (!serves(s, unknown_counts) || p->config->servers[i].weight == 0)
			continue;
		sum.usable += p->config->servers[i].weight;
		sum.n_usable++;
	}
	return sum;
}
