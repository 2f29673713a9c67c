/*
 * A big answer is made over several turns of the loop, and a reload may come
 * between two of them: then indices mean other migrations. What was gathered is
 * thrown away and gathered anew.
 */
#include <stdio.h>
#include <string.h>

#include "admin_priv.h"

static void note(struct walk *w)
{
	struct admin_process p = { .config_hash = "" };

	w->ops->process(w->ops->arg, &p);
	snprintf(w->hash, sizeof(w->hash), "%s", p.config_hash);
	w->migrations = w->ops->count(w->ops->arg);
}

void walk_init(struct walk *w, const struct admin_ops *ops)
{
	*w = (struct walk){ .ops = ops };
	note(w);
}

bool walk_moved(struct walk *w)
{
	struct walk now = *w;

	note(&now);
	if (now.migrations == w->migrations && strcmp(now.hash, w->hash) == 0)
		return false;
	*w = now;
	return true;
}
