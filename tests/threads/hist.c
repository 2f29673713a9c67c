/*
 * While one thread records, another one's views never lose a count, never show
 * one too many, and hold them all in the end.
 */
#include "sluice/base/hist.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

enum { RECORDED = 2000000 };

static struct hist *h;

static void *write_all(void *arg)
{
	for (uint64_t i = 0; i < RECORDED; i++)
		hist_record(h, i % 1000 * (i % 1000));
	return arg;
}

static uint64_t count_now(void)
{
	struct hist_view view = { .count = { 0 } };

	hist_add(&view, h);
	uint64_t count = hist_count(&view);
	assert(count == 0 || hist_quantile(&view, 1000) < 1010000);
	return count;
}

int main(void)
{
	pthread_t writer;
	uint64_t before = 0, views = 0;

	h = hist_new();
	int rc = pthread_create(&writer, NULL, write_all, NULL);
	assert(rc == 0);
	while (before < RECORDED) {
		uint64_t now = count_now();

		assert(now >= before);
		assert(now <= RECORDED);
		before = now;
		views++;
	}
	pthread_join(writer, NULL);
	assert(count_now() == RECORDED);
	hist_free(h);
	printf("%llu views, none lost or gained a count\n", (unsigned long long)views);
	return 0;
}
