/*
 * Whatever happens to the server, to the connection or to us, each row arrives
 * once and in order.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sluice/base/clock.h"

#include "scene.h"
#include "server.h"

TestSuite(trouble, .init = server_begin_migrated, .fini = scene_end, .timeout = 300);

Test(trouble, a_server_that_stops_and_starts_gets_all_of_it_once_and_in_order)
{
	scene_open(server_database);
	scene_append_many("checkout", 3000);
	scene_until_forward_is(JOURNAL_CONNECTED);

	server_ctl("stop -m immediate");
	scene_append_many("checkout", 700);
	scene_until_committed(3700);
	scene_until_forward_is(JOURNAL_AWAY);
	cr_assert_gt(scene_look().away_since_us, clock_wall_us() - 60000000);
	server_ctl("start");

	server_has_all_of(3700);
	scene_until_forward_is(JOURNAL_CONNECTED);
	cr_assert_eq(scene_look().away_since_us, 0);
}

static void fast_restart_in_the_middle(void)
{
	scene_append_many("checkout", 500);
	server_ctl("stop -m fast");
	scene_append_many("checkout", 500);
	server_ctl("start");
}

Test(trouble, three_restarts_in_a_row_under_load)
{
	scene_open(server_database);

	for (int i = 0; i < 3; i++)
		fast_restart_in_the_middle();

	server_has_all_of(3000);
}

static void terminate_backends(void)
{
	(void)pg("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
		 " WHERE application_name LIKE 'sluice %' AND datname = "
		 "current_database()");
}

Test(trouble, terminated_backends_cost_nothing)
{
	scene_open(server_database);

	for (int i = 0; i < 10; i++) {
		scene_append_many("checkout", 300);
		terminate_backends();
	}

	server_has_all_of(3000);
}

Test(trouble, a_backend_terminated_while_idle_is_noticed_and_replaced)
{
	scene_open(server_database);
	scene_until_forward_is(JOURNAL_CONNECTED);

	terminate_backends();
	scene_until_forward_is(JOURNAL_AWAY);
	scene_until_forward_is(JOURNAL_CONNECTED);

	(void)scene_append("checkout", "advance");
	server_has_all_of(1);
}

Test(trouble, a_server_that_becomes_read_only_keeps_rows_waiting)
{
	scene_open(server_database);
	scene_until_forward_is(JOURNAL_CONNECTED);

	server_read_only("on");
	terminate_backends();
	scene_append_many("checkout", 50);
	scene_until_trouble_tells("the server is read-only");
	server_read_only("off");

	server_has_all_of(50);
}

Test(trouble, a_server_that_is_slow_delays_no_commit)
{
	scene_open(server_database);
	scene_until_forward_is(JOURNAL_CONNECTED);
	PGconn *lock = server_session();
	PQclear(PQexec(lock, "BEGIN; LOCK TABLE decision IN ACCESS EXCLUSIVE MODE"));

	scene_append_many("checkout", 100);
	scene_until_committed(100);
	scene_append_many("checkout", 100);
	scene_until_committed(200);
	cr_assert_eq(scene_look().waiting, 200);

	PQfinish(lock);
	server_has_all_of(200);
}

Test(trouble, a_refused_row_is_set_aside_loudly_and_the_others_go_on)
{
	(void)pg("ALTER TABLE decision ADD CONSTRAINT odd CHECK (generation <> 7)");
	scene_open(server_database);
	scene_append_many("checkout", 20);

	scene_until_all_committed();
	scene_until_waiting_is(0);
	scene_until_trouble_tells("1 rows refused by PostgreSQL");

	cr_assert_eq(scene_look().forward, JOURNAL_CONNECTED);
	cr_assert_eq(pg_number("SELECT count(*) FROM decision"), 19);
	cr_assert_eq(server_disorder(), 0);
	cr_assert_eq(
		scene_sql("SELECT count(*) FROM outbox WHERE refused LIKE '%odd%'"), 1);
}

Test(trouble, a_refused_row_is_tried_again_by_the_next_start)
{
	(void)pg("ALTER TABLE decision ADD CONSTRAINT odd CHECK (generation <> 7)");
	scene_open(server_database);
	scene_append_many("checkout", 20);
	scene_until_all_committed();
	scene_until_waiting_is(0);
	scene_close();
	(void)pg("ALTER TABLE decision DROP CONSTRAINT odd");

	scene_open(server_database);

	scene_until_forward_is(JOURNAL_CONNECTED);
	scene_until_waiting_is(0);
	cr_assert_eq(pg_number("SELECT count(*) FROM decision"), 20);
	cr_assert_eq(scene_sql("SELECT count(*) FROM outbox"), 0);
}

Test(trouble, a_whole_batch_of_refused_rows_ends)
{
	(void)pg("ALTER TABLE migration_tracking ADD CONSTRAINT odd CHECK (false)");
	scene_open(server_database);
	scene_append_many("checkout", 40);
	(void)scene_append("", "reload");

	scene_until_all_committed();
	scene_until_waiting_is(0);

	cr_assert_eq(pg_number("SELECT count(*) FROM decision"), 1);
	cr_assert_eq(
		scene_sql("SELECT count(*) FROM outbox WHERE refused IS NOT NULL"), 40);
}

Test(trouble, what_was_committed_there_and_not_marked_here_is_not_doubled)
{
	scene_open(server_database);
	scene_append_many("checkout", 500);
	server_has_all_of(500);
	scene_close();
	cr_assert_eq(
		scene_sql("INSERT INTO outbox (seq, kind) SELECT seq, 0 FROM decision"),
		0);

	scene_open(server_database);

	server_has_all_of(500);
}

Test(trouble, closing_gives_postgresql_time_to_take_the_rest)
{
	scene_open(server_database);
	scene_append_many("checkout", 2000);

	scene_close();

	cr_assert_eq(pg_number("SELECT count(*) FROM decision"), 2000);
}

Test(trouble, closing_does_not_wait_for_a_server_that_is_away)
{
	scene_open("host=/nowhere dbname=x");
	scene_append_many("checkout", 10);
	scene_until_committed(10);
	uint64_t start = clock_mono_ms();

	scene_close();

	cr_assert_lt(clock_mono_ms() - start, 3000);
	cr_assert_eq(scene_sql("SELECT count(*) FROM outbox"), 10);
}

Test(trouble, a_reload_can_turn_forwarding_off_and_on_to_another_database)
{
	struct config_journal c = { .path = scene.path, .postgres = (char *)"" };

	scene_open(server_database);
	scene_append_many("checkout", 10);
	server_has_all_of(10);

	journal_configure(scene.j, &c);
	scene_until_forward_is(JOURNAL_NO_FORWARD);
	scene_append_many("checkout", 5);
	scene_until_committed(15);
	c.postgres = server_database;
	journal_configure(scene.j, &c);

	scene_until_forward_is(JOURNAL_CONNECTED);
	server_has_all_of(15);
}

/* --- a driver that is killed --- */

