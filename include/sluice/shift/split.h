/*
 * shift/split - who gets the next request: error diffusion, exact in any window
 * (docs/architecture.md, The split).
 */
#ifndef SLUICE_SHIFT_SPLIT_H
#define SLUICE_SHIFT_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

struct split {
	uint32_t carry; /* 0..999999 */
};

/* The phase of one data thread of several. */
void split_init(struct split *s, unsigned thread, unsigned threads);
/* Whether this one is new's, when new has ppm of a million. 0 never, 1000000 always. */
bool split_next(struct split *s, uint32_t ppm);

#endif
