/*
 * How many retries a thread may make: a share of its requests, and ten a second
 * over all threads, so that a quiet service can retry at all.
 *
 * What is saved is bounded, so that hours of good traffic are no licence for a storm.
 */
#include "sluice/base/units.h"

#include "pool_priv.h"

enum { AT_LEAST_A_SECOND = 10, START = 10, SAVED_MAX = 200 };

void budget_init(struct budget *b, unsigned threads)
{
	*b = (struct budget){
		.tokens_ppm = (int64_t)START * PPM,
		.per_second_ppm = AT_LEAST_A_SECOND * PPM / threads,
	};
}

static void save(struct budget *b, int64_t ppm)
{
	b->tokens_ppm += ppm;
	if (b->tokens_ppm > (int64_t)SAVED_MAX * PPM)
		b->tokens_ppm = (int64_t)SAVED_MAX * PPM;
}

void budget_earn(struct budget *b, uint32_t ppm)
{
	save(b, ppm);
}

bool budget_spend(struct budget *b, uint64_t now_ns)
{
	uint64_t ms;

	if (b->last_ns == 0)
		b->last_ns = now_ns;
	ms = (now_ns - b->last_ns) / NS_PER_MS;
	b->last_ns += ms * NS_PER_MS; /* what is less than one counts next time */
	if (ms > 20000)
		ms = 20000;
	save(b, (int64_t)(ms * b->per_second_ppm / 1000));
	if (b->tokens_ppm < PPM)
		return false;
	b->tokens_ppm -= PPM;
	return true;
}
