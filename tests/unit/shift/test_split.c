/* The split: shares are exact in every window, whatever the threads do. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "sluice/shift.h"

enum { MILLION = 1000000, REQUESTS = 3000, THREADS = 4 };

static unsigned sent_to_new(struct split *s, uint32_t ppm, unsigned n)
{
	unsigned sent = 0;

	while (n-- > 0)
		sent += split_next(s, ppm);
	return sent;
}

/* The largest distance of any window from its exact share, in millionths of a
 * request. sent[i] is how many of the first i went to new. */
static int64_t worst_window(const unsigned *sent, unsigned n, uint32_t ppm)
{
	int64_t low = 0, high = 0;

	/* A window is the difference of two prefixes, so their spread is enough. */
	for (unsigned i = 0; i <= n; i++) {
		int64_t off = (int64_t)sent[i] * MILLION - (int64_t)i * ppm;

		low = off < low ? off : low;
		high = off > high ? off : high;
	}
	return high - low;
}

Test(split, weights_of_1_10_and_50_percent_are_exact_over_10000_requests)
{
	struct split one, ten, fifty;

	split_init(&one, 0, 1);
	split_init(&ten, 0, 1);
	split_init(&fifty, 0, 1);

	cr_assert_eq(sent_to_new(&one, 10000, 10000), 100);
	cr_assert_eq(sent_to_new(&ten, 100000, 10000), 1000);
	cr_assert_eq(sent_to_new(&fifty, 500000, 10000), 5000);
}

Test(split, nothing_goes_to_new_at_0_and_everything_at_100_percent)
{
	struct split s;

	split_init(&s, 0, 1);
	sent_to_new(&s, 333333, 1000);

	cr_assert_eq(sent_to_new(&s, 0, 100000), 0);
	cr_assert_eq(sent_to_new(&s, MILLION, 100000), 100000);
}

ParameterizedTestParameters(split, any_window_of_one_thread_is_within_one_request)
{
	static uint32_t shares[] = { 0, 1, 999, 10000, 33333, 142857, 250000, 333333,
		500000, 618034, 900000, 999999, MILLION };

	return cr_make_param_array(
		uint32_t, shares, sizeof(shares) / sizeof(shares[0]));
}

ParameterizedTest(uint32_t *ppm, split, any_window_of_one_thread_is_within_one_request)
{
	static unsigned sent[REQUESTS + 1];
	struct split s;

	split_init(&s, 0, 1);
	for (unsigned i = 0; i < REQUESTS; i++)
		sent[i + 1] = sent[i] + split_next(&s, *ppm);

	cr_assert_leq(worst_window(sent, REQUESTS, *ppm), MILLION);
}

ParameterizedTestParameters(split, any_window_of_several_threads_is_within_one_each)
{
	static uint32_t shares[] = { 1, 10000, 142857, 500000, 900000, 999999 };

	return cr_make_param_array(
		uint32_t, shares, sizeof(shares) / sizeof(shares[0]));
}

ParameterizedTest(
	uint32_t *ppm, split, any_window_of_several_threads_is_within_one_each)
{
	static unsigned sent[REQUESTS + 1];
	struct split s[THREADS];
	uint32_t turn = 12345;

	for (unsigned t = 0; t < THREADS; t++)
		split_init(&s[t], t, THREADS);
	for (unsigned i = 0; i < REQUESTS; i++) {
		turn = turn * 1664525 + 1013904223; /* which thread serves is chance */
		sent[i + 1] = sent[i] + split_next(&s[turn >> 30], *ppm);
	}

	cr_assert_leq(worst_window(sent, REQUESTS, *ppm), THREADS * MILLION);
}

Test(split, a_change_of_weight_loses_no_share_and_doubles_none)
{
	struct split s;

	split_init(&s, 0, 1);
	unsigned sent = sent_to_new(&s, 50000, 1010) + sent_to_new(&s, 250000, 1010) +
			sent_to_new(&s, 10000, 1010);

	/* 50.5 + 252.5 + 10.1 */
	cr_assert_geq(sent, 313);
	cr_assert_leq(sent, 314);
}

Test(split, threads_do_not_send_their_first_request_to_new_at_the_same_turn)
{
	unsigned first[THREADS] = { 0 };

	for (unsigned t = 0; t < THREADS; t++) {
		struct split s;

		split_init(&s, t, THREADS);
		while (!split_next(&s, 10000))
			first[t]++;
	}

	for (unsigned t = 1; t < THREADS; t++)
		cr_assert_eq(first[t - 1] - first[t], 100 / THREADS);
}
