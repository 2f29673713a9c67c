/*
 * load - the way from a file to a struct config, and back to nothing.
 *
 *	source_read    file and includes → one text          text/source.c
 *	scan_source    what libconfig would read wrongly      text/scan.c
 *	libconfig      text → settings
 *	table_read     settings → struct config, checked      kinds/table.c
 *
 * A step whose input cannot be trusted is not taken; otherwise problems pile
 * up, and all are told.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_priv.h"

static char *absolute_file(const char *file)
{
	char folder[PATH_MAX];

	if (*file == '/' || getcwd(folder, sizeof(folder)) == NULL)
		return mem_text(file);
	return mem_print("%s/%s", folder, file);
}

static void reader_init(struct reader *rd, struct config *c, struct report *report)
{
	*rd = (struct reader){
		.c = c,
		.report = report,
		.folder = source_folder(c->file),
		.pools = hash_table_new(64),
		.migrations = hash_table_new(64),
		.listeners = hash_table_new(16),
		.bound = hash_table_new(16),
		.routes = hash_table_new(256),
	};
}

static void reader_fini(struct reader *rd)
{
	hash_table_free(rd->routes);
	hash_table_free(rd->bound);
	hash_table_free(rd->listeners);
	hash_table_free(rd->migrations);
	hash_table_free(rd->pools);
	free(rd->folder);
}

/* libconfig's own words for what the scan lets through. */
static void report_syntax(struct report *r, const config_t *parsed)
{
	const char *text = config_error_text(parsed);
	uint32_t line = (uint32_t)config_error_line(parsed);

	if (strstr(text, "duplicate") != NULL)
		problems_add_line(r, line,
			"this setting stands twice in its group: take one of the two "
			"out");
	else if (strstr(text, "mismatched") != NULL)
		problems_add_line(
			r, line, "the entries of an array [ ] must be of one type");
	else
		problems_add_line(r, line,
			"syntax error here or shortly before: look for a missing \"=\" "
			"or a group or list inside an array [ ]");
}

static void read_settings(struct config *c, struct source *s, struct report *r)
{
	struct reader rd;
	config_t parsed;

	config_init(&parsed);
	if (config_read_string(&parsed, s->text) == CONFIG_TRUE) {
		reader_init(&rd, c, r);
		table_read(&rd, &table_root, c, config_root_setting(&parsed));
		reader_fini(&rd);
	} else {
		report_syntax(r, &parsed);
	}
	config_destroy(&parsed);
}

static int load(struct config **out, const char *file, const struct span *text,
	struct config_problems *problems)
{
	struct config *c = mem_zero(sizeof(*c));
	struct source source = { 0 };
	struct report report = { .source = &source };

	*out = NULL;
	c->file = absolute_file(file);
	table_preset(&table_root, c);
	source_read(&source, file, text, &report);
	if (report.n == 0 && scan_source(&source, &report))
		read_settings(c, &source, &report);
	memcpy(c->hash, source.hash, sizeof(c->hash));
	if (report.n == 0) {
		*out = c;
	} else {
		problems_hand_out(&report, problems);
		config_free(c);
	}
	source_fini(&source);
	return *out == NULL ? -1 : 0;
}

int config_load(struct config **out, const char *file, struct config_problems *problems)
{
	return load(out, file, NULL, problems);
}

int config_load_text(struct config **out, const char *file, const char *text, size_t n,
	struct config_problems *problems)
{
	struct span given = { .p = text, .n = n };

	return load(out, file, &given, problems);
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	table_fini(&table_root, c);
	free(c->file);
	free(c);
}

const struct config_pool *config_find_pool(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_pools; i++)
		if (strcmp(c->pools[i].name, name) == 0)
			return &c->pools[i];
	return NULL;
}

const struct config_migration *config_find_migration(
	const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_migrations; i++)
		if (strcmp(c->migrations[i].name, name) == 0)
			return &c->migrations[i];
	return NULL;
}
