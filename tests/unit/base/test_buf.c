/* buf - a run of bytes with room behind it, in one of three sizes. */
#include "sluice/base/buf.h"

#include <criterion/criterion.h>
#include <signal.h>

static struct buf_pool pool;
static struct buf buf;

static void set_up(void)
{
	buf_pool_init(&pool, 1);
	buf = (struct buf){ .data = NULL };
}

/* buf_pool_fini asserts that every byte came back. */
static void tear_down(void)
{
	buf_release(&pool, &buf);
	buf_pool_fini(&pool);
}

TestSuite(buf, .init = set_up, .fini = tear_down);

/* Adds n bytes that count 0, 1, 2 ... on from what was added before. */
static void add_counting(unsigned from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add(&buf, &(char){ (char)(from + i) }, 1);
}

static bool counts_from(unsigned from)
{
	for (size_t i = 0; i < buf_len(&buf); i++)
		if (buf_head(&buf)[i] != (char)(from + i))
			return false;
	return true;
}

Test(buf, without_memory_it_is_valid_and_empty)
{
	cr_expect_eq(buf_len(&buf), 0);
	cr_expect_eq(buf_room(&buf), 0);
	cr_expect(buf_reserve(&pool, &buf, 0));
	buf_add_span(&buf, (struct span){ .p = NULL });
	buf_drop(&buf, 0);
	buf_release(&pool, &buf);

	cr_expect_null(buf.data);
}

Test(buf, it_takes_the_smallest_size_that_has_the_room)
{
	cr_assert(buf_reserve(&pool, &buf, 1));
	cr_expect_eq(buf.cap, BUF_SMALL);
	cr_assert(buf_reserve(&pool, &buf, BUF_SMALL + 1));
	cr_expect_eq(buf.cap, BUF_MEDIUM);
	cr_assert(buf_reserve(&pool, &buf, BUF_MEDIUM + 1));
	cr_expect_eq(buf.cap, BUF_LARGE);

	cr_expect_eq(buf_room(&buf), BUF_LARGE);
}

Test(buf, growing_keeps_the_bytes_that_were_not_dropped)
{
	cr_assert(buf_reserve(&pool, &buf, BUF_SMALL));
	add_counting(0, BUF_SMALL);
	buf_drop(&buf, 100);

	cr_assert(buf_reserve(&pool, &buf, BUF_SMALL));

	cr_expect_eq(buf.cap, BUF_MEDIUM);
	cr_expect_eq(buf_len(&buf), BUF_SMALL - 100);
	cr_expect(counts_from(100));
}

Test(buf, bytes_move_to_the_front_when_that_makes_the_room)
{
	cr_assert(buf_reserve(&pool, &buf, BUF_SMALL));
	add_counting(0, BUF_SMALL);
	buf_drop(&buf, 1000);

	cr_assert(buf_reserve(&pool, &buf, 1000));

	cr_expect_eq(buf.cap, BUF_SMALL);
	cr_expect_eq(buf_room(&buf), 1000);
	cr_expect(counts_from(1000));
}

Test(buf, bytes_stay_where_they_are_while_there_is_room)
{
	cr_assert(buf_reserve(&pool, &buf, BUF_SMALL));
	add_counting(0, 100);
	buf_drop(&buf, 10);

	cr_assert(buf_reserve(&pool, &buf, BUF_SMALL - 100));

	cr_expect_eq(buf.head, 10);
}

Test(buf, an_emptied_buffer_starts_again_at_its_front)
{
	cr_assert(buf_reserve(&pool, &buf, 10));
	add_counting(0, 10);

	buf_drop(&buf, 4);
	buf_drop(&buf, 6);

	cr_expect_eq(buf.head, 0);
	cr_expect_eq(buf.tail, 0);
}

Test(buf, more_than_the_largest_size_is_refused_and_nothing_changes)
{
	cr_assert(buf_reserve(&pool, &buf, 10));
	add_counting(0, 10);
	struct buf before = buf;

	bool one_too_many = buf_reserve(&pool, &buf, BUF_LARGE - 9);
	bool absurd = buf_reserve(&pool, &buf, SIZE_MAX);

	cr_expect_not(one_too_many);
	cr_expect_not(absurd);
	cr_expect_eq(memcmp(&buf, &before, sizeof(buf)), 0);
}

Test(buf, an_exhausted_pool_refuses_and_nothing_changes)
{
	struct buf large = { .data = NULL };
	cr_assert(buf_reserve(&pool, &large, BUF_LARGE));
	cr_assert(buf_reserve(&pool, &buf, 10));
	add_counting(0, 10);
	struct buf before = buf;

	bool refused = !buf_reserve(&pool, &buf, BUF_LARGE - 10);
	buf_release(&pool, &large);
	bool granted = buf_reserve(&pool, &buf, BUF_LARGE - 10);

	cr_expect(refused);
	cr_expect_eq(before.cap, BUF_SMALL);
	cr_expect(granted);
	cr_expect(counts_from(0));
}

Test(buf, released_memory_serves_the_next_buffer)
{
	cr_assert(buf_reserve(&pool, &buf, BUF_MEDIUM));
	char *data = buf.data;

	buf_release(&pool, &buf);
	cr_assert(buf_reserve(&pool, &buf, BUF_MEDIUM));

	cr_expect_eq(buf.data, data);
}

Test(buf, adding_beyond_the_room_is_a_bug, .signal = SIGABRT)
{
	cr_assert(buf_reserve(&pool, &buf, BUF_SMALL));
	add_counting(0, BUF_SMALL);

	buf_add(&buf, "x", 1);
}

Test(buf, dropping_more_than_there_is_is_a_bug, .signal = SIGABRT)
{
	cr_assert(buf_reserve(&pool, &buf, 10));
	add_counting(0, 10);

	buf_drop(&buf, 11);
}
