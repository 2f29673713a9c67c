#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "scene.h"

static struct slip slips[] = {
	{ "workers = 4294967296;",
		":1: workers: the number 4294967296 is out of range" },
	{ "workers = 2147483648;",
		":1: workers: the number 2147483648 is out of range" },
	{ "workers = -2147483649;",
		":1: workers: the number -2147483649 is out of range" },
	{ "workers = 0x1FFFFFFFF;",
		":1: workers: the number 0x1FFFFFFFF is out of range" },
	{ "workers = 0x80000000;",
		":1: workers: the number 0x80000000 is out of range" },
	{ "workers = 99999999999999999999L;", "99999999999999999999L is out of range" },
	{ "x = { y = [ 1,\n 9999999999 ]; };",
		":2: x.y[1]: the number 9999999999 is out" },
	{ "x = 1e400;", ":1: x: the number 1e400 is out of range" },
	{ "x = ( 1, -1.5e999 );", ":1: x[1]: the number -1.5e999 is out of range" },
	{ "x = 1e-400;", "the number 1e-400 is out of range" },
	{ "x = 10m;",
		":1: 10m is no number; durations, sizes and addresses are texts" },
	{ "x = 127.0.0.1;", "127.0.0.1 is no number" },
	{ "x = yes;", "expected a number, true, false or a text in quotes, got yes" },
	{ "x = ( { } { } );", "a comma is missing before this entry" },
	{ "x = [ 1 2 ];", "a comma is missing before this entry" },
	{ "x = [ , 1 ];", "an entry is missing before this comma" },
	{ "x = ( 1; 2 );", "\";\" between the entries of a list" },
	{ "x = ( y = 1 );",
		"expected a number, true, false or a text in quotes, got y" },
	{ "x 1;", "expected NAME = VALUE, got a value without a name" },
	{ "x y = 1;", "a \"=\" is missing before y" },
	{ "= 1;", "a name is missing before \"=\"" },
	{ "x = ;", "a value is missing before \";\"" },
	{ "x = { y = };", "a value is missing before \"}\"" },
	{ "x =", ":1: a value is missing at the end of the file" },
	{ "x = {\n y = (\n }",
		":3: \"}\" does not close the \"(\" of /scene/sluice.conf:2" },
	{ "x = {\n y = 1;\n", ":1: \"{\" is never closed" },
	{ "x = 1; };", "\"}\" closes nothing" },
	{ "*x = 1;", "a name begins with a letter, got *x" },
	{ "x = \"a\\x00b\";", "\\x00 cannot stand in a text" },
	{ "x = $HOME;", "unexpected character $" },
	{ "x\xc3\xa4 = 1;", "unexpected character outside ASCII" },
	{ "x = [ 1, \"a\" ];", "the entries of an array [ ] must be of one type" },
	{ "x = [ { } ];", "a group or list inside an array [ ]" },
};

ParameterizedTestParameters(scan, a_slip_is_named_with_its_line)
{
	return cr_make_param_array(
		struct slip, slips, sizeof(slips) / sizeof(slips[0]));
}

/* An unknown setting is another problem; only the slip's own matters here. */
ParameterizedTest(struct slip *s, scan, a_slip_is_named_with_its_line)
{
	struct loaded l = load(s->text);

	cr_assert(told(&l, s->words), "%s: %s", s->text, l.problems.text[0]);
	unload(&l);
}

static struct slip extra_commas[] = {
	{ "trusted = [ \"10.0.0.0/8\", ];", ":1: a comma too many before \"]\"" },
	{ "trusted = ( \"10.0.0.0/8\" ,\n\n );", "a comma too many before \")\"" },
	{ "trusted = [ \"10.0.0.0/8\",, \"::1\" ];",
		"a comma too many before another" },
	{ "workers = 1;;", "a \";\" too many: no setting stands before it" },
	{ "log = { level = \"info\"; ; };", "a \";\" too many" },
};

ParameterizedTestParameters(scan, a_comma_too_many_is_named_and_hides_nothing)
{
	return cr_make_param_array(struct slip, extra_commas,
		sizeof(extra_commas) / sizeof(extra_commas[0]));
}

