/*
 * table - carries the settings of a group into a struct, as its table says.
 *
 * A group is walked once in the file's order to find what is there, then in
 * the table's order, so that a setting may rely on those above it in the table
 * (a route on the pools), wherever the operator wrote them.
 */
#include <assert.h>
#include <stdlib.h>

#include "config_priv.h"

enum { MOST_KEYS = 32 };

const char *table_key_hint(const struct key *k)
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
	problem_at(
		rd, s, "unknown setting; the nearest known one is \"%s\"", near.best);
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
			problem_at_member(rd, s, key->name, "is missing: %s",
				table_key_hint(key));
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
