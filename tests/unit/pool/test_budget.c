/* How many retries and rescues there may be. */
#include "scene.h"

#define SECOND_NS UINT64_C(1000000000)

enum { START = 10, SAVED_MAX = 200, PPM = 1000000 };

static struct migration *m;
static uint64_t now_ns = 1000 * SECOND_NS;

static void setup(void)
{
	scene_open();
	settings.retry_budget_ppm = 200000;
	has_servers(1);
	open_pool();
	m = migration_at("checkout", 100000);
}

static void teardown(void)
{
	migration_unref(registry, m);
	scene_close();
}

TestSuite(budget, .init = setup, .fini = teardown, .timeout = 20);

/* Until there is no more, at one moment. */
static unsigned retries_of(unsigned thread)
{
	unsigned n = 0;

	while (pool_may_retry(pool, thread, now_ns))
		n++;
	return n;
}

static unsigned rescues(void)
{
	unsigned n = 0;

	while (migration_may_rescue(m, 0, now_ns))
		n++;
	return n;
}

static void requests(unsigned n)
{
	while (n-- > 0)
		pool_note_request(pool, 0);
}

Test(budget, there_are_some_retries_from_the_start)
{
	cr_expect_eq(retries_of(0), START);
	cr_expect_eq(retries_of(0), 0);
}

Test(budget, requests_earn_their_share_of_a_retry)
{
	(void)retries_of(0);

	requests(100);
	cr_expect_eq(retries_of(0), 20);

	requests(4);
	cr_expect_eq(retries_of(0), 0);
	requests(1);
	cr_expect_eq(retries_of(0), 1);
}

Test(budget, time_earns_ten_a_second_over_all_threads)
{
	unsigned sum = 0;
	for (unsigned t = 0; t < SCENE_THREADS; t++)
		(void)retries_of(t);

	now_ns += 3 * SECOND_NS;
	for (unsigned t = 0; t < SCENE_THREADS; t++)
		sum += retries_of(t);

	cr_expect_leq(sum, 30);
	cr_expect_geq(sum, 27); /* a thread's part of one more is kept */
}

Test(budget, asking_often_neither_loses_nor_gains_time)
{
	unsigned n = 0;
	(void)retries_of(0);

	for (unsigned i = 0; i < 40000; i++) {
		now_ns += 300000;
		n += pool_may_retry(pool, 0, now_ns);
	}

	/* 12 s at a third of ten a second. */
	cr_expect_leq(n, 40);
	cr_expect_geq(n, 36);
}

Test(budget, what_is_saved_is_bounded)
{
	requests(100000);
	cr_expect_eq(retries_of(0), SAVED_MAX);

	now_ns += 3600 * SECOND_NS;
	cr_expect_leq(retries_of(0), SAVED_MAX);
}

Test(budget, one_thread_cannot_spend_what_another_has)
{
	(void)retries_of(0);

	cr_expect_eq(retries_of(1), START);
}

Test(budget, rescues_have_one_of_their_own)
{
	(void)retries_of(0);

	cr_expect_eq(rescues(), START);
	for (unsigned i = 0; i < 50; i++)
		migration_note_request(m, 0, PPM / 5);
	cr_expect_eq(rescues(), 10);
}
