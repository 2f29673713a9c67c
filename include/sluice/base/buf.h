/*
 * buf - a run of bytes with room behind it, taken from a thread's pool.
 *
 * Bytes live in [head, tail) of data. A buffer comes in one of three sizes and
 * moves up a size when asked to grow; so its memory is bounded and comes back
 * to the thread. A struct buf without memory (data NULL) is valid and empty.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/base/mem.h"
#include "sluice/base/span.h"

enum { BUF_SMALL = 4096, BUF_MEDIUM = 17408, BUF_LARGE = 131072 };

struct buf_pool {
	struct slab small, medium, large;
};

struct buf {
	char *data;
	uint32_t cap, head, tail;
};

void buf_pool_init(struct buf_pool *pool, size_t max_large);
void buf_pool_fini(struct buf_pool *pool);
/* slab_trim of each size. */
size_t buf_pool_trim(struct buf_pool *pool);

/* Room for at least room bytes behind tail: by memory if there is none, by
 * moving the bytes to the front, or by a larger size. Pointers into the bytes are then
 * invalid; offsets from head stay right. False, and nothing changed, when
 * more than BUF_LARGE would be needed or the pool is exhausted. */
bool buf_reserve(struct buf_pool *pool, struct buf *b, size_t room) MUST_USE;
void buf_release(struct buf_pool *pool, struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

static inline size_t buf_room(const struct buf *b)
{
	return b->cap - b->tail;
}

static inline char *buf_head(const struct buf *b)
{
	return b->data + b->head;
}

static inline char *buf_tail(const struct buf *b)
{
	return b->data + b->tail;
}

/* The caller has made sure of the room. */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_span(struct buf *b, struct span s);

/* Takes n bytes off the front; an emptied buffer starts again at 0. */
void buf_drop(struct buf *b, size_t n);

#endif
