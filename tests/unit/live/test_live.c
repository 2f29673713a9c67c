/* live - the words that decide where traffic goes, in a mapped file. */
#include "sluice/live.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[32], path[64];
static struct live *live;
static struct err err;

static void set_up(void)
{
	strcpy(folder, "/tmp/sluice-live-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/live", folder);
	live = NULL;
	err = (struct err){ .code = ERR_NONE };
}

static void tear_down(void)
{
	live_close(live);
	(void)unlink(path);
	cr_expect_eq(rmdir(folder), 0, "something is left in %s", folder);
}

TestSuite(live, .init = set_up, .fini = tear_down);

static bool open_fresh(void)
{
	bool fresh;

	cr_assert_eq(live_open(&live, path, &fresh, &err), 0, "%s", err.text);
	return fresh;
}

static void close_live(void)
{
	live_close(live);
	live = NULL;
}

static struct live_word *word(const char *name)
{
	struct live_word *w = live_find(live, name, true);

	cr_assert_not_null(w);
	return w;
}

static void store(
	const char *name, uint32_t ppm, enum live_latch latch, uint64_t generation)
{
	live_store(word(name), (struct live_value){
				       .new_ppm = ppm,
				       .latch = latch,
				       .generation = generation,
			       });
}

static uint32_t share(const char *name)
{
	return live_effective_ppm(live, word(name));
}

Test(live, a_missing_file_is_made_once)
{
	bool first = open_fresh();
	close_live();
	bool second = open_fresh();

	cr_expect(first);
	cr_expect_not(second);
}

Test(live, a_new_word_sends_nothing_to_new)
{
	open_fresh();

	struct live_value v = live_load(word("checkout"));

	cr_expect_eq(v.new_ppm, 0);
	cr_expect_eq(v.latch, LIVE_OPEN);
	cr_expect_eq(v.generation, 0);
	cr_expect_eq(share("checkout"), 0);
}

Test(live, weight_latch_and_generation_come_back_as_they_were_stored)
{
	open_fresh();

	store("checkout", 1000000, LIVE_CUTBACK, (UINT64_C(1) << 40) - 1);

	struct live_value v = live_load(word("checkout"));
	cr_expect_eq(v.new_ppm, 1000000);
	cr_expect_eq(v.latch, LIVE_CUTBACK);
	cr_expect_eq(v.generation, (UINT64_C(1) << 40) - 1);
}

Test(live, of_a_generation_the_low_40_bits_are_kept)
{
	open_fresh();

	store("checkout", 5, LIVE_REVERTED, (UINT64_C(1) << 40) + 3);

	struct live_value v = live_load(word("checkout"));
	cr_expect_eq(v.generation, 3);
	cr_expect_eq(v.latch, LIVE_REVERTED);
	cr_expect_eq(v.new_ppm, 5);
}

Test(live, a_latch_sends_everything_to_legacy_whatever_the_weight)
{
	open_fresh();

	store("open", 250000, LIVE_OPEN, 1);
	store("reverted", 250000, LIVE_REVERTED, 1);
	store("cut", 250000, LIVE_CUTBACK, 1);

	cr_expect_eq(share("open"), 250000);
	cr_expect_eq(share("reverted"), 0);
	cr_expect_eq(share("cut"), 0);
}

Test(live, a_cutback_of_all_holds_until_as_many_are_done_as_were_wanted)
{
	open_fresh();
	store("checkout", 250000, LIVE_OPEN, 1);

	live_cutback_all(live);
	live_cutback_all(live);
	uint32_t wanted = share("checkout");
	live_set_cutback_done(live, 1);
	uint32_t half_done = share("checkout");
	live_set_cutback_done(live, live_cutback_wanted(live));
	uint32_t done = share("checkout");

	cr_expect_eq(wanted, 0);
	cr_expect_eq(half_done, 0);
	cr_expect_eq(done, 250000);
	cr_expect_eq(live_cutback_done(live), 2);
}

static void on_signal(int number)
{
	(void)number;
	live_cutback_all(live);
}

Test(live, a_signal_handler_may_cut_back)
{
	open_fresh();
	store("checkout", 250000, LIVE_OPEN, 1);
	signal(SIGUSR1, on_signal);

	raise(SIGUSR1);

	cr_expect_eq(share("checkout"), 0);
}

