/* Connections by client address, over all threads. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proxy_priv.h"

static struct peers *peers;

static void setup(void)
{
	peers = peers_new();
}

static void teardown(void)
{
	peers_free(peers);
}

TestSuite(peers, .init = setup, .fini = teardown, .timeout = 20);

static const struct sockaddr *at(const char *text)
{
	static union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} sa;

	memset(&sa, 0, sizeof(sa));
	if (inet_pton(AF_INET, text, &sa.in4.sin_addr) == 1)
		sa.any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &sa.in6.sin6_addr) == 1)
		sa.any.sa_family = AF_INET6;
	else
		sa.any.sa_family = AF_UNIX;
	return &sa.any;
}

static unsigned enter_many(const char *text, unsigned n, uint32_t max)
{
	unsigned in = 0;

	while (n-- > 0)
		in += peers_conn_acquire(peers, at(text), max);
	return in;
}

Test(peers, so_many_of_one_address_get_in_and_no_more)
{
	cr_expect_eq(enter_many("192.0.2.1", 10, 3), 3);
	cr_expect_eq(enter_many("192.0.2.2", 10, 3), 3);
}

Test(peers, who_leaves_makes_room_for_one)
{
	(void)enter_many("192.0.2.1", 3, 3);

	peers_conn_release(peers, at("192.0.2.1"));

	cr_expect_eq(enter_many("192.0.2.1", 10, 3), 1);
}

Test(peers, when_all_have_left_the_address_starts_anew)
{
	(void)enter_many("192.0.2.1", 3, 3);
	for (int i = 0; i < 3; i++)
		peers_conn_release(peers, at("192.0.2.1"));

	cr_expect_eq(enter_many("192.0.2.1", 10, 2), 2);
}

Test(peers, one_that_nobody_saw_enter_may_leave)
{
	peers_conn_release(peers, at("192.0.2.1"));

	cr_expect_eq(enter_many("192.0.2.1", 10, 1), 1);
}

Test(peers, an_ipv6_client_is_its_network_of_64_bits)
{
	cr_expect_eq(enter_many("2001:db8:1:1::1", 2, 3), 2);
	cr_expect_eq(enter_many("2001:db8:1:1:ffff::2", 2, 3), 1);
	cr_expect_eq(enter_many("2001:db8:1:2::1", 4, 3), 3);
}

Test(peers, ipv4_clients_at_an_ipv6_listener_are_told_apart)
{
	cr_expect_eq(enter_many("::ffff:192.0.2.1", 5, 2), 2);
	cr_expect_eq(enter_many("::ffff:192.0.2.2", 5, 2), 2);
}

Test(peers, clients_on_a_unix_socket_have_no_address_and_no_limit)
{
	cr_expect_eq(enter_many("unix", 10, 1), 10);

	peers_conn_release(peers, at("unix"));
}

Test(peers, a_limit_that_is_lowered_holds_for_the_next)
{
	(void)enter_many("192.0.2.1", 5, 5);

	peers_conn_release(peers, at("192.0.2.1"));

	cr_expect_eq(enter_many("192.0.2.1", 1, 3), 0);
}

Test(peers, very_many_addresses_are_kept_apart_and_given_back)
{
	char text[32];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20000; i++) {
			(void)snprintf(
				text, sizeof(text), "10.%d.%d.1", i / 250, i % 250);
			cr_assert(peers_conn_acquire(peers, at(text), 1));
		}
		for (int i = 0; i < 20000; i++) {
			(void)snprintf(
				text, sizeof(text), "10.%d.%d.1", i / 250, i % 250);
			peers_conn_release(peers, at(text));
		}
	}
}

/* --- handshakes -------------------------------------------------------------------- */

static const uint64_t ms = 1000000, noon = 1000 * UINT64_C(1000000000);

static unsigned shake_many(const char *text, unsigned n, uint32_t rate, uint64_t now_ns)
{
	unsigned done = 0;

	while (n-- > 0)
		done += peers_handshake_allow(peers, at(text), rate, now_ns);
	return done;
}

Test(peers, a_second_s_worth_of_handshakes_may_come_at_once)
{
	cr_expect_eq(shake_many("192.0.2.1", 30, 10, noon), 10);
	cr_expect_eq(shake_many("192.0.2.2", 30, 10, noon), 10);
}

Test(peers, then_they_may_come_at_the_rate)
{
	(void)shake_many("192.0.2.1", 10, 10, noon);

	cr_expect_eq(shake_many("192.0.2.1", 5, 10, noon + 99 * ms), 0);
	cr_expect_eq(shake_many("192.0.2.1", 5, 10, noon + 100 * ms), 1);
	cr_expect_eq(shake_many("192.0.2.1", 5, 10, noon + 350 * ms), 2);
}

Test(peers, who_was_refused_has_not_lost_anything)
{
	(void)shake_many("192.0.2.1", 1000, 10, noon);

	cr_expect_eq(shake_many("192.0.2.1", 30, 10, noon + 1000 * ms), 10);
}

Test(peers, one_a_second_is_one_a_second)
{
	cr_expect_eq(shake_many("192.0.2.1", 5, 1, noon), 1);
	cr_expect_eq(shake_many("192.0.2.1", 5, 1, noon + 999 * ms), 0);
	cr_expect_eq(shake_many("192.0.2.1", 5, 1, noon + 1000 * ms), 1);
}

Test(peers, handshakes_of_an_ipv6_network_count_together)
{
	cr_expect_eq(shake_many("2001:db8:1:1::1", 2, 3, noon), 2);
	cr_expect_eq(shake_many("2001:db8:1:1::2", 5, 3, noon), 1);
	cr_expect_eq(shake_many("unix", 50, 3, noon), 50);
}

Test(peers, who_finds_no_place_among_very_many_is_let_in)
{
	char text[32];
	unsigned in = 0;

	for (int i = 0; i < 200000; i++) {
		(void)snprintf(text, sizeof(text), "10.%d.%d.%d", i / 62500,
			i / 250 % 250, i % 250);
		in += peers_handshake_allow(peers, at(text), 1, noon);
	}

	cr_expect_eq(in, 200000);
}

Test(peers, places_are_free_again_when_their_second_is_over)
{
	char text[32];

	for (int i = 0; i < 200000; i++) {
		(void)snprintf(text, sizeof(text), "10.%d.%d.%d", i / 62500,
			i / 250 % 250, i % 250);
		(void)peers_handshake_allow(peers, at(text), 1, noon);
	}

	cr_expect_eq(shake_many("192.0.2.1", 5, 1, noon + 1000 * ms), 1);
}
