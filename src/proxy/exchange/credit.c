/*
 * Whether a client keeps up, who sends a byte at a time, or takes one (Slowloris).
 *
 * It has credit: time for which it may be waited for. Waiting spends it, and each byte
 * that comes from the client, or goes to it, earns some back. While the other side is
 * waited for, nothing is spent. Who was fast does not save up for later.
 */
#include "exchange/exchange_priv.h"

enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000 };

static uint64_t earned_ns(uint64_t bytes, uint32_t rate)
{
	if (bytes > UINT32_MAX) /* more than any credit */
		bytes = UINT32_MAX;
	return bytes * NS_PER_S / rate;
}

bool credit_lasts(struct credit *c, const struct credit_terms *t, bool waiting,
	uint64_t bytes, uint64_t now_ns)
{
	uint64_t spent_ns = c->spent_ns, back_ns = 0;

	if (c->since_ns != 0)
		spent_ns += now_ns - c->since_ns;
	if (spent_ns > 0)
		back_ns = earned_ns(bytes - c->bytes, t->rate);
	c->spent_ns = spent_ns > back_ns ? spent_ns - back_ns : 0;
	c->bytes = bytes;
	c->since_ns = waiting ? now_ns : 0;
	return !waiting || c->spent_ns <= (uint64_t)t->grace_ms * NS_PER_MS;
}
