/*
 * notes - what is valid, and may not mean what its writer thinks.
 */
#include <string.h>

#include "config_priv.h"

static void note_star(
	const struct config_route *r, size_t i, struct config_problems *notes)
{
	if (strchr(r->path, '*') != NULL)
		config_problems_add(notes,
			"routes[%zu].path: the \"*\" in \"%s\" is a star and no "
			"wildcard: a path is a prefix as it is",
			i, r->path);
}

void config_notes(const struct config *c, struct config_problems *notes)
{
	for (size_t i = 0; i < c->n_routes; i++)
		note_star(&c->routes[i], i, notes);
}
