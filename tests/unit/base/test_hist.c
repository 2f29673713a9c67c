/* hist - a latency histogram within one percent. */
#include "sluice/base/hist.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdlib.h>

#include "sluice/base/mem.h"

static struct hist *h;
static struct hist_view now;

static void set_up(void)
{
	h = hist_new();
	now = (struct hist_view){ .count = { 0 } };
}

static void tear_down(void)
{
	hist_free(h);
}

TestSuite(hist, .init = set_up, .fini = tear_down);

static void record_many(uint64_t us, unsigned n)
{
	while (n-- > 0)
		hist_record(h, us);
}

static void look(void)
{
	now = (struct hist_view){ .count = { 0 } };
	hist_add(&now, h);
}

Test(hist, nothing_recorded_has_no_quantile)
{
	look();

	cr_expect_eq(hist_count(&now), 0);
	cr_expect_eq(hist_quantile(&now, 500), 0);
	cr_expect_eq(hist_quantile(&now, 1000), 0);
}

Test(hist, the_quantile_is_the_value_at_that_rank)
{
	record_many(10, 94);
	record_many(20, 5);
	record_many(30, 1);

	look();

	cr_expect_eq(hist_quantile(&now, 1), 10);
	cr_expect_eq(hist_quantile(&now, 940), 10);
	cr_expect_eq(hist_quantile(&now, 941), 20);
	cr_expect_eq(hist_quantile(&now, 990), 20);
	cr_expect_eq(hist_quantile(&now, 991), 30);
	cr_expect_eq(hist_quantile(&now, 1000), 30);
}

ParameterizedTestParameters(hist, one_value_comes_back_within_one_percent)
{
	static uint64_t cases[] = { 0, 1, 63, 64, 65, 127, 128, 129, 1000, 4095, 4096,
		65535, 999999, 1048576, 10000000, 33554431, 33554432, HIST_MAX_US - 1 };

	return cr_make_param_array(uint64_t, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(uint64_t *us, hist, one_value_comes_back_within_one_percent)
{
	hist_record(h, *us);

	look();

	uint64_t got = hist_quantile(&now, 500);
	uint64_t off = got > *us ? got - *us : *us - got;
	cr_expect_leq(off * 100, *us < 64 ? 0 : *us, "%zu us came back as %zu",
		(size_t)*us, (size_t)got);
}

Test(hist, what_is_longer_than_the_longest_counts_as_the_longest)
{
	hist_record(h, HIST_MAX_US);
	hist_record(h, UINT64_MAX);

	look();

	cr_expect_eq(hist_count(&now), 2);
	cr_expect_gt(hist_quantile(&now, 1000), HIST_MAX_US / 100 * 99);
	cr_expect_lt(hist_quantile(&now, 1000), HIST_MAX_US);
}

Test(hist, a_window_is_what_came_between_two_views)
{
	record_many(5000, 100);
	look();
	struct hist_view then = now;
	record_many(10, 7);

	look();
	hist_since(&now, &then);

	cr_expect_eq(hist_count(&now), 7);
	cr_expect_eq(hist_quantile(&now, 1000), 10);
}

Test(hist, a_count_that_wrapped_between_two_views_is_still_right)
{
	struct hist_view then = { .count = { [10] = UINT32_MAX - 1 } };
	now.count[10] = 3;

	hist_since(&now, &then);

	cr_expect_eq(hist_count(&now), 5);
}

Test(hist, views_of_several_histograms_merge_into_one)
{
	struct hist *other = hist_new();
	record_many(10, 50);
	for (unsigned i = 0; i < 50; i++)
		hist_record(other, 40);

	look();
	hist_add(&now, other);

	cr_expect_eq(hist_count(&now), 100);
	cr_expect_eq(hist_quantile(&now, 500), 10);
	cr_expect_eq(hist_quantile(&now, 501), 40);
	hist_free(other);
}

Test(hist, a_permille_of_zero_is_a_bug, .signal = SIGABRT)
{
	(void)hist_quantile(&now, 0);
}

Test(hist, a_total_goes_on_where_the_counts_have_wrapped)
{
	struct hist_total *total = mem_zero(sizeof(*total));

	now.count[5] = UINT32_MAX;
	hist_total_look(total, &now);
	now.count[5] = 2;
	now.count[7] = 1;
	hist_total_look(total, &now);

	cr_assert_eq(total->count[5], (UINT64_C(1) << 32) + 2);
	cr_assert_eq(total->count[7], 1);
	free(total);
}

Test(hist, a_total_counts_nothing_twice)
{
	struct hist_total *total = mem_zero(sizeof(*total));

	now.count[5] = 3;
	hist_total_look(total, &now);
	hist_total_look(total, &now);

	cr_assert_eq(total->count[5], 3);
	free(total);
}
