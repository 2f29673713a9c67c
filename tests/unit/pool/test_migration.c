/* The split over threads, spill and overflow, and what is counted of which run. */
#include "scene.h"

enum { PPM = 1000000 };

static struct migration *m;

static void setup(void)
{
	scene_open();
	m = migration_at("checkout", 100000);
}

static void teardown(void)
{
	migration_unref(registry, m);
	scene_close();
}

TestSuite(migration, .init = setup, .fini = teardown, .timeout = 20);

/* --- the split -------------------------------------------------------------------- */

static unsigned new_of(unsigned n)
{
	unsigned new_ = 0;

	for (unsigned i = 0; i < n; i++)
		new_ += migration_split(m, i % SCENE_THREADS);
	return new_;
}

Test(migration, the_split_is_exact_to_one_request_a_thread_in_any_window)
{
	static const uint32_t weights[] = { 10000, 100000, 333333, 500000, 990000 };

	for (size_t k = 0; k < sizeof(weights) / sizeof(weights[0]); k++) {
		set_weight(m, weights[k], LIVE_OPEN);
		for (unsigned n = 1; n < 3000; n += 271) {
			double exact = (double)n * weights[k] / PPM;

			cr_assert_float_eq(new_of(n), exact, SCENE_THREADS);
		}
	}
}

Test(migration, nothing_and_all_are_meant_literally)
{
	set_weight(m, 0, LIVE_OPEN);
	cr_expect_eq(new_of(5000), 0);

	set_weight(m, PPM, LIVE_OPEN);
	cr_expect_eq(new_of(5000), 5000);
}

Test(migration, a_latch_sends_the_next_request_to_legacy)
{
	set_weight(m, PPM, LIVE_OPEN);
	cr_assert_eq(new_of(10), 10);

	set_weight(m, PPM, LIVE_REVERTED);

	cr_expect_eq(new_of(1000), 0);
	cr_expect_eq(migration_effective_ppm(m), 0);
}

Test(migration, a_cutback_of_all_sends_the_next_request_to_legacy)
{
	set_weight(m, PPM, LIVE_OPEN);

	live_cutback_all(live);
	cr_expect_eq(new_of(1000), 0);

	live_set_cutback_done(live, live_cutback_wanted(live));
	cr_expect_eq(new_of(1000), 1000);
}

Test(migration, the_threads_do_not_send_their_first_to_new_at_the_same_time)
{
	unsigned before[SCENE_THREADS];
	set_weight(m, PPM / 10, LIVE_OPEN);

	for (unsigned t = 0; t < SCENE_THREADS; t++) {
		before[t] = 0;
		while (!migration_split(m, t))
			before[t]++;
	}

	cr_expect_neq(before[0], before[1]);
	cr_expect_neq(before[1], before[2]);
}

/* --- spill (S11) --------------------------------------------------------------------
 */

static unsigned spilled_of(unsigned n, uint32_t usable, uint32_t total)
{
	unsigned spilled = 0;

	for (unsigned i = 0; i < n; i++)
		spilled += migration_spills(m, 0, usable, total);
	return spilled;
}

Test(migration, so_much_spills_as_new_has_lost_of_its_weight)
{
	cr_expect_eq(spilled_of(1000, 4, 4), 0);
	cr_expect_float_eq(spilled_of(1000, 3, 4), 250, 1);
	cr_expect_float_eq(spilled_of(1000, 1, 3), 667, 1);
	cr_expect_eq(spilled_of(1000, 0, 4), 1000);
	cr_expect_eq(spilled_of(1000, 0, 0), 1000);
}

Test(migration, what_spills_does_not_disturb_the_split)
{
	unsigned new_ = 0;

	for (unsigned i = 0; i < 1000; i++) {
		new_ += migration_split(m, 0);
		(void)migration_spills(m, 0, 1, 2);
	}

	cr_expect_eq(new_, 100);
}

/* --- overflow (S12) ------------------------------------------------------------------
 */

static unsigned overflows_of(unsigned n)
{
	unsigned over = 0;

	for (unsigned i = 0; i < n; i++)
		over += migration_overflows(m, 0);
	return over;
}

Test(migration, legacy_overflows_only_up_to_what_new_has_passed)
{
	/* New has 10 % of all and has passed 55 %: so half of legacy's 90 % may come.
	 */
	set_weight(m, 100000, LIVE_OPEN);
	migration_set_passed_ppm(m, 550000);

	cr_expect_float_eq(overflows_of(1000), 500, 1);
}

