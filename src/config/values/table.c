/*
 * table - carries the settings of a group into a struct, as its table says.
 *
 * A group is walked once in the file's order to find what is there, then in
 * the table's order, so that a setting may rely on those above it in the table
 * (a route on the pools), wherever the operator wrote them.
 */
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "config_priv.h"

enum { MOST_KEYS = 32 };

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

static void complain_at(struct reader *rd, const config_setting_t *s,
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
	report_add(rd->report, config_setting_source_line(about), about, text);
	free(text);
}

void complain(struct reader *rd, const config_setting_t *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain_at(rd, s, NULL, fmt, args);
	va_end(args);
}

void complain_member(struct reader *rd, const config_setting_t *group,
	const char *member, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain_at(rd, group, member, fmt, args);
	va_end(args);
}

/* A number that the scan has complained about. */
static bool is_spoiled(const config_setting_t *s)
{
	return s->type == CONFIG_TYPE_FLOAT && isinf(config_setting_get_float(s));
}

bool member_is_good(
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

bool seen_once(struct reader *rd, struct hash_table *seen, struct span key,
	config_setting_t *entry, const char *member)
{
	config_setting_t *first = hash_table_put(seen, key, entry);

	if (first == NULL)
		return true;

	char *place =
		source_place(rd->report->source, config_setting_source_line(first));

	complain_member(rd, entry, member, "%.*s stands already at %s: take one out",
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
		show_real(f, config_setting_get_float(s), 17);
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

void complain_type(struct reader *rd, config_setting_t *s, const char *expected)
{
	char *got = NULL;
	size_t n = 0;

	if (is_spoiled(s))
		return;

	FILE *f = open_memstream(&got, &n);

	assert(f != NULL);
	print_found(f, s);
	fclose(f);
	complain(rd, s, "expected %s, got %s", expected, got);
	free(got);
}

bool text_is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

const char *read_text(struct reader *rd, config_setting_t *s, const char *expected)
{
	const char *text = config_setting_get_string(s);

	if (text == NULL) {
		complain_type(rd, s, expected);
		return NULL;
	}
	if (!text_is_plain(text)) {
		complain(rd, s, "has a control character: take it out");
		return NULL;
	}
	return text;
}

const char *key_hint(const struct key *k)
{
	return k->hint == NULL ? k->help : k->hint;
}

static size_t find_key(const struct table *t, const char *name)
{
	size_t i = 0;

	while (i < t->n && strcmp(t->keys[i].name, name) != 0)
		i++;
	return i;
}

static void complain_unknown(
	struct reader *rd, const struct table *t, const config_setting_t *s)
{
	struct nearest near = { .word = s->name };

	for (size_t i = 0; i < t->n; i++)
		nearest_try(&near, t->keys[i].name);
	complain(rd, s, "unknown setting; the nearest known one is \"%s\"", near.best);
}

void table_preset(const struct table *t, void *base)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->keys[i].kind->preset != NULL)
			t->keys[i].kind->preset(&t->keys[i], base);
}

void table_read(
	struct reader *rd, const struct table *t, void *base, config_setting_t *s)
{
	config_setting_t *found[MOST_KEYS] = { 0 };
	unsigned length = (unsigned)config_setting_length(s);

	assert(t->n <= MOST_KEYS);
	for (unsigned i = 0; i < length; i++) {
		config_setting_t *member = config_setting_get_elem(s, i);
		size_t k = find_key(t, member->name);

		if (name_is_repeated(member->name))
			continue;
		if (k < t->n)
			found[k] = member;
		else
			complain_unknown(rd, t, member);
	}
	for (size_t k = 0; k < t->n; k++) {
		const struct key *key = &t->keys[k];

		if (found[k] != NULL)
			key->kind->read(rd, key, found[k], base);
		else if (key->required)
			complain_member(
				rd, s, key->name, "is missing: %s", key_hint(key));
	}
	if (t->check != NULL)
		t->check(rd, base, s);
}

void table_fini(const struct table *t, void *base)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->keys[i].kind->fini != NULL)
			t->keys[i].kind->fini(&t->keys[i], base);
}
