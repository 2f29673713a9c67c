/* What a reload finds again, what retires, and when it goes. */
#include "scene.h"

#include <stdio.h>

TestSuite(registry, .init = scene_open, .fini = scene_close, .timeout = 20);

static struct pool *replace(void)
{
	struct pool *before = pool;

	pool = build();
	commit(pool);
	return before;
}

Test(registry, a_server_is_found_again_with_all_that_it_was)
{
	has_servers(2);
	open_pool();
	struct server *s = server(1);
	(void)server_set_health(s, SERVER_DOWN, "status 500");
	(void)server_note_failure(s);
	struct server_counts c;

	servers[1].weight = 7;
	pool_free(replace());
	registry_sweep(registry);

	cr_assert_eq(server(1), s);
	cr_expect_eq(server_health(s), SERVER_DOWN);
	server_sum(s, &c);
	cr_expect_eq(c.failures, 1);
	cr_expect_not(server_is_retired(s));
}

Test(registry, the_same_address_in_another_pool_is_another_server)
{
	has_servers(1);
	open_pool();
	(void)snprintf(settings.name, sizeof(settings.name), "legacy");

	struct pool *legacy = build();

	cr_expect_neq(pool_server(legacy, 0), server(0));
	pool_free(legacy);
}

Test(registry, one_that_left_retires_at_once_and_goes_when_its_last_snapshot_does)
{
	has_servers(2);
	open_pool();
	struct server *s = server(1);
	uint64_t id = server_id(s);

	has_servers(1);
	struct pool *before = replace();
	cr_expect(server_is_retired(s));
	registry_sweep(registry);
	cr_expect_str_eq(server_address(s), "127.0.0.1:2"); /* still there */
	pool_free(before);
	registry_sweep(registry);

	has_servers(2);
	pool_free(replace());
	cr_expect_neq(server_id(server(1)), id);
	cr_expect_not(server_is_retired(server(1)));
}

Test(registry, one_that_comes_back_before_it_went_is_the_same)
{
	has_servers(2);
	open_pool();
	struct server *s = server(1);
	has_servers(1);
	struct pool *first = replace();
	cr_assert(server_is_retired(s));

	has_servers(2);
	pool_free(replace());

	cr_expect_eq(server(1), s);
	cr_expect_not(server_is_retired(s));
	pool_free(first);
}

Test(registry, one_with_something_in_flight_does_not_go)
{
	has_servers(2);
	open_pool();
	struct server *s = server(1);
	const struct pool_wish wish = { .thread = 2,
		.unknown_counts = true,
		.tried = { server(0) },
		.n_tried = 1 };
	enum pool_miss miss;
	cr_assert_eq(pick_with(&wish, &miss), 1);

	has_servers(1);
	pool_free(replace());
	registry_sweep(registry);

	cr_expect_eq(server_in_flight(s), 1);
	server_release(s, 2);
	registry_sweep(registry);
}

Test(registry, one_with_a_session_does_not_go)
{
	has_servers(2);
	open_pool();
	struct server *s = server(1);
	struct server_counts c;
	server_note_session(s, 2, 1);

	has_servers(1);
	pool_free(replace());
	registry_sweep(registry);

	server_sum(s, &c);
	cr_expect_eq(c.sessions, 1);
	cr_expect(list_empty(&server_sessions(s, 2)->all));
	server_note_session(s, 2, -1);
	registry_sweep(registry);
}

Test(registry, the_servers_that_stay_are_found_after_others_went)
{
	struct server *was[8];
	has_servers(16);
	open_pool();
	for (size_t i = 0; i < 8; i++)
		was[i] = server(i);

	has_servers(8);
	pool_free(replace());
	registry_sweep(registry);
	pool_free(replace());

	for (size_t i = 0; i < 8; i++)
		cr_expect_eq(server(i), was[i]);
}

Test(registry, a_pool_that_is_never_committed_leaves_nothing)
{
	has_servers(1);
	open_pool();
	has_servers(3);

	pool_free(build());
	registry_sweep(registry);

	cr_expect_not(server_is_retired(server(0)));
}

Test(registry, an_ejection_from_a_pool_without_checks_ends_by_itself_and_not_at_once)
{
	settings.health.type = CONFIG_HEALTH_NONE;
	has_servers(2);
	open_pool();
	for (int i = 0; i < 3; i++)
		(void)server_note_failure(server(0));
	cr_assert(server_is_ejected(server(0)));

	registry_sweep(registry);

	cr_expect(server_is_ejected(server(0)));
}

Test(registry, a_migration_is_found_again_while_somebody_has_it)
{
	struct migration *m = registry_migration(registry, "checkout");

	struct migration *again = registry_migration(registry, "checkout"),
			 *other = registry_migration(registry, "search");

	cr_expect_eq(again, m);
	cr_expect_neq(other, m);
	cr_expect_str_eq(migration_name(other), "search");
	migration_unref(registry, other);
	migration_unref(registry, again);
	migration_unref(registry, m);
}

Test(registry, a_migration_that_comes_back_has_its_word_still)
{
	struct migration *m = migration_at("checkout", 250000);
	struct live_word *word = migration_word(m);
	migration_unref(registry, m);

	m = registry_migration(registry, "checkout");

	cr_expect_eq(migration_word(m), word);
	cr_expect_eq(migration_effective_ppm(m), 250000);
	migration_unref(registry, m);
}
