/* The counters of the data threads. */
#include <criterion/criterion.h>
#include <string.h>

#include "sluice/pool/stats.h"

static struct stats *stats;

static void setup(void)
{
	stats = stats_new(4);
}

static void teardown(void)
{
	stats_free(stats);
}

TestSuite(stats, .init = setup, .fini = teardown);

Test(stats, are_summed_over_threads)
{
	stats_add(stats, 0, STAT_REQUESTS, 2);
	stats_add(stats, 3, STAT_REQUESTS, 5);

	cr_expect_eq(stats_sum(stats, STAT_REQUESTS), 7);
	cr_expect_eq(stats_sum(stats, STAT_CONNECTIONS), 0);
}

Test(stats, what_is_now_may_fall_even_on_another_thread)
{
	stats_add(stats, 0, STAT_CONNECTIONS_OPEN, 3);
	stats_add(stats, 1, STAT_CONNECTIONS_OPEN, -1);
	stats_add(stats, 0, STAT_CONNECTIONS_OPEN, -2);

	cr_expect_eq(stats_sum(stats, STAT_CONNECTIONS_OPEN), 0);
}

Test(stats, each_has_a_name_of_its_own_and_a_line_of_help)
{
	for (unsigned i = 0; i < N_STATS; i++) {
		const char *name = stats_name((enum stats_item)i);

		cr_assert_not_null(name);
		cr_expect_not_null(stats_help((enum stats_item)i));
		for (unsigned k = 0; k < i; k++)
			cr_expect_str_neq(name, stats_name((enum stats_item)k));
	}
}

Test(stats, only_what_is_now_is_a_gauge)
{
	cr_expect(stats_is_gauge(STAT_CONNECTIONS_OPEN));
	cr_expect(stats_is_gauge(STAT_REQUESTS_OPEN));
	cr_expect_not(stats_is_gauge(STAT_CONNECTIONS));
}
