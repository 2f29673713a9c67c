/*
 * What arrives in PostgreSQL, and what it takes to write there.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "scene.h"
#include "server.h"

TestSuite(forward, .init = server_begin_migrated, .fini = scene_end, .timeout = 200);

Test(forward, a_decision_arrives_with_all_it_says)
{
	scene_open(server_database);

	(void)scene_append("checkout", "advance");
	server_has_all_of(1);

	cr_assert_eq(scene_look().forward, JOURNAL_CONNECTED);
	cr_assert_str_eq(
		pg("SELECT concat_ws(' ', migration, action, phase_from, phase_to,"
		   " from_ppm, to_ppm, actor, reason, config_hash, generation)"
		   " FROM decision"),
		"checkout advance running running 50000 250000 plan held and passed"
		" 0123abcd 42");
	cr_assert_eq(pg_number("SELECT evidence ->> 'n' FROM decision"), 7);
	cr_assert_eq(pg_number("SELECT count(*) FROM decision"
			       " WHERE abs(extract(epoch FROM now() - at)) < 60"
			       " AND instance LIKE '%:%journal.db'"),
		1);
}

Test(forward, a_change_of_weight_is_tracked_and_what_changes_nothing_is_not)
{
	struct decision refused = scene_decision("checkout", "refused");

	refused.from_ppm = refused.to_ppm;
	scene_open(server_database);
	(void)scene_append("checkout", "advance");
	(void)scene_put(&refused);
	(void)scene_append("", "reload");

	server_has_all_of(3);

	cr_assert_eq(pg_number("SELECT count(*) FROM migration_tracking"), 1);
	cr_assert_str_eq(
		pg("SELECT migration || ' ' || phase || ' ' || new_percent::int"
		   " FROM migration_current"),
		"checkout running 25");
}

Test(forward,
	reverts_and_cutbacks_are_in_migration_rollback_with_their_first_bad_moment)
{
	scene_open(server_database);

	(void)scene_append("checkout", "revert");
	(void)scene_append("search", "cutback");
	(void)scene_append("search", "weight");
	server_has_all_of(3);

	cr_assert_eq(pg_number("SELECT count(*) FROM migration_rollback"), 2);
	cr_assert_str_eq(pg("SELECT kind || ' ' || from_ppm || ' ' ||"
			    " extract(epoch FROM first_bad_at)"
			    " FROM migration_rollback WHERE migration = 'checkout'"),
		"revert 50000 1700000000.123456");
}

Test(forward, samples_arrive_in_migration_metrics)
{
	scene_open(server_database);
	(void)scene_append("checkout", "start");

	scene_sample("checkout");
	scene_until_committed(1);
	scene_sample("checkout");
	scene_close();

	cr_assert_eq(
		pg_number("SELECT sum(legacy_requests) FROM migration_metrics"), 600);
	cr_assert_str_eq(pg("SELECT new_share_percent || ' ' || new_error_percent"
			    " FROM migration_minute ORDER BY minute LIMIT 1"),
		"25.000 2.000");
}

Test(forward, evidence_that_is_no_json_does_not_stop_anything)
{
	struct decision d = scene_decision("checkout", "revert");

	scene_open(server_database);
	d.evidence_json = "{\"x\": \"\\u0000\"}";
	(void)scene_put(&d);
	d.evidence_json = NULL;
	(void)scene_put(&d);

	server_has_all_of(2);

	cr_assert_eq(
		pg_number("SELECT count(*) FROM decision WHERE evidence ? 'not_json'"),
		1);
	cr_assert_eq(
		pg_number("SELECT count(*) FROM decision WHERE evidence IS NULL"), 1);
}

Test(forward, values_beyond_what_a_column_holds_are_clipped_and_not_refused)
{
	struct decision d = scene_decision("checkout", "weight");

	d.generation = UINT64_MAX;
	d.wall_us = UINT64_MAX / 2;
	d.to_ppm = UINT32_MAX;
	scene_open(server_database);

	(void)scene_put(&d);

	server_has_all_of(1);
}

Test(forward, a_role_that_may_only_insert_is_enough)
{
	char writer[256];

	(void)pg("DROP ROLE IF EXISTS writer; CREATE ROLE writer LOGIN;"
		 "REVOKE ALL ON SCHEMA public FROM public;"
		 "GRANT USAGE ON SCHEMA public TO writer;"
		 "GRANT INSERT ON decision, migration_tracking, migration_metrics,"
		 " migration_rollback TO writer");
	(void)snprintf(writer, sizeof(writer), "%s user=writer", server_database);
	scene_open(writer);

	(void)scene_append("checkout", "revert");
	server_has_all_of(1);
	cr_assert_eq(pg_number("SELECT count(*) FROM migration_rollback"), 1);
	(void)pg("DROP OWNED BY writer");
}

Test(forward, a_missing_right_is_named_and_rows_wait_for_the_grant)
{
	char poor[256];

	(void)pg("DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN;"
		 "GRANT INSERT ON decision, migration_tracking, migration_metrics TO "
		 "poor");
	(void)snprintf(poor, sizeof(poor), "%s user=poor", server_database);
	scene_open(poor);
	scene_append_many("checkout", 3);
	scene_until_trouble_tells("no right to INSERT into migration_rollback");

	(void)pg("GRANT INSERT ON migration_rollback TO poor");

	server_has_all_of(3);
	(void)pg("DROP OWNED BY poor");
}

Test(forward, tables_may_be_in_a_schema_of_their_own)
{
	char elsewhere[300];
	struct err err;
	int from, to;

	(void)pg("CREATE SCHEMA sluice");
	(void)snprintf(elsewhere, sizeof(elsewhere),
		"%s options='-csearch_path=sluice'", server_database);
	cr_assert_eq(journal_migrate(elsewhere, &from, &to, &err), 0, "%s", err.text);
	scene_open(elsewhere);

	(void)scene_append("checkout", "advance");
	scene_until_all_committed();
	scene_until_forward_is(JOURNAL_CONNECTED);
	scene_close();
	cr_assert_eq(pg_number("SELECT count(*) FROM sluice.decision"), 1);
}
