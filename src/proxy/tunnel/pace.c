/*
 * The pace at which tunnels and streams are asked to leave: so many a second for all
 * threads, each at a moment of its own, so that those who come back do not come at once.
 */
#include "tunnel/tunnel_priv.h"

enum {
	MS_PER_S = 1000,
	JITTER_STEP_MS = 10, /* a loop has one list of timers for each duration */
};

/* A tick's worth at once, and one: of a token that is not whole at a tick, nothing is
 * lost until the next. */
struct config_bucket pace_of(uint32_t rate)
{
	uint32_t ticks_a_second = MS_PER_S / PACE_TICK_MS;

	return (struct config_bucket){ .rate = rate,
		.burst = (rate + ticks_a_second - 1) / ticks_a_second + 1 };
}

uint32_t pace_jitter_ms(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 16) % (PACE_TICK_MS / JITTER_STEP_MS) * JITTER_STEP_MS;
}

uint32_t pace_rate(uint64_t n, uint32_t within_ms)
{
	/* Four fifths of the time, so that the last ones have some too. */
	uint64_t rate = n * 5 / 4 * MS_PER_S / ((uint64_t)within_ms + 1) + 1;

	return rate < PACE_LEAST ? PACE_LEAST : (uint32_t)rate;
}
