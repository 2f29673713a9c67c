/*
 * The schema in PostgreSQL: made, checked and missed.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"
#include "server.h"

TestSuite(schema, .init = server_begin, .fini = scene_end, .timeout = 100);

Test(schema, an_empty_database_gets_everything_and_a_second_time_nothing)
{
	struct err err;
	int from, to, again_from, again_to;

	int first = journal_migrate(server_database, &from, &to, &err);
	int second = journal_migrate(server_database, &again_from, &again_to, &err);

	cr_assert_eq(first, 0, "%s", err.text);
	cr_assert_eq(second, 0, "%s", err.text);
	cr_assert_eq(from, 0);
	cr_assert_geq(to, 2);
	cr_assert_eq(again_from, to);
	cr_assert_eq(again_to, to);
	cr_assert_eq(pg_number("SELECT max(version) FROM schema_version"), to);
}

Test(schema, a_newer_schema_is_refused_and_both_versions_are_told)
{
	struct err err;
	int from, to;

	server_migrate();
	(void)pg("INSERT INTO schema_version (version, name) VALUES (999, 'later')");

	cr_assert_eq(journal_migrate(server_database, &from, &to, &err), -1);

	cr_assert_not_null(strstr(err.text, "is of version 999"), "%s", err.text);
	cr_assert_eq(from, 999);
}

Test(schema, a_file_that_fails_leaves_nothing_of_itself)
{
	struct err err;
	int from, to;

	(void)pg("CREATE TABLE migration_metrics (mine int)");

	cr_assert_eq(journal_migrate(server_database, &from, &to, &err), -1);

	cr_assert_not_null(strstr(err.text, "0001_tables"), "%s", err.text);
	cr_assert_not_null(strstr(err.text, "already exists"), "%s", err.text);
	cr_assert_str_eq(pg("SELECT to_regclass('decision') IS NULL"), "t");
}

Test(schema, two_at_once_do_it_once)
{
	struct err err;
	int from, to;
	pid_t pid = fork();

	if (pid == 0)
		_exit(journal_migrate(server_database, &from, &to, &err) == 0 ? 0 : 1);
	int mine = journal_migrate(server_database, &from, &to, &err);
	int status = 1;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(mine, 0, "%s", err.text);
	cr_assert_eq(status, 0);
	cr_assert_eq(pg_number("SELECT count(*) FROM schema_version"), to);
}

Test(schema, a_text_that_is_no_connection_string_is_not_repeated)
{
	struct err err;
	int from, to;

	cr_assert_eq(journal_migrate("hunter2 is secret", &from, &to, &err), -1);
	cr_assert_null(strstr(err.text, "hunter2"), "%s", err.text);
	cr_assert_eq(journal_migrate("", &from, &to, &err), -1);
}

static bool has_no_trouble(void)
{
	return scene_look().trouble[0] == '\0';
}

Test(schema, while_it_is_missing_rows_wait_and_the_trouble_says_what_to_run)
{
	scene_open(server_database);
	scene_append_many("checkout", 5);
	scene_until_trouble_tells("run: sluicectl db migrate");

	server_migrate();

	server_has_all_of(5);
	scene_until(has_no_trouble);
}

Test(schema, tables_of_an_older_version_are_told_in_the_same_words)
{
	server_migrate();
	(void)pg("ALTER TABLE decision DROP COLUMN config_hash");
	scene_open(server_database);
	scene_append_many("checkout", 5);

	scene_until_trouble_tells("run: sluicectl db migrate");

	(void)pg("ALTER TABLE decision ADD config_hash text");
	server_has_all_of(5);
}

Test(schema, every_table_and_every_view_explains_itself)
{
	server_migrate();

	cr_assert_eq(
		pg_number("SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'v')"
			  " AND relnamespace = 'public'::regnamespace"
			  " AND obj_description(oid) IS NULL"),
		0);
}
