/*
 * hist - latency histogram that one thread writes and any thread reads.
 *
 * Counts only grow: a window is the difference of two views, taken by the
 * reader, so the writer never resets and nobody locks. Merge views, never
 * quantiles.
 *
 * Values below 64 us are exact; above, a quantile is within 1 %.
 */
#ifndef SLUICE_BASE_HIST_H
#define SLUICE_BASE_HIST_H

#include <stdint.h>

#include "sluice/base/mem.h"

#define HIST_MAX_US (UINT64_C(1) << 26) /* about 67 s; longer counts as this */
#define HIST_BUCKETS (21 * 64)

struct hist;
struct hist_view {
	uint32_t count[HIST_BUCKETS];
};

struct hist *hist_new(void) MUST_USE;
void hist_free(struct hist *h);

/* Only on the thread that owns h. */
void hist_record(struct hist *h, uint64_t us);

/* Adds what h holds now to sum. */
void hist_add(struct hist_view *sum, const struct hist *h);

/* Leaves in now what came after then; counts may have wrapped once. */
void hist_since(struct hist_view *now, const struct hist_view *then);

uint64_t hist_count(const struct hist_view *v);

/* The value, in us, at permille/1000 of v; 0 when v is empty, so ask
 * hist_count() before judging. permille is 1..1000. */
uint64_t hist_quantile(const struct hist_view *v, unsigned permille);

/* Counts that go on past 2^32, for a reader who looks at least once in between. */
struct hist_total {
	uint64_t count[HIST_BUCKETS];
	struct hist_view seen;
};

/* Adds what came since the last look. now: the same histograms each time. */
void hist_total_look(struct hist_total *t, const struct hist_view *now);

#endif
