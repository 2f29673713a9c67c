/* Who legacy and new are: compared, and kept. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sluice/base/json.h"
#include "sluice/control/roles.h"

static struct config_server servers[][2] = {
	{ { .address.text = "127.0.0.1:1" }, { .address.text = "127.0.0.1:2" } },
	{ { .address.text = "127.0.0.1:3" }, { .address.text = "127.0.0.1:4" } },
	{ { .address.text = "127.0.0.1:2" }, { .address.text = "127.0.0.1:1" } },
	{ { .address.text = "127.0.0.1:5" }, { .address.text = "127.0.0.1:6" } },
};

static struct roles of(const char *legacy, int l, const char *new_, int n)
{
	struct config_pool pools[2] = {
		{ .servers = servers[l], .n_servers = 2 },
		{ .servers = servers[n], .n_servers = 2 },
	};
	struct config c = { .pools = pools, .n_pools = 2 };
	struct config_migration m = { .legacy = 0, .new_ = 1 };

	(void)snprintf(pools[0].name, sizeof(pools[0].name), "%s", legacy);
	(void)snprintf(pools[1].name, sizeof(pools[1].name), "%s", new_);
	return roles_of(&c, &m);
}

static enum role_change from_a_b_to(struct roles now)
{
	struct roles was = of("a", 0, "b", 1);

	return roles_compare(&was, &now);
}

Test(roles, the_order_of_servers_does_not_matter)
{
	cr_expect_eq(from_a_b_to(of("other", 2, "b", 1)), ROLES_SAME);
}

Test(roles, a_pool_is_the_same_under_another_name_or_with_other_servers)
{
	cr_expect_eq(from_a_b_to(of("a", 0, "c", 1)), ROLES_SAME);
	cr_expect_eq(from_a_b_to(of("a", 0, "b", 3)), ROLES_SAME);
	cr_expect_eq(from_a_b_to(of("a", 3, "b", 1)), ROLES_SAME);
}

Test(roles, with_another_name_and_other_servers_it_is_another_pool)
{
	cr_expect_eq(from_a_b_to(of("a", 0, "c", 3)), ROLES_OTHER);
	cr_expect_eq(from_a_b_to(of("c", 3, "b", 1)), ROLES_OTHER);
}

Test(roles, exchanged_by_name_or_by_servers_they_are_exchanged)
{
	cr_expect_eq(from_a_b_to(of("b", 1, "a", 0)), ROLES_EXCHANGED);
	cr_expect_eq(from_a_b_to(of("a", 1, "b", 0)), ROLES_EXCHANGED);
}

Test(roles, the_other_sides_servers_on_one_side_are_an_exchange_too)
{
	cr_expect_eq(from_a_b_to(of("c", 3, "a", 0)), ROLES_EXCHANGED);
	cr_expect_eq(from_a_b_to(of("b", 1, "c", 3)), ROLES_EXCHANGED);
}

Test(roles, what_an_older_version_did_not_keep_is_no_change)
{
	struct roles unknown = roles_read(NULL), now = of("a", 0, "b", 1);

	cr_expect_not(roles_are_known(&unknown));
	cr_expect_eq(roles_compare(&unknown, &now), ROLES_SAME);
}

Test(roles, they_come_back_from_their_json)
{
	struct roles was = of("a", 0, "b", 1);
	struct json *j = roles_json(&was);
	struct roles back = roles_read(j);

	json_free(j);
	cr_expect_str_eq(back.side[SIDE_LEGACY].name, "a");
	cr_expect_str_eq(back.side[SIDE_NEW].name, "b");
	cr_expect_eq(back.side[SIDE_LEGACY].servers, was.side[SIDE_LEGACY].servers);
	cr_expect_eq(back.side[SIDE_NEW].servers, was.side[SIDE_NEW].servers);
}