/* Appends as fast as commits are acknowledged and says how far it got, until it is
 * killed. Decision n of the run has generation n. */
static void drive(int tell)
{
	scene.loop = net_loop_new(0);
	scene_open(server_database);
	for (uint64_t done = 0;; done += 20) {
		scene_append_many("checkout", 20);
		scene_until_committed(done + 20);
		uint64_t now = scene.committed;

		if (write(tell, &now, sizeof(now)) != sizeof(now))
			_exit(1);
	}
}

/* Kills it after it has told that often; returns what it said last. */
static uint64_t drive_and_kill(int times)
{
	uint64_t told = 0;
	int pipes[2];

	cr_assert_eq(pipe(pipes), 0);
	pid_t pid = fork();

	if (pid == 0)
		drive(pipes[1]);
	(void)close(pipes[1]);
	for (int i = 0; i < times; i++)
		cr_assert_eq(read(pipes[0], &told, sizeof(told)), sizeof(told));
	cr_assert_eq(kill(pid, SIGKILL), 0);
	while (read(pipes[0], &told, sizeof(told)) == sizeof(told))
		;
	(void)close(pipes[0]);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	return told;
}

Test(trouble, kills_in_the_middle_lose_nothing_that_was_acknowledged_and_double_nothing)
{
	uint64_t acknowledged = 0;

	acknowledged += drive_and_kill(5);
	acknowledged += drive_and_kill(23);
	server_ctl("stop -m immediate");
	acknowledged += drive_and_kill(11);
	server_ctl("start");
	acknowledged += drive_and_kill(17);
	acknowledged += drive_and_kill(1);

	scene_open(server_database);
	scene_until_waiting_is(0);
	long long kept = scene_sql("SELECT count(*) FROM decision");
	cr_assert_geq(kept, (long long)acknowledged);
	server_has_all_of((long)kept);
	cr_assert_eq(pg_number("SELECT count(*) FROM migration_tracking"), kept);
}
