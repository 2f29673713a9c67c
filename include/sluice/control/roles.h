/*
 * control/roles - who legacy and new of a migration are: names and servers of two pools.
 *
 * Pure. Kept with the migration's memory, so that a start or a reload can tell whether
 * what is known is still known of the same pools.
 */
#ifndef SLUICE_CONTROL_ROLES_H
#define SLUICE_CONTROL_ROLES_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/base/mem.h"
#include "sluice/config.h"
#include "sluice/pool/migration.h"

struct json;

struct role {
	char name[CONFIG_NAME_SIZE];
	uint64_t servers; /* of their addresses, in any order */
};

struct roles {
	struct role side[N_SIDES]; /* name "": not known */
};

struct roles roles_of(const struct config *c, const struct config_migration *m);
bool roles_are_known(const struct roles *r);

/* It has the name or all the servers of the other one. */
bool role_is_same(const struct role *a, const struct role *b);
enum role_change {
	ROLES_SAME,
	ROLES_OTHER,     /* one side or both is another pool */
	ROLES_EXCHANGED, /* one has the other's servers now */
};

enum role_change roles_compare(const struct roles *was, const struct roles *now);

struct json *roles_json(const struct roles *r) MUST_USE;
/* j may be NULL: not known. */
struct roles roles_read(const struct json *j);

#endif
