#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "sluice/ctl.h"

struct good {
	char text[32];
	uint32_t ppm;
};

ParameterizedTestParameters(percent, becomes_parts_per_million_exactly)
{
	static struct good all[] = { { "0", 0 }, { "100", 1000000 }, { "25", 250000 },
		{ "0.5", 5000 }, { "12.5%", 125000 }, { "12.5 %", 125000 },
		{ " 7 ", 70000 }, { "0.0001", 1 }, { "99.9999", 999999 },
		{ "0.1", 1000 }, { "33.3333", 333333 }, { "100.0000", 1000000 },
		{ "1.50000000", 15000 }, { "007", 70000 } };

	return cr_make_param_array(struct good, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct good *good, percent, becomes_parts_per_million_exactly)
{
	uint32_t ppm = 42;

	cr_assert_eq(ctl_percent(good->text, &ppm, NULL), 0, "%s", good->text);

	cr_assert_eq(ppm, good->ppm, "%s: %u", good->text, ppm);
}

struct bad {
	char text[40];
};

ParameterizedTestParameters(percent, that_is_none_is_refused_with_the_range)
{
	static struct bad all[] = { { "" }, { " " }, { "%" }, { "-1" }, { "+1" },
		{ "100.0001" }, { "101" }, { "nan" }, { "inf" }, { "1e1" }, { "0x10" },
		{ "1." }, { ".5" }, { "1.2.3" }, { "0.00001" }, { "5%%" }, { "5 5" },
		{ "ten" }, { "18446744073709551616" }, { "1,5" } };

	return cr_make_param_array(struct bad, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct bad *bad, percent, that_is_none_is_refused_with_the_range)
{
	struct err err = { .code = ERR_NONE };
	uint32_t ppm = 42;

	cr_assert_eq(ctl_percent(bad->text, &ppm, &err), -1, "%s", bad->text);

	cr_assert(strstr(err.text, "0..100") != NULL);
	cr_assert_eq(ppm, 42);
}
