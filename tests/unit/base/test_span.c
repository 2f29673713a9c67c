/* span - comparing, cutting and reading bytes that belong to somebody else. */
#include "sluice/base/span.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static bool is(struct span s, const char *text)
{
	return span_eq(s, span_of(text));
}

Test(span, two_empty_spans_are_equal_wherever_they_point)
{
	struct span nowhere = { .p = NULL };

	cr_expect(span_eq(nowhere, SPAN("")));
	cr_expect(span_ieq(nowhere, SPAN("")));
}

Test(span, equality_looks_at_every_byte_and_at_the_length)
{
	cr_expect(span_eq(SPAN("a\0b"), SPAN("a\0b")));
	cr_expect_not(span_eq(SPAN("a\0b"), SPAN("a\0c")));
	cr_expect_not(span_eq(SPAN("ab"), SPAN("abc")));
}

Test(span, letters_compare_without_case_and_nothing_else_does)
{
	cr_expect(span_ieq(SPAN("Content-LENGTH"), SPAN("content-length")));
	cr_expect_not(span_ieq(SPAN("@["), SPAN("`{")));
	cr_expect_not(span_ieq(SPAN("\xc4"), SPAN("\xe4")));
	cr_expect_not(span_ieq(SPAN("ab"), SPAN("abc")));
}

Test(span, a_span_starts_with_each_of_its_prefixes)
{
	cr_expect(span_starts(SPAN("/api/x"), SPAN("/api")));
	cr_expect(span_starts(SPAN("/api"), SPAN("/api")));
	cr_expect(span_starts(SPAN("/api"), SPAN("")));
	cr_expect_not(span_starts(SPAN("/ap"), SPAN("/api")));
	cr_expect_not(span_starts(SPAN("/Api"), SPAN("/api")));
}

Test(span, trim_takes_blanks_and_tabs_off_both_ends_only)
{
	cr_expect(is(span_trim(SPAN(" \t a b\t ")), "a b"));
	cr_expect(is(span_trim(SPAN("\r\n")), "\r\n"));
	cr_expect(is(span_trim(SPAN(" \t ")), ""));
	cr_expect(is(span_trim(SPAN("")), ""));
}

Test(span, cut_gives_the_parts_one_after_the_other_and_then_nothing)
{
	struct span rest = SPAN("a,,b");

	cr_expect(is(span_cut(&rest, ','), "a"));
	cr_expect(is(span_cut(&rest, ','), ""));
	cr_assert_not_null(rest.p);
	cr_expect(is(span_cut(&rest, ','), "b"));
	cr_expect_null(rest.p);
	cr_expect(is(span_cut(&rest, ','), ""));
}

Test(span, a_last_separator_leaves_an_empty_part_behind_it)
{
	struct span rest = SPAN("a,");

	cr_expect(is(span_cut(&rest, ','), "a"));

	cr_expect_not_null(rest.p);
	cr_expect_eq(rest.n, 0);
}

struct number {
	char text[32];
	bool ok;
	uint64_t value;
};

ParameterizedTestParameters(span, a_number_is_digits_and_fits)
{
	static struct number cases[] = {
		{ .text = "0", .ok = true, .value = 0 },
		{ .text = "007", .ok = true, .value = 7 },
		{ .text = "18446744073709551615", .ok = true, .value = UINT64_MAX },
		{ .text = "18446744073709551616" },
		{ .text = "28446744073709551615" },
		{ .text = "99999999999999999999999" },
		{ .text = "" },
		{ .text = "-1" },
		{ .text = "+1" },
		{ .text = " 1" },
		{ .text = "1 " },
		{ .text = "0x1" },
		{ .text = "1/" },
		{ .text = "1:" },
	};

	return cr_make_param_array(
		struct number, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct number *c, span, a_number_is_digits_and_fits)
{
	uint64_t value = 4711;

	cr_expect_eq(span_u64(span_of(c->text), &value), c->ok, "'%s'", c->text);

	cr_expect_eq(value, c->ok ? c->value : 4711, "'%s'", c->text);
}
