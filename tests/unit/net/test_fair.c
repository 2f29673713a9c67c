/* Who is served first in a turn, and for how long the others. */
#include "certs.h"
#include "scene.h"

#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/base/units.h"

enum { BYTES = 40, WORK_US = 1000 };

static struct net_timer each_turn;
static unsigned turns, turns_at_end;
static size_t got;

static void on_turn(void *arg)
{
	(void)arg;
	turns++;
	net_timer_set(&each_turn, 0);
}

static void setup(void)
{
	scene_open();
	net_timer_init(&each_turn, loop, on_turn, NULL);
}

static void teardown(void)
{
	net_timer_stop(&each_turn);
	scene_close();
}

TestSuite(fair, .init = setup, .fini = teardown, .timeout = 20);

static void work(void)
{
	uint64_t end = clock_mono_ns() + WORK_US * (uint64_t)NS_PER_US;

	while (clock_mono_ns() < end)
		continue;
}

/* A byte at a time, each of which is much work. */
static void on_dear_event(void *arg, unsigned events)
{
	char byte;

	(void)arg;
	if (!(events & NET_READ) || net_read(server.conn, &byte, 1) != 1)
		return;
	work();
	if (++got == BYTES)
		turns_at_end = turns;
}

static void open_tls_pair(void)
{
	speaks = demo_tls();
	open_pair(client_tls(false), "localhost");
}

static bool all_was_read(void)
{
	return got >= BYTES;
}

static void send_dear_bytes(bool slow)
{
	net_conn_own(server.conn, (struct net_owner){ .on_event = on_dear_event });
	net_conn_set_slow(server.conn, slow);
	net_conn_want_read(server.conn, true);
	send_text(&client, "forty bytes, and all of them are so dear");
	net_timer_set(&each_turn, 0);
	cr_assert(wait_until(all_was_read));
}

Test(fair, a_slow_connection_leaves_its_turn_to_the_others)
{
	open_pair(NULL, NULL);

	send_dear_bytes(true);

	cr_expect_geq(turns_at_end, BYTES / 2);
}

/* What TLS holds is announced by no event: it must not be announced for ever either. */
Test(fair, a_slow_connection_with_bytes_that_tls_holds_leaves_its_turn_too)
{
	open_tls_pair();

	send_dear_bytes(true);

	cr_expect_geq(turns_at_end, BYTES / 2);
}

Test(fair, a_slow_connection_may_close_while_it_waits_for_its_turn)
{
	open_tls_pair();
	net_conn_own(server.conn, (struct net_owner){ .on_event = on_dear_event });
	net_conn_set_slow(server.conn, true);
	net_conn_want_read(server.conn, true);
	send_text(&client, "forty bytes, and all of them are so dear");
	while (got < 3)
		one_turn();

	net_conn_close(server.conn);
	server.conn = NULL;
	one_turn();

	cr_expect_eq(got, 3);
}

Test(fair, what_was_slow_may_be_quick_again)
{
	open_tls_pair();
	net_conn_set_slow(server.conn, true);

	send_dear_bytes(false);

	cr_expect_eq(got, BYTES);
}
