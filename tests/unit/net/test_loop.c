/* Wake-ups, foreign descriptors, tickers, and what a turn of the loop promises. */
#include "scene.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "sluice/base/clock.h"

static unsigned n_woken, n_ticks;
static char story[16];
static struct net_waker *waker;
static struct net_fd *watch;
static int ends[2];
static unsigned fd_events;

static void on_wake(void *arg)
{
	(void)arg;
	n_woken++;
}

static void setup(void)
{
	scene_open();
	waker = net_waker_new(loop, on_wake, NULL);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
}

static void teardown(void)
{
	net_waker_free(waker);
	net_fd_free(watch);
	close(ends[0]);
	close(ends[1]);
	scene_close();
}

TestSuite(loop, .init = setup, .fini = teardown, .timeout = 20);

static bool was_woken(void)
{
	return n_woken > 0;
}

/* --- wakers ---------------------------------------------------------------------- */

Test(loop, any_number_of_wakes_before_a_turn_is_one_call)
{
	for (int i = 0; i < 1000; i++)
		net_wake(waker);

	cr_assert(wait_until(was_woken));
	one_turn();

	cr_expect_eq(n_woken, 1);
}

static atomic_uint handed, taken;

static void on_handed(void *arg)
{
	(void)arg;
	taken = atomic_load(&handed);
}

static void *hand_over(void *arg)
{
	for (unsigned i = 1; i <= 20000; i++) {
		atomic_store(&handed, i);
		net_wake(arg);
	}
	return NULL;
}

static bool all_were_taken(void)
{
	return taken == 20000;
}

Test(loop, what_another_thread_wrote_before_its_wake_is_never_left_lying)
{
	pthread_t thread;
	struct net_waker *w = net_waker_new(loop, on_handed, NULL);

	cr_assert_eq(pthread_create(&thread, NULL, hand_over, w), 0);
	cr_expect(wait_until(all_were_taken));

	pthread_join(thread, NULL);
	net_waker_free(w);
}

static void on_signal(int number)
{
	(void)number;
	net_wake(waker);
}

Test(loop, a_signal_handler_may_wake_it)
{
	const struct sigaction act = { .sa_handler = on_signal };
	cr_assert_eq(sigaction(SIGUSR1, &act, NULL), 0);

	cr_assert_eq(raise(SIGUSR1), 0);

	cr_assert(wait_until(was_woken));
}

static void on_wake_write(void *arg)
{
	strcat(story, arg);
}

Test(loop, the_wakes_of_one_turn_come_by_priority)
{
	struct net_waker *last = net_waker_new(loop, on_wake_write, "l"),
			 *normal = net_waker_new(loop, on_wake_write, "n"),
			 *first = net_waker_new(loop, on_wake_write, "f");
	net_waker_priority(last, NET_LAST);
	net_waker_priority(first, NET_FIRST);

	net_wake(last);
	net_wake(normal);
	net_wake(first);
	one_turn();

	cr_expect_str_eq(story, "fnl");
	net_waker_free(last);
	net_waker_free(normal);
	net_waker_free(first);
}

static void on_wake_free_other(void *arg)
{
	struct net_waker **other = arg;

	on_wake(NULL);
	net_waker_free(*other);
	*other = NULL;
}

Test(loop, a_waker_freed_in_the_turn_of_its_wake_does_not_call)
{
	struct net_waker *victim = net_waker_new(loop, on_wake, NULL),
			 *first = net_waker_new(loop, on_wake_free_other, &victim);
	net_waker_priority(first, NET_FIRST);

	net_wake(victim);
	net_wake(first);
	cr_assert(wait_until(was_woken));
	one_turn();

	cr_expect_eq(n_woken, 1);
	net_waker_free(first);
}

/* --- foreign descriptors -----------------------------------------------------------
 */

static void on_fd(void *arg, unsigned events)
{
	(void)arg;
	fd_events |= events;
	net_fd_want(watch, 0);
}

static bool fd_was_told(void)
{
	return fd_events != 0;
}

Test(loop, a_descriptor_tells_what_was_asked_for_and_nothing_else)
{
	watch = net_fd_new(loop, ends[0], on_fd, NULL);
	net_fd_want(watch, NET_READ);
	one_turn();
	cr_assert_eq(fd_events, 0);

	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert(wait_until(fd_was_told));
	cr_expect_eq(fd_events, NET_READ);

	fd_events = 0;
	net_fd_want(watch, NET_WRITE);
	cr_assert(wait_until(fd_was_told));
	cr_expect_eq(fd_events, NET_WRITE);
}

Test(loop, a_descriptor_that_nobody_asks_about_is_quiet)
{
	watch = net_fd_new(loop, ends[0], on_fd, NULL);
	cr_assert_eq(write(ends[1], "x", 1), 1);

	net_fd_want(watch, NET_READ);
	net_fd_want(watch, 0);
	one_turn();

	cr_expect_eq(fd_events, 0);
}

/* --- tickers and turns ---------------------------------------------------------------
 */

static void on_tick(void *arg)
{
	(void)arg;
	n_ticks++;
}

static bool ticked_five_times(void)
{
	return n_ticks >= 5;
}

Test(loop, a_ticker_ticks_until_it_is_freed)
{
	struct net_ticker *t = net_ticker_new(loop, 1, NET_NORMAL, on_tick, NULL);
	uint64_t begun_ms = clock_mono_ms();

	cr_assert(wait_until(ticked_five_times));

	cr_expect_geq(clock_mono_ms() + 1, begun_ms + 5);
	net_ticker_free(t);
}

static uint64_t first_ns, second_ns;

static void on_wake_look_twice(void *arg)
{
	uint64_t before_ns = clock_mono_ns();

	(void)arg;
	first_ns = net_loop_now_ns(loop);
	while (clock_mono_ns() < before_ns + 1000000)
		continue;
	second_ns = net_loop_now_ns(loop);
	cr_expect_leq(first_ns, before_ns);
}

static bool has_looked(void)
{
	return second_ns != 0;
}

Test(loop, its_time_stands_still_within_a_turn)
{
	struct net_waker *w = net_waker_new(loop, on_wake_look_twice, NULL);

	net_wake(w);
	cr_assert(wait_until(has_looked));

	cr_expect_eq(first_ns, second_ns);
	net_waker_free(w);
}

Test(loop, nothing_is_not_a_mistake_to_free)
{
	net_loop_free(NULL);
	net_waker_free(NULL);
	net_fd_free(NULL);
	net_ticker_free(NULL);
	net_acceptor_free(NULL);
	net_resolve_cancel(NULL);
	net_tls_unref(NULL);
}