Test(live, words_and_counters_are_found_again_after_a_restart)
{
	open_fresh();
	store("checkout", 50000, LIVE_OPEN, 7);
	store("search", 90000, LIVE_REVERTED, 8);
	word("search")->epoch = 3;
	live_cutback_all(live);
	close_live();

	open_fresh();

	cr_expect_eq(live_load(word("checkout")).new_ppm, 50000);
	cr_expect_eq(live_load(word("search")).latch, LIVE_REVERTED);
	cr_expect_eq(word("search")->epoch, 3);
	cr_expect_eq(live_cutback_wanted(live), 1);
	cr_expect_eq(live_cutback_done(live), 0);
}

/* The store is in the file the moment it is made, with no sync and no exit. */
Test(live, a_revert_outlives_the_kill_of_the_process_that_made_it)
{
	open_fresh();
	store("checkout", 50000, LIVE_OPEN, 7);
	pid_t child = fork();
	cr_assert_neq(child, -1);
	if (child == 0) {
		struct live *own;
		bool fresh;

		if (live_open(&own, path, &fresh, &err) == 0)
			live_store(live_find(own, "checkout", false),
				(struct live_value){
					.latch = LIVE_REVERTED, .generation = 8 });
		kill(getpid(), SIGKILL);
	}

	int status;
	cr_assert_eq(waitpid(child, &status, 0), child);

	cr_expect(WIFSIGNALED(status));
	cr_expect_eq(share("checkout"), 0);
	cr_expect_eq(live_load(word("checkout")).generation, 8);
}

Test(live, a_name_without_a_word_is_not_found_unless_asked_to_be_added)
{
	open_fresh();

	struct live_word *before = live_find(live, "checkout", false);
	struct live_word *added = live_find(live, "checkout", true);
	struct live_word *after = live_find(live, "checkout", false);

	cr_expect_null(before);
	cr_expect_not_null(added);
	cr_expect_eq(after, added);
	cr_expect_str_eq(added->name, "checkout");
}

Test(live, names_that_are_empty_or_too_long_have_no_word)
{
	open_fresh();
	char longest[LIVE_NAME_SIZE + 1];
	memset(longest, 'n', LIVE_NAME_SIZE);
	longest[LIVE_NAME_SIZE] = '\0';

	cr_expect_null(live_find(live, "", true));
	cr_expect_null(live_find(live, longest, true));
	longest[LIVE_NAME_SIZE - 1] = '\0';
	cr_expect_not_null(live_find(live, longest, true));
}

Test(live, when_all_words_are_taken_no_name_gets_that_of_another)
{
	open_fresh();
	char name[LIVE_NAME_SIZE];
	for (int i = 0; i < LIVE_WORDS; i++) {
		(void)snprintf(name, sizeof(name), "migration-%d", i);
		store(name, (uint32_t)i, LIVE_OPEN, 1);
	}

	struct live_word *refused = live_find(live, "one-too-many", true);

	cr_expect_null(refused);
	cr_expect_eq(share("migration-0"), 0);
	cr_expect_eq(share("migration-1023"), 1023);
}

static bool is_the_first(void *arg, const struct live_word *w)
{
	(void)arg;
	return strcmp(w->name, "migration-0") == 0;
}

Test(live, a_word_that_nothing_needs_is_given_back_and_a_latched_one_is_not)
{
	open_fresh();
	char name[LIVE_NAME_SIZE];
	for (int i = 0; i < LIVE_WORDS; i++) {
		(void)snprintf(name, sizeof(name), "migration-%d", i);
		store(name, 300000, i == 7 ? LIVE_REVERTED : LIVE_OPEN, 5);
	}

	size_t given = live_give_back(live, is_the_first, NULL);
	struct live_word *w = live_find(live, "one-too-many", true);

	cr_expect_eq(given, LIVE_WORDS - 2);
	cr_assert_not_null(w);
	cr_expect_eq(live_load(w).generation, 0, "nothing of the former name is left");
	cr_expect_eq(live_load(word("migration-7")).latch, LIVE_REVERTED);
	cr_expect_eq(live_load(word("migration-0")).new_ppm, 300000);
	cr_expect_null(live_find(live, "migration-1", false));
}

Test(live, a_word_has_a_cache_line_of_its_own)
{
	open_fresh();

	char *first = (char *)&word("a")->packed, *second = (char *)&word("b")->packed;

	cr_expect_geq(second - first, 64);
}

/* Bytes written over a good file, before it is opened again. */
struct damage {
	long at;
	unsigned char byte;
	char says[32];
};

