/* mem - memory that is there, and slabs of objects of one size. */
#include "sluice/base/mem.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
