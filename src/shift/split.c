/*
 * The split: error diffusion. Each request adds new's share to a carry; whenever the
 * carry reaches a whole, that request is new's. So any window of n requests of one
 * thread is within one request of the exact share, without randomness or drift.
 *
 * Threads start at different phases, evenly spread: otherwise all of them would send
 * their first request to new at the same moment and none for long after.
 */
#include "sluice/shift/split.h"

#include <assert.h>

enum { WHOLE = 1000000 };

void split_init(struct split *s, unsigned thread, unsigned threads)
{
	assert(thread < threads);

	uint64_t middle = (2 * (uint64_t)thread + 1) * WHOLE / (2 * (uint64_t)threads);

	*s = (struct split){ .carry = (uint32_t)middle };
}

bool split_next(struct split *s, uint32_t ppm)
{
	if (ppm >= WHOLE)
		return true;
	s->carry += ppm;
	if (s->carry < WHOLE)
		return false;
	s->carry -= WHOLE;
	return true;
}
