/* Who legacy and new are: comparing, and JSON. */
#include "sluice/control/roles.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/hash.h"
#include "sluice/base/json.h"

/* A sum, so that their order does not matter. The key is the same for ever: it is kept. */
static uint64_t servers_of(const struct config_pool *p)
{
	static const struct hash_key key = { .k0 = 0 };
	uint64_t sum = 0;

	for (size_t i = 0; i < p->n_servers; i++) {
		const char *text = p->servers[i].address.text;

		sum += hash_sip(&key, text, strlen(text));
	}
	return sum;
}

static struct role role_of(const struct config_pool *p)
{
	struct role r = { .servers = servers_of(p) };

	(void)snprintf(r.name, sizeof(r.name), "%s", p->name);
	return r;
}

struct roles roles_of(const struct config *c, const struct config_migration *m)
{
	return (struct roles){
		.side = {
			[SIDE_LEGACY] = role_of(&c->pools[m->legacy]),
			[SIDE_NEW] = role_of(&c->pools[m->new_]),
		},
	};
}

bool roles_are_known(const struct roles *r)
{
	return r->side[SIDE_NEW].name[0] != '\0';
}

bool role_is_same(const struct role *a, const struct role *b)
{
	return a->servers == b->servers || strcmp(a->name, b->name) == 0;
}

enum role_change roles_compare(const struct roles *was, const struct roles *now)
{
	const struct role *l = &was->side[SIDE_LEGACY], *n = &was->side[SIDE_NEW];

	if (!roles_are_known(was) || !roles_are_known(now))
		return ROLES_SAME;
	if (l->servers != n->servers &&
		(now->side[SIDE_NEW].servers == l->servers ||
			now->side[SIDE_LEGACY].servers == n->servers))
		return ROLES_EXCHANGED;
	for (int i = 0; i < N_SIDES; i++) {
		if (!role_is_same(&was->side[i], &now->side[i]))
			return ROLES_OTHER;
	}
	return ROLES_SAME;
}

/* --- JSON ---------------------------------------------------------------- */

static const char *const side_names[] = {
	[SIDE_LEGACY] = "legacy",
	[SIDE_NEW] = "new",
};

static struct json *role_json(const struct role *r)
{
	struct json *j = json_new_object();
	char servers[17];

	(void)snprintf(servers, sizeof(servers), "%016" PRIx64, r->servers);
	json_put_text(j, "pool", r->name);
	json_put_text(j, "servers", servers);
	return j;
}

struct json *roles_json(const struct roles *r)
{
	struct json *j = json_new_object();

	for (int i = 0; i < N_SIDES; i++)
		json_put(j, side_names[i], role_json(&r->side[i]));
	return j;
}

struct roles roles_read(const struct json *j)
{
	struct roles r = { .side = { [SIDE_NEW] = { .servers = 0 } } };

	for (int i = 0; i < N_SIDES; i++) {
		const struct json *side = json_get(j, side_names[i]);

		(void)snprintf(r.side[i].name, sizeof(r.side[i].name), "%s",
			json_text(side, "pool", ""));
		r.side[i].servers = strtoull(json_text(side, "servers", ""), NULL, 16);
	}
	return r;
}
