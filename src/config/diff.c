/*
 * diff - what differs between two configurations, setting by setting.
 *
 * Entries of lists are matched by what identifies them (a name, a server's
 * address, a route's host and path), not by where they stand. Two values
 * differ when they are printed differently; a secret is never printed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

struct walk {
	const struct config *old, *new_;
	bool restart_only;
	struct config_problems *lines;
};

/* The same place in both. */
struct pair {
	const void *old, *new_;
};

static void compare_table(
	struct walk *w, const struct table *t, const char *path, struct pair at);

static char *join(const char *path, const char *name)
{
	return mem_print("%s%s%s", path, *path == '\0' ? "" : ".", name);
}

/* "2s" in the file is 2s in a sentence. */
static void strip_quotes(char *text)
{
	size_t n = strlen(text);

	if (n < 2 || text[0] != '"')
		return;
	memmove(text, text + 1, n - 2);
	text[n - 2] = '\0';
}

static void tell(struct walk *w, const struct key *k, const char *path, const char *old,
	const char *new_)
{
	if (!w->restart_only)
		config_problems_add(w->lines, "%s: %s -> %s", path, old, new_);
	else if (k->restart)
		config_problems_add(w->lines,
			"%s: %s -> %s needs a restart: restart sluice, or set it back "
			"to %s and reload",
			path, old, new_, old);
}

static char *bare_value(const struct config *c, const struct key *k, const void *base)
{
	if (!print_key_is_written(k, base))
		return mem_text("none");

	char *text = print_key_value(c, k, base);

	strip_quotes(text);
	return text;
}

static void compare_secret(
	struct walk *w, const struct key *k, const char *path, struct pair at)
{
	char *const *old = key_field(k, at.old), *const *new_ = key_field(k, at.new_);

	if (strcmp(*old, *new_) != 0 && !w->restart_only)
		config_problems_add(w->lines, "%s: changed (not shown)", path);
}

static void compare_value(
	struct walk *w, const struct key *k, const char *path, struct pair at)
{
	char *old = bare_value(w->old, k, at.old);
	char *new_ = bare_value(w->new_, k, at.new_);

	if (strcmp(old, new_) != 0)
		tell(w, k, path, old, new_);
	free(new_);
	free(old);
}

static void compare_group(
	struct walk *w, const struct key *k, const char *path, struct pair at)
{
	bool was = print_key_is_written(k, at.old),
	     is = print_key_is_written(k, at.new_);

	if (was && is)
		compare_table(w, k->table, path,
			(struct pair){ .old = key_field(k, at.old),
				.new_ = key_field(k, at.new_) });
	else if (was != is && !w->restart_only)
		config_problems_add(w->lines, "%s: %s", path, is ? "added" : "removed");
}

static char *entry_path(const struct key *k, const char *path, struct array a, size_t i)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	bool named = k->kind == &kind_named;

	assert(f != NULL);
	fprintf(f, "%s%s", path, named ? "." : "[");
	if (k->table->identify != NULL)
		k->table->identify(f, array_at(a, i));
	else
		fprintf(f, "%zu", i);
	fputs(named ? "" : "]", f);
	fclose(f);
	return text;
}

static struct hash_table *index_entries(
	const struct key *k, const char *path, struct array a)
{
	struct hash_table *t = hash_table_new(a.n);

	for (size_t i = 0; i < a.n; i++) {
		char *entry = entry_path(k, path, a, i);

		hash_table_put(t, span_of(entry), array_at(a, i));
		free(entry);
	}
	return t;
}

static void compare_list(
	struct walk *w, const struct key *k, const char *path, struct pair at)
{
	struct array old = groups_array(k, at.old), new_ = groups_array(k, at.new_);
	struct hash_table *was = index_entries(k, path, old);
	struct hash_table *is = index_entries(k, path, new_);

	for (size_t i = 0; i < old.n; i++) {
		char *entry = entry_path(k, path, old, i);
		struct pair both = {
			.old = array_at(old, i),
			.new_ = hash_table_get(is, span_of(entry)),
		};

		if (both.new_ != NULL)
			compare_table(w, k->table, entry, both);
		else if (!w->restart_only)
			config_problems_add(w->lines, "%s: removed", entry);
		free(entry);
	}
	for (size_t i = 0; i < new_.n && !w->restart_only; i++) {
		char *entry = entry_path(k, path, new_, i);

		if (hash_table_get(was, span_of(entry)) == NULL)
			config_problems_add(w->lines, "%s: added", entry);
		free(entry);
	}
	hash_table_free(is);
	hash_table_free(was);
}

static void compare_table(
	struct walk *w, const struct table *t, const char *path, struct pair at)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct key *k = &t->keys[i];
		char *name = join(path, k->name);

		if (k->kind == &kind_group)
			compare_group(w, k, name, at);
		else if (k->kind == &kind_list || k->kind == &kind_named)
			compare_list(w, k, name, at);
		else if (k->kind == &kind_secret)
			compare_secret(w, k, name, at);
		else
			compare_value(w, k, name, at);
		free(name);
	}
}

static void compare(const struct config *old, const struct config *new_,
	bool restart_only, struct config_problems *lines)
{
	struct walk w = {
		.old = old,
		.new_ = new_,
		.restart_only = restart_only,
		.lines = lines,
	};

	compare_table(&w, &table_root, "", (struct pair){ .old = old, .new_ = new_ });
}

void config_diff(const struct config *old, const struct config *new_,
	struct config_problems *lines)
{
	compare(old, new_, false, lines);
}

int config_check_reload(const struct config *old, const struct config *new_,
	struct config_problems *problems)
{
	size_t before = problems->n;

	compare(old, new_, true, problems);
	return problems->n == before ? 0 : -1;
}
