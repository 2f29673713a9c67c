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
	/* Two with the same names and keys of different kinds (ECDSA and RSA) are a
	 * pair: what the client can verify chooses between them. */
	const char *const *cert_files, *const *key_files;
	/* DER files, NULL or "" for none; NULL: none at all. */
	const char *const *ocsp_files;
	size_t n; /* the first one answers when no name fits */
	bool min_1_3;
	bool h2, http1; /* what ALPN offers */
	/* Whose certificates clients must show, or (optional) may; NULL or "":
	 * nobody is asked. */
	const char *client_ca, *crl;
	bool client_optional;
};

struct net_tls_client {
	const char *ca_file; /* "": the system's */
	bool verify;
	const char *cert_file, *key_file; /* to show; NULL or "": none */
	/* Offer it, and HTTP/1.1 behind it; net_conn_alpn() tells what the server took,
	 * which is nothing (so HTTP/1.1) when it does not know ALPN. */
	bool h2;
};

int net_tls_server_new(
	struct net_tls **out, const struct net_tls_server *s, struct err *err);
int net_tls_client_new(
	struct net_tls **out, const struct net_tls_client *s, struct err *err);
struct net_tls *net_tls_ref(struct net_tls *t);
void net_tls_unref(struct net_tls *t);

#endif
