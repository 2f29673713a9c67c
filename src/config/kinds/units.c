/*
 * units - durations and sizes: texts of digits and one unit.
 */
#include <math.h>
#include <string.h>

#include "config_priv.h"

struct unit {
	const char *text;
	double value;
};

static const struct unit durations[] = {
	{ .text = "ms", .value = 1 },
	{ .text = "s", .value = 1000 },
	{ .text = "m", .value = 60 * 1000 },
	{ .text = "h", .value = 60 * 60 * 1000 },
	{ 0 },
};

static const struct unit sizes[] = {
	{ .text = "", .value = 1 },
	{ .text = "k", .value = 1024 },
	{ .text = "m", .value = 1024 * 1024 },
	{ .text = "g", .value = 1024 * 1024 * 1024 },
	{ 0 },
};

/* Digits and one unit; a bare 0 needs none. */
static bool parse_units(const struct unit *units, const char *text, double *v)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t whole;

	if (!span_u64((struct span){ .p = text, .n = digits }, &whole))
		return false;
	*v = (double)whole;
	if (whole == 0 && text[digits] == '\0')
		return true;
	for (; units->text != NULL; units++) {
		if (strcmp(units->text, text + digits) != 0)
			continue;
		*v *= units->value;
		return true;
	}
	return false;
}

static bool read_units(
	struct reader *rd, config_setting_t *s, const struct unit *units, double *v)
{
	const char *expected =
		units == durations
			? "a duration in quotes, as \"250ms\", \"2s\", \"10m\" or "
			  "\"4h\""
			: "a size in quotes, as \"512\", \"16k\", \"1m\" or \"2g\"";
	const char *text = text_of_setting(rd, s, expected);

	if (text == NULL)
		return false;
	if (!parse_units(units, text, v)) {
		problem_type(rd, s, expected);
		return false;
	}
	return true;
}

static bool parse_duration(
	struct reader *rd, const struct key *k, config_setting_t *s, double *v)
{
	(void)k;
	return read_units(rd, s, durations, v);
}

static bool parse_size(
	struct reader *rd, const struct key *k, config_setting_t *s, double *v)
{
	(void)k;
	return read_units(rd, s, sizes, v);
}

static void show_units(FILE *f, const struct unit *units, double v)
{
	const struct unit *best = units;

	for (const struct unit *u = units; v > 0 && u->text != NULL; u++)
		if (fmod(v, u->value) == 0)
			best = u;
	fprintf(f, "\"%.0f%s\"", v / best->value, v > 0 ? best->text : "");
}

static void show_duration(FILE *f, const struct key *k, double v)
{
	(void)k;
	show_units(f, durations, v);
}

static void show_size(FILE *f, const struct key *k, double v)
{
	(void)k;
	show_units(f, sizes, v);
}

const struct kind kind_duration = {
	.name = "duration",
	KIND_NUMBER,
	.parse = parse_duration,
	.show = show_duration,
	.width = WIDTH_U32,
	.scale = 1,
};

const struct kind kind_duration_us = {
	.name = "duration",
	KIND_NUMBER,
	.parse = parse_duration,
	.show = show_duration,
	.width = WIDTH_U64,
	.scale = 1000,
};

const struct kind kind_size = {
	.name = "size",
	KIND_NUMBER,
	.parse = parse_size,
	.show = show_size,
	.width = WIDTH_U32,
	.scale = 1,
};

const struct kind kind_size64 = {
	.name = "size",
	KIND_NUMBER,
	.parse = parse_size,
	.show = show_size,
	.width = WIDTH_U64,
	.scale = 1,
};
