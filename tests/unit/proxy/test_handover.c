/* A fresh connection on its way from one thread to another. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy_priv.h"

enum { THREADS = 2, DOOR = 7 };

static struct proxy *proxy;
static struct thread *busy, *idle;
static int ends[2] = { -1, -1 };
static struct sockaddr_in peer = { .sin_family = AF_INET };

static void on_wake(void *arg)
{
	(void)arg;
}

/* Two threads without listeners, the first of which has clearly more to do. */
static void setup(void)
{
	proxy = mem_zero(sizeof(*proxy) + THREADS * sizeof(proxy->thread[0]));
	proxy->n = THREADS;
	proxy->rings = handover_rings_new(THREADS);
	proxy->peers = peers_new();
	busy = &proxy->thread[0];
	idle = &proxy->thread[1];
	for (unsigned i = 0; i < THREADS; i++) {
		struct thread *t = &proxy->thread[i];

		t->proxy = proxy;
		t->index = i;
		list_init(&t->listeners);
		t->loop = net_loop_new(0);
		t->waker = net_waker_new(t->loop, on_wake, t);
	}
	busy->load = 10;
	peer.sin_addr.s_addr = inet_addr("192.0.2.1");
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void teardown(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		net_waker_free(proxy->thread[i].waker);
		net_loop_free(proxy->thread[i].loop);
	}
	handover_close(proxy->rings);
	free(proxy->rings);
	peers_free(proxy->peers);
	free(proxy);
	close(ends[1]);
}

TestSuite(handover, .init = setup, .fini = teardown, .timeout = 20);

static bool enter(void)
{
	return peers_conn_acquire(proxy->peers, (struct sockaddr *)&peer, 1);
}

static bool give(unsigned admission)
{
	return handover_give(busy, DOOR, ends[0], (struct sockaddr *)&peer, admission);
}

static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

Test(handover, a_thread_with_no_more_than_others_keeps_what_it_has)
{
	idle->load = 10;

	cr_expect_not(give(NET_ADMIT));

	close(ends[0]);
}

Test(handover, on_its_way_a_connection_is_the_takers_load)
{
	cr_assert(give(NET_ADMIT));
	cr_expect_eq(idle->load, 1);

	handover_take(idle);

	cr_expect_eq(idle->load, 0);
}

Test(handover, one_whose_listener_is_gone_is_closed_and_counted_no_more)
{
	cr_assert(enter());
	cr_assert(give(NET_ADMIT | NET_ADMIT_COUNTED));

	handover_take(idle);

	cr_expect(is_closed(ends[1]));
	cr_expect(enter());
}

Test(handover, one_that_was_not_counted_takes_nobody_elses_place)
{
	cr_assert(enter()); /* another one of this address */
	cr_assert(give(NET_ADMIT));

	handover_take(idle);

	cr_expect(is_closed(ends[1]));
	cr_expect_not(enter());
}
