/*
 * Questions about what was decided.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "scene.h"

static void append_at(const char *migration, uint64_t wall_us, uint64_t generation)
{
	struct decision d = scene_decision(migration, "advance");

	d.wall_us = wall_us;
	d.generation = generation;
	(void)scene_put(&d);
}

static void begin(void)
{
	scene_begin();
	scene_open("");
	append_at("checkout", 1000, 1);
	append_at("search", 2000, 2);
	append_at("", 3000, 3);
	append_at("checkout", 4000, 4);
	scene_until_committed(4);
}

TestSuite(ask, .init = begin, .fini = scene_end, .timeout = 100);

Test(ask, without_a_filter_everything_comes_oldest_first)
{
	const struct rows *r = scene_ask("", 0, 0);

	cr_assert_eq(r->n, 4);
	cr_assert_eq(r->row[0].generation, 1);
	cr_assert_eq(r->row[3].generation, 4);
}

Test(ask, a_migration_s_own_decisions_only)
{
	const struct rows *r = scene_ask("checkout", 0, 0);

	cr_assert_eq(r->n, 2);
	cr_assert_eq(r->row[0].generation, 1);
	cr_assert_eq(r->row[1].generation, 4);
}

Test(ask, since_a_moment_includes_that_moment)
{
	const struct rows *r = scene_ask("", 2000, 0);

	cr_assert_eq(r->n, 3);
	cr_assert_eq(r->row[0].generation, 2);
}

Test(ask, a_limit_takes_the_newest_and_still_gives_them_oldest_first)
{
	const struct rows *r = scene_ask("", 0, 2);

	cr_assert_eq(r->n, 2);
	cr_assert_eq(r->row[0].generation, 3);
	cr_assert_eq(r->row[1].generation, 4);
}

Test(ask, all_filters_hold_together)
{
	const struct rows *r = scene_ask("checkout", 2000, 5);

	cr_assert_eq(r->n, 1);
	cr_assert_eq(r->row[0].generation, 4);
}

Test(ask, nothing_found_is_an_answer)
{
	cr_assert_eq(scene_ask("nobody", 0, 0)->n, 0);
	cr_assert_eq(scene_ask("", UINT64_MAX, 0)->n, 0);
	cr_assert_not(scene_ask("' OR 1=1 --", 0, 0)->failed);
}

static unsigned answers;

static void on_rows(
	void *arg, const struct decision *rows, size_t n, const struct err *err)
{
	(void)arg;
	(void)rows;
	(void)err; /* whichever was faster */
	cr_assert_eq(n, 0);
	answers++;
}

Test(ask, a_question_that_closing_overtakes_is_answered_all_the_same)
{
	struct journal_query q = { .migration = "nobody" };

	scene_close();
	cr_assert_eq(scene_try_open(""), 0);
	journal_ask(scene.j, &q, on_rows, NULL);

	scene_close();

	cr_assert_eq(answers, 1);
}
