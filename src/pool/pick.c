/*
 * Which server of a pool gets the next attempt.
 *
 * Round robin is the smooth weighted one (each server gains its weight, the richest
 * is taken and pays the sum), so that 5:1:1 is spread and not a burst of five. Least in
 * flight compares in-flight by weight over all threads, and takes turns among equals.
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

/* Both choose by walking all servers once from the thread's cursor. */
struct choice {
	size_t best;
	bool found, busy;
	uint64_t load; /* of best, by weight */
	int64_t sum;   /* of the weights of all that fit */
};

static void weigh_in_flight(const struct pool *p, size_t i, struct choice *c)
{
	uint64_t weight = p->config->servers[i].weight;
	uint64_t load = ((uint64_t)server_in_flight(p->server[i]) + 1) * PPM / weight;

	if (c->found && load >= c->load)
		return;
	c->found = true;
	c->load = load;
	c->best = i;
}

static void weigh_turn(
	const struct pool *p, size_t i, struct pool_cell *cell, struct choice *c)
{
	int64_t weight = p->config->servers[i].weight;

	c->sum += weight;
	cell->current[i] += weight;
	if (c->found && cell->current[i] <= cell->current[c->best])
		return;
	c->found = true;
	c->best = i;
}

static struct choice choose(struct pool *p, const struct pool_wish *wish, bool again)
{
	struct pool_cell *cell = &p->cell[wish->thread];
	struct choice c = { .found = false };

	for (size_t k = 0; k < p->n; k++) {
		size_t i = (cell->cursor + k) % p->n;
		enum fitness fit = fitness_of(p, i, wish, again);

		c.busy |= fit == BUSY;
		if (fit != FIT)
			continue;
		switch (p->config->balance) {
		case CONFIG_ROUND_ROBIN:
			weigh_turn(p, i, cell, &c);
			break;
		case CONFIG_LEAST_INFLIGHT:
		case CONFIG_PEAK_EWMA:
		case CONFIG_HASH:
			weigh_in_flight(p, i, &c);
			break;
		}
	}
	if (!c.found)
		return c;
	if (p->config->balance == CONFIG_ROUND_ROBIN)
		cell->current[c.best] -= c.sum;
	else
		cell->cursor = (c.best + 1) % p->n;
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

bool pool_queue_enter(struct pool *p)
{
	uint32_t before =
		atomic_fetch_add_explicit(&p->waiting, 1, memory_order_relaxed);

	if (p->config->max_pending == 0 || before < p->config->max_pending)
		return true;
	pool_queue_leave(p);
	return false;
}

void pool_queue_leave(struct pool *p)
{
	atomic_fetch_sub_explicit(&p->waiting, 1, memory_order_relaxed);
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
