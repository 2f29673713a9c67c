/*
 * Which route a request takes: the best matching host (a name, then the longest
 * wildcard, then "*"), and in it the longest path prefix. A prefix that is exact ends
 * where a segment of the path ends.
 *
 * The paths of a host are sorted. The longest prefix of a path, if there is one, is the
 * greatest entry that is not greater than the path, or one of that entry's own
 * prefixes; so each entry knows the longest other one that is its prefix.
 */
#include <stdlib.h>
#include <string.h>

#include "sluice/base/hash.h"

#include "proxy_priv.h"

struct entry {
	struct span path;
	const struct config_route *route;
	struct entry *shorter; /* the longest entry that is a proper prefix */
};

struct host {
	size_t n;
	struct entry *entry; /* sorted by path */
};

struct routes {
	struct hash_table *exact; /* "www.example.net" */
	struct hash_table *wild;  /* "example.net" for "*.example.net" */
	struct host *any;
	struct host **all;
	size_t n_all;
};

static int compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int diff = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (diff != 0)
		return diff;
	return a.n < b.n ? -1 : a.n > b.n;
}

static int by_path(const void *a, const void *b)
{
	return compare(
		((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static struct host *new_host(struct routes *r)
{
	struct host *h = mem_zero(sizeof(*h));

	r->all = mem_grow(r->all, (r->n_all + 1) * sizeof(struct host *));
	r->all[r->n_all++] = h;
	return h;
}

static struct host *host_in(
	struct routes *r, struct hash_table *table, struct span name)
{
	struct host *h = hash_table_get(table, name);

	if (h == NULL) {
		h = new_host(r);
		(void)hash_table_put(table, name, h);
	}
	return h;
}

static struct host *host_for(struct routes *r, const char *name)
{
	if (strcmp(name, "*") == 0) {
		if (r->any == NULL)
			r->any = new_host(r);
		return r->any;
	}
	if (strncmp(name, "*.", 2) == 0)
		return host_in(r, r->wild, span_of(name + 2));
	return host_in(r, r->exact, span_of(name));
}

/* Sorted neighbours: a prefix of an entry is before it, and everything between begins
 * with that prefix too. */
static void link_prefixes(struct host *h)
{
	for (size_t i = 1; i < h->n; i++) {
		struct entry *e = &h->entry[i], *p = &h->entry[i - 1];

		while (p != NULL && !span_starts(e->path, p->path))
			p = p->shorter;
		e->shorter = p;
	}
}

/* Grown by doubling, so that a thousand routes of one host stay cheap. */
static void add(struct host *h, const struct config_route *route)
{
	if ((h->n & (h->n - 1)) == 0)
		h->entry = mem_grow(
			h->entry, (h->n == 0 ? 1 : 2 * h->n) * sizeof(struct entry));
	h->entry[h->n++] =
		(struct entry){ .path = span_of(route->path), .route = route };
}

struct routes *routes_new(const struct config *c)
{
	struct routes *r = mem_zero(sizeof(*r));

	r->exact = hash_table_new(c->n_routes);
	r->wild = hash_table_new(16);
	for (size_t i = 0; i < c->n_routes; i++)
		add(host_for(r, c->routes[i].host), &c->routes[i]);
	for (size_t i = 0; i < r->n_all; i++) {
		struct host *h = r->all[i];

		qsort(h->entry, h->n, sizeof(struct entry), by_path);
		link_prefixes(h);
	}
	return r;
}

void routes_free(struct routes *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_all; i++) {
		free(r->all[i]->entry);
		free(r->all[i]);
	}
	free(r->all);
	hash_table_free(r->exact);
	hash_table_free(r->wild);
	free(r);
}

static bool takes(const struct entry *e, struct span path)
{
	size_t n = e->path.n;

	if (!span_starts(path, e->path))
		return false;
	return !e->route->exact || path.n == n || path.p[n] == '/' ||
	       e->path.p[n - 1] == '/';
}

static const struct config_route *longest(const struct host *h, struct span path)
{
	size_t low = 0, high = h->n;
	const struct entry *e;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(h->entry[middle].path, path) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	e = low > 0 ? &h->entry[low - 1] : NULL;
	while (e != NULL && !takes(e, path))
		e = e->shorter;
	return e != NULL ? e->route : NULL;
}

static const struct host *best_host(const struct routes *r, struct span name)
{
	struct span rest = name;
	const struct host *h = NULL;

	if (hash_table_count(r->exact) > 0)
		h = hash_table_get(r->exact, name);
	while (h == NULL && rest.p != NULL && hash_table_count(r->wild) > 0) {
		(void)span_cut(&rest, '.');
		if (rest.n > 0)
			h = hash_table_get(r->wild, rest);
	}
	return h != NULL ? h : r->any;
}

const struct config_route *routes_find(
	const struct routes *r, struct span host, struct span path)
{
	const struct host *h = best_host(r, host);

	return h != NULL ? longest(h, path) : NULL;
}
