/* Token buckets that threads share. */
#include "sluice/pool/bucket.h"

#include <criterion/criterion.h>
#include <pthread.h>

#define SECOND_NS UINT64_C(1000000000)

static struct bucket b;
static struct config_bucket ten = { .rate = 10, .burst = 3, .queue = 2 };
static uint64_t now_ns;

static void setup(void)
{
	b = (struct bucket){ .full_ns = 0 };
	now_ns = 1000 * SECOND_NS;
}

TestSuite(bucket, .init = setup, .timeout = 20);

/* How many tokens there are at this moment. */
static unsigned taken(void)
{
	unsigned n = 0;

	while (n < 1000 && bucket_take(&b, &ten, now_ns))
		n++;
	return n;
}

Test(bucket, a_calm_one_gives_its_burst_and_no_more)
{
	cr_expect_eq(taken(), 3);
	cr_expect_not(bucket_has(&b, &ten, now_ns));
}

Test(bucket, time_fills_it_at_its_rate)
{
	(void)taken();

	now_ns += SECOND_NS / 10 - 1;
	cr_expect_eq(taken(), 0);
	now_ns += 1;
	cr_expect(bucket_has(&b, &ten, now_ns));
	cr_expect_eq(taken(), 1);
	now_ns += 2 * SECOND_NS / 10;
	cr_expect_eq(taken(), 2);
}

Test(bucket, more_than_the_burst_is_not_saved)
{
	(void)taken();

	now_ns += 1000 * SECOND_NS;

	cr_expect_eq(taken(), 3);
}

Test(bucket, without_a_rate_it_stands_open)
{
	struct config_bucket open = { .rate = 0 };

	for (unsigned i = 0; i < 10000; i++)
		cr_assert(bucket_take(&b, &open, now_ns));
}

Test(bucket, so_many_may_wait)
{
	cr_expect_not(bucket_is_awaited(&b));
	cr_expect(bucket_join(&b, &ten));
	cr_expect(bucket_join(&b, &ten));
	cr_expect_not(bucket_join(&b, &ten));
	cr_expect(bucket_is_awaited(&b));

	bucket_leave(&b);
	cr_expect(bucket_join(&b, &ten));
}

static void *take_many(void *sum)
{
	struct config_bucket many = { .rate = 1, .burst = 10000 };
	unsigned *n = sum;

	while (bucket_take(&b, &many, now_ns))
		(*n)++;
	return NULL;
}

Test(bucket, threads_together_get_what_there_is)
{
	pthread_t thread[4];
	unsigned got[4] = { 0 };

	for (unsigned i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, take_many, &got[i]);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);

	cr_expect_eq(got[0] + got[1] + got[2] + got[3], 10000);
}
