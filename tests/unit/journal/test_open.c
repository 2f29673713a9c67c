/*
 * What the journal makes of what it finds at its path (S2).
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

TestSuite(open, .init = scene_begin, .fini = scene_end, .timeout = 100);

static struct journal_state seen[4];
static char seen_json[4][64];
static size_t n_seen;

static void take_state(void *arg, const struct journal_state *s)
{
	(void)arg;
	seen[n_seen] = *s;
	(void)snprintf(seen_json[n_seen], sizeof(*seen_json), "%s", s->json);
	n_seen++;
}

static void read_states(void)
{
	n_seen = 0;
	cr_assert_eq(scene_try_open(""), 0);
	journal_each_state(scene.j, take_state, NULL);
}

static void write_bytes(const char *path, long offset, const char *bytes, size_t n)
{
	FILE *f = fopen(path, offset < 0 ? "w" : "r+");

	cr_assert_not_null(f);
	cr_assert_eq(fseek(f, offset < 0 ? 0 : offset, SEEK_SET), 0);
	cr_assert_eq(fwrite(bytes, 1, n, f), n);
	cr_assert_eq(fclose(f), 0);
}

static void leave_a_journal_with_one_decision(void)
{
	scene_open("");
	scene_until_committed(scene_append("checkout", "revert"));
	scene_close();
}

static size_t set_aside_files(void)
{
	char pattern[160];
	glob_t found;

	(void)snprintf(pattern, sizeof(pattern), "%s.lost-*", scene.path);
	int r = glob(pattern, 0, NULL, &found);
	size_t n = r == 0 ? found.gl_pathc : 0;

	globfree(&found);
	return n;
}

static void expect_lost_and_working(const char *reason)
{
	cr_assert_eq(scene.found, JOURNAL_LOST);
	cr_assert_not_null(strstr(scene.lost.text, reason), "%s", scene.lost.text);
	cr_assert_geq(set_aside_files(), 1);
	scene_until_committed(scene_append("checkout", "lost"));
}

Test(open, nothing_there_is_a_first_start)
{
	scene_open("");

	cr_assert_eq(scene.found, JOURNAL_FRESH);
	cr_assert_eq(scene_ask("", 0, 0)->n, 0);
}

Test(open, what_was_kept_is_found_again)
{
	leave_a_journal_with_one_decision();

	scene_open("");

	cr_assert_eq(scene.found, JOURNAL_FOUND);
	cr_assert_eq(scene_ask("", 0, 0)->n, 1);
}

Test(open, the_states_of_all_migrations_survive_a_restart_each_in_its_latest_form)
{
	scene_open("");
	(void)scene_append_with_state("checkout", 1, "{\"weight\":1}");
	(void)scene_append_with_state("search", UINT64_MAX, "{}");
	scene_until_committed(scene_append_with_state("checkout", 2, "{\"weight\":2}"));
	scene_close();

	read_states();

	cr_assert_eq(n_seen, 2);
	cr_assert_str_eq(seen[0].migration, "checkout");
	cr_assert_eq(seen[0].generation, 2);
	cr_assert_str_eq(seen_json[0], "{\"weight\":2}");
	cr_assert_str_eq(seen[1].migration, "search");
	cr_assert_eq(seen[1].generation, UINT64_MAX);
}

Test(open, what_was_appended_before_the_start_is_committed_by_it)
{
	cr_assert_eq(scene_try_open(""), 0);
	(void)scene_append("checkout", "start_up");
	(void)scene_append("checkout", "advance");

	cr_assert_eq(journal_start(scene.j, NULL), 0);

	scene_until_committed(2);
	cr_assert_eq(scene_ask("", 0, 0)->n, 2);
}

Test(open, a_journal_that_was_never_started_commits_when_it_is_closed)
{
	cr_assert_eq(scene_try_open(""), 0);
	(void)scene_append("checkout", "start_up");

	scene_close();

	cr_assert_eq(scene_sql("SELECT count(*) FROM decision"), 1);
}

Test(open, a_file_that_is_no_database_is_set_aside)
{
	write_bytes(scene.path, -1, "this is no database, but it is long enough", 42);

	scene_open("");

	expect_lost_and_working("not a database");
}

Test(open, an_empty_file_is_damage_because_a_new_one_is_never_empty)
{
	write_bytes(scene.path, -1, "", 0);

	scene_open("");

	expect_lost_and_working("is no journal of sluice");
}

Test(open, a_database_with_a_damaged_page_is_set_aside)
{
	char page[4096];

	memset(page, 'x', sizeof(page));
	leave_a_journal_with_one_decision();
	for (long n = 1; n < 8; n++)
		write_bytes(scene.path, n * 4096, page, sizeof(page));

	scene_open("");

	expect_lost_and_working("is damaged");
}

Test(open, a_database_cut_short_is_set_aside)
{
	leave_a_journal_with_one_decision();
	cr_assert_eq(truncate(scene.path, 3 * 4096), 0);

	scene_open("");

	expect_lost_and_working("");
}

Test(open, a_database_of_a_newer_program_is_set_aside_unchanged)
{
	leave_a_journal_with_one_decision();
	cr_assert_eq(scene_sql("PRAGMA user_version = 2"), 0);

	scene_open("");

	expect_lost_and_working("is of version 2, and this program knows version 1");
	cr_assert_eq(
		scene_sql("SELECT count(*) FROM decision WHERE action = 'revert'"), 0);
}

Test(open, somebody_elses_database_is_set_aside)
{
	leave_a_journal_with_one_decision();
	cr_assert_eq(scene_sql("PRAGMA application_id = 7"), 0);

	scene_open("");

	expect_lost_and_working("is no journal of sluice");
}

Test(open, a_journal_without_one_of_its_tables_is_set_aside)
{
	leave_a_journal_with_one_decision();
	cr_assert_eq(scene_sql("DROP TABLE state"), 0);

	scene_open("");

	expect_lost_and_working("no such table: state");
}

Test(open, a_folder_that_is_not_there_is_an_error_that_names_it)
{
	(void)snprintf(scene.path, sizeof(scene.path), "%s/nowhere/j.db", scene.dir);

	cr_assert_eq(scene_try_open(""), -1);

	cr_assert_null(scene.j);
	cr_assert_not_null(strstr(scene.lost.text, "nowhere/j.db"));
	cr_assert_not_null(strstr(scene.lost.text, "No such file"));
}

/* For this process, as a full disk has it. */
static void give_room(bool room)
{
	struct rlimit limit = { .rlim_cur = room ? RLIM_INFINITY : 0,
		.rlim_max = RLIM_INFINITY };

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool is_whole(void)
{
	return !scene_look().failing;
}

Test(open, without_room_what_is_kept_is_read_and_nothing_is_set_aside)
{
	scene_open("");
	scene_until_committed(scene_append_with_state("checkout", 7, "{\"latch\":1}"));
	scene_close();
	give_room(false);

	read_states();

	cr_assert_eq(scene.found, JOURNAL_FOUND);
	cr_assert(scene_look().failing);
	cr_assert_eq(n_seen, 1);
	cr_assert_eq(seen[0].generation, 7);
	cr_assert_str_eq(seen_json[0], "{\"latch\":1}");
	cr_assert_eq(set_aside_files(), 0);
}

Test(open, what_was_decided_without_room_is_written_when_there_is)
{
	leave_a_journal_with_one_decision();
	give_room(false);
	scene_open("");
	(void)scene_append("checkout", "start_up");
	cr_assert_eq(scene_ask("", 0, 0)->n, 1);
	cr_assert(scene_look().failing);

	give_room(true);

	scene_until_committed(1);
	scene_until(is_whole);
	cr_assert_eq(scene_ask("", 0, 0)->n, 2);
	cr_assert_str_eq(scene_look().trouble, "");
	cr_assert_eq(scene_sql("SELECT count(*) FROM decision"), 2);
}

Test(open, a_first_start_without_room_keeps_its_rows_until_there_is)
{
	give_room(false);
	scene_open("");
	cr_assert_eq(scene.found, JOURNAL_FRESH);
	(void)scene_append("checkout", "start_up");
	cr_assert_eq(scene_ask("", 0, 0)->n, 0);

	give_room(true);

	scene_until_committed(1);
	cr_assert_eq(scene_sql("SELECT count(*) FROM decision"), 1);
}

Test(open, damage_without_room_is_lost_at_once_and_set_aside_later)
{
	leave_a_journal_with_one_decision();
	write_bytes(scene.path, 0, "no database at all", 18);
	give_room(false);
	scene_open("");
	cr_assert_eq(scene.found, JOURNAL_LOST);
	cr_assert_not_null(
		strstr(scene.lost.text, "not a database"), "%s", scene.lost.text);
	cr_assert_eq(set_aside_files(), 0);
	(void)scene_append("checkout", "lost");

	give_room(true);

	scene_until_committed(1);
	cr_assert_geq(set_aside_files(), 1);
	cr_assert_eq(scene_sql("SELECT count(*) FROM decision"), 1);
}

/* The signals that the thread with this name blocks; 0 when there is none. */
static unsigned long long blocked_by(const char *thread)
{
	unsigned long long mask = 0;
	char command[256], text[32] = "";

	(void)snprintf(command, sizeof(command),
		"cd /proc/%d/task && grep -lx %s */comm | cut -d/ -f1 |"
		" xargs -I{} sed -n 's/^SigBlk:[[:space:]]*//p' {}/status",
		(int)getpid(), thread);
	FILE *f = popen(command, "r");

	cr_assert_not_null(f);
	if (fgets(text, sizeof(text), f) != NULL)
		mask = strtoull(text, NULL, 16);
	(void)pclose(f);
	return mask;
}

static bool is_named(void)
{
	return blocked_by("journal") != 0;
}

Test(open, the_thread_leaves_the_cutbacks_signal_alone_unblocked)
{
	scene_open("");
	scene_until(is_named);

	unsigned long long blocked = blocked_by("journal");

	cr_assert_eq(blocked >> (SIGUSR1 - 1) & 1, 0);
	cr_assert_eq(blocked >> (SIGTERM - 1) & 1, 1);
	cr_assert_eq(blocked >> (SIGHUP - 1) & 1, 1);
	cr_assert_eq(blocked >> (SIGPIPE - 1) & 1, 1);
}

/* Holds the database to itself until it is told to go. */
static pid_t hold_exclusively(int *tell)
{
	char script[400];
	int pipes[2];

	(void)snprintf(script, sizeof(script),
		"import sqlite3,sys\n"
		"c=sqlite3.connect('%s',isolation_level=None)\n"
		"c.execute('PRAGMA locking_mode=EXCLUSIVE')\n"
		"c.execute('BEGIN EXCLUSIVE')\n"
		"open('%s/held','w')\n"
		"sys.stdin.read()",
		scene.path, scene.dir);
	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	pid_t pid = fork();

	if (pid == 0) {
		(void)dup2(pipes[0], 0);
		(void)execl("/usr/bin/python3", "python3", "-c", script, (char *)NULL);
		_exit(127);
	}
	(void)close(pipes[0]);
	*tell = pipes[1];
	return pid;
}

static bool is_held(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/held", scene.dir);
	return access(path, F_OK) == 0;
}

Test(open, a_journal_that_another_process_holds_is_not_taken_from_it)
{
	int tell;

	leave_a_journal_with_one_decision();
	pid_t pid = hold_exclusively(&tell);
	scene_until(is_held);

	int r = scene_try_open("");

	cr_assert_eq(r, -1);
	cr_assert_not_null(strstr(scene.lost.text, "another process holds it"));
	cr_assert_eq(set_aside_files(), 0);
	(void)close(tell);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}
