#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "scene.h"

/* A file of that many migrations, with two pools of two servers each, and routes. */
static char *large_file(int migrations, int routes)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	fputs(LISTENERS "pools = {\n", f);
	for (int i = 0; i < migrations; i++)
		for (int side = 0; side < 2; side++)
			fprintf(f,
				"%s%d = { servers = ( { address = \"10.%d.%d.1:80\"; "
				"},\n"
				"{ address = \"10.%d.%d.2:80\"; } ); health = { }; "
				"};\n",
				side == 0 ? "old" : "new", i, side, i % 256, side,
				i % 256);
	fputs("};\nmigrations = {\n", f);
	for (int i = 0; i < migrations; i++)
		fprintf(f,
			"m%d = { legacy = \"old%d\"; new = \"new%d\";\n"
			"weights = { legacy = 95; new = 5; };\n"
			"guard = { error_rate = 1.0; p95_latency = \"500ms\"; };\n"
			"plan = { steps = ( { weight = 5; hold = \"10m\"; },\n"
			"{ weight = 100; } ); }; };\n",
			i, i, i);
	fputs("};\nroutes = (\n", f);
	for (int i = 0; i < routes; i++)
		fprintf(f,
			"%s{ host = \"h%d.example\"; path = \"/api\"; migration = "
			"\"m%d\"; }\n",
			i == 0 ? "" : ",", i, i % migrations);
	fputs(");\n", f);
	fclose(f);
	return text;
}

Test(speed, a_thousand_routes_and_a_hundred_migrations_load_in_under_a_second)
{
	char *text = large_file(100, 1000);
	clock_t start = clock();

	struct loaded l = load(text);

	cr_assert_lt(clock() - start, CLOCKS_PER_SEC);
	expect_accepted(&l);
	cr_assert_eq(l.c->n_routes, 1000);
	cr_assert_eq(l.c->n_migrations, 100);
	unload(&l);
	free(text);
}

Test(speed, five_hundred_migrations_stay_under_256_mib)
{
	char *text = large_file(500, 1000);
	struct rusage use;

	struct loaded l = load(text);

	expect_accepted(&l);
	cr_assert_eq(getrusage(RUSAGE_SELF, &use), 0);
	cr_assert_lt(use.ru_maxrss, 256 * 1024);
	unload(&l);
	free(text);
}

Test(speed, comparing_two_large_files_takes_under_a_second)
{
	char *text = large_file(500, 1000);
	struct loaded a = load(text), b = load(text);
	struct config_problems lines = { 0 };
	clock_t start = clock();

	config_diff(a.c, b.c, &lines);

	cr_assert_lt(clock() - start, CLOCKS_PER_SEC);
	cr_assert_eq(lines.n, 0);
	unload(&b);
	unload(&a);
	free(text);
}

Test(speed, nineteen_thousand_wrong_routes_are_refused_in_seconds, .timeout = 30)
{
	char *text = large_file(100, 19000);
	char *routes = strstr(text, "routes = (");

	for (char *p = routes; (p = strstr(p, "migration = \"m")) != NULL; p++)
		memcpy(p, "migratoin", 9);

	struct loaded l = load(text);

	cr_assert_eq(l.problems.n, 1001);
	unload(&l);
	free(text);
}
