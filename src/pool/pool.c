/*
 * A pool as one snapshot sees it: built from its configuration on control, its
 * servers found again or made, then only read.
 */
#include "sluice/pool/pool.h"

#include <stdlib.h>

#include "sluice/net/tls.h"

#include "pool_priv.h"

static void make_cells(struct pool *p, unsigned threads)
{
	p->n_cells = threads;
	p->cell = mem_zero(threads * sizeof(struct pool_cell));
	for (unsigned i = 0; i < threads; i++)
		budget_init(&p->cell[i].budget, threads);
	turns_init(p);
}

static int open_tls(
	struct net_tls **out, const struct config_pool *c, bool h2, struct err *err)
{
	const struct net_tls_client s = {
		.ca_file = c->tls_ca_file,
		.verify = c->tls_verify,
		.cert_file = c->tls_cert_file,
		.key_file = c->tls_key_file,
		.h2 = h2,
	};

	return net_tls_client_new(out, &s, err);
}

static int build_tls(struct pool *p, const struct config_pool *c, struct err *err)
{
	bool h2 = c->protocol == CONFIG_H2;

	if (!c->tls)
		return 0;
	if (open_tls(&p->tls, c, h2, err) != 0)
		return -1;
	if (h2 || c->health.type != CONFIG_HEALTH_GRPC) {
		p->check_tls = net_tls_ref(p->tls);
		return 0;
	}
	if (open_tls(&p->check_tls, c, true, err) == 0)
		return 0;
	net_tls_unref(p->tls);
	return -1;
}

int pool_load(struct pool **out, const struct config_pool *c, struct err *err)
{
	struct pool *p = mem_zero(sizeof(*p));

	p->config = c;
	if (build_tls(p, c, err) != 0) {
		err_wrap(err, "pool %s", c->name);
		free(p);
		return -1;
	}
	p->manner = manner_of(c);
	*out = p;
	return 0;
}

void pool_bind(struct pool *p, struct registry *r)
{
	const struct config_pool *c = p->config;

	p->registry = r;
	p->group = registry_group(r, c->name);
	p->n = c->n_servers;
	p->server = mem_zero(p->n * sizeof(struct server *));
	for (size_t i = 0; i < p->n; i++)
		p->server[i] = registry_server(r, c->name, &c->servers[i]);
	make_cells(p, registry_threads(r));
}

void pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		p->server[i]->refs--; /* registry_sweep frees it */
	turns_fini(p);
	free(p->cell);
	free(p->server);
	net_tls_unref(p->tls);
	net_tls_unref(p->check_tls);
	free(p);
}

const struct config_pool *pool_config(const struct pool *p)
{
	return p->config;
}

struct net_tls *pool_tls(const struct pool *p)
{
	return p->tls;
}

struct net_tls *pool_check_tls(const struct pool *p)
{
	return p->check_tls;
}

uint64_t pool_manner(const struct pool *p)
{
	return p->manner;
}

size_t pool_n_servers(const struct pool *p)
{
	return p->n;
}

struct server *pool_server(const struct pool *p, size_t i)
{
	return p->server[i];
}

void pool_note_request(struct pool *p, unsigned thread)
{
	budget_earn(&p->cell[thread].budget, p->config->retry_budget_ppm);
}

bool pool_may_retry(struct pool *p, unsigned thread, uint64_t now_ns)
{
	return budget_spend(&p->cell[thread].budget, now_ns);
}
