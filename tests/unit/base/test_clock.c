/* clock - the time, and its text. */
#include "sluice/base/clock.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdbool.h>

#define S UINT64_C(1000000)
#define NOW (1790000000 * S) /* 2026-09-21T14:13:20Z */

Test(clock, the_monotonic_clock_never_goes_back)
{
	uint64_t before_ns = clock_mono_ns(), before_ms = clock_mono_ms();

	uint64_t after_ns = clock_mono_ns(), after_ms = clock_mono_ms();

	cr_expect_geq(after_ns, before_ns);
	cr_expect_geq(after_ms, before_ms);
	cr_expect_leq(before_ns / 1000000, after_ms);
}

Test(clock, wall_time_is_later_than_the_day_this_was_written)
{
	cr_expect_gt(clock_wall_us(), 1760000000 * S);
}

struct moment {
	char text[40];
	uint64_t us;
};

ParameterizedTestParameters(clock, text_is_rfc_3339_and_comes_back_as_it_was)
{
	static struct moment cases[] = {
		{ .text = "1970-01-01T00:00:00.000000Z", .us = 0 },
		{ .text = "2026-09-21T14:13:20.000007Z", .us = NOW + 7 },
		{ .text = "2024-02-29T23:59:59.999999Z", .us = 1709251199999999 },
		{ .text = "9999-12-31T23:59:59.000000Z", .us = 253402300799 * S },
	};

	return cr_make_param_array(
		struct moment, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct moment *c, clock, text_is_rfc_3339_and_comes_back_as_it_was)
{
	char text[CLOCK_TEXT_SIZE];
	uint64_t us = 1;

	clock_text(c->us, text);
	int rc = clock_parse(text, NOW, &us);

	cr_expect_str_eq(text, c->text);
	cr_expect_eq(rc, 0);
	cr_expect_eq(us, c->us, "%s", c->text);
}

Test(clock, a_time_beyond_year_9999_still_fits_its_text)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(UINT64_MAX, text);

	cr_expect_eq(strncmp(text, "9999-12-31T23:59:59.", 20), 0);
}

ParameterizedTestParameters(clock, people_may_write_less)
{
	static struct moment cases[] = {
		{ .text = "2026-09-21", .us = NOW - (14 * 3600 + 13 * 60 + 20) * S },
		{ .text = "2026-09-21T14:13:20Z", .us = NOW },
		{ .text = "2026-09-21T14:13:20.5Z", .us = NOW + S / 2 },
		{ .text = "30s", .us = NOW - 30 * S },
		{ .text = "10m", .us = NOW - 600 * S },
		{ .text = "2h", .us = NOW - 7200 * S },
		{ .text = "1d", .us = NOW - 86400 * S },
		{ .text = "0m", .us = NOW },
		{ .text = "18446744073709551615d", .us = 0 },
	};

	return cr_make_param_array(
		struct moment, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct moment *c, clock, people_may_write_less)
{
	uint64_t us = 1;

	int rc = clock_parse(c->text, NOW, &us);

	cr_expect_eq(rc, 0, "%s", c->text);
	cr_expect_eq(us, c->us, "%s", c->text);
}

ParameterizedTestParameters(clock, what_is_no_time_is_refused)
{
	static struct moment cases[] = {
		{ .text = "" },
		{ .text = "m" },
		{ .text = "10" },
		{ .text = "10w" },
		{ .text = "-1m" },
		{ .text = "1 m" },
		{ .text = "99999999999999999999m" },
		{ .text = "2026" },
		{ .text = "2026-9-21" },
		{ .text = "2026-02-30" },
		{ .text = "2025-02-29" },
		{ .text = "2026-13-01" },
		{ .text = "2026-00-10" },
		{ .text = "2026-01-00" },
		{ .text = "1969-12-31" },
		{ .text = "2026-09-21T" },
		{ .text = "2026-09-21T13:33" },
		{ .text = "2026-09-21T14:13:20" },
		{ .text = "2026-09-21T24:00:00Z" },
		{ .text = "2026-09-21T23:60:00Z" },
		{ .text = "2026-09-21T23:59:60Z" },
		{ .text = "2026-09-21T14:13:20.Z" },
		{ .text = "2026-09-21T14:13:20.1234567Z" },
		{ .text = "2026-09-21T14:13:20+00:00" },
		{ .text = "2026-09-21T14:13:20Zjunk" },
		{ .text = "2026-09-21 " },
	};

	return cr_make_param_array(
		struct moment, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct moment *c, clock, what_is_no_time_is_refused)
{
	uint64_t us;

	int rc = clock_parse(c->text, NOW, &us);

	cr_expect_eq(rc, -1, "'%s'", c->text);
}
