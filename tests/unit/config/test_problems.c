#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "scene.h"

Test(problems, all_of_a_file_are_told_in_one_run_in_the_order_of_the_file)
{
	struct loaded l =
		load("routes = ( { pool = \"odl\"; } );\n"
		     "workers = 100;\n"
		     "pools = { old = {\n"
		     "  servers = ( { address = \"127.0.0.1\"; weight = 140; } );\n"
		     "  balnce = \"hash\"; }; };\n"
		     "listeners = ( { name = \"web\"; } );\n"
		     "timeouts = { connect = \"soon\"; };\n");

	cr_assert_eq(l.problems.n, 7);
	cr_expect_not_null(
		strstr(l.problems.text[0], "conf:1: routes[0].pool: there is no"));
	cr_expect_not_null(
		strstr(l.problems.text[1], "conf:2: workers: expected 0..64"));
	cr_expect_not_null(
		strstr(l.problems.text[2], "conf:4: pools.old.servers[0].address:"));
	cr_expect_not_null(
		strstr(l.problems.text[3], "conf:4: pools.old.servers[0].weight:"));
	cr_expect_not_null(
		strstr(l.problems.text[4], "conf:5: pools.old.balnce: unknown"));
	cr_expect_not_null(
		strstr(l.problems.text[5], "conf:6: listeners[0].address: is"));
	cr_expect_not_null(
		strstr(l.problems.text[6], "conf:7: timeouts.connect: expected"));
	unload(&l);
}

Test(problems, have_the_form_that_editors_and_people_know)
{
	struct loaded l = load("\nworkers = 100;\n" LEAST);

	cr_assert_str_eq(l.problems.text[0],
		"/scene/sluice.conf:2: workers: expected 0..64, got 100");
	unload(&l);
}

Test(problems, never_hold_control_characters_of_the_file)
{
	struct loaded l = load("log = { level = \"a\\x1b[2J\"; };\n"
			       "routes = ( { pool = \"x\ty\"; } );\n" LISTENERS POOLS);

	cr_assert_geq(l.problems.n, 2);
	for (size_t i = 0; i < l.problems.n; i++)
		for (const char *p = l.problems.text[i]; *p != '\0'; p++)
			cr_expect_geq((unsigned char)*p, 0x20);
	unload(&l);
}

Test(problems, beyond_a_thousand_are_counted)
{
	char *text = mem_zero(200000);
	size_t n = (size_t)sprintf(text, "%s", LEAST);

	for (int i = 0; i < 1500; i++)
		n += (size_t)sprintf(text + n, "x%d = 1;\n", i);

	struct loaded l = load(text);

	cr_assert_eq(l.problems.n, 1001);
	cr_assert(told(&l, "500 more problems are not shown"));
	unload(&l);
	free(text);
}

Test(problems, add_up_in_one_list_over_several_files)
{
	struct config_problems p = { 0 };
	struct config *c;

	config_problems_add(&p, "first %d", 1);
	cr_assert_eq(config_load_text(&c, "/x", "x = 1;", 6, &p), -1);

	cr_assert_str_eq(p.text[0], "first 1");
	cr_assert_eq(count_lines(&p, "/x:1: x: unknown setting"), 1);
	cr_assert_null(c);
	config_problems_fini(&p);
	cr_assert_eq(p.n, 0);
}
