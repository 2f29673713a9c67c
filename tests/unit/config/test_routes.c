#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "scene.h"

static struct slip slips[] = {
	{ "", "routes: is empty: at least one route" },
	{ "{ }", "routes[0]: goes nowhere: add migration" },
	{ "{ migration = \"m\"; pool = \"old\"; }",
		"routes[0].pool: stands beside migration" },
	{ "{ pool = \"odl\"; }", "there is no pool \"odl\"; the nearest is \"old\"" },
	{ "{ migration = \"n\"; }",
		"there is no migration \"n\"; the nearest is \"m\"" },
	{ "{ pool = 5; }", "routes[0].pool: expected a name in quotes, got 5" },
	{ "{ pool = \"old\"; path = \"api\"; }", "path: expected a path from \"/\"" },
	{ "{ pool = \"old\"; path = \"/a?b\"; }", "path: expected a path from \"/\"" },
	{ "{ pool = \"old\"; path = \"/a#b\"; }", "path: expected a path from \"/\"" },
	{ "{ pool = \"old\"; path = \"/a b\"; }", "path: expected a path from \"/\"" },
	{ "{ pool = \"old\"; path = \"/\xc3\xa4\"; }",
		"path: expected a path from \"/\"" },
	{ "{ pool = \"old\"; host = \"\"; }",
		"host: expected a host name without a port" },
	{ "{ pool = \"old\"; host = \"a.example:80\"; }",
		"expected a host name without a port" },
	{ "{ pool = \"old\"; host = \"a.*.example\"; }",
		"expected a host name without a port" },
	{ "{ pool = \"old\"; host = \"*.\"; }", "expected a host name without a port" },
	{ "{ pool = \"old\"; host = \"[::g]\"; }",
		"expected a host name without a port" },
	{ "{ pool = \"old\"; }, { migration = \"m\"; host = \"*\"; path = \"/\"; }",
		"routes[1].path: * / stands already at" },
	{ "{ pool = \"old\"; host = \"A.b\"; }, { pool = \"old\"; host = \"a.B\"; }",
		"routes[1].path: a.b / stands already at" },
	{ "{ pool = \"old\"; paht = \"/\"; }", "the nearest known one is \"path\"" },
};

ParameterizedTestParameters(routes, a_slip_is_named_once)
{
	return cr_make_param_array(
		struct slip, slips, sizeof(slips) / sizeof(slips[0]));
}

ParameterizedTest(struct slip *s, routes, a_slip_is_named_once)
{
	char *text =
		mem_print("routes = ( %s );\n" LISTENERS POOLS MIGRATION(""), s->text);

	expect_refused(text, s->words);
	free(text);
}

Test(routes, a_star_in_a_path_is_noted_as_a_star)
{
	struct loaded l =
		load("routes = ( { pool = \"old\"; }, { pool = \"old\"; path = "
		     "\"/a/*\"; } );\n" LISTENERS POOLS MIGRATION(""));
	struct config_problems notes = { .n = 0 };

	config_notes(l.c, &notes);

	cr_assert_eq(notes.n, 1);
	cr_assert_neq(strstr(notes.text[0], "routes[1].path"), NULL);
	config_problems_fini(&notes);
	unload(&l);
}

Test(routes, a_host_may_be_an_address_and_an_exact_prefix_is_the_default)
{
	struct loaded l = load(
		"routes = ( { pool = \"old\"; host = \"127.0.0.1\"; }, "
		"{ pool = \"old\"; path = \"/a\"; exact = false; } );\n" LISTENERS POOLS
			MIGRATION(""));

	cr_assert(l.c->routes[0].exact);
	cr_assert_not(l.c->routes[1].exact);
	unload(&l);
}

Test(routes, lead_to_a_pool_or_a_migration_by_index)
{
	struct loaded l =
		load("routes = ( { migration = \"m\"; }, { path = \"/static\"; pool = "
		     "\"next\"; } );\n" LISTENERS POOLS MIGRATION(""));

	expect_accepted(&l);
	cr_assert_eq(l.c->n_routes, 2);
	cr_expect(l.c->routes[0].to_migration);
	cr_expect_eq(l.c->routes[0].target, 0);
	cr_expect_str_eq(l.c->routes[0].host, "*");
	cr_expect_str_eq(l.c->routes[0].path, "/");
	cr_expect_not(l.c->routes[1].to_migration);
	cr_expect_eq(l.c->routes[1].target, 1);
	unload(&l);
}

Test(routes, hosts_are_kept_in_lower_case_and_paths_as_they_are)
{
	struct loaded l = load(
		"routes = ( { host = \"*.Example.NET\"; path = \"/Api%2F\"; pool = "
		"\"old\"; }, { host = \"[::1]\"; pool = \"old\"; } );\n" LISTENERS
			POOLS);

	expect_accepted(&l);
	cr_expect_str_eq(l.c->routes[0].host, "*.example.net");
	cr_expect_str_eq(l.c->routes[0].path, "/Api%2F");
	cr_expect_str_eq(l.c->routes[1].host, "[::1]");
	unload(&l);
}

Test(routes, without_migrations_sluice_is_a_reverse_proxy)
{
	struct loaded l = load(LEAST);

	expect_accepted(&l);
	cr_assert_eq(l.c->n_migrations, 0);
	unload(&l);
}

Test(routes, to_a_migration_where_there_is_none_name_no_nearest)
{
	expect_refused("routes = ( { migration = \"m\"; } );\n" LISTENERS POOLS,
		"there is no migration \"m\"");
}
