/*
 * net/tls - what a listener or a pool needs to speak TLS, built once and
 * shared by all its connections. Counted; any thread.
 */
#ifndef SLUICE_NET_TLS_H
#define SLUICE_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "sluice/base/err.h"

struct net_tls;

struct net_tls_server {
	const char *const *cert_files, *const *key_files;
	size_t n; /* the first one answers when no name fits */
	bool min_1_3;
	bool h2, http1; /* what ALPN offers */
};

int net_tls_server_new(
	struct net_tls **out, const struct net_tls_server *s, struct err *err);
/* ca_file "": the system's. */
int net_tls_client_new(
	struct net_tls **out, const char *ca_file, bool verify, struct err *err);
struct net_tls *net_tls_ref(struct net_tls *t);
void net_tls_unref(struct net_tls *t);

#endif
