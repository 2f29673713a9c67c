/*
 * A snapshot: one configuration, with the live objects, routes and TLS contexts that it
 * names, complete before any data thread sees it: loaded on whichever thread may wait
 * for a disk, then bound to the live objects on control.
 */
#include <assert.h>
#include <stdlib.h>

#include "serve/client_priv.h"

static struct net_tls_server tls_of(const struct config_listener *l, const char **files)
{
	const char **certs = files, **keys = certs + l->n_certificates,
		   **staples = keys + l->n_certificates;

	for (size_t i = 0; i < l->n_certificates; i++) {
		certs[i] = l->certificates[i].cert_file;
		keys[i] = l->certificates[i].key_file;
		staples[i] = l->certificates[i].ocsp_file;
	}
	return (struct net_tls_server){
		.cert_files = certs,
		.key_files = keys,
		.ocsp_files = staples,
		.n = l->n_certificates,
		.min_1_3 = l->min_version == CONFIG_TLS_1_3,
		.h2 = l->alpn_h2,
		.http1 = l->alpn_http1,
		.client_ca = l->client_ca,
		.crl = l->crl,
		.client_optional = l->client_verify == CONFIG_CLIENT_OPTIONAL,
	};
}

static int load_tls(
	struct net_tls **out, const struct config_listener *l, struct err *err)
{
	const char **files = mem_zero(3 * (l->n_certificates + 1) * sizeof(char *));
	struct net_tls_server s = tls_of(l, files);
	int done = net_tls_server_new(out, &s, err);

	free(files);
	return done == 0 ? 0 : err_wrap(err, "listener %s", l->name);
}

static int load_listeners(struct snapshot *s, const struct config *c, struct err *err)
{
	s->listener = mem_zero((c->n_listeners + 1) * sizeof(*s->listener));
	s->n_listeners = c->n_listeners;
	for (size_t i = 0; i < c->n_listeners; i++) {
		if (c->listeners[i].tls &&
			load_tls(&s->listener[i].tls, &c->listeners[i], err) != 0)
			return -1;
	}
	return 0;
}

static int load_pools(struct snapshot *s, const struct config *c, struct err *err)
{
	s->pool = mem_zero((c->n_pools + 1) * sizeof(*s->pool));
	for (size_t i = 0; i < c->n_pools; i++) {
		if (pool_load(&s->pool[i], &c->pools[i], err) != 0)
			return -1;
		s->n_pools++;
	}
	return 0;
}

static struct rules rules_new(const struct config_header_rules *c)
{
	return (struct rules){
		.request = http_edit_new(
			c->request.set, c->request.add, c->request.remove),
		.response = http_edit_new(
			c->response.set, c->response.add, c->response.remove),
	};
}

static void load_rules(struct snapshot *s, const struct config *c)
{
	s->route_rules = mem_zero((c->n_routes + 1) * sizeof(*s->route_rules));
	for (size_t i = 0; i < c->n_routes; i++)
		s->route_rules[i] = rules_new(&c->routes[i].headers);
	s->pool_rules = mem_zero((c->n_pools + 1) * sizeof(*s->pool_rules));
	for (size_t i = 0; i < c->n_pools; i++)
		s->pool_rules[i] = rules_new(&c->pools[i].headers);
}

static void free_rules(struct rules *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		http_edit_free(rules[i].request);
		http_edit_free(rules[i].response);
	}
	free(rules);
}

static void release(struct snapshot *s)
{
	if (s->config != NULL) {
		free_rules(s->route_rules, s->config->n_routes);
		free_rules(s->pool_rules, s->config->n_pools);
	}
	for (size_t i = 0; i < s->n_pools; i++)
		pool_free(s->pool[i]);
	for (size_t i = 0; i < s->n_migrations; i++)
		migration_unref(s->registry, s->migration[i]);
	for (size_t i = 0; i < s->n_listeners; i++) {
		listener_sockets_unref(s->listener[i].sockets);
		net_tls_unref(s->listener[i].tls);
	}
	free(s->pool);
	free(s->migration);
	free(s->listener);
	http_name_set_free(s->strip);
	routes_free(s->routes);
	config_free(s->config);
	free(s);
}

/* What clients may not say of themselves; the twins of those that sluice writes too. */
static struct http_name_set *strip_of(const struct config *c)
{
	char *names = mem_print("%s X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host "
				"X-Request-Id",
		c->headers.strip);
	struct http_name_set *set = http_name_set_new(names);

	free(names);
	return set;
}

int snapshot_load(struct snapshot **out, struct config **config, struct err *err)
{
	const struct config *c = *config;
	struct snapshot *s = mem_zero(sizeof(*s));

	atomic_init(&s->refs, 1);
	list_init(&s->link);
	if (load_listeners(s, c, err) != 0 || load_pools(s, c, err) != 0)
		goto fail;
	s->migration = mem_zero((c->n_migrations + 1) * sizeof(*s->migration));
	s->routes = routes_new(c);
	s->strip = strip_of(c);
	load_rules(s, c);
	s->config = *config;
	*config = NULL;
	*out = s;
	return 0;
fail:
	release(s);
	return -1;
}

void snapshot_bind(struct snapshot *s, struct registry *r)
{
	const struct config *c = s->config;

	s->registry = r;
	for (size_t i = 0; i < s->n_pools; i++)
		pool_bind(s->pool[i], r);
	for (size_t i = 0; i < c->n_migrations; i++)
		s->migration[s->n_migrations++] =
			registry_migration(r, c->migrations[i].name);
}

void snapshot_unref(struct snapshot *s)
{
	if (s == NULL ||
		atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
		return;
	list_remove(&s->link);
	release(s);
}

/* The proxy's list still holds one: never the last. */
void snapshot_drop(struct snapshot *s)
{
	unsigned before = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel);

	assert(before > 1);
}

const struct config *snapshot_config(const struct snapshot *s)
{
	return s->config;
}

struct pool *const *snapshot_pools(const struct snapshot *s)
{
	return s->pool;
}

struct migration *const *snapshot_migrations(const struct snapshot *s)
{
	return s->migration;
}
