/* Kept upstream connections: who gets them, and when they are closed. */
#include "scene.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"

enum { MAX = 2, LONG_MS = 60000, PATIENCE_MS = 5000 };

static struct net_loop *loop;
static int listening, peers[8];
static unsigned n_peers;
static struct server_counts counts;

static void setup(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(here);

	scene_open();
	loop = net_loop_new(server_idle_bytes());
	listening = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(listening, (struct sockaddr *)&here, len), 0);
	cr_assert_eq(listen(listening, 8), 0);
	cr_assert_eq(getsockname(listening, (struct sockaddr *)&here, &len), 0);
	has_servers(1);
	open_pool();
	server_set_sockaddr(server(0), (struct sockaddr *)&here, len);
}

static void teardown(void)
{
	for (unsigned t = 0; t < SCENE_THREADS; t++)
		server_close_idle(server(0), t, true);
	for (unsigned i = 0; i < n_peers; i++)
		close(peers[i]);
	close(listening);
	net_loop_free(loop);
	scene_close();
}

TestSuite(idle, .init = setup, .fini = teardown, .timeout = 20);

/* --- waiting -------------------------------------------------------------------------
 */

static bool (*condition)(void);
static uint64_t deadline_ms;

static void on_look(void *arg)
{
	(void)arg;
	if (condition() || clock_mono_ms() > deadline_ms)
		net_loop_stop(loop);
}

static bool wait_until(bool (*what)(void))
{
	struct net_ticker *t = net_ticker_new(loop, 1, NET_LAST, on_look, NULL);

	condition = what;
	deadline_ms = clock_mono_ms() + PATIENCE_MS;
	net_loop_run(loop);
	net_ticker_free(t);
	return what();
}

static uint32_t n_kept(void)
{
	server_sum(server(0), &counts);
	return counts.idle;
}

static bool none_is_kept(void)
{
	return n_kept() == 0;
}

static bool at_once(void)
{
	return true;
}

/* --- connections ---------------------------------------------------------------------
 */

static struct net_conn *opening;

static bool is_open(void)
{
	return net_conn_is_open(opening);
}

/* An open connection to the server; its other end is peers' newest. */
static struct net_conn *connection(void)
{
	const struct net_target target = { .tls = NULL };
	struct sockaddr_storage sa;
	socklen_t len;

	cr_assert(server_sockaddr(server(0), &sa, &len));
	opening = net_connect(loop, (struct sockaddr *)&sa, len, &target);
	cr_assert_not_null(opening);
	peers[n_peers] = accept(listening, NULL, NULL);
	cr_assert_neq(peers[n_peers++], -1);
	cr_assert(wait_until(is_open));
	return opening;
}

static void give_back(struct net_conn **c, uint32_t idle_ms)
{
	const struct server_keeping keeping = {
		.max = MAX, .idle_ms = idle_ms, .manner = pool_manner(pool)
	};

	server_take_back(server(0), 0, c, &keeping);
}

static struct net_conn *take(unsigned thread)
{
	return server_take_idle(server(0), thread, pool_manner(pool));
}

static struct net_conn *keep(uint32_t idle_ms)
{
	struct net_conn *c = connection(), *given = c;

	give_back(&given, idle_ms);
	cr_assert_null(given);
	return c;
}

Test(idle, the_one_that_was_used_last_is_used_first)
{
	struct net_conn *first = keep(LONG_MS), *second = keep(LONG_MS);

	cr_expect_eq(n_kept(), 2);
	struct net_conn *a = take(0), *b = take(0);

	cr_expect_eq(a, second);
	cr_expect_eq(b, first);
	cr_expect_null(take(0));
	cr_expect_eq(n_kept(), 0);
	cr_expect_eq(counts.reuses, 2);
	net_conn_close(a);
	net_conn_close(b);
}

Test(idle, each_thread_has_its_own)
{
	(void)keep(LONG_MS);

	cr_expect_null(take(1));
	cr_expect_eq(n_kept(), 1);
}

