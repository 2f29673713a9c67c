/*
 * Buffers in three sizes. All bytes of a buffer are in one piece, so that
 * parsers and system calls can take them as they are.
 */
#include "sluice/base/buf.h"

#include <assert.h>

/* About 4 MiB of each size stay with the thread for the next taker. */
enum { KEEP_BYTES = 1 << 22 };

void buf_pool_init(struct buf_pool *pool, size_t max_large)
{
	slab_init(&pool->small, BUF_SMALL, 0, KEEP_BYTES / BUF_SMALL);
	slab_init(&pool->medium, BUF_MEDIUM, 0, KEEP_BYTES / BUF_MEDIUM);
	slab_init(&pool->large, BUF_LARGE, max_large, KEEP_BYTES / BUF_LARGE);
}

void buf_pool_fini(struct buf_pool *pool)
{
	slab_fini(&pool->large);
	slab_fini(&pool->medium);
	slab_fini(&pool->small);
}

size_t buf_pool_trim(struct buf_pool *pool)
{
	return slab_trim(&pool->large) + slab_trim(&pool->medium) +
	       slab_trim(&pool->small);
}

/* The smallest size that holds bytes, which are at most BUF_LARGE. */
static struct slab *slab_for(struct buf_pool *pool, size_t bytes)
{
	if (bytes <= BUF_SMALL)
		return &pool->small;
	return bytes <= BUF_MEDIUM ? &pool->medium : &pool->large;
}

static void move_to_front(struct buf *b)
{
	size_t n = buf_len(b);

	memmove(b->data, buf_head(b), n);
	b->head = 0;
	b->tail = (uint32_t)n;
}

static bool move_to_larger(struct buf_pool *pool, struct buf *b, size_t bytes)
{
	struct slab *slab = slab_for(pool, bytes);
	struct buf larger = {
		.data = slab_take(slab),
		.cap = (uint32_t)slab->object_bytes,
	};

	if (larger.data == NULL)
		return false;
	if (buf_len(b) > 0)
		buf_add(&larger, buf_head(b), buf_len(b));
	buf_release(pool, b);
	*b = larger;
	return true;
}

bool buf_reserve(struct buf_pool *pool, struct buf *b, size_t room)
{
	if (buf_room(b) >= room)
		return true;
	if (room > BUF_LARGE - buf_len(b))
		return false;

	/* A larger buffer would cost the same copy, and memory too. */
	size_t bytes = buf_len(b) + room;
	if (bytes <= b->cap) {
		move_to_front(b);
		return true;
	}
	return move_to_larger(pool, b, bytes);
}

void buf_release(struct buf_pool *pool, struct buf *b)
{
	if (b->data != NULL)
		slab_give(slab_for(pool, b->cap), b->data);
	*b = (struct buf){ .data = NULL };
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	assert(n <= buf_room(b));
	if (n == 0)
		return;
	memcpy(buf_tail(b), p, n);
	b->tail += (uint32_t)n;
}

void buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.n);
}

void buf_drop(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->head += (uint32_t)n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}
