/*
 * Commits: acknowledged when they are on the disk, in order, and never lost, not
 * by a kill and not by a full disk.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sluice/base/clock.h"

#include "scene.h"

static _Atomic unsigned syncs;

/* SQLite's calls come by here. */
int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fsync, fd);
}

TestSuite(commit, .init = scene_begin, .fini = scene_end, .timeout = 100);

static bool is_failing(void)
{
	return scene.status.failing;
}

static bool is_well(void)
{
	return !scene.status.failing && !scene_look().failing;
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* From here on no file can grow: what a full disk looks like. */
static void fill_the_disk(void)
{
	(void)signal(SIGXFSZ, SIG_IGN);
	limit_files(1);
}

static void make_room(void)
{
	limit_files(RLIM_INFINITY);
}

static void fill_the_disk_and_notice(void)
{
	fill_the_disk();
	(void)scene_append("checkout", "weight");
	scene_until(is_failing);
}

Test(commit, all_that_is_queued_is_one_transaction_with_one_acknowledgement)
{
	cr_assert_eq(scene_try_open(""), 0);
	scene_append_many("checkout", 1000);

	cr_assert_eq(journal_start(scene.j, NULL), 0);

	scene_until_committed(1000);
	cr_assert_eq(scene.acknowledged, 1);
	cr_assert_eq(scene_look().committed, 1000);
}

Test(commit, sequence_numbers_rise_by_one_and_samples_have_none)
{
	scene_open("");

	uint64_t first = scene_append("checkout", "start");
	scene_sample("checkout");
	uint64_t second = scene_append("checkout", "advance");

	cr_assert_eq(first, 1);
	cr_assert_eq(second, 2);
	scene_until_committed(2);
}

Test(commit, decisions_keep_their_order)
{
	scene_open("");

	scene_append_many("checkout", 500);
	scene_until_committed(500);

	const struct rows *r = scene_ask("", 0, 0);
	cr_assert_eq(r->n, 500);
	for (size_t i = 0; i < r->n; i++)
		cr_assert_eq(r->row[i].generation, i + 1);
}

Test(commit, what_is_acknowledged_is_there_for_everybody)
{
	scene_open("");

	scene_until_committed(scene_append("checkout", "revert"));

	cr_assert_eq(scene_sql("SELECT count(*) FROM decision"), 1);
}

Test(commit, no_acknowledgement_without_a_sync_of_the_disk)
{
	scene_open("");
	scene_until_committed(scene_append("checkout", "start"));
	unsigned before = syncs;

	scene_until_committed(scene_append("checkout", "advance"));

	cr_assert_gt(syncs, before);
}

Test(commit, a_decision_and_the_states_after_it_are_whole_or_not_at_all)
{
	scene_open("");

	scene_until_committed(scene_append_with_state("checkout", 9, "{}"));

	cr_assert_eq(scene_sql("SELECT generation FROM state"), 9);
}

/* In a process of its own, which dies without closing anything. */
static uint64_t die_after_committing(unsigned n)
{
	pid_t pid = fork();

	if (pid == 0) {
		scene.loop = net_loop_new(0);
		scene_open("");
		scene_append_many("checkout", n);
		scene_until_committed(n);
		_exit(7);
	}
	int status = 0;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(WEXITSTATUS(status), 7);
	return n;
}

Test(commit, a_process_that_dies_loses_nothing_that_was_acknowledged)
{
	uint64_t n = die_after_committing(50) + die_after_committing(20);

	scene_open("");

	cr_assert_eq(scene.found, JOURNAL_FOUND);
	cr_assert_eq(scene_ask("", 0, 0)->n, n);
}

Test(commit, the_same_id_twice_is_one_decision)
{
	struct decision d = scene_decision("checkout", "advance");

	scene_open("");
	(void)snprintf(d.id, sizeof(d.id), "018f0000-0000-7000-8000-000000000001");
	(void)scene_put(&d);
	scene_until_committed(scene_put(&d));

	cr_assert_eq(scene_ask("", 0, 0)->n, 1);
	cr_assert_eq(scene_sql("SELECT count(*) FROM outbox"), 1);
}

Test(commit, bytes_that_are_no_text_are_repaired_and_missing_texts_are_empty)
{
	struct decision d = { .action = "weight",
		.reason = "said \xff\xfe by \xc3\xa4" };

	scene_open("");
	scene_until_committed(scene_put(&d));

	const struct rows *r = scene_ask("", 0, 0);
	cr_assert_eq(r->n, 1);
	cr_assert_str_eq(r->row[0].reason, "said \xef\xbf\xbd\xef\xbf\xbd by \xc3\xa4");
	cr_assert_str_eq(r->row[0].actor, "");
	cr_assert_eq(strlen(r->row[0].id), 36);
}

Test(commit, a_full_disk_is_told_and_nothing_is_acknowledged)
{
	scene_open("");
	scene_until_committed(scene_append("checkout", "start"));

	fill_the_disk_and_notice();

	cr_assert_eq(scene.committed, 1);
	cr_assert(scene_look().failing);
	cr_assert_str_neq(scene_look().trouble, "");
	make_room();
}

Test(commit, when_the_disk_has_room_again_everything_is_committed_in_order)
{
	scene_open("");
	scene_until_committed(scene_append("checkout", "start"));
	fill_the_disk_and_notice();
	scene_append_many("checkout", 300);

	make_room();
	scene_until_committed(302);
	scene_until(is_well);

	const struct rows *r = scene_ask("", 0, 0);
	cr_assert_eq(r->n, 302);
	cr_assert_eq(r->row[2].generation, 1);
	cr_assert_eq(r->row[301].generation, 300);
	cr_assert_str_eq(scene_look().trouble, "");
}

Test(commit, a_file_that_was_taken_away_is_told_until_it_is_back)
{
	char away[140];

	scene_open("");
	scene_until_committed(scene_append("checkout", "start"));
	(void)snprintf(away, sizeof(away), "%s.away", scene.path);
	cr_assert_eq(rename(scene.path, away), 0);

	(void)scene_append("checkout", "weight");
	scene_until(is_failing);

	cr_expect_eq(scene.committed, 1);
	cr_expect_not_null(strstr(scene_look().trouble, "deleted or moved"));
	cr_assert_eq(rename(away, scene.path), 0);
	scene_until_committed(2);
	scene_until(is_well);
}

static bool has_dropped(void)
{
	return scene_look().dropped == 500;
}

Test(commit,
	while_the_disk_is_full_samples_are_dropped_oldest_first_and_decisions_never)
{
	scene_open("");
	fill_the_disk_and_notice();

	for (int i = 0; i < 5250; i++)
		scene_sample("checkout");
	(void)scene_append("checkout", "revert");
	for (int i = 0; i < 5250; i++)
		scene_sample("search");
	scene_until(has_dropped);
	make_room();
	scene_until_committed(2);

	cr_assert_eq(scene_sql("SELECT count(*) FROM sample"), 10000);
	cr_assert_eq(
		scene_sql("SELECT count(*) FROM sample WHERE migration = 'checkout'"),
		4750);
	const struct rows *r = scene_ask("", 0, 0);
	cr_assert_eq(r->n, 3);
	cr_assert_str_eq(r->row[2].action, "dropped");
	cr_assert_str_eq(r->row[2].evidence, "{\"samples\":500}");
}

Test(commit, a_lock_held_by_a_reader_of_the_file_only_delays)
{
	scene_open("");
	scene_until_committed(scene_append("checkout", "start"));
	cr_assert_eq(scene_sql("BEGIN; SELECT count(*) FROM decision"), 0);

	scene_until_committed(scene_append("checkout", "advance"));

	cr_assert_eq(scene.committed, 2);
}

Test(commit, closing_commits_what_is_queued)
{
	scene_open("");
	scene_append_many("checkout", 200);

	scene_close();

	cr_assert_eq(scene_sql("SELECT count(*) FROM decision"), 200);
}

Test(commit, closing_on_a_full_disk_ends_in_time_and_keeps_what_was_acknowledged)
{
	scene_open("");
	scene_until_committed(scene_append("checkout", "start"));
	fill_the_disk_and_notice();

	uint64_t start = clock_mono_ms();
	scene_close();

	cr_assert_lt(clock_mono_ms() - start, 10000);
	make_room();
	cr_assert_eq(scene_sql("SELECT count(*) FROM decision"), 1);
}

Test(commit, the_journal_is_nobody_elses_to_read)
{
	struct stat st;

	scene_open("");

	cr_assert_eq(stat(scene.path, &st), 0);
	cr_assert_eq(st.st_mode & 07, 0);
}
