/* Those who are asked to leave go at a rate, and never all at once. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tunnel/tunnel_priv.h"

enum { TICKS_A_SECOND = 1000 / PACE_TICK_MS, THREADS = 4 };

static const uint64_t tick_ns = UINT64_C(1000000) * PACE_TICK_MS;
/* Any moment will do, but for the beginning of time: a clock is never there. */
static const uint64_t start_ns = UINT64_C(3600000000000);

static struct bucket leaving;
static struct config_bucket pace;

/* At one tick, each thread takes what it gets; the first ones ask first. */
static unsigned leave_at(unsigned tick)
{
	uint64_t now_ns = start_ns + tick * tick_ns;
	unsigned n = 0;

	for (unsigned thread = 0; thread < THREADS; thread++) {
		while (bucket_take(&leaving, &pace, now_ns + thread))
			n++;
	}
	return n;
}

static void drain_at(uint32_t rate)
{
	leaving = (struct bucket){ .full_ns = 0 };
	pace = pace_of(rate);
}

static unsigned leave_within(unsigned ticks)
{
	unsigned n = 0;

	for (unsigned tick = 0; tick < ticks; tick++)
		n += leave_at(tick);
	return n;
}

TestSuite(pace);

ParameterizedTestParameters(pace, all_threads_together_let_so_many_go_a_second)
{
	static uint32_t rates[] = { 1, 7, 10, 50, 333, 1000, 10000 };

	return cr_make_param_array(
		uint32_t, rates, sizeof(rates) / sizeof(rates[0]), NULL);
}

ParameterizedTest(uint32_t *rate, pace, all_threads_together_let_so_many_go_a_second)
{
	enum { SECONDS = 20 };
	unsigned n;

	drain_at(*rate);
	n = leave_within(SECONDS * TICKS_A_SECOND);

	/* The first tick brings one burst more. */
	cr_assert_leq(n, SECONDS * *rate + pace.burst);
	cr_assert_geq(n, SECONDS * *rate - pace.burst);
}

Test(pace, no_tick_lets_more_go_than_its_share)
{
	drain_at(50);

	cr_assert_eq(leave_at(0), 6);
	for (unsigned tick = 1; tick < 100; tick++)
		cr_assert_leq(leave_at(tick), 6);
}

Test(pace, the_slowest_rate_lets_two_go_at_once_and_then_one_each_second)
{
	drain_at(1);

	cr_assert_eq(leave_at(0), 2);
	for (unsigned tick = 1; tick < TICKS_A_SECOND; tick++)
		cr_assert_eq(leave_at(tick), 0);
	cr_assert_eq(leave_at(TICKS_A_SECOND), 1);
}

Test(pace, a_pause_saves_up_nothing_but_one_tick)
{
	drain_at(50);
	(void)leave_within(10);

	cr_assert_leq(leave_at(1000), 6);
}

Test(pace, those_of_a_tick_leave_at_moments_all_over_it)
{
	unsigned at[PACE_TICK_MS] = { 0 }, moments = 0;
	uint32_t seed = 1;

	for (unsigned i = 0; i < 1000; i++) {
		uint32_t ms = pace_jitter_ms(&seed);

		cr_assert_lt(ms, PACE_TICK_MS);
		at[ms]++;
	}

	for (unsigned ms = 0; ms < PACE_TICK_MS; ms++) {
		moments += at[ms] > 0;
		cr_assert_leq(at[ms], 200, "%u of 1000 at %u ms", at[ms], ms);
	}
	cr_assert_eq(moments, 10);
}

Test(pace, threads_do_not_leave_in_step)
{
	uint32_t one = 1, other = 2;
	unsigned together = 0;

	for (unsigned i = 0; i < 1000; i++)
		together += pace_jitter_ms(&one) == pace_jitter_ms(&other);

	cr_assert_leq(together, 300);
}

Test(pace, whatever_their_number_all_have_left_in_good_time)
{
	static const struct {
		uint32_t n, within_ms;
	} of[] = { { 0, 30000 }, { 100, 30000 }, { 30000, 30000 }, { 100000, 5000 },
		{ 1, 100 } };

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		uint64_t rate = pace_rate(of[i].n, of[i].within_ms);
		uint64_t last_ms = of[i].n * UINT64_C(1000) / rate;

		cr_assert_geq(rate, PACE_LEAST);
		cr_assert_leq(last_ms, of[i].within_ms * 4 / 5 + 1);
		cr_assert(rate == PACE_LEAST || last_ms >= of[i].within_ms * 3 / 4);
	}
}
