/* A server: its health, its ejection, its address, and what it counts. */
#include "scene.h"

#include <arpa/inet.h>
#include <string.h>

TestSuite(server, .init = scene_open, .fini = scene_close, .timeout = 20);

static bool fail(size_t i, unsigned times)
{
	bool ejected = false;

	while (times-- > 0)
		ejected |= server_note_failure(server(i));
	return ejected;
}

static unsigned n_ejected(void)
{
	return pool_capacity(pool, true).n_ejected;
}

static void open_with(size_t n, uint32_t max_share_percent)
{
	settings.eject_max_ppm = max_share_percent * 10000;
	has_servers(n);
	open_pool();
	all_up();
}

/* --- ejection ------------------------------------------------------------------- */

Test(server, so_many_failures_in_a_row_take_it_out_at_once)
{
	open_with(4, 50);

	cr_expect_not(fail(0, 2));
	cr_expect_not(server_is_ejected(server(0)));
	cr_expect(fail(0, 1));

	cr_expect(server_is_ejected(server(0)));
	cr_expect_not(server_is_usable(server(0)));
	cr_expect_eq(server_health(server(0)), SERVER_UP); /* checks still say so */
	cr_expect_not(fail(0, 10));                        /* told once */
}

Test(server, an_answer_between_begins_the_row_anew)
{
	open_with(4, 50);
	fail(0, 2);

	server_note_answer(server(0));

	cr_expect_not(fail(0, 2));
	cr_expect(fail(0, 1));
}

Test(server, a_check_brings_it_back_and_it_is_a_clean_start)
{
	open_with(4, 50);
	fail(0, 3);

	cr_expect_not(server_set_health(server(0), SERVER_UP, "status 200"));

	cr_expect_not(server_is_ejected(server(0)));
	cr_expect(server_is_usable(server(0)));
	cr_expect_not(fail(0, 2));
}

struct share {
	size_t n;
	uint32_t percent;
	unsigned out;
};

/* floor(n * share), and never the last server (S16a). */
static const struct share shares[] = {
	{ 1, 50, 0 },
	{ 1, 100, 0 },
	{ 2, 50, 1 },
	{ 3, 50, 1 },
	{ 4, 50, 2 },
	{ 5, 50, 2 },
	{ 3, 33, 0 },
	{ 3, 34, 1 },
	{ 4, 25, 1 },
	{ 4, 24, 0 },
	{ 10, 30, 3 },
	{ 10, 0, 0 },
	{ 16, 99, 15 },
	{ 16, 100, 16 },
};

static void eject_all_that_may_be(const struct share *s)
{
	struct pool *before = pool;

	settings.eject_max_ppm = s->percent * 10000;
	has_servers(s->n);
	pool = build();
	commit(pool);
	pool_free(before);
	registry_sweep(registry);
	all_up();
	for (size_t i = 0; i < s->n; i++)
		fail(i, 10);
}

Test(server, at_most_the_share_of_a_pool_rounded_down_is_out_and_never_an_only_server)
{
	for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
		eject_all_that_may_be(&shares[k]);

		cr_expect_eq(n_ejected(), shares[k].out, "%zu servers, %u %%: %u",
			shares[k].n, shares[k].percent, n_ejected());
	}
}

Test(server, when_one_comes_back_another_may_go)
{
	open_with(2, 50);
	fail(0, 3);
	fail(1, 3);
	cr_assert_not(server_is_ejected(server(1)));

	(void)server_set_health(server(0), SERVER_UP, "status 200");

	cr_expect(fail(1, 1));
	cr_expect_eq(n_ejected(), 1);
}

Test(server, one_that_left_the_configuration_makes_no_other_stay)
{
	open_with(4, 25);
	fail(3, 3);
	struct pool *before = pool;
	has_servers(3);
	settings.eject_max_ppm = 340000;
	pool = build();
	commit(pool);
	pool_free(before);
	registry_sweep(registry);

	cr_expect(fail(0, 3));
}

/* --- health ----------------------------------------------------------------------- */

Test(server, health_tells_its_reason_and_only_a_change_is_one)
{
	has_servers(1);
	open_pool();
	cr_expect_eq(server_health(server(0)), SERVER_UNKNOWN);
	cr_expect(server_is_usable(server(0)));

	cr_expect(server_set_health(server(0), SERVER_DOWN, "status 500"));
	cr_expect_not(server_set_health(server(0), SERVER_DOWN, "no answer"));

	cr_expect_not(server_is_usable(server(0)));
	cr_expect_str_eq(server_health_reason(server(0)), "no answer");
	cr_expect_neq(server_health_since_us(server(0)), 0);
}

/* --- address ---------------------------------------------------------------------- */

Test(server, a_number_is_its_address_from_the_start)
{
	struct sockaddr_storage sa;
	socklen_t len = 0;
	has_servers(2);
	open_pool();

	cr_assert(server_sockaddr(server(1), &sa, &len));

	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&sa;
	cr_expect_eq(len, sizeof(*in4));
	cr_expect_eq(ntohs(in4->sin_port), 2);
	cr_expect_str_eq(server_address(server(1)), "127.0.0.1:2");
	cr_expect_str_eq(server_pool_name(server(1)), "new");
	cr_expect_neq(server_id(server(0)), server_id(server(1)));
}

Test(server, a_name_has_no_address_before_it_is_resolved_and_may_change_it)
{
	struct sockaddr_storage sa;
	socklen_t len;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	has_servers(1);
	servers[0].address.numeric = false;
	open_pool();

	cr_expect_not(server_sockaddr(server(0), &sa, &len));
	server_set_sockaddr(
		server(0), &servers[3].address.sa.any, servers[3].address.sa_len);
	server_set_sockaddr(server(0), (const struct sockaddr *)&in6, sizeof(in6));

	cr_assert(server_sockaddr(server(0), &sa, &len));
	cr_expect_eq(len, sizeof(in6));
	cr_expect_eq(memcmp(&sa, &in6, sizeof(in6)), 0);
}

/* --- counters -----------------------------------------------------------------------
 */

Test(server, counts_are_summed_over_threads)
{
	enum pool_miss miss;
	struct server_counts c;
	has_servers(1);
	open_pool();
	all_up();
	for (unsigned t = 0; t < SCENE_THREADS; t++) {
		const struct pool_wish wish = { .thread = t };

		cr_assert_eq(pick_with(&wish, &miss), 0);
		server_note_connect(server(0), t);
	}
	server_release(server(0), 1);
	server_note_failure(server(0));

	server_sum(server(0), &c);

	cr_expect_eq(c.requests, 3);
	cr_expect_eq(c.connects, 3);
	cr_expect_eq(c.in_flight, 2);
	cr_expect_eq(c.failures, 1);
	cr_expect_eq(c.ejections, 0);
	cr_expect_eq(c.reuses + c.idle, 0);
	cr_expect_eq(server_in_flight(server(0)), 2);
}