Test(idle, one_that_the_peer_closes_is_kept_no_more)
{
	(void)keep(LONG_MS);

	cr_assert_eq(shutdown(peers[0], SHUT_WR), 0);

	cr_expect(wait_until(none_is_kept));
}

Test(idle, one_that_says_something_unasked_is_kept_no_more)
{
	(void)keep(LONG_MS);

	cr_assert_eq(send(peers[0], "HTTP/1.1 408 Too late\r\n", 23, 0), 23);

	cr_expect(wait_until(none_is_kept));
	cr_expect_null(take(0));
}

Test(idle, those_that_the_peer_has_just_closed_are_dropped_before_the_loop_tells)
{
	struct net_conn *good = keep(LONG_MS);
	(void)keep(LONG_MS);

	cr_assert_eq(shutdown(peers[1], SHUT_WR), 0);
	server_drop_closed(server(0), 0);

	cr_expect_eq(n_kept(), 1);
	cr_expect_eq(take(0), good);
	net_conn_close(good);
}

Test(idle, one_that_nobody_uses_ages_out)
{
	char byte;
	(void)keep(10);

	cr_expect(wait_until(none_is_kept));

	cr_expect_eq(recv(peers[0], &byte, 1, 0), 0);
}

Test(idle, one_that_was_taken_out_does_not_age)
{
	struct net_conn *c = keep(1);
	cr_assert_eq(take(0), c);
	net_conn_own(c, (struct net_owner){ .on_event = NULL });
	uint64_t until_ms = clock_mono_ms() + 5;

	while (clock_mono_ms() < until_ms)
		wait_until(at_once);

	cr_expect(net_conn_is_open(c));
	net_conn_close(c);
}

Test(idle, none_is_kept_to_a_server_that_has_left)
{
	char byte;
	struct net_conn *c = connection();
	registry_commit(registry, NULL, 0);
	cr_assert(server_is_retired(server(0)));

	give_back(&c, LONG_MS);

	cr_expect_eq(n_kept(), 0);
	cr_expect_eq(recv(peers[0], &byte, 1, 0), 0);
}

static bool only_max_are_kept(void)
{
	return n_kept() == MAX;
}

Test(idle, what_is_too_many_is_kept_for_a_second_so_that_a_burst_uses_it_again)
{
	for (unsigned i = 0; i < MAX + 2; i++)
		(void)keep(LONG_MS);

	cr_expect_eq(n_kept(), MAX + 2);
	cr_assert(wait_until(only_max_are_kept));
}

Test(idle, those_to_a_server_that_has_left_are_closed_when_asked)
{
	(void)keep(LONG_MS);
	server_close_idle(server(0), 0, false);
	cr_expect_eq(n_kept(), 1);

	registry_commit(registry, NULL, 0);
	server_close_idle(server(0), 0, false);

	cr_expect_eq(n_kept(), 0);
}

static struct pool *speaking_h2(void)
{
	settings.protocol = CONFIG_H2;
	return build();
}

Test(idle, one_made_in_another_manner_is_not_taken)
{
	(void)keep(LONG_MS);
	struct pool *other = speaking_h2();

	cr_expect_neq(pool_manner(other), pool_manner(pool));
	cr_expect_null(server_take_idle(server(0), 0, pool_manner(other)));
	cr_expect_eq(n_kept(), 1);
	pool_free(other);
}

Test(idle, those_made_in_another_manner_than_the_new_one_are_closed_and_not_kept)
{
	struct net_conn *busy = connection();
	(void)keep(LONG_MS);
	struct pool *other = speaking_h2();

	commit(other);
	server_close_idle(server(0), 0, false);
	cr_expect_eq(n_kept(), 0);
	give_back(&busy, LONG_MS);

	cr_expect_eq(n_kept(), 0);
	pool_free(other);
}

Test(idle, a_reload_that_changes_nothing_about_connections_keeps_them)
{
	(void)keep(LONG_MS);
	settings.keepalive = 7;
	struct pool *other = build();

	commit(other);
	server_close_idle(server(0), 0, false);

	cr_expect_eq(n_kept(), 1);
	pool_free(other);
}
