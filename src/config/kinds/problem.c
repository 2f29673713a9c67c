/*
 * problem - what is wrong with one setting, told with its path and what stands there.
 *
 * "FILE:LINE: path.of.setting: expected a duration, got 7". Of a setting that the scan has
 * already found wrong nothing more is said.
 */
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "config_priv.h"

static void print_path(FILE *f, const config_setting_t *s)
{
	const config_setting_t *parent = s->parent;

	if (parent == NULL)
		return;
	print_path(f, parent);
	if (s->name == NULL)
		fprintf(f, "[%d]", config_setting_index(s));
	else
		fprintf(f, "%s%s", parent->parent == NULL ? "" : ".", s->name);
}

static void add_problem(struct reader *rd, const config_setting_t *s,
	const char *member, const char *fmt, va_list args)
{
	const config_setting_t *about =
		member == NULL ? NULL : config_setting_get_member(s, member);
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert(f != NULL);
	print_path(f, s);
	if (member != NULL)
		fprintf(f, "%s%s", s->parent == NULL ? "" : ".", member);
	fputs(": ", f);
	vfprintf(f, fmt, args);
	fclose(f);
	if (about == NULL)
		about = s;
	problems_add(rd->report, config_setting_source_line(about), about, text);
	free(text);
}

void problem_at(struct reader *rd, const config_setting_t *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_problem(rd, s, NULL, fmt, args);
	va_end(args);
}

void problem_at_member(struct reader *rd, const config_setting_t *group,
	const char *member, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_problem(rd, group, member, fmt, args);
	va_end(args);
}

/* A number that the scan has complained about. */
static bool is_spoiled(const config_setting_t *s)
{
	return s->type == CONFIG_TYPE_FLOAT && isinf(config_setting_get_float(s));
}

bool problem_is_absent(
	const struct reader *rd, const config_setting_t *group, const char *member)
{
	const config_setting_t *s = config_setting_get_member(group, member);

	if (s == NULL)
		return true;
	for (size_t i = 0; i < rd->report->n; i++)
		if (rd->report->list[i].about == s)
			return false;
	return !is_spoiled(s);
}

bool problem_unless_first(struct reader *rd, struct hash_table *seen, struct span key,
	config_setting_t *entry, const char *member)
{
	config_setting_t *first = hash_table_put(seen, key, entry);

	if (first == NULL)
		return true;

	char *place =
		source_place(rd->report->source, config_setting_source_line(first));

	problem_at_member(rd, entry, member, "%.*s stands already at %s: take one out",
		key.n > 200 ? 200 : (int)key.n, key.p, place);
	free(place);
	hash_table_put(seen, key, first);
	return false;
}

static void print_found(FILE *f, const config_setting_t *s)
{
	switch (s->type) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		fprintf(f, "%lld", config_setting_get_int64(s));
		break;
	case CONFIG_TYPE_FLOAT:
		number_show_real(f, config_setting_get_float(s), 17);
		break;
	case CONFIG_TYPE_BOOL:
		fputs(config_setting_get_bool(s) ? "true" : "false", f);
		break;
	case CONFIG_TYPE_STRING:
		fprintf(f, "\"%.60s\"", config_setting_get_string(s));
		break;
	case CONFIG_TYPE_GROUP:
		fputs("a group { }", f);
		break;
	case CONFIG_TYPE_LIST:
		fputs("a list ( )", f);
		break;
	default:
		fputs("an array [ ]", f);
		break;
	}
}

void problem_type(struct reader *rd, config_setting_t *s, const char *expected)
{
	char *got = NULL;
	size_t n = 0;

	if (is_spoiled(s))
		return;

	FILE *f = open_memstream(&got, &n);

	assert(f != NULL);
	print_found(f, s);
	fclose(f);
	problem_at(rd, s, "expected %s, got %s", expected, got);
	free(got);
}

bool text_is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

const char *text_of_setting(
	struct reader *rd, config_setting_t *s, const char *expected)
{
	const char *text = config_setting_get_string(s);

	if (text == NULL) {
		problem_type(rd, s, expected);
		return NULL;
	}
	if (!text_is_plain(text)) {
		problem_at(rd, s, "has a control character: take it out");
		return NULL;
	}
	return text;
}
