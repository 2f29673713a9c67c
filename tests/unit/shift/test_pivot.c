/* The pivot: a value that follows legacy's p95. */
#include <math.h>

#include <criterion/criterion.h>

#include "sluice/shift.h"

static struct pivot pivot;

static void start_at(double ms)
{
	pivot_init(&pivot, ms, 0.95, 1.25, 20.0);
}

/* Legacy's latency is spread evenly over 0..most_ms. */
static void legacy_answers_within(double most_ms, int ticks)
{
	while (ticks-- > 0) {
		double slow = 1.0 - pivot_legacy_ms(&pivot) / most_ms;

		pivot_tick(&pivot, 1000, (int64_t)(1000 * fmax(slow, 0.0)));
	}
}

Test(pivot, starts_at_the_last_known_p95_and_at_400_ms_without_one)
{
	start_at(120.0);
	double known = pivot_legacy_ms(&pivot);
	start_at(0.0);

	cr_assert_float_eq(known, 120.0, 1e-9);
	cr_assert_float_eq(pivot_legacy_ms(&pivot), 400.0, 1e-9);
}

Test(pivot, settles_at_the_p95_of_legacy_from_above_and_from_below)
{
	start_at(5000.0);
	legacy_answers_within(200.0, 600);
	double from_above = pivot_legacy_ms(&pivot);
	start_at(20.0);
	legacy_answers_within(200.0, 600);

	cr_assert_float_eq(from_above, 190.0, 5.0);
	cr_assert_float_eq(pivot_legacy_ms(&pivot), 190.0, 5.0);
}

Test(pivot, allows_new_the_configured_ratio)
{
	start_at(400.0);

	cr_assert_float_eq(pivot_new_ms(&pivot), 500.0, 1e-9);
}

Test(pivot, stands_still_without_legacy_traffic)
{
	start_at(400.0);

	pivot_tick(&pivot, 0, 0);
	pivot_tick(&pivot, -3, 7);

	cr_assert_float_eq(pivot_legacy_ms(&pivot), 400.0, 1e-9);
}

Test(pivot, moves_at_most_5_percent_a_tick)
{
	start_at(400.0);

	pivot_tick(&pivot, 1000000, 1000000);

	cr_assert_float_eq(pivot_legacy_ms(&pivot), 400.0 * exp(0.05), 1e-9);
}

Test(pivot, stays_between_its_bounds)
{
	start_at(59000.0);
	for (int i = 0; i < 100; i++)
		pivot_tick(&pivot, 1000, 1000);
	double highest = pivot_legacy_ms(&pivot);
	for (int i = 0; i < 1000; i++)
		pivot_tick(&pivot, 1000, 0);

	cr_assert_float_eq(highest, 60000.0, 1e-6);
	cr_assert_float_eq(pivot_new_ms(&pivot), 20.0, 1e-9);
}
