#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

static struct config_problems lines;
static struct loaded was, is;

static void compare(const char *old, const char *new_)
{
	was = load(old);
	is = load(new_);
	expect_accepted(&was);
	expect_accepted(&is);
	config_diff(was.c, is.c, &lines);
}

static void teardown(void)
{
	config_problems_fini(&lines);
	unload(&is);
	unload(&was);
}

TestSuite(diff, .fini = teardown);

Test(diff, of_a_file_with_itself_is_empty)
{
	compare(LEAST MIGRATION(""), LEAST MIGRATION(""));

	cr_assert_eq(lines.n, 0);
}

Test(diff, names_each_setting_that_differs_with_both_values)
{
	compare("timeouts = { connect = \"2s\"; };\n" LEAST,
		"timeouts = { connect = \"3s\"; };\nlimits = { header_count = 99; "
		"};\n" LEAST);

	cr_assert_eq(lines.n, 2);
	cr_assert_str_eq(lines.text[0], "timeouts.connect: 2s -> 3s");
	cr_assert_str_eq(lines.text[1], "limits.header_count: 100 -> 99");
}

Test(diff, does_not_care_how_a_value_is_written_or_where_it_stands)
{
	compare("timeouts = { connect = \"2s\"; drain = \"1m\"; };\n" LEAST,
		LEAST "timeouts = { drain = \"60s\"; connect = \"2000ms\"; };\n");

	cr_assert_eq(lines.n, 0);
}

Test(diff, does_not_care_how_an_address_is_spelled)
{
	compare("listeners = ( { name = \"web\"; address = \"[0:0::1]:0080\"; } );\n"
		"pools = { old = { servers = ( { address = \"127.0.0.1:080\"; },\n"
		"{ address = \"App:9\"; } ); }; };\n" ROUTES,
		"listeners = ( { name = \"web\"; address = \"[::1]:80\"; } );\n"
		"pools = { old = { servers = ( { address = \"127.0.0.1:80\"; },\n"
		"{ address = \"app:9\"; } ); }; };\n" ROUTES);

	cr_assert_eq(lines.n, 0, "%s", lines.text[0]);
}

Test(diff, matches_servers_by_address_and_routes_by_host_and_path)
{
	compare(LISTENERS MIGRATION(
			"") "pools = { old = { servers = ( { address = \"a:1\"; }, { "
			    "address = \"b:1\"; } ); };\n"
			    "next = { servers = ( { address = \"a:1\"; } ); }; };\n"
			    "routes = ( { path = \"/x\"; pool = \"old\"; }, { pool = "
			    "\"old\"; } );\n",
		LISTENERS MIGRATION(
			"") "pools = { old = { servers = ( { address = \"c:1\"; },\n"
			    "{ address = \"b:1\"; weight = 2; } ); };\n"
			    "next = { servers = ( { address = \"a:1\"; } ); }; };\n"
			    "routes = ( { pool = \"old\"; }, { path = \"/x\"; "
			    "migration = \"m\"; } );\n");

	cr_expect_eq(lines.n, 5);
	cr_expect_eq(count_lines(&lines, "pools.old.servers[a:1]: removed"), 1);
	cr_expect_eq(count_lines(&lines, "pools.old.servers[b:1].weight: 1 -> 2"), 1);
	cr_expect_eq(count_lines(&lines, "pools.old.servers[c:1]: added"), 1);
	cr_expect_eq(count_lines(&lines, "routes[* /x].migration: none -> m"), 1);
	cr_expect_eq(count_lines(&lines, "routes[* /x].pool: old -> none"), 1);
}

Test(diff, names_what_came_and_what_went)
{
	compare(LEAST MIGRATION("guard = { error_rate = 1; };"),
		LEAST MIGRATION("plan = { steps = ( { weight = 5; } ); };"));

	cr_assert_eq(lines.n, 2);
	cr_assert_str_eq(lines.text[0], "migrations.m.guard: removed");
	cr_assert_str_eq(lines.text[1], "migrations.m.plan: added");
}

Test(diff, shows_weights_as_a_person_wrote_them)
{
	compare(LEAST MIGRATION(""),
		LEAST "migrations = { m = { legacy = \"old\"; new = \"next\";\n"
		      "weights = { legacy = 3; new = 1; }; }; };\n");

	cr_assert_eq(lines.n, 1);
	cr_assert_str_eq(lines.text[0],
		"migrations.m.weights: { legacy = 90; new = 10; } -> "
		"{ legacy = 75; new = 25; }");
}

Test(diff, shows_a_threshold_that_is_left_out_as_none)
{
	compare(LEAST MIGRATION("guard = { };"),
		LEAST MIGRATION("guard = { error_rate = 1.5; };"));

	cr_assert_eq(lines.n, 1);
	cr_assert_str_eq(lines.text[0], "migrations.m.guard.error_rate: none -> 1.5");
}

Test(diff, names_what_differs_in_tunnels_errors_and_headers)
{
	compare(LEAST MIGRATION(""),
		"headers = { via = \"sluice\"; };\n" LEAST MIGRATION(
			"tunnels = { on_revert = \"cut\"; };\n"
			"errors = { status = [ 500, 429 ]; grpc = [ 14 ]; };"));

	cr_assert_eq(lines.n, 4);
	cr_expect_eq(count_lines(&lines, "headers.via:  -> sluice"), 1);
	cr_expect_eq(
		count_lines(&lines, "migrations.m.tunnels.on_revert: drain -> cut"), 1);
	cr_expect_eq(
		count_lines(&lines, "migrations.m.errors.status: [ ] -> [ 500, 429 ]"),
		1);
	cr_expect_eq(count_lines(&lines,
			     "migrations.m.errors.grpc: [ 2, 4, 12, 13, 14, 15 ] -> "
			     "[ 14 ]"),
		1);
}

Test(diff, says_that_the_connection_string_changed_but_not_to_what)
{
	compare("journal = { postgres = \"password=one\"; };\n" LEAST,
		"journal = { postgres = \"password=two\"; };\n" LEAST);

	cr_assert_eq(lines.n, 1);
	cr_assert_str_eq(lines.text[0], "journal.postgres: changed (not shown)");
}

Test(diff, a_reload_of_what_may_change_is_allowed)
{
	compare("timeouts = { connect = \"2s\"; };\n" LEAST, LEAST MIGRATION(""));
	struct config_problems problems = { 0 };

	cr_assert_eq(config_check_reload(was.c, is.c, &problems), 0);
	cr_assert_eq(problems.n, 0);
}

Test(diff, a_reload_is_told_what_needs_a_restart_and_the_way_out)
{
	compare("workers = 2;\n" LEAST,
		"workers = 3;\nadmin = { socket = \"/a.sock\"; };\n"
		"journal = { path = \"/j.db\"; };\ntimeouts = { connect = \"3s\"; "
		"};\n" LEAST);
	struct config_problems problems = { 0 };

	cr_assert_eq(config_check_reload(was.c, is.c, &problems), -1);
	cr_assert_eq(problems.n, 3);
	cr_expect_str_eq(problems.text[0],
		"workers: 2 -> 3 needs a restart: restart sluice, or "
		"set it back to 2 and reload");
	cr_expect_eq(count_lines(&problems,
			     "admin.socket: /run/sluice/admin.sock -> /a.sock"),
		1);
	cr_expect_eq(count_lines(&problems, "journal.path: "), 1);
	config_problems_fini(&problems);
}
