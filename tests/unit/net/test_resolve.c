/* Names to addresses; only such names as need no server. */
#include "scene.h"

static unsigned n_answers;
static struct sockaddr_storage found;
static socklen_t found_len;

static void on_done(void *arg, const struct sockaddr *sa, socklen_t len)
{
	(void)arg;
	n_answers++;
	found_len = len;
	if (sa != NULL)
		memcpy(&found, sa, len);
}

static bool was_answered(void)
{
	return n_answers > 0;
}

TestSuite(resolve, .init = scene_open, .fini = scene_close, .timeout = 20);

static uint16_t port_found(void)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&found;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&found;

	return ntohs(found.ss_family == AF_INET ? in4->sin_port : in6->sin6_port);
}

Test(resolve, localhost_is_found_with_the_port_put_in)
{
	cr_assert_not_null(net_resolve(loop, "localhost", 8080, on_done, NULL));
	cr_expect_eq(n_answers, 0); /* never from inside the call */

	cr_assert(wait_until(was_answered));

	cr_expect_eq(n_answers, 1);
	cr_assert_neq(found_len, 0);
	cr_expect_eq(port_found(), 8080);
}

Test(resolve, a_number_is_found_as_it_is)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&found;
	cr_assert_not_null(net_resolve(loop, "127.0.0.9", 1, on_done, NULL));

	cr_assert(wait_until(was_answered));

	cr_expect_eq(found.ss_family, AF_INET);
	cr_expect_eq(ntohl(in4->sin_addr.s_addr), 0x7f000009);
}

Test(resolve, what_is_no_name_is_answered_with_nothing)
{
	cr_assert_not_null(net_resolve(loop, "no name..at all", 1, on_done, NULL));

	cr_assert(wait_until(was_answered));

	cr_expect_eq(n_answers, 1);
	cr_expect_eq(found_len, 0);
}

static unsigned n_ends, n_addresses;

static void on_each(void *arg, const struct sockaddr *sa, socklen_t len)
{
	(void)arg;
	(void)len;
	cr_assert_eq(n_ends, 0);
	if (sa != NULL)
		n_addresses++;
	else
		n_ends++;
}

static bool has_ended(void)
{
	return n_ends > 0;
}

Test(resolve, all_addresses_come_one_by_one_and_then_the_end)
{
	cr_assert_not_null(net_resolve_all(loop, "localhost", 1, on_each, NULL));

	cr_assert(wait_until(has_ended));

	cr_expect_geq(n_addresses, 1);
	cr_expect_eq(n_ends, 1);
}

Test(resolve, what_has_no_addresses_has_only_the_end)
{
	cr_assert_not_null(net_resolve_all(loop, "no name..at all", 1, on_each, NULL));

	cr_assert(wait_until(has_ended));

	cr_expect_eq(n_addresses, 0);
}

static struct net_lookup *doomed;

static void on_first(void *arg, const struct sockaddr *sa, socklen_t len)
{
	on_done(arg, sa, len);
	net_resolve_cancel(doomed);
}

Test(resolve, one_that_is_cancelled_at_its_first_address_hears_no_more)
{
	doomed = net_resolve_all(loop, "localhost", 1, on_first, NULL);

	cr_assert(wait_until(was_answered));
	one_turn();

	cr_expect_eq(n_answers, 1);
}

Test(resolve, one_that_is_cancelled_is_not_answered)
{
	struct net_lookup *r = net_resolve(loop, "localhost", 1, on_done, NULL);

	net_resolve_cancel(r);
	one_turn();
	one_turn();

	cr_expect_eq(n_answers, 0);
}

Test(resolve, many_at_once_are_all_answered)
{
	for (int i = 0; i < 50; i++)
		cr_assert_not_null(net_resolve(loop, "localhost", 1, on_done, NULL));

	cr_assert(wait_until(was_answered));
	one_turn();

	cr_expect_eq(n_answers, 50);
}

Test(resolve, one_that_was_not_even_asked_goes_with_its_loop)
{
	(void)net_resolve(loop, "localhost", 1, on_done, NULL);

	scene_close();
	scene_open();

	cr_expect_eq(n_answers, 0);
}
