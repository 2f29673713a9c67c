/*
 * routes - from the host and path of a request to a migration or a pool; and
 * how a name becomes an index.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

static void complain_unfound(
	struct reader *rd, config_setting_t *s, const char *text, enum find what)
{
	struct nearest near = { .word = text };
	const struct config *c = rd->c;

	if (what == FIND_POOL)
		for (size_t i = 0; i < c->n_pools; i++)
			nearest_try(&near, c->pools[i].name);
	else
		for (size_t i = 0; i < c->n_migrations; i++)
			nearest_try(&near, c->migrations[i].name);
	problem_at(rd, s, "there is no %s \"%.80s\"%s%s%s",
		what == FIND_POOL ? "pool" : "migration", text,
		near.best == NULL ? "" : "; the nearest is \"",
		near.best == NULL ? "" : near.best, near.best == NULL ? "" : "\"");
}

size_t routes_find_named(struct reader *rd, config_setting_t *s, enum find what)
{
	const char *text = text_of_setting(rd, s, "a name in quotes");

	if (text == NULL)
		return SIZE_MAX;
	if (what == FIND_POOL) {
		const struct config_pool *p = hash_table_get(rd->pools, span_of(text));

		if (p != NULL)
			return (size_t)(p - rd->c->pools);
	} else {
		const struct config_migration *m =
			hash_table_get(rd->migrations, span_of(text));

		if (m != NULL)
			return (size_t)(m - rd->c->migrations);
	}
	complain_unfound(rd, s, text, what);
	return SIZE_MAX;
}

static void migration_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	struct config_route *r = base;

	(void)k;
	r->target = routes_find_named(rd, s, FIND_MIGRATION);
	r->to_migration = true;
}

static void migration_print(struct printer *p, const struct key *k, const void *base)
{
	const struct config_route *r = base;

	(void)k;
	print_text(p->f, p->c->migrations[r->target].name);
}

static void pool_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	struct config_route *r = base;

	(void)k;
	r->target = routes_find_named(rd, s, FIND_POOL);
	r->to_migration = false;
}

static void pool_print(struct printer *p, const struct key *k, const void *base)
{
	const struct config_route *r = base;

	(void)k;
	print_text(p->f, p->c->pools[r->target].name);
}

static const struct kind kind_to_migration = {
	.name = "name of a migration",
	.read = migration_read,
	.print = migration_print,
};

static const struct kind kind_to_pool = {
	.name = "name of a pool",
	.read = pool_read,
	.print = pool_print,
};

static bool to_migration(const void *base)
{
	return ((const struct config_route *)base)->to_migration;
}

static bool to_pool(const void *base)
{
	return !to_migration(base);
}

static const struct key route_keys[] = {
	{
		.name = "host",
		.kind = &kind_text,
		AT(config_route, host),
		.text = "*",
		.high = 255,
		.help = "\"shop.example.net\", \"*.example.net\" (names below it) or "
			"\"*\"; the best match wins",
	},
	{
		.name = "path",
		.kind = &kind_text,
		AT(config_route, path),
		.text = "/",
		.high = 1024,
		.help = "prefix of the path; of the best host's routes the longest "
			"match wins",
	},
	{
		.name = "exact",
		.kind = &kind_switch,
		AT(config_route, exact),
		.preset = true,
		.help = "the prefix ends at a slash or with the path: \"/api\" takes "
			"/api and /api/1, not /apifoo; false: any path that begins "
			"with it",
	},
	{
		.name = "migration",
		.kind = &kind_to_migration,
		.written = to_migration,
		.help = "where matching requests go; this or pool",
	},
	{
		.name = "pool",
		.kind = &kind_to_pool,
		.written = to_pool,
		.help = "where matching requests go; this or migration",
	},
	{
		.name = "headers",
		.kind = &kind_group,
		AT(config_route, headers),
		.table = &table_header_rules,
		.help = "fields that the route's requests and responses get and lose",
	},
};

static bool is_ipv6(const char *host)
{
	struct in6_addr ignored;
	size_t n = strlen(host);

	if (n < 4 || host[0] != '[' || host[n - 1] != ']')
		return false;

	char *text = mem_text_n(host + 1, n - 2);
	bool is = inet_pton(AF_INET6, text, &ignored) == 1;

	free(text);
	return is;
}

static bool host_pattern_is_valid(const char *host)
{
	struct in_addr ignored;

	if (strcmp(host, "*") == 0 || is_ipv6(host) ||
		inet_pton(AF_INET, host, &ignored) == 1)
		return true;
	if (strncmp(host, "*.", 2) == 0)
		host += 2;
	return address_host_is_valid(host, strlen(host));
}

static void check_texts(struct reader *rd, struct config_route *r, config_setting_t *s)
{
	for (char *p = r->host; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	if (!host_pattern_is_valid(r->host))
		problem_at_member(rd, s, "host",
			"expected a host name without a port, \"*.\" and a name, or "
			"\"*\", got \"%.60s\"",
			r->host);
	if (!check_path_is_valid(r->path) || strchr(r->path, '?') != NULL)
		problem_at_member(rd, s, "path",
			"expected a path from \"/\" without blanks, \"?\" or \"#\", "
			"got \"%.60s\"",
			r->path);
}

static void check_route(struct reader *rd, void *base, config_setting_t *s)
{
	bool migration = config_setting_get_member(s, "migration") != NULL;
	bool pool = config_setting_get_member(s, "pool") != NULL;
	struct config_route *r = base;

	check_texts(rd, r, s);
	if (migration && pool)
		problem_at_member(rd, s, "pool",
			"stands beside migration: a route goes to one of the two");
	if (!migration && !pool)
		problem_at(rd, s,
			"goes nowhere: add migration = \"NAME\" or pool = \"NAME\"");

	char *key = mem_print("%s %s", r->host, r->path);

	(void)problem_unless_first(rd, rd->routes, span_of(key), s, "path");
	free(key);
}

static void identify(FILE *f, const void *base)
{
	const struct config_route *r = base;

	fprintf(f, "%s %s", r->host, r->path);
}

const struct table table_route = {
	TABLE_KEYS(route_keys),
	.size = sizeof(struct config_route),
	.check = check_route,
	.identify = identify,
};
