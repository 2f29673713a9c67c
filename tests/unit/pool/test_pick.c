/* The choice among the servers of a pool, and how much of a pool there is. */
#include "scene.h"

#include <string.h>

TestSuite(pick, .init = scene_open, .fini = scene_close, .timeout = 20);

static unsigned count[SCENE_SERVERS];

static void pick_many(unsigned n)
{
	memset(count, 0, sizeof(count));
	for (unsigned k = 0; k < n; k++) {
		size_t i = pick_and_release();

		cr_assert_lt(i, pool_n_servers(pool));
		count[i]++;
	}
}

static void has_weights(const uint32_t *weights, size_t n)
{
	has_servers(n);
	for (size_t i = 0; i < n; i++)
		servers[i].weight = weights[i];
}

static void open_up(void)
{
	open_pool();
	all_up();
}

/* --- round robin -------------------------------------------------------------- */

Test(pick, round_robin_gives_each_server_exactly_its_weight_in_every_round)
{
	const uint32_t weights[] = { 5, 1, 1, 13, 0 };
	has_weights(weights, 5);
	open_up();

	for (unsigned round = 0; round < 50; round++) {
		pick_many(20);

		for (size_t i = 0; i < 5; i++)
			cr_assert_eq(count[i], weights[i]);
	}
}

Test(pick, round_robin_spreads_a_heavy_server_instead_of_a_burst)
{
	const uint32_t weights[] = { 5, 1, 1 };
	unsigned row = 0, longest = 0;
	has_weights(weights, 3);
	open_up();

	for (unsigned k = 0; k < 70; k++) {
		row = pick_and_release() == 0 ? row + 1 : 0;
		longest = row > longest ? row : longest;
	}

	cr_expect_leq(longest, 4); /* two rounds meet: ...aa|aa... */
}

Test(pick, round_robin_stays_within_one_of_the_exact_share_at_every_moment)
{
	const uint32_t weights[] = { 7, 3, 2, 1 };
	unsigned so_far[4] = { 0 };
	has_weights(weights, 4);
	open_up();

	for (unsigned k = 1; k <= 1300; k++) {
		so_far[pick_and_release()]++;

		for (size_t i = 0; i < 4; i++) {
			double exact = (double)k * weights[i] / 13;

			cr_assert_float_eq(so_far[i], exact, 1.0 + 1e-9);
		}
	}
}

Test(pick, round_robin_shares_what_a_server_leaves_among_the_others_by_weight)
{
	const uint32_t weights[] = { 4, 2, 1 };
	has_weights(weights, 3);
	open_up();
	pick_many(5);
	(void)server_set_health(server(0), SERVER_DOWN, "status 500");

	pick_many(300);

	cr_expect_eq(count[0], 0);
	cr_expect_leq(count[1], 202);
	cr_expect_geq(count[1], 198);
}

Test(pick, threads_do_not_all_begin_with_the_same_server)
{
	bool first_of[3] = { false };
	has_servers(3);
	open_up();

	for (unsigned t = 0; t < 3; t++) {
		const struct pool_wish wish = { .thread = t };
		enum pool_miss miss;

		first_of[pick_with(&wish, &miss)] = true;
	}

	cr_expect(first_of[0] && first_of[1] && first_of[2]);
}

/* --- least in flight ------------------------------------------------------------- */

Test(pick, least_in_flight_takes_who_has_the_fewest_over_all_threads)
{
	const struct pool_wish other_thread = { .thread = 1 };
	enum pool_miss miss;
	settings.balance = CONFIG_LEAST_INFLIGHT;
	has_servers(3);
	open_up();
	size_t a = pick_with(&other_thread, &miss), b = pick_with(&other_thread, &miss);

	size_t c = pick();

	cr_expect_neq(a, b);
	cr_expect_neq(c, a);
	cr_expect_neq(c, b);
}

Test(pick, least_in_flight_weighs_what_is_in_flight)
{
	const uint32_t weights[] = { 3, 1 };
	settings.balance = CONFIG_LEAST_INFLIGHT;
	has_weights(weights, 2);
	open_up();

	for (unsigned k = 0; k < 40; k++)
		cr_assert_neq(pick(), SIZE_MAX);

	cr_expect_eq(server_in_flight(server(0)), 30);
	cr_expect_eq(server_in_flight(server(1)), 10);
}

Test(pick, least_in_flight_takes_turns_among_equals)
{
	settings.balance = CONFIG_LEAST_INFLIGHT;
	has_servers(4);
	open_up();

	pick_many(400);

	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(count[i], 100);
}

/* --- who is not chosen --------------------------------------------------------------
 */