Test(migration, legacy_does_not_overflow_where_new_has_passed_nothing)
{
	set_weight(m, 100000, LIVE_OPEN);
	cr_expect_eq(overflows_of(1000), 0);

	migration_set_passed_ppm(m, 100000);
	cr_expect_eq(overflows_of(1000), 0);
}

Test(migration, legacy_does_not_overflow_into_a_latch)
{
	migration_set_passed_ppm(m, PPM);
	set_weight(m, 500000, LIVE_CUTBACK);

	cr_expect_eq(overflows_of(1000), 0);
}

Test(migration, all_may_overflow_once_new_has_passed_all)
{
	set_weight(m, 500000, LIVE_OPEN);
	migration_set_passed_ppm(m, PPM);

	cr_expect_eq(overflows_of(1000), 1000);
}

/* --- counters ------------------------------------------------------------------------
 */

Test(migration, counters_are_summed_over_threads_and_kept_apart_by_side)
{
	struct migration_counts sum;
	for (unsigned t = 0; t < SCENE_THREADS; t++) {
		migration_add(m, t, SIDE_NEW, COUNT_REQUESTS, t + 1);
		migration_outcome(m, t, SIDE_LEGACY, OUTCOME_OK);
	}
	migration_outcome(m, 0, SIDE_NEW, OUTCOME_TIMEOUT);

	migration_sum(m, &sum);

	cr_expect_eq(sum.v[SIDE_NEW][COUNT_REQUESTS], 6);
	cr_expect_eq(sum.v[SIDE_LEGACY][COUNT_REQUESTS], 0);
	cr_expect_eq(sum.outcome[SIDE_LEGACY][OUTCOME_OK], 3);
	cr_expect_eq(sum.outcome[SIDE_NEW][OUTCOME_TIMEOUT], 1);
}

Test(migration, marks_of_another_run_are_dropped)
{
	struct migration_counts sum;
	migration_set_run(m, 7);
	struct mark now = migration_mark(m, SIDE_NEW);
	migration_add_marked(m, 1, SIDE_NEW, GUARD_N, &now);

	migration_set_run(m, 8);
	migration_add_marked(m, 1, SIDE_NEW, GUARD_N, &now);
	migration_add_marked(m, 1, SIDE_NEW, GUARD_K, &now);

	migration_sum(m, &sum);
	cr_expect_eq(now.run, 7);
	cr_expect_eq(migration_run(m), 8);
	cr_expect_eq(sum.v[SIDE_NEW][GUARD_N], 1);
	cr_expect_eq(sum.v[SIDE_NEW][GUARD_K], 0);
}

Test(migration, a_mark_holds_what_was_slow_when_it_was_made)
{
	migration_set_slow_us(m, 500000);
	migration_set_ratio_us(m, 1000, 2000);

	struct mark legacy = migration_mark(m, SIDE_LEGACY),
		    new_ = migration_mark(m, SIDE_NEW);
	migration_set_slow_us(m, 1);

	cr_expect_eq(new_.slow_us, 500000);
	cr_expect_eq(legacy.ratio_slow_us, 1000);
	cr_expect_eq(new_.ratio_slow_us, 2000);
}

Test(migration, latencies_of_all_threads_come_together)
{
	struct hist_view sum = { .count = { 0 } };
	migration_latency(m, 0, SIDE_NEW, 10);
	migration_latency(m, 2, SIDE_NEW, 20);
	migration_latency(m, 1, SIDE_LEGACY, 30);

	migration_add_hist(m, SIDE_NEW, &sum);

	cr_expect_eq(hist_count(&sum), 2);
	cr_expect_eq(hist_quantile(&sum, 1000), 20);
}

Test(migration, that_new_was_seen_is_remembered_until_told_otherwise)
{
	cr_expect_not(migration_seen_new(m));

	migration_set_seen_new(m, true);
	cr_expect(migration_seen_new(m));

	migration_set_seen_new(m, false);
	cr_expect_not(migration_seen_new(m));
}

/* --- words
 * ------------------------------------------------------------------------------ */

Test(migration, every_outcome_has_a_word_and_the_errors_are_nine)
{
	unsigned errors = 0;

	for (unsigned o = 0; o < N_OUTCOMES; o++) {
		cr_expect_not_null(outcome_text((enum outcome)o));
		errors += outcome_is_error((enum outcome)o);
	}

	cr_expect_eq(errors, 9);
	cr_expect_not(outcome_is_error(OUTCOME_OK));
	cr_expect_not(outcome_is_error(OUTCOME_CLIENT_GONE));
	cr_expect_not(outcome_is_error(OUTCOME_LOCAL));
}
