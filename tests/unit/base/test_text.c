#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "sluice/base/text.h"

static struct text text;

static void teardown(void)
{
	text_fini(&text);
}

TestSuite(text, .fini = teardown);

static void assert_is(const char *expected)
{
	cr_assert_eq(text.n, strlen(expected));
	cr_assert_eq(memcmp(text.p, expected, text.n), 0, "%.*s", (int)text.n, text.p);
}

Test(text, pieces_stand_behind_each_other)
{
	text_put(&text, "a");
	text_add(&text, "bcd", 2);
	text_print(&text, "%s-%d", "x", 7);

	assert_is("abcx-7");
}

Test(text, numbers_of_every_length_are_whole)
{
	text_u64(&text, 0);
	text_put(&text, " ");
	text_u64(&text, 1000);
	text_put(&text, " ");
	text_u64(&text, UINT64_MAX);

	assert_is("0 1000 18446744073709551615");
}

Test(text, it_grows_by_any_piece)
{
	static char long_one[5001];

	memset(long_one, 'x', sizeof(long_one) - 1);
	text_print(&text, "%s", long_one);
	text_put(&text, long_one);

	cr_assert_eq(text.n, 2 * strlen(long_one));
	cr_assert_eq(text.p[text.n - 1], 'x');
}

Test(text, what_is_dropped_is_written_over)
{
	text_put(&text, "abc");
	text_drop(&text, 2);
	text_put(&text, "d");

	assert_is("ad");
}
