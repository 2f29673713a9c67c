/*
 * mem - memory that is either there or ends the process, and memory that may be refused.
 *
 * mem_* logs and aborts when the system has none and the reserve (base/reserve.h) is used
 * up: for what is bounded by the configuration, and for control. What grows with traffic
 * takes from a slab or by mem_try, where running out is an ordinary refusal.
 */
#ifndef SLUICE_BASE_MEM_H
#define SLUICE_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))

/* Free with free(). mem_zero is cleared and aligned to a cache line if
 * bytes is a multiple of one. */
void *mem_alloc(size_t bytes) MUST_USE;
void *mem_zero(size_t bytes) MUST_USE;
void *mem_grow(void *p, size_t bytes) MUST_USE;
/* NULL: refused. p as in realloc, which leaves what p is when it is refused. */
void *mem_try(size_t bytes) MUST_USE;
void *mem_try_zero(size_t bytes) MUST_USE;
void *mem_try_grow(void *p, size_t bytes) MUST_USE;
char *mem_text(const char *text) MUST_USE;
char *mem_text_n(const char *p, size_t n) MUST_USE;
char *mem_print(const char *fmt, ...) __attribute__((format(printf, 1, 2))) MUST_USE;

/* Lets the calling thread's heap grow to that size without a system call for each
 * page: glibc unlocks a thread's heap as it grows, by no more than is asked for. Costs
 * addresses, and no memory until it is used. */
void mem_unlock_heap(size_t bytes);

/* Lets the system have the pages in which nothing is left, also those that lie between
 * others: free() gives back no more than the end of a heap. */
void mem_return(void);

/*
 * Objects of one size for one thread. What is given back is kept for the
 * next taker, most recently used first; slab_fini frees all, and asserts
 * that nothing is still out.
 */
struct slab {
	size_t object_bytes;
	size_t max_objects; /* 0: no bound */
	size_t out;         /* objects taken and not given back */
	size_t kept;        /* objects waiting in the free list */
	size_t keep_max;    /* more than this are returned to the system */
	size_t unused;      /* the fewest that waited since the last slab_trim */
	void *free_list;
};

void slab_init(
	struct slab *s, size_t object_bytes, size_t max_objects, size_t keep_max);
void slab_fini(struct slab *s);

/* NULL when max_objects are out or the system has no memory. The bytes are
 * whatever they were. */
void *slab_take(struct slab *s) MUST_USE;
void slab_give(struct slab *s, void *object);
/* Frees as many as nobody needed since the last time: those that only a peak made. The
 * bytes of them. */
size_t slab_trim(struct slab *s);

#endif
