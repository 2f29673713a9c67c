/*
 * numbers - the kinds of settings that are one number inside, however they are
 * written: counts, percents, durations, sizes, switches, choices.
 *
 * Limits and defaults stand in the tables in the unit that operators think in
 * (percent, milliseconds, bytes); times the kind's scale they are stored.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

double number_load(const struct key *k, const void *base)
{
	const void *p = key_field(k, base);
	double real;
	uint32_t u32;
	uint64_t u64;
	bool on;

	switch (k->kind->width) {
	case WIDTH_U32:
		memcpy(&u32, p, sizeof(u32));
		return u32 / k->kind->scale;
	case WIDTH_U64:
		memcpy(&u64, p, sizeof(u64));
		return (double)u64 / k->kind->scale;
	case WIDTH_REAL:
		memcpy(&real, p, sizeof(real));
		return real * k->kind->scale;
	case WIDTH_BOOL:
		memcpy(&on, p, sizeof(on));
		return on;
	}
	assert(false);
	return 0;
}

/* Reals are divided by the scale, so that 1 percent is the double nearest to
 * 0.01; integers are multiplied and rounded. */
static void number_store(const struct key *k, void *base, double v)
{
	void *p = key_slot(k, base);
	uint32_t u32;
	uint64_t u64;
	double real;
	bool on;

	switch (k->kind->width) {
	case WIDTH_U32:
		u32 = (uint32_t)llround(v * k->kind->scale);
		memcpy(p, &u32, sizeof(u32));
		return;
	case WIDTH_U64:
		u64 = (uint64_t)llround(v * k->kind->scale);
		memcpy(p, &u64, sizeof(u64));
		return;
	case WIDTH_REAL:
		real = v / k->kind->scale;
		memcpy(p, &real, sizeof(real));
		return;
	case WIDTH_BOOL:
		on = v != 0;
		memcpy(p, &on, sizeof(on));
		return;
	}
}

void number_preset(const struct key *k, void *base)
{
	if (k->at != NOWHERE)
		number_store(k, base, k->preset);
}

void number_show_bare(FILE *f, const struct key *k, double v)
{
	char *text = NULL;
	size_t n = 0;
	FILE *m = open_memstream(&text, &n);

	assert(m != NULL);
	k->kind->show(m, k, v);
	fclose(m);
	if (text[0] == '"')
		text[n - 1] = '\0';
	fputs(text + (text[0] == '"'), f);
	free(text);
}

static bool in_range(
	struct reader *rd, const struct key *k, const config_setting_t *s, double v)
{
	char *text = NULL;
	size_t n = 0;

	if (k->high == 0 || (v >= k->low && v <= k->high))
		return true;

	FILE *f = open_memstream(&text, &n);

	assert(f != NULL);
	fputs("expected ", f);
	number_show_bare(f, k, k->low);
	fputs("..", f);
	number_show_bare(f, k, k->high);
	fputs(", got ", f);
	number_show_bare(f, k, v);
	fclose(f);
	problem_at(rd, s, "%s", text);
	free(text);
	return false;
}

void number_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	double v = 0;

	if (!k->kind->parse(rd, k, s, &v) || !in_range(rd, k, s, v))
		return;
	if (k->at != NOWHERE)
		number_store(k, base, v);
}

void number_print(struct printer *p, const struct key *k, const void *base)
{
	k->kind->show(p->f, k, k->at == NOWHERE ? k->preset : number_load(k, base));
}

static bool parse_integer(
	struct reader *rd, const struct key *k, config_setting_t *s, double *v)
{
	(void)k;
	if (s->type != CONFIG_TYPE_INT && s->type != CONFIG_TYPE_INT64) {
		problem_type(rd, s, "a whole number");
		return false;
	}
	*v = (double)config_setting_get_int64(s);
	return true;
}

static bool parse_real(
	struct reader *rd, const struct key *k, config_setting_t *s, double *v)
{
	if (s->type == CONFIG_TYPE_INT || s->type == CONFIG_TYPE_INT64)
		return parse_integer(rd, k, s, v);
	if (s->type != CONFIG_TYPE_FLOAT || isinf(config_setting_get_float(s))) {
		problem_type(rd, s, "a number");
		return false;
	}
	*v = config_setting_get_float(s);
	return true;
}

static bool parse_switch(
	struct reader *rd, const struct key *k, config_setting_t *s, double *v)
{
	(void)k;
	if (s->type != CONFIG_TYPE_BOOL) {
		problem_type(rd, s, "true or false");
		return false;
	}
	*v = config_setting_get_bool(s);
	return true;
}

static bool parse_mode(
	struct reader *rd, const struct key *k, config_setting_t *s, double *v)
{
	static const char expected[] = "file permissions in quotes, as \"0660\"";
	const char *text = text_of_setting(rd, s, expected);

	(void)k;
	if (text == NULL)
		return false;

	size_t n = strspn(text, "01234567");

	if (n < 3 || n > 4 || text[n] != '\0') {
		problem_type(rd, s, expected);
		return false;
	}
	*v = (double)strtoul(text, NULL, 8);
	return true;
}

static void show_integer(FILE *f, const struct key *k, double v)
{
	(void)k;
	fprintf(f, "%.0f", v);
}

/* The fewest digits that mean the same; whole numbers without an exponent. */
void number_show_real(FILE *f, double v, int digits)
{
	char text[40];

	if (v == trunc(v) && fabs(v) < 1e15) {
		fprintf(f, "%.0f", v);
		return;
	}
	for (int i = 1; i <= digits; i++) {
		snprintf(text, sizeof(text), "%.*g", i, v);
		if (strtod(text, NULL) == v)
			break;
	}
	fputs(text, f);
}

static void show_number(FILE *f, const struct key *k, double v)
{
	(void)k;
	number_show_real(f, v, 17);
}

/* Percents come from a division: digits past the fifteenth are noise. */
static void show_percent(FILE *f, const struct key *k, double v)
{
	(void)k;
	number_show_real(f, v, 15);
}

static void show_mode(FILE *f, const struct key *k, double v)
{
	(void)k;
	fprintf(f, "\"%04o\"", (unsigned)v);
}

static void show_switch(FILE *f, const struct key *k, double v)
{
	(void)k;
	fputs(v != 0 ? "true" : "false", f);
}

const struct kind kind_integer = {
	.name = "integer",
	KIND_NUMBER,
	.parse = parse_integer,
	.show = show_integer,
	.width = WIDTH_U32,
	.scale = 1,
};

const struct kind kind_real = {
	.name = "number",
	KIND_NUMBER,
	.parse = parse_real,
	.show = show_number,
	.width = WIDTH_REAL,
	.scale = 1,
};

const struct kind kind_percent_ppm = {
	.name = "percent",
	KIND_NUMBER,
	.parse = parse_real,
	.show = show_percent,
	.width = WIDTH_U32,
	.scale = 10000,
};

const struct kind kind_percent_share = {
	.name = "percent",
	KIND_NUMBER,
	.parse = parse_real,
	.show = show_percent,
	.width = WIDTH_REAL,
	.scale = 100,
};

const struct kind kind_switch = {
	.name = "boolean",
	KIND_NUMBER,
	.parse = parse_switch,
	.show = show_switch,
	.width = WIDTH_BOOL,
	.scale = 1,
};

const struct kind kind_mode = {
	.name = "permissions",
	KIND_NUMBER,
	.parse = parse_mode,
	.show = show_mode,
	.width = WIDTH_U32,
	.scale = 1,
};
