/*
 * Objects of one size, kept in a list that runs through the objects
 * themselves. Most recently used first: that one is still in the cache.
 */
#include "sluice/base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* Does nothing but under AddressSanitizer, which then sees every use of an
 * object that has been given back. */
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

struct kept {
	struct kept *next; /* not poisoned: the leak checker follows it */
};

static void hide(const struct slab *s, struct kept *k)
{
	ASAN_POISON_MEMORY_REGION(k + 1, s->object_bytes - sizeof(*k));
}

static void show(const struct slab *s, struct kept *k)
{
	ASAN_UNPOISON_MEMORY_REGION(k + 1, s->object_bytes - sizeof(*k));
}

void slab_init(struct slab *s, size_t object_bytes, size_t max_objects, size_t keep_max)
{
	if (object_bytes < sizeof(struct kept))
		object_bytes = sizeof(struct kept);
	*s = (struct slab){
		.object_bytes = object_bytes,
		.max_objects = max_objects,
		.keep_max = keep_max,
	};
}

static void *pop(struct slab *s)
{
	struct kept *k = s->free_list;

	s->free_list = k->next;
	s->kept--;
	if (s->unused > s->kept)
		s->unused = s->kept;
	show(s, k);
	return k;
}

void slab_fini(struct slab *s)
{
	assert(s->out == 0);
	while (s->free_list != NULL)
		free(pop(s));
}

void *slab_take(struct slab *s)
{
	if (s->max_objects != 0 && s->out >= s->max_objects)
		return NULL;
	void *object = s->free_list != NULL ? pop(s) : mem_try(s->object_bytes);
	if (object != NULL)
		s->out++;
	return object;
}

void slab_give(struct slab *s, void *object)
{
	struct kept *k = object;

	if (object == NULL)
		return;
	assert(s->out > 0);
	s->out--;
	if (s->kept >= s->keep_max) {
		free(object);
		return;
	}
	k->next = s->free_list;
	s->free_list = k;
	s->kept++;
	hide(s, k);
}

size_t slab_trim(struct slab *s)
{
	size_t n = s->unused;

	for (size_t i = 0; i < n; i++)
		free(pop(s));
	s->unused = s->kept;
	return n * s->object_bytes;
}
