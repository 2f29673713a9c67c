/* Timers: when they run, in which order, and what may be done to them meanwhile. */
#include "scene.h"

#include <stdlib.h>

#include "sluice/base/clock.h"

#define NS_PER_MS UINT64_C(1000000)

enum { TIMERS = 160 };

static struct net_timer timers[TIMERS];
static unsigned order[TIMERS], n_run, wanted;
static uint64_t set_at_ns[TIMERS], ran_at_ns[TIMERS];

static unsigned number_of(const struct net_timer *t)
{
	return (unsigned)(t - timers);
}

static void on_due(void *arg)
{
	unsigned i = number_of(arg);

	ran_at_ns[i] = clock_mono_ns();
	order[n_run++] = i;
}

static void setup(void)
{
	scene_open();
	for (unsigned i = 0; i < TIMERS; i++)
		net_timer_init(&timers[i], loop, on_due, &timers[i]);
}

TestSuite(timer, .init = setup, .fini = scene_close, .timeout = 20);

static void set(unsigned i, uint32_t ms)
{
	set_at_ns[i] = net_loop_now_ns(loop);
	net_timer_set(&timers[i], ms);
}

static bool all_wanted_ran(void)
{
	return n_run >= wanted;
}

static bool ran(unsigned n)
{
	wanted = n;
	return wait_until(all_wanted_ran) && n_run == n;
}

Test(timer, those_of_one_duration_run_in_the_order_they_were_set)
{
	set(2, 3);
	set(0, 3);
	set(1, 3);

	cr_assert(ran(3));

	cr_expect_eq(order[0], 2);
	cr_expect_eq(order[1], 0);
	cr_expect_eq(order[2], 1);
}

Test(timer, those_of_several_durations_run_by_their_due_time_even_when_the_loop_is_late)
{
	set(0, 9);
	set(1, 1);
	set(2, 5);

	while (clock_mono_ns() < set_at_ns[0] + 15 * NS_PER_MS)
		continue;
	cr_assert(ran(3));

	cr_expect_eq(order[0], 1);
	cr_expect_eq(order[1], 2);
	cr_expect_eq(order[2], 0);
}

Test(timer, none_runs_before_its_time)
{
	for (unsigned i = 0; i < 20; i++)
		set(i, i);

	cr_assert(ran(20));

	for (unsigned i = 0; i < 20; i++)
		cr_expect_geq(ran_at_ns[i], set_at_ns[i] + i * NS_PER_MS);
}

Test(timer, set_again_it_moves_and_runs_once)
{
	set(0, 2);
	set(1, 10);
	set(0, 20);

	cr_assert(ran(2));

	cr_expect_eq(order[0], 1);
	cr_expect_eq(order[1], 0);
	cr_expect_geq(ran_at_ns[0], set_at_ns[0] + 20 * NS_PER_MS);
}

Test(timer, set_again_it_may_also_come_sooner)
{
	set(0, 60000);
	set(0, 1);

	cr_assert(ran(1));
}

Test(timer, is_set_until_it_runs_or_is_stopped)
{
	cr_expect_not(net_timer_is_set(&timers[0]));
	set(0, 1);
	set(1, 60000);
	cr_expect(net_timer_is_set(&timers[0]));

	net_timer_stop(&timers[1]);
	cr_assert(ran(1));

	cr_expect_not(net_timer_is_set(&timers[0]));
	cr_expect_not(net_timer_is_set(&timers[1]));
}

static void on_due_stop_others(void *arg)
{
	on_due(arg);
	net_timer_stop(&timers[1]); /* of the same duration */
	net_timer_stop(&timers[2]); /* of another */
}

Test(timer, one_that_is_stopped_by_another_of_the_same_turn_does_not_run)
{
	timers[0].on_due = on_due_stop_others;
	set(0, 1);
	set(1, 1);
	set(2, 2);
	set(3, 3);
	while (clock_mono_ns() < set_at_ns[0] + 5 * NS_PER_MS)
		continue;

	cr_assert(ran(2));

	cr_expect_eq(order[1], 3);
}

static void on_due_free(void *arg)
{
	free(arg);
	n_run++;
}

Test(timer, one_may_free_what_it_is_in)
{
	struct net_timer *t = malloc(sizeof(*t));
	net_timer_init(t, loop, on_due_free, t);

	net_timer_set(t, 1);

	cr_assert(ran(1));
}

static void on_due_again(void *arg)
{
	on_due(arg);
	if (n_run < 100)
		net_timer_set(arg, 0);
}

static bool another_turn_came(void)
{
	return true;
}

Test(timer, one_that_sets_itself_to_now_waits_for_the_next_turn)
{
	timers[0].on_due = on_due_again;
	set(0, 0);

	cr_assert(wait_until(another_turn_came));

	cr_expect_lt(n_run, 100);
	cr_expect(net_timer_is_set(&timers[0]));
}

Test(timer, more_than_sixty_four_durations_are_all_kept_to)
{
	for (unsigned i = 0; i < TIMERS; i++)
		set(i, TIMERS - i);

	cr_assert(ran(TIMERS));

	for (unsigned i = 0; i < TIMERS; i++) {
		cr_expect_geq(ran_at_ns[i], set_at_ns[i] + (TIMERS - i) * NS_PER_MS);
		cr_expect_eq(order[i], TIMERS - 1 - i);
	}
}

Test(timer, a_short_one_does_not_wait_for_the_long_ones_that_were_there_first)
{
	for (unsigned i = 1; i < 100; i++)
		set(i, 60000 + i);
	set(0, 2);

	cr_assert(ran(1));

	cr_expect_eq(order[0], 0);
}

Test(timer, durations_come_and_go_without_an_end_to_them)
{
	for (uint32_t ms = 60000; ms < 61000; ms++) {
		set(0, ms);
		net_timer_stop(&timers[0]);
	}
	set(0, 1);

	cr_assert(ran(1));
}
