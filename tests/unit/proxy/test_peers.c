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
		in += peers_enter(peers, at(text), max);
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

	peers_leave(peers, at("192.0.2.1"));

	cr_expect_eq(enter_many("192.0.2.1", 10, 3), 1);
}

Test(peers, when_all_have_left_the_address_starts_anew)
{
	(void)enter_many("192.0.2.1", 3, 3);
	for (int i = 0; i < 3; i++)
		peers_leave(peers, at("192.0.2.1"));

	cr_expect_eq(enter_many("192.0.2.1", 10, 2), 2);
}

Test(peers, one_that_nobody_saw_enter_may_leave)
{
	peers_leave(peers, at("192.0.2.1"));

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

	peers_leave(peers, at("unix"));
}

Test(peers, a_limit_that_is_lowered_holds_for_the_next)
{
	(void)enter_many("192.0.2.1", 5, 5);

	peers_leave(peers, at("192.0.2.1"));

	cr_expect_eq(enter_many("192.0.2.1", 1, 3), 0);
}

Test(peers, very_many_addresses_are_kept_apart_and_given_back)
{
	char text[32];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20000; i++) {
			(void)snprintf(
				text, sizeof(text), "10.%d.%d.1", i / 250, i % 250);
			cr_assert(peers_enter(peers, at(text), 1));
		}
		for (int i = 0; i < 20000; i++) {
			(void)snprintf(
				text, sizeof(text), "10.%d.%d.1", i / 250, i % 250);
			peers_leave(peers, at(text));
		}
	}
}
