/*
 * check - sluice --check and --print, and how problems with a configuration are told.
 *
 * What is loaded is the very thing that start and reload load. It has no side effect:
 * nothing is bound, opened for writing or published.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sluice/control.h"
#include "sluice/proxy.h"

#include "control_priv.h"

void check_print(const struct config_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		(void)fprintf(stderr, "%s\n", p->text[i]);
}

static void print_notes(const struct config *c)
{
	struct config_problems notes = { .n = 0 };

	config_notes(c, &notes);
	for (size_t i = 0; i < notes.n; i++)
		(void)printf("%s: note: %s\n", c->file, notes.text[i]);
	config_problems_fini(&notes);
}

int control_check(const char *config_file)
{
	struct loaded l;
	int rc = loader_load_files(&l, config_file, NULL);

	if (rc == 0) {
		const struct config *c = snapshot_config(l.snapshot);

		(void)printf("%s: valid; listeners: %zu, routes: %zu, migrations: %zu, "
			     "pools: %zu\n",
			c->file, c->n_listeners, c->n_routes, c->n_migrations,
			c->n_pools);
		print_notes(c);
	}
	check_print(&l.problems);
	loader_loaded_fini(&l);
	return rc == 0 ? 0 : 1;
}

int control_print(const char *config_file)
{
	struct loaded l;
	int rc = loader_load_files(&l, config_file, NULL);

	if (rc == 0) {
		char *text = config_print(snapshot_config(l.snapshot));

		(void)fputs(text, stdout);
		free(text);
	}
	check_print(&l.problems);
	loader_loaded_fini(&l);
	return rc == 0 ? 0 : 1;
}
