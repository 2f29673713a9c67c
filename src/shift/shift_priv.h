/*
 * What the files of shift tell each other: a guard's steps, which only the engine
 * takes, and the sums both keep.
 */
#ifndef SLUICE_SHIFT_PRIV_H
#define SLUICE_SHIFT_PRIV_H

#include <stdint.h>

#include "sluice/shift/guard.h"

void guard_reset(struct guard *g);
void guard_reset_promotion(struct guard *g);
/* dt_ms is 1..1000; c may hold any nonsense. */
void guard_tick(struct guard *g, int64_t dt_ms, const struct guard_counts *c);

static inline double clamp_real(double x, double lo, double hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

static inline int64_t clamp_int(int64_t x, int64_t lo, int64_t hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

/* Counts never wrap: a broken counter may say anything, evidence stays finite. */
static inline int64_t add_capped(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

#endif
