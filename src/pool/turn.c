/*
 * Whose turn it is among servers that may all be taken: smooth weighted round robin. In
 * each round every one of them gains its weight, the one that has most is taken and pays
 * what all have gained. So 5:1:1 is spread and no burst of five; the first request of each
 * comes within the sum of the weights divided by its own.
 *
 * What a server has gained stays with it, for each data thread: a reload in the middle
 * of a round goes on with that round, and a server of weight 1 beside one of 99 gets its
 * hundredth however often the file is read. What was gained beside other servers or
 * under other weights counts for one round of these at most.
 */
#include <stdlib.h>

#include "pool_priv.h"

/* So far apart threads begin at most, in rounds: it costs a walk over all servers each. */
enum { APART_MAX = 64 };

static int64_t greatest_divisor(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

void turns_init(struct pool *p)
{
	int64_t divisor = 0;

	for (size_t i = 0; i < p->n; i++) {
		p->sum_weights += p->config->servers[i].weight;
		divisor = greatest_divisor(p->config->servers[i].weight, divisor);
	}
	p->cycle = divisor > 0 ? p->sum_weights / divisor : 0;
	for (unsigned t = 0; t < p->n_cells; t++)
		p->cell[t].turns.index = mem_zero(p->n * sizeof(uint32_t));
}

void turns_fini(struct pool *p)
{
	for (unsigned t = 0; t < p->n_cells; t++)
		free(p->cell[t].turns.index);
}

static int64_t *gained(const struct pool *p, size_t i, unsigned thread)
{
	int64_t *turn = &p->server[i]->cell[thread].turn;

	if (*turn > p->sum_weights)
		*turn = p->sum_weights;
	else if (*turn < -p->sum_weights)
		*turn = -p->sum_weights;
	return turn;
}

size_t turn_take(struct pool *p, unsigned thread)
{
	const struct turns *turns = &p->cell[thread].turns;
	int64_t sum = 0, most = INT64_MIN;
	size_t best = 0;

	for (size_t k = 0; k < turns->n; k++) {
		size_t i = turns->index[k];
		int64_t *turn = gained(p, i, thread);

		*turn += p->config->servers[i].weight;
		sum += p->config->servers[i].weight;
		if (*turn > most) {
			most = *turn;
			best = i;
		}
	}
	p->server[best]->cell[thread].turn -= sum;
	return best;
}

/* Threads begin apart, or the first requests of all of them would meet at one server.
 * Only where the pool is new to the thread: else its servers stand where they stood. */
static void begin(struct pool *p, unsigned thread)
{
	struct turns *turns = &p->cell[thread].turns;
	int64_t apart = p->cycle / p->n_cells;
	bool is_new = true;

	turns->n = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct server_cell *c = &p->server[i]->cell[thread];

		is_new &= !c->has_turn;
		c->has_turn = true;
		if (p->config->servers[i].weight > 0)
			turns->index[turns->n++] = (uint32_t)i;
	}
	apart = apart < 1 ? 1 : apart > APART_MAX ? APART_MAX : apart;
	for (int64_t k = 0; is_new && turns->n > 0 && k < apart * thread; k++)
		(void)turn_take(p, thread);
}

void turns_begin(struct pool *p, unsigned thread)
{
	struct turns *turns = &p->cell[thread].turns;

	if (turns->begun)
		return;
	turns->begun = true;
	begin(p, thread);
}
