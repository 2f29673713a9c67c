/*
 * The registry: live objects by name, so that a reload finds what was there.
 *
 * Control's alone. Snapshots hold references; what no snapshot names any more retires,
 * and goes when no data thread has anything of it left.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/clock.h"

#include "pool_priv.h"

/* How long a server of a pool without checks stays ejected: nobody else would
 * bring it back. */
#define UNCHECKED_EJECTION_NS (UINT64_C(10) * 1000 * 1000 * 1000)

enum { KEY_BYTES = 512 };

struct registry *registry_new(unsigned threads, struct live *live)
{
	struct registry *r = mem_zero(sizeof(*r));

	assert(threads > 0 && threads <= CONFIG_MAX_WORKERS);
	r->threads = threads;
	r->waited = mem_zero(threads * sizeof(struct link));
	for (unsigned i = 0; i < threads; i++)
		list_init(&r->waited[i]);
	r->live = live;
	list_init(&r->servers);
	list_init(&r->migrations);
	r->by_address = hash_table_new(64);
	r->groups = hash_table_new(16);
	return r;
}

void registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	LIST_EACH (&r->servers, it, next) {
		struct server *s = LIST_ENTRY(it, struct server, link);

		list_remove(it);
		server_free(s);
	}
	for (size_t i = 0; i < r->n_groups; i++) {
		free(r->group[i]->cell);
		free(r->group[i]);
	}
	free(r->group);
	free(r->waited);
	hash_table_free(r->by_address);
	hash_table_free(r->groups);
	free(r);
}

unsigned registry_threads(const struct registry *r)
{
	return r->threads;
}

struct live *registry_live(const struct registry *r)
{
	return r->live;
}

struct group *registry_group(struct registry *r, const char *name)
{
	struct group *g = hash_table_get(r->groups, span_of(name));

	if (g != NULL)
		return g;
	g = mem_zero(sizeof(*g));
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->registry = r;
	g->threads = r->threads;
	g->cell = mem_zero(r->threads * sizeof(struct group_cell));
	for (unsigned i = 0; i < r->threads; i++) {
		list_init(&g->cell[i].waiters);
		list_init(&g->cell[i].of_thread);
		g->cell[i].group = g;
	}
	(void)hash_table_put(r->groups, span_of(g->name), g);
	r->group = mem_grow(r->group, (r->n_groups + 1) * sizeof(*r->group));
	r->group[r->n_groups++] = g;
	return g;
}

static struct server *find(struct registry *r, const char *pool, const char *address)
{
	char key[KEY_BYTES];
	int n = snprintf(key, sizeof(key), "%s %s", pool, address);

	assert(n > 0 && (size_t)n < sizeof(key));
	return hash_table_get(r->by_address, (struct span){ .p = key, .n = (size_t)n });
}

static void enter(struct registry *r, struct server *s)
{
	char key[KEY_BYTES];
	int n = snprintf(key, sizeof(key), "%s %s", s->group->name, s->address);

	(void)hash_table_put(
		r->by_address, (struct span){ .p = key, .n = (size_t)n }, s);
	list_push(&r->servers, &s->link);
}

struct server *registry_server(
	struct registry *r, const char *pool, const struct config_server *c)
{
	struct server *s = find(r, pool, c->address.text);

	if (s == NULL) {
		s = server_new(registry_group(r, pool), c, r->threads);
		s->id = ++r->next_id;
		enter(r, s);
	}
	s->refs++;
	return s;
}

static bool is_limited(const struct config_pool *c)
{
	bool limited = c->max_requests > 0;

	for (size_t i = 0; i < c->n_servers; i++)
		limited |= c->servers[i].max_requests > 0;
	return limited;
}

void registry_commit(struct registry *r, struct pool *const *pools, size_t n)
{
	r->serial++;
	for (size_t i = 0; i < n; i++) {
		const struct config_pool *c = pools[i]->config;
		struct group *g = registry_group(r, c->name);
		uint64_t max = (uint64_t)pools[i]->n * c->eject_max_ppm / PPM;

		if (pools[i]->n == 1)
			max = 0; /* an only server never is (S16a) */
		atomic_store(&g->max_ejected, (uint32_t)max);
		atomic_store(&g->eject_failures, c->eject_failures);
		atomic_store(&g->checked, c->health.type != CONFIG_HEALTH_NONE);
		if (is_limited(c)) /* for good: older snapshots may wait yet */
			atomic_store(&g->limited, true);
		for (size_t k = 0; k < pools[i]->n; k++) {
			pools[i]->server[k]->serial = r->serial;
			atomic_store_explicit(&pools[i]->server[k]->manner,
				pools[i]->manner, memory_order_release);
		}
	}
	LIST_EACH (&r->servers, it, next) {
		struct server *s = LIST_ENTRY(it, struct server, link);

		atomic_store_explicit(
			&s->retired, s->serial != r->serial, memory_order_release);
	}
}

static bool is_unused(const struct server *s)
{
	struct server_counts c;

	if (s->refs > 0)
		return false;
	server_sum(s, &c);
	return c.in_flight == 0 && c.idle == 0 && c.sessions == 0;
}

/* The table has no removal: it is made anew from the servers that stay. */
static void reindex(struct registry *r)
{
	struct link stay;

	list_init(&stay);
	LIST_EACH (&r->servers, it, next) {
		list_remove(it);
		list_push(&stay, it);
	}
	hash_table_free(r->by_address);
	r->by_address = hash_table_new(64);
	LIST_EACH (&stay, it, next) {
		list_remove(it);
		enter(r, LIST_ENTRY(it, struct server, link));
	}
}

void registry_sweep(struct registry *r)
{
	uint64_t now_ns = clock_mono_ns();
	bool freed = false;

	LIST_EACH (&r->servers, it, next) {
		struct server *s = LIST_ENTRY(it, struct server, link);

		if (server_is_ejected(s) && !atomic_load(&s->group->checked) &&
			now_ns - atomic_load(&s->ejected_ns) > UNCHECKED_EJECTION_NS)
			server_end_ejection(s);
		if (!is_unused(s))
			continue;
		list_remove(it);
		server_free(s);
		freed = true;
	}
	if (freed)
		reindex(r);
}

struct migration *registry_migration(struct registry *r, const char *name)
{
	struct migration *m;

	LIST_EACH (&r->migrations, it, next) {
		m = LIST_ENTRY(it, struct migration, link);
		if (strcmp(m->name, name) == 0) {
			m->refs++;
			return m;
		}
	}
	m = migration_new(name, r);
	m->refs = 1;
	list_push(&r->migrations, &m->link);
	return m;
}

bool registry_has_migration(const struct registry *r, const char *name)
{
	LIST_EACH (&r->migrations, it, next) {
		if (strcmp(LIST_ENTRY(it, struct migration, link)->name, name) == 0)
			return true;
	}
	return false;
}

void migration_unref(struct registry *r, struct migration *m)
{
	(void)r;
	if (m == NULL || --m->refs > 0)
		return;
	list_remove(&m->link);
	migration_free(m);
}
