/* The generic cell rate algorithm: a bucket's level is how far its full moment is away. */
#include "sluice/pool/bucket.h"

#include <assert.h>

static const uint64_t second_ns = 1000000000;

/* The full moment once one more is taken, 0: it is empty. */
static uint64_t after_one(const struct config_bucket *c, uint64_t full, uint64_t now_ns)
{
	uint64_t each = second_ns / c->rate;
	uint64_t next = (full > now_ns ? full : now_ns) + each;

	return next - now_ns > each * c->burst ? 0 : next;
}

bool bucket_has(const struct bucket *b, const struct config_bucket *c, uint64_t now_ns)
{
	uint64_t full = atomic_load_explicit(&b->full_ns, memory_order_relaxed);

	return c->rate == 0 || after_one(c, full, now_ns) != 0;
}

bool bucket_take(struct bucket *b, const struct config_bucket *c, uint64_t now_ns)
{
	uint64_t full = atomic_load_explicit(&b->full_ns, memory_order_relaxed), next;

	if (c->rate == 0)
		return true;
	do {
		next = after_one(c, full, now_ns);
		if (next == 0)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&b->full_ns, &full, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}

bool bucket_is_awaited(const struct bucket *b)
{
	return atomic_load_explicit(&b->waiting, memory_order_relaxed) > 0;
}

bool bucket_join(struct bucket *b, const struct config_bucket *c)
{
	uint32_t before =
		atomic_fetch_add_explicit(&b->waiting, 1, memory_order_relaxed);

	if (before < c->queue)
		return true;
	bucket_leave(b);
	return false;
}

void bucket_leave(struct bucket *b)
{
	uint32_t before =
		atomic_fetch_sub_explicit(&b->waiting, 1, memory_order_relaxed);

	assert(before > 0);
}