ParameterizedTest(struct slip *s, scan, a_comma_too_many_is_named_and_hides_nothing)
{
	char *text =
		mem_print("%s\nlimits = { header_count = 257; };\n" LEAST, s->text);

	struct loaded l = load(text);

	cr_assert_eq(l.problems.n, 2, "%zu problems", l.problems.n);
	cr_assert(told(&l, s->words), "%s", l.problems.text[0]);
	cr_assert(told(&l, "header_count: expected 1..256, got 257"));
	unload(&l);
	free(text);
}

Test(scan, a_comma_behind_the_last_setting_of_a_group_is_allowed)
{
	struct loaded l = load("log = { level = \"warn\", };\n" LEAST);

	expect_accepted(&l);
	unload(&l);
}

Test(scan, a_number_out_of_range_hides_no_other_problem_and_is_told_once)
{
	struct loaded l = load("workers = 4294967296;\n"
			       "timeouts = { stall = \"0\"; };\n"
			       "limits = { connections = 1e400; };\n" LEAST);

	cr_assert_eq(l.problems.n, 3);
	cr_assert_not_null(strstr(l.problems.text[0], ":1: workers: the number"));
	cr_assert_not_null(strstr(l.problems.text[1], ":2: timeouts.stall: expected"));
	cr_assert_not_null(
		strstr(l.problems.text[2], ":3: limits.connections: the number"));
	unload(&l);
}

Test(scan, the_largest_numbers_that_fit_are_left_to_the_settings_own_range)
{
	expect_refused(
		"workers = 2147483647;\n" LEAST, "expected 0..64, got 2147483647");
	expect_refused(
		"workers = 0x7fffffff;\n" LEAST, "expected 0..64, got 2147483647");
	expect_refused(
		"workers = 4294967296L;\n" LEAST, "expected 0..64, got 4294967296");
}

Test(scan, every_setting_that_stands_twice_is_named_with_both_lines)
{
	struct loaded l = load("workers = 1;\nworkers = 2;\nworkers = 3;\n"
			       "log = { };\nlog = { };\n" LEAST);

	cr_assert_eq(count_lines(&l.problems, ": stands already at "), 3);
	cr_assert(told(
		&l, "sluice.conf:2: workers: stands already at /scene/sluice.conf:1"));
	cr_assert(told(
		&l, "sluice.conf:3: workers: stands already at /scene/sluice.conf:1"));
	cr_assert(
		told(&l, "sluice.conf:5: log: stands already at /scene/sluice.conf:4"));
	unload(&l);
}

Test(scan, a_setting_that_stands_twice_hides_no_other_problem)
{
	struct loaded l = load("workers = 1;\nworkers = 2;\n" LISTENERS ROUTES
			       "pools = { old = { servers = (); }; old = { }; };\n");

	cr_assert_eq(l.problems.n, 3);
	cr_assert(told(&l, ":2: workers: stands already"));
	cr_assert(told(&l, ": pools.old: stands already"));
	cr_assert(told(&l, ": pools.old.servers: is empty"));
	unload(&l);
}

Test(scan, an_entry_of_an_array_is_told_at_its_own_line)
{
	struct loaded l =
		load("trusted = [\n\"10.0.0.0/8\",\n\"bad\"\n,\n\"worse\"\n];\n" LEAST);

	cr_assert_eq(l.problems.n, 2);
	cr_assert(told(&l, ":3: trusted[1]:"));
	cr_assert(told(&l, ":5: trusted[2]:"));
	unload(&l);
}

Test(scan, brackets_nest_at_most_32_deep)
{
	char text[4096] = "x = ";

	memset(text + 4, '(', 2000);

	struct loaded l = load(text);

	cr_assert_eq(l.problems.n, 1);
	cr_assert(told(&l, "brackets nest more than 32 deep"));
	unload(&l);
}

Test(scan, a_group_holds_at_most_5000_settings)
{
	char *text = mem_zero(100000);
	size_t n = 0;

	for (int i = 0; i < 5001; i++)
		n += (size_t)sprintf(text + n, "x%d = 1; ", i);

	struct loaded l = load(text);

	cr_assert_eq(l.problems.n, 1);
	cr_assert(told(&l, "more than 5000 settings in one group"));
	unload(&l);
	free(text);
}

Test(scan, texts_side_by_side_are_one_text)
{
	struct loaded l = load("log = { level = \"in\" \"fo\"; };\n" LEAST);

	expect_accepted(&l);
	unload(&l);
}