ParameterizedTestParameters(live, a_damaged_file_is_an_error_that_says_what_is_wrong)
{
	static struct damage cases[] = {
		{ .at = 0, .byte = 'x', .says = "wrong magic" },
		{ .at = 7, .byte = '\0', .says = "wrong magic" },
		{ .at = 8, .byte = 2, .says = "got version 2" },
		{ .at = 13, .byte = 8, .says = "with 2048" },
		{ .at = 128 + 63, .byte = 'x', .says = "word 0 is damaged" },
		{ .at = 128 + 66, .byte = 0x3f, .says = "word 0 is damaged" },
		{ .at = 128 + 128 + 65, .byte = 0xff, .says = "word 1 is damaged" },
		{ .at = 128 + 1024 * 128, .byte = 0, .says = "expected 131200 bytes" },
	};

	return cr_make_param_array(
		struct damage, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(
	struct damage *c, live, a_damaged_file_is_an_error_that_says_what_is_wrong)
{
	open_fresh();
	memset(word("first")->name, 'n', LIVE_NAME_SIZE - 1);
	store("second", 1000000, LIVE_OPEN, 1);
	close_live();
	int fd = open(path, O_WRONLY);
	cr_assert_eq(pwrite(fd, &c->byte, 1, c->at), 1);
	close(fd);

	bool fresh;
	int rc = live_open(&live, path, &fresh, &err);

	cr_expect_eq(rc, -1, "byte %ld", c->at);
	cr_expect_eq(err.code, ERR_FORMAT);
	cr_expect_not_null(strstr(err.text, c->says), "%s", err.text);
	cr_expect_eq(strncmp(err.text, path, strlen(path)), 0, "%s", err.text);
}

Test(live, a_file_that_was_cut_short_is_an_error_even_when_empty)
{
	open_fresh();
	close_live();
	bool fresh;

	cr_assert_eq(truncate(path, 131199), 0);
	int cut = live_open(&live, path, &fresh, &err);
	cr_assert_eq(truncate(path, 0), 0);
	int empty = live_open(&live, path, &fresh, &err);

	cr_expect_eq(cut, -1);
	cr_expect_eq(empty, -1);
	cr_expect_not(fresh);
	cr_expect_eq(err.code, ERR_FORMAT);
}

Test(live, a_pipe_in_the_place_of_the_file_is_refused_without_waiting)
{
	cr_assert_eq(mkfifo(path, 0600), 0);
	bool fresh;

	int rc = live_open(&live, path, &fresh, &err);

	cr_expect_eq(rc, -1);
	cr_expect_not_null(strstr(err.text, "not a regular file"), "%s", err.text);
}

/* For this process, as a full disk has it. */
static void give_room(bool room)
{
	struct rlimit limit = { .rlim_cur = room ? RLIM_INFINITY : 0,
		.rlim_max = RLIM_INFINITY };

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(live, without_room_the_words_are_in_memory_and_reach_the_file_when_there_is)
{
	give_room(false);
	cr_assert(open_fresh());
	cr_assert_not(live_is_kept(live));
	struct live_word *w = word("checkout");
	live_store(w, (struct live_value){ .latch = LIVE_CUTBACK, .generation = 7 });
	live_cutback_all(live);
	cr_assert_eq(live_keep(live, &err), -1);
	cr_assert_eq(live_load(w).generation, 7);

	give_room(true);
	cr_assert_eq(live_keep(live, &err), 0, "%s", err.text);
	live_store(w, (struct live_value){ .latch = LIVE_CUTBACK, .generation = 8 });
	cr_assert(live_is_kept(live));
	close_live();

	cr_assert_not(open_fresh());
	cr_assert_eq(live_load(word("checkout")).generation, 8);
	cr_assert_eq(live_load(word("checkout")).latch, LIVE_CUTBACK);
	cr_assert_eq(live_cutback_wanted(live), 1);
}

Test(live, a_folder_that_is_not_there_is_an_error_that_names_it)
{
	char nowhere[PATH_MAX];
	(void)snprintf(nowhere, sizeof(nowhere), "%s/none/live", folder);
	bool fresh;

	int rc = live_open(&live, nowhere, &fresh, &err);

	cr_expect_eq(rc, -1);
	cr_expect_eq(err.code, ERR_SYSTEM);
	cr_expect_not_null(
		strstr(err.text, "No such file or directory"), "%s", err.text);
	cr_expect_eq(strncmp(err.text, nowhere, strlen(nowhere)), 0);
}

Test(live, the_file_is_for_its_owner_alone)
{
	open_fresh();
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);

	cr_expect_eq(st.st_mode & 0777, 0600);
}

Test(live, storing_more_than_everything_is_a_bug, .signal = SIGABRT)
{
	open_fresh();

	(void)unlink(path);
	(void)rmdir(folder);
	store("checkout", 1000001, LIVE_OPEN, 1);
}
