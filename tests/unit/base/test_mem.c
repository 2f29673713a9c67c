/* mem - memory that is there, and slabs of objects of one size. */
#include "sluice/base/mem.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

Test(mem, zeroed_memory_is_zero_and_stands_on_a_cache_line)
{
	static const char zeros[192];

	char *p = mem_zero(sizeof(zeros));

	cr_expect_arr_eq(p, zeros, sizeof(zeros));
	cr_expect_eq((uintptr_t)p % 64, 0);
	free(p);
}

Test(mem, no_bytes_are_still_memory_that_can_be_freed)
{
	void *a = mem_alloc(0), *b = mem_zero(0), *c = mem_grow(mem_alloc(1), 0);

	cr_expect_not_null(a);
	cr_expect_not_null(b);
	cr_expect_not_null(c);
	free(a);
	free(b);
	free(c);
}

Test(mem, growing_keeps_what_was_there)
{
	char *p = mem_text("sluice");

	p = mem_grow(p, 1 << 20);

	cr_expect_str_eq(p, "sluice");
	free(p);
}

Test(mem, a_text_of_n_bytes_ends_behind_them)
{
	char *p = mem_text_n("sluice", 3), *empty = mem_text_n(NULL, 0);

	cr_expect_str_eq(p, "slu");
	cr_expect_str_eq(empty, "");
	free(p);
	free(empty);
}

Test(mem, a_printed_text_is_as_long_as_it_has_to_be)
{
	char *p = mem_print("%0300d|%s", 7, "end");

	cr_expect_eq(strlen(p), 304);
	cr_expect_str_eq(p + 299, "7|end");
	free(p);
}

/* Of the mapping that holds p. */
static size_t writable_bytes(const void *p)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t begin, end, at = (uintptr_t)p;
	char line[512], rights[8] = "";
	size_t bytes = 0;

	cr_assert_not_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &begin, &end,
			    rights) == 3 &&
			begin <= at && at < end && rights[1] == 'w')
			bytes = end - begin;
	}
	fclose(maps);
	return bytes;
}

static size_t pages_in_use(uintptr_t from, size_t bytes)
{
	static unsigned char is_there[4096];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;

	cr_assert_leq(bytes / page, sizeof(is_there));
	cr_assert_eq(mincore((void *)(from & ~(page - 1)), bytes, is_there), 0);
	for (size_t i = 0; i < bytes / page; i++)
		n += is_there[i] & 1;
	return n;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { GLIBC_ALLOCATES = false };
#else
enum { GLIBC_ALLOCATES = true };
#endif
enum { HEAP = 8 << 20 };

static void *grow_a_heap(void *arg)
{
	(void)arg;
	mem_unlock_heap(HEAP);

	char *p = mem_alloc(1000);
	cr_expect_geq(writable_bytes(p), (size_t)HEAP);
	cr_expect_lt(pages_in_use((uintptr_t)p, HEAP - (1 << 20)), 16);
	free(p);
	return NULL;
}

Test(mem, an_unlocked_heap_can_be_written_and_has_no_pages_yet)
{
	pthread_t thread;

	if (!GLIBC_ALLOCATES)
		cr_skip("a sanitizer's allocator has no heaps of threads");
	cr_assert_eq(pthread_create(&thread, NULL, grow_a_heap, NULL), 0);
	pthread_join(thread, NULL);
}

Test(slab, what_was_given_back_last_is_taken_first)
{
	struct slab s;
	slab_init(&s, 100, 0, 8);
	void *a = slab_take(&s), *b = slab_take(&s);

	slab_give(&s, a);
	slab_give(&s, b);

	void *first = slab_take(&s), *second = slab_take(&s);
	cr_expect_eq(first, b);
	cr_expect_eq(second, a);
	slab_give(&s, first);
	slab_give(&s, second);
	slab_fini(&s);
}

Test(slab, nothing_is_taken_beyond_its_bound_until_something_comes_back)
{
	struct slab s;
	slab_init(&s, 100, 2, 8);
	void *a = slab_take(&s), *b = slab_take(&s);

	void *refused = slab_take(&s);
	slab_give(&s, a);
	void *again = slab_take(&s);

	cr_expect_null(refused);
	cr_expect_not_null(again);
	slab_give(&s, again);
	slab_give(&s, b);
	slab_fini(&s);
}

Test(slab, no_more_than_keep_max_objects_wait_in_the_free_list)
{
	struct slab s;
	slab_init(&s, 100, 0, 1);
	void *a = slab_take(&s), *b = slab_take(&s);
	cr_assert_eq(s.out, 2);

	slab_give(&s, a);
	slab_give(&s, b);

	cr_expect_eq(s.kept, 1);
	cr_expect_eq(s.out, 0);
	slab_fini(&s);
	cr_expect_eq(s.kept, 0);
}

Test(slab, an_object_smaller_than_a_pointer_has_room_for_one)
{
	struct slab s;
	slab_init(&s, 1, 0, 8);

	void *a = slab_take(&s);
	slab_give(&s, a);

	cr_expect_geq(s.object_bytes, sizeof(void *));
	cr_expect_eq(slab_take(&s), a);
	slab_give(&s, a);
	slab_fini(&s);
}

Test(slab, giving_back_nothing_does_nothing)
{
	struct slab s;
	slab_init(&s, 100, 0, 8);

	slab_give(&s, NULL);

	cr_expect_eq(s.kept, 0);
	slab_fini(&s);
}

Test(slab, ending_with_an_object_still_out_is_a_bug, .signal = SIGABRT)
{
	struct slab s;
	slab_init(&s, 100, 0, 8);
	void *forgotten = slab_take(&s);
	cr_assert_not_null(forgotten);

	slab_fini(&s);
}

/* Takes n at once and gives them back. */
static void peak(struct slab *s, size_t n)
{
	void *all[8];

	for (size_t i = 0; i < n; i++)
		all[i] = slab_take(s);
	for (size_t i = 0; i < n; i++)
		slab_give(s, all[i]);
}

Test(slab, a_trim_frees_what_nobody_needed_since_the_one_before)
{
	struct slab s;
	slab_init(&s, 100, 0, 8);
	peak(&s, 5);
	cr_expect_eq(slab_trim(&s), 0);

	peak(&s, 2);
	size_t freed = slab_trim(&s);

	cr_expect_eq(freed, 3 * s.object_bytes);
	cr_expect_eq(s.kept, 2);
	slab_fini(&s);
}

Test(slab, nothing_is_left_after_two_trims_without_a_taker)
{
	struct slab s;
	slab_init(&s, 100, 0, 8);
	peak(&s, 5);

	size_t first = slab_trim(&s), second = slab_trim(&s), third = slab_trim(&s);

	cr_expect_eq(first, 0);
	cr_expect_eq(second, 5 * s.object_bytes);
	cr_expect_eq(third, 0);
	cr_expect_eq(s.kept, 0);
	slab_fini(&s);
}
