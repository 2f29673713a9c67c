/* Who waits for a server is served in the order of coming, over threads and reloads, and
 * by the server that gets free. */
#include "scene.h"

#include <string.h>

#include "sluice/pool/wait.h"

enum { WAITERS = 8 };

/* A request that takes a server when its turn comes and there is one. */
struct request {
	struct pool_waiter waiter;
	unsigned thread;
	struct server *server;
};

static struct request requests[WAITERS];
static size_t order[WAITERS], n_served;
static bool called[SCENE_THREADS];

static struct server *try(unsigned thread, bool has_waited)
{
	const struct pool_wish wish = { .thread = thread, .has_waited = has_waited };
	enum pool_miss miss;

	return pool_pick(pool, &wish, &miss);
}

static void on_turn(struct pool_waiter *w)
{
	struct request *r = LIST_ENTRY(w, struct request, waiter);

	r->server = try(r->thread, true);
	if (r->server == NULL)
		return;
	pool_wait_stop(r->thread, w);
	order[n_served++] = (size_t)(r - requests);
}

static void on_room(void *arg, unsigned from, unsigned thread)
{
	(void)arg;
	(void)from;
	called[thread] = true;
}

static void serve_called(void)
{
	for (unsigned t = 0; t < SCENE_THREADS; t++) {
		if (!called[t])
			continue;
		called[t] = false;
		registry_serve(registry, t, false);
	}
}

static enum pool_place wait_as(size_t i, unsigned thread)
{
	requests[i] = (struct request){ .waiter.on_turn = on_turn, .thread = thread };
	return pool_wait(pool, thread, &requests[i].waiter);
}

/* Two servers that take one request each. */
static void setup(void)
{
	scene_open();
	has_servers(2);
	servers[0].max_requests = servers[1].max_requests = 1;
	registry_on_room(registry, on_room, NULL);
	open_pool();
	all_up();
}

TestSuite(wait, .init = setup, .fini = scene_close, .timeout = 20);

Test(wait, a_server_that_gets_free_serves_who_has_waited_longest_on_any_thread)
{
	struct server *a = try(0, false), *b = try(0, false);
	(void)wait_as(0, 2);
	(void)wait_as(1, 0);
	(void)wait_as(2, 2);

	server_release(a, 0);
	serve_called();
	server_release(b, 0);
	serve_called();

	cr_assert_eq(n_served, 2);
	cr_assert_eq(order[0], 0);
	cr_assert_eq(order[1], 1);
	cr_assert(pool_is_awaited(pool));
}

Test(wait, who_comes_now_does_not_overtake)
{
	struct server *a = try(0, false);
	cr_assert_neq(try(0, false), NULL);
	(void)wait_as(0, 1);

	server_release(a, 0);

	cr_assert_eq(try(0, false), NULL);
	serve_called();
	cr_assert_eq(order[0], 0);
}

Test(wait, the_first_one_is_told_to_look_once_more_and_the_others_are_not)
{
	cr_assert_neq(try(0, false), NULL);
	cr_assert_neq(try(0, false), NULL);

	cr_assert_eq(wait_as(0, 1), POOL_PLACE_FIRST);
	cr_assert_eq(wait_as(1, 1), POOL_PLACE_BEHIND);
	cr_assert_eq(wait_as(2, 0), POOL_PLACE_BEHIND);
}

Test(wait, no_more_wait_than_may)
{
	settings.max_pending = 1;
	pool_free(pool);
	open_pool();

	cr_assert_eq(wait_as(0, 0), POOL_PLACE_FIRST);
	cr_assert_eq(wait_as(1, 0), POOL_PLACE_FULL);
	pool_wait_stop(0, &requests[0].waiter);
	cr_assert_eq(wait_as(1, 0), POOL_PLACE_FIRST);
}

Test(wait, who_goes_away_is_not_served_and_holds_up_nobody)
{
	struct server *a = try(0, false);
	cr_assert_neq(try(0, false), NULL);
	(void)wait_as(0, 0);
	(void)wait_as(1, 0);
	pool_wait_stop(0, &requests[0].waiter);

	server_release(a, 0);
	serve_called();

	cr_assert_eq(n_served, 1);
	cr_assert_eq(order[0], 1);
	cr_assert_not(pool_is_awaited(pool));
}

Test(wait, a_call_to_a_thread_that_has_no_waiter_left_goes_on_to_another)
{
	struct server *a = try(0, false);
	cr_assert_neq(try(0, false), NULL);
	(void)wait_as(0, 1);
	(void)wait_as(1, 2);
	server_release(a, 0);
	pool_wait_stop(1, &requests[0].waiter);

	registry_serve(registry, 1, false);
	server_release(try(0, true), 0);
	serve_called();

	cr_assert_eq(order[0], 1);
}

Test(wait, those_of_an_older_snapshot_stand_in_the_same_queue)
{
	struct server *a = try(0, false);
	cr_assert_neq(try(0, false), NULL);
	(void)wait_as(0, 0);
	struct pool *old = pool;
	pool = build();
	commit(pool);
	(void)wait_as(1, 0);

	server_release(a, 0);
	serve_called();

	cr_assert_eq(order[0], 0);
	pool_wait_stop(0, &requests[1].waiter);
	pool_free(old);
}

Test(wait, all_are_asked_when_health_changes_and_keep_their_order)
{
	for (size_t i = 0; i < 2; i++)
		(void)server_set_health(server(i), SERVER_DOWN, "status 500");
	for (size_t i = 0; i < 5; i++)
		(void)wait_as(i, 0);

	all_up();
	registry_serve(registry, 0, true);

	cr_assert_eq(n_served, 2);
	cr_assert_eq(order[0], 0);
	cr_assert_eq(order[1], 1);
	server_release(requests[1].server, 0);
	serve_called();
	cr_assert_eq(order[2], 2);
}
