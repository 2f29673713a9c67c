/*
 * check - sluice --check, and how problems with a configuration are told.
 *
 * What is tried here has no side effect: nothing is bound, opened for writing or
 * published.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"
#include "sluice/control.h"
#include "sluice/net/tls.h"

#include "control_priv.h"

void check_print(const struct config_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		(void)fprintf(stderr, "%s\n", p->text[i]);
}

static int try_listener(const struct config_listener *l, struct err *err)
{
	const char **certs = mem_alloc(l->n_certificates * sizeof(*certs));
	const char **keys = mem_alloc(l->n_certificates * sizeof(*keys));
	const char **staples = mem_alloc(l->n_certificates * sizeof(*staples));
	struct net_tls *tls = NULL;

	for (size_t i = 0; i < l->n_certificates; i++) {
		certs[i] = l->certificates[i].cert_file;
		keys[i] = l->certificates[i].key_file;
		staples[i] = l->certificates[i].ocsp_file;
	}
	int rc = net_tls_server_new(&tls,
		&(struct net_tls_server){
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
		},
		err);
	if (rc == 0)
		net_tls_unref(tls);
	else
		err_wrap(err, "listener %s", l->name);
	free(certs);
	free(keys);
	free(staples);
	return rc;
}

static int try_pool(const struct config_pool *p, struct err *err)
{
	struct net_tls *tls = NULL;
	const struct net_tls_client s = {
		.ca_file = p->tls_ca_file,
		.verify = p->tls_verify,
		.cert_file = p->tls_cert_file,
		.key_file = p->tls_key_file,
	};

	if (net_tls_client_open(&tls, &s, err) != 0)
		return err_wrap(err, "pool %s", p->name);
	net_tls_unref(tls);
	return 0;
}

int check_certificates(const struct config *c, struct err *err)
{
	for (size_t i = 0; i < c->n_listeners; i++) {
		if (c->listeners[i].tls && try_listener(&c->listeners[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < c->n_pools; i++) {
		if (c->pools[i].tls && try_pool(&c->pools[i], err) != 0)
			return -1;
	}
	return 0;
}

int control_check(const char *config_file)
{
	struct config_problems problems = { .n = 0 };
	struct config *c = NULL;
	struct err err = { .code = ERR_NONE };

	if (config_load(&c, config_file, &problems) != 0)
		goto fail;
	if (check_certificates(c, &err) != 0) {
		config_problems_add(&problems, "%s: %s", c->file, err.text);
		goto fail;
	}
	(void)printf("%s: valid; listeners: %zu, routes: %zu, migrations: %zu, "
		     "pools: %zu\n",
		c->file, c->n_listeners, c->n_routes, c->n_migrations, c->n_pools);
	config_notes(c, &problems);
	for (size_t i = 0; i < problems.n; i++)
		(void)printf("%s: note: %s\n", c->file, problems.text[i]);
	config_problems_fini(&problems);
	config_free(c);
	return 0;
fail:
	check_print(&problems);
	config_problems_fini(&problems);
	config_free(c);
	return 1;
}
