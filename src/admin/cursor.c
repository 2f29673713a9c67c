/*
 * A big answer is made over several turns of the loop, and a reload may come
 * between two of them: then indices mean other migrations. What was gathered is
 * thrown away and gathered anew.
 */
#include <stdio.h>
#include <string.h>

#include "admin_priv.h"

static void note(struct cursor *c)
{
	struct admin_process p = { .config_hash = "" };

	c->ops->process(c->ops->arg, &p);
	snprintf(c->hash, sizeof(c->hash), "%s", p.config_hash);
	c->migrations = c->ops->count(c->ops->arg);
}

void cursor_init(struct cursor *c, const struct admin_ops *ops)
{
	*c = (struct cursor){ .ops = ops };
	note(c);
}

bool cursor_moved(struct cursor *c)
{
	struct cursor now = *c;

	note(&now);
	if (now.migrations == c->migrations && strcmp(now.hash, c->hash) == 0)
		return false;
	*c = now;
	return true;
}
