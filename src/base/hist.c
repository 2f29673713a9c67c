#include "sluice/base/hist.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "sluice/base/mem.h"

enum { MAX_BITS = 26, SUB_BITS = 6, SUB = 1 << SUB_BITS };

static_assert(HIST_MAX_US == UINT64_C(1) << MAX_BITS, "buckets must reach HIST_MAX_US");
static_assert(
	HIST_BUCKETS == (MAX_BITS - SUB_BITS + 1) * SUB, "a row per power of two");

struct hist {
	_Atomic uint32_t count[HIST_BUCKETS];
};

/* SUB linear buckets per power of two. */
static unsigned bucket_of(uint64_t us)
{
	if (us >= HIST_MAX_US)
		us = HIST_MAX_US - 1;
	if (us < SUB)
		return (unsigned)us;
	unsigned shift = 63u - (unsigned)__builtin_clzll(us) - SUB_BITS;
	return (shift + 1) * SUB + (unsigned)((us >> shift) & (SUB - 1));
}

static uint64_t middle_of(unsigned b)
{
	if (b < SUB)
		return b;
	unsigned shift = b / SUB - 1;
	return ((uint64_t)(SUB + b % SUB) << shift) + (UINT64_C(1) << shift) / 2;
}

struct hist *hist_new(void)
{
	return mem_zero(sizeof(struct hist));
}

void hist_free(struct hist *h)
{
	free(h);
}

void hist_record(struct hist *h, uint64_t us)
{
	_Atomic uint32_t *c = &h->count[bucket_of(us)];
	uint32_t n = atomic_load_explicit(c, memory_order_relaxed);

	/* One writer: a plain add, without the bus lock of fetch_add. */
	atomic_store_explicit(c, n + 1, memory_order_relaxed);
}

void hist_add(struct hist_view *sum, const struct hist *h)
{
	for (unsigned b = 0; b < HIST_BUCKETS; b++) {
		uint32_t n = atomic_load_explicit(&h->count[b], memory_order_relaxed);

		sum->count[b] += n;
	}
}

void hist_since(struct hist_view *now, const struct hist_view *then)
{
	for (unsigned b = 0; b < HIST_BUCKETS; b++)
		now->count[b] -= then->count[b];
}

uint64_t hist_count(const struct hist_view *v)
{
	uint64_t sum = 0;

	for (unsigned b = 0; b < HIST_BUCKETS; b++)
		sum += v->count[b];
	return sum;
}

uint64_t hist_quantile(const struct hist_view *v, unsigned permille)
{
	assert(permille >= 1 && permille <= 1000);

	uint64_t rank = (hist_count(v) * permille + 999) / 1000;
	uint64_t seen = 0;
	unsigned b = 0;

	while (seen < rank)
		seen += v->count[b++];
	return b == 0 ? 0 : middle_of(b - 1);
}

void hist_total_look(struct hist_total *t, const struct hist_view *now)
{
	for (unsigned b = 0; b < HIST_BUCKETS; b++) {
		uint32_t came = now->count[b] - t->seen.count[b];

		if (came == 0) /* most are never touched, and stay without a page */
			continue;
		t->count[b] += came;
		t->seen.count[b] = now->count[b];
	}
}
