/* Memory: there, or the process ends with a line that says so; or refused, where the
 * caller knows what to do then. */
#include "sluice/base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/log.h"
#include "sluice/base/reserve.h"

enum { CACHE_LINE = 64 };

static void *there(void *p, size_t bytes)
{
	if (p == NULL) {
		log_error("out of memory", "bytes=%zu", bytes);
		abort();
	}
	return p;
}

static void *aligned(size_t bytes)
{
	if (bytes == 0 || bytes % CACHE_LINE != 0)
		return malloc(bytes);
	return aligned_alloc(CACHE_LINE, bytes);
}

/* malloc(0) may be NULL, and realloc(p, 0) may free: ask for a byte instead. */
static size_t at_least_one(size_t bytes)
{
	return bytes == 0 ? 1 : bytes;
}

/* What calls these cannot go on without: it gets the last of the reserve too. */
void *mem_alloc(size_t bytes)
{
	return mem_grow(NULL, bytes);
}

void *mem_zero(size_t bytes)
{
	void *p;

	do {
		p = aligned(at_least_one(bytes));
	} while (p == NULL && reserve_release(true));
	return memset(there(p, bytes), 0, bytes);
}

void *mem_grow(void *p, size_t bytes)
{
	void *larger;

	do {
		larger = realloc(p, at_least_one(bytes));
	} while (larger == NULL && reserve_release(true));
	return there(larger, bytes);
}

void *mem_try(size_t bytes)
{
	return mem_try_grow(NULL, bytes);
}

void *mem_try_zero(size_t bytes)
{
	void *p = mem_try(bytes);

	return p != NULL ? memset(p, 0, bytes) : NULL;
}

void *mem_try_grow(void *p, size_t bytes)
{
	void *larger;

	if (memory_level() == MEMORY_OUT && !reserve_is_entitled())
		return NULL;
	do {
		larger = realloc(p, at_least_one(bytes));
	} while (larger == NULL && reserve_release(false));
	return larger;
}

char *mem_text(const char *text)
{
	return mem_text_n(text, strlen(text));
}

char *mem_text_n(const char *p, size_t n)
{
	char *copy = mem_alloc(n + 1);

	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

/* First in, first out: so all of it is one piece at the heap's end when the last is
 * given back, and the kernel gets the pages at once. */
void mem_unlock_heap(size_t bytes)
{
	enum { BLOCK = 120 * 1024 }; /* the largest that is not mapped by itself */
	struct block {
		struct block *next;
	} *first = NULL, **end = &first;

	for (size_t n = 0; n < bytes; n += BLOCK) {
		*end = malloc(BLOCK);
		if (*end == NULL)
			break;
		(*end)->next = NULL;
		end = &(*end)->next;
	}
	while (first != NULL) {
		struct block *next = first->next;

		free(first);
		first = next;
	}
}

void mem_return(void)
{
	(void)malloc_trim(0);
}

char *mem_print(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n == -1 ? there(NULL, strlen(fmt)) : text;
}