Test(pick, a_server_that_was_tried_is_avoided_while_there_is_another)
{
	has_servers(2);
	open_up();
	struct pool_wish wish = { .tried = { server(0) }, .n_tried = 1 };
	enum pool_miss miss;

	for (unsigned k = 0; k < 10; k++)
		cr_assert_eq(pick_with(&wish, &miss), 1);

	(void)server_set_health(server(1), SERVER_DOWN, "status 500");
	cr_expect_eq(pick_with(&wish, &miss), 0);
}

Test(pick, a_server_at_its_limit_gets_no_more_until_it_gives_one_back)
{
	enum pool_miss miss = POOL_NONE_USABLE;
	const struct pool_wish wish = { .thread = 0 };
	has_servers(2);
	servers[0].max_requests = 2;
	servers[1].max_requests = 1;
	open_up();
	for (unsigned k = 0; k < 3; k++)
		cr_assert_neq(pick(), SIZE_MAX);

	cr_expect_eq(pick_with(&wish, &miss), SIZE_MAX);
	cr_expect_eq(miss, POOL_ALL_BUSY);

	server_release(server(1), 0);
	cr_expect_eq(pick_with(&wish, &miss), 1);
}

Test(pick, no_server_that_may_be_used_is_not_the_same_as_all_busy)
{
	enum pool_miss miss = POOL_ALL_BUSY;
	const struct pool_wish wish = { .thread = 0 };
	has_servers(2);
	servers[0].max_requests = 1;
	open_up();
	(void)server_set_health(server(0), SERVER_DOWN, "status 500");
	(void)server_set_health(server(1), SERVER_DOWN, "status 500");

	cr_expect_eq(pick_with(&wish, &miss), SIZE_MAX);

	cr_expect_eq(miss, POOL_NONE_USABLE);
}

Test(pick, an_unknown_server_serves_legacy_and_not_new)
{
	const struct pool_wish legacy = { .unknown_counts = true },
			       new_ = { .thread = 0 };
	enum pool_miss miss;
	has_servers(1);
	open_pool();

	cr_expect_eq(pick_with(&legacy, &miss), 0);
	cr_expect_eq(pick_with(&new_, &miss), SIZE_MAX);
}

Test(pick, a_pool_that_fails_open_takes_whom_checks_have_given_up)
{
	const struct pool_wish wish = { .fail_open = true };
	enum pool_miss miss;
	has_servers(2);
	open_pool();
	(void)server_set_health(server(0), SERVER_DOWN, "status 500");
	(void)server_set_health(server(1), SERVER_DOWN, "status 500");

	cr_expect_neq(pick_with(&wish, &miss), SIZE_MAX);
}

Test(pick, nobody_goes_where_no_address_is_known_not_even_failing_open)
{
	const struct pool_wish wish = { .fail_open = true };
	enum pool_miss miss;
	has_servers(1);
	servers[0].address.numeric = false;
	open_up();

	cr_expect_not(server_is_usable(server(0)));
	cr_expect_eq(pick(), SIZE_MAX);
	cr_expect_eq(pick_with(&wish, &miss), SIZE_MAX);

	server_set_sockaddr(
		server(0), &servers[1].address.sa.any, servers[1].address.sa_len);
	cr_expect_eq(pick(), 0);
}

/* --- capacity -------------------------------------------------------------------- */

Test(pick, capacity_is_the_weight_of_those_that_are_usable)
{
	const uint32_t weights[] = { 5, 3, 2 };
	has_weights(weights, 3);
	open_up();
	(void)server_set_health(server(1), SERVER_DOWN, "status 500");

	struct pool_capacity c = pool_capacity(pool, false);

	cr_expect_eq(c.total, 10);
	cr_expect_eq(c.usable, 7);
	cr_expect_eq(c.n_usable, 2);
	cr_expect_eq(c.n_ejected, 0);
}

Test(pick, an_unknown_server_is_capacity_of_legacy_and_not_of_new)
{
	has_servers(3);
	open_pool();
	(void)server_set_health(server(2), SERVER_UP, "status 200");

	cr_expect_eq(pool_capacity(pool, true).n_usable, 3);
	cr_expect_eq(pool_capacity(pool, false).n_usable, 1);
	cr_expect_eq(pool_capacity(pool, false).usable, 1);
}

Test(pick, a_server_of_weight_zero_is_nobody_who_could_take_a_request)
{
	const uint32_t weights[] = { 2, 0 };
	has_weights(weights, 2);
	open_up();
	(void)server_set_health(server(0), SERVER_DOWN, "status 500");

	struct pool_capacity c = pool_capacity(pool, false);

	cr_expect_eq(c.usable, 0);
	cr_expect_eq(c.n_usable, 0);
	cr_expect_eq(pick(), SIZE_MAX);
}
