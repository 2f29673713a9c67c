/*
 * groups - the kinds of settings that hold other settings: groups { },
 * lists of groups ( ), and groups whose entries have names.
 */
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

static void group_preset(const struct key *k, void *base)
{
	table_preset(k->table, key_slot(k, base));
}

static void group_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	if (s->type == CONFIG_TYPE_GROUP)
		table_read(rd, k->table, key_slot(k, base), s);
	else
		problem_type(rd, s, "a group { }");
}

static void group_print(struct printer *p, const struct key *k, const void *base)
{
	table_print(p, k->table, key_field(k, base));
}

static void group_fini(const struct key *k, void *base)
{
	table_fini(k->table, key_slot(k, base));
}

struct array groups_array(const struct key *k, const void *base)
{
	struct array a = { .size = k->table->size };

	memcpy(&a.first, key_field(k, base), sizeof(a.first));
	memcpy(&a.n, (const char *)base + k->count_at, sizeof(a.n));
	return a;
}

static struct array make_array(const struct key *k, void *base, size_t n)
{
	struct array a = {
		.first = mem_zero(n * k->table->size),
		.n = n,
		.size = k->table->size,
	};

	memcpy(key_slot(k, base), &a.first, sizeof(a.first));
	memcpy((char *)base + k->count_at, &a.n, sizeof(a.n));
	return a;
}

static void list_fini(const struct key *k, void *base)
{
	struct array a = groups_array(k, base);

	for (size_t i = 0; i < a.n; i++)
		table_fini(k->table, array_at(a, i));
	free(a.first);
}

static bool count_is_right(struct reader *rd, const struct key *k, config_setting_t *s)
{
	int n = config_setting_length(s);

	if (n >= (int)k->low && n <= (int)k->high)
		return true;
	if (n == 0)
		problem_at(rd, s, "is empty: %s", table_key_hint(k));
	else
		problem_at(rd, s, "expected %d..%d entries, got %d", (int)k->low,
			(int)k->high, n);
	return false;
}

static void list_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	bool is_list = s->type == CONFIG_TYPE_LIST ||
		       (s->type == CONFIG_TYPE_ARRAY && config_setting_length(s) == 0);

	if (!is_list) {
		problem_type(rd, s, "a list of groups ( { }, { } )");
		return;
	}
	if (!count_is_right(rd, k, s) || config_setting_length(s) == 0)
		return;

	struct array a = make_array(k, base, (size_t)config_setting_length(s));

	for (size_t i = 0; i < a.n; i++) {
		config_setting_t *entry = config_setting_get_elem(s, (unsigned)i);

		table_preset(k->table, array_at(a, i));
		if (entry->type == CONFIG_TYPE_GROUP)
			table_read(rd, k->table, array_at(a, i), entry);
		else
			problem_type(rd, entry, "a group { }");
	}
}

/* The name stands first in the struct of each entry. */
static void named_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	if (s->type != CONFIG_TYPE_GROUP) {
		problem_type(
			rd, s, "a group with a group for each name { name = { }; }");
		return;
	}
	if (!count_is_right(rd, k, s) || config_setting_length(s) == 0)
		return;

	struct array a = make_array(k, base, (size_t)config_setting_length(s));

	for (size_t i = 0; i < a.n; i++) {
		config_setting_t *entry = config_setting_get_elem(s, (unsigned)i);

		table_preset(k->table, array_at(a, i));
		if (name_is_repeated(entry->name))
			continue;
		text_take_name(rd, entry, entry->name, array_at(a, i));
		if (entry->type == CONFIG_TYPE_GROUP)
			table_read(rd, k->table, array_at(a, i), entry);
		else
			problem_type(rd, entry, "a group { }");
	}
}

static void list_print(struct printer *p, const struct key *k, const void *base)
{
	struct array a = groups_array(k, base);

	fputs(a.n == 0 ? "()" : "(", p->f);
	for (size_t i = 0; i < a.n; i++) {
		p->depth++;
		print_new_line(p);
		table_print(p, k->table, array_at(a, i));
		p->depth--;
		if (i + 1 < a.n)
			fputc(',', p->f);
	}
	if (a.n > 0) {
		print_new_line(p);
		fputc(')', p->f);
	}
}

static void named_print(struct printer *p, const struct key *k, const void *base)
{
	struct array a = groups_array(k, base);

	fputc('{', p->f);
	p->depth++;
	for (size_t i = 0; i < a.n; i++) {
		print_new_line(p);
		fprintf(p->f, "%s = ", (const char *)array_at(a, i));
		table_print(p, k->table, array_at(a, i));
		fputc(';', p->f);
	}
	p->depth--;
	print_new_line(p);
	fputc('}', p->f);
}

const struct kind kind_group = {
	.name = "group",
	.preset = group_preset,
	.read = group_read,
	.print = group_print,
	.fini = group_fini,
};

const struct kind kind_list = {
	.name = "list of groups",
	.read = list_read,
	.print = list_print,
	.fini = list_fini,
};

const struct kind kind_named = {
	.name = "groups by name",
	.read = named_read,
	.print = named_print,
	.fini = list_fini,
};
