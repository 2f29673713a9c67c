/* What is left when the system has no memory: a process with a bound of addresses. */
#include "sluice/base/reserve.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "sluice/base/mem.h"

enum { BLOCK = 256 * 1024, PIECE = 1 << 20 };

TestSuite(reserve, .timeout = 30);

static struct taken {
	struct taken *next;
} * all;

/* So many more addresses than there are now, and no more. */
static void bound(size_t bytes)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	cr_assert_not_null(f);
	cr_assert_eq(fscanf(f, "%lu", &pages), 1);
	(void)fclose(f);
	rlim_t most = pages * 4096 + bytes;
	struct rlimit r = { .rlim_cur = most, .rlim_max = most };

	cr_assert_eq(setrlimit(RLIMIT_AS, &r), 0);
}

static bool take_one(size_t bytes)
{
	struct taken *t = mem_try(bytes);

	if (t == NULL)
		return false;
	t->next = all;
	all = t;
	return true;
}

static void give_all(void)
{
	while (all != NULL) {
		struct taken *next = all->next;

		free(all);
		all = next;
	}
}

/* Until the first piece of the reserve is given back. */
static void take_until_short(void)
{
	while (memory_level() == MEMORY_ENOUGH)
		(void)take_one(BLOCK);
}

static void take_until_refused(void)
{
	while (take_one(BLOCK))
		continue;
}

#ifdef __SANITIZE_ADDRESS__
#define HAS_ADDRESSES false /* the sanitizer needs terabytes of them */
#else
#define HAS_ADDRESSES true
#endif

Test(reserve, what_runs_gets_more_when_memory_is_short)
{
	if (!HAS_ADDRESSES)
		return;
	reserve_open();
	bound(64 << 20);

	take_until_short();

	cr_expect_eq(memory_level(), MEMORY_SHORT);
	for (int i = 0; i < 8; i++)
		cr_expect(take_one(PIECE), "the first piece is for what runs");
}

static void *try_as_another_thread(void *arg)
{
	void *p = mem_try(16);

	*(bool *)arg = p != NULL;
	free(p);
	return NULL;
}

static void *take_small_blocks(void *arg)
{
	enum { BLOCKS = 64 };
	void *block[BLOCKS];

	for (int i = 0; i < BLOCKS; i++)
		block[i] = mem_alloc(16);
	*(size_t *)arg = mallinfo2().hblks; /* of all threads: those mapped alone */
	for (int i = 0; i < BLOCKS; i++)
		free(block[i]);
	return NULL;
}

Test(reserve, a_thread_without_room_for_a_heap_of_its_own_takes_of_the_others)
{
	size_t before, mapped = SIZE_MAX;
	pthread_t other;

	if (!HAS_ADDRESSES)
		return;
	bound(48 << 20);
	reserve_open();
	before = mallinfo2().hblks;

	cr_assert_eq(pthread_create(&other, NULL, take_small_blocks, &mapped), 0);
	pthread_join(other, NULL);

	cr_expect_leq(mapped, before + 1, "%zu blocks have a mapping each", mapped);
}

Test(reserve, the_last_of_it_is_for_those_that_are_entitled)
{
	pthread_t other;
	bool other_got = true;

	if (!HAS_ADDRESSES)
		return;
	reserve_open();
	cr_assert_eq(
		pthread_create(&other, NULL, try_as_another_thread, &other_got), 0);
	pthread_join(other, NULL); /* with a stack that is kept for the next */
	bound(64 << 20);
	take_until_refused();
	cr_expect_eq(memory_level(), MEMORY_SHORT);

	reserve_entitle();
	for (int i = 0; i < 2; i++)
		cr_expect(take_one(PIECE));

	cr_expect_eq(memory_level(), MEMORY_OUT);
	cr_assert_eq(
		pthread_create(&other, NULL, try_as_another_thread, &other_got), 0);
	pthread_join(other, NULL);
	cr_expect_not(other_got);
}

Test(reserve, what_cannot_be_refused_gets_the_last_of_it)
{
	if (!HAS_ADDRESSES)
		return;
	reserve_open();
	bound(64 << 20);
	take_until_refused();

	char *p = mem_alloc(PIECE);

	cr_expect_not_null(p);
	cr_expect_eq(memory_level(), MEMORY_OUT);
	free(p);
}

Test(reserve, memory_is_enough_again_after_a_second_without_a_refusal)
{
	if (!HAS_ADDRESSES)
		return;
	reserve_open();
	bound(64 << 20);
	take_until_refused();

	reserve_restock();
	cr_expect_eq(memory_level(), MEMORY_SHORT, "a refusal was in this second");
	reserve_restock();
	cr_expect_eq(memory_level(), MEMORY_ENOUGH);

	take_until_refused();
	cr_expect_eq(memory_level(), MEMORY_SHORT);
	give_all();
	reserve_restock();
	reserve_restock();
	take_until_short();
	cr_expect(take_one(PIECE), "it was kept aside anew");
}
