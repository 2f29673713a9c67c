/* net/tls's own: contexts, names, sessions and staples. net_priv.h has what a connection
 * asks of its TLS. */
#ifndef SLUICE_NET_TLS_PRIV_H
#define SLUICE_NET_TLS_PRIV_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "net_priv.h"

/* tls.c: what both roles need */
enum { ALPN_BYTES = 24 };
struct net_tls {
	atomic_uint refs;
	uint64_t id;      /* never used again */
	SSL_CTX *ctx;     /* the default certificate's, or a client's */
	SSL_CTX **others; /* the further certificates' */
	size_t n_others;
	struct tls_names *names;
	unsigned char alpn[ALPN_BYTES]; /* wire form, in the order of our liking */
	unsigned alpn_n;
};
struct net_tls *tls_new(void);
SSL_CTX *tls_new_ctx(const SSL_METHOD *role, bool min_1_3);
/* One more protocol for ALPN. */
void tls_offer(struct net_tls *t, const char *name);
int tls_use_certificate(
	SSL_CTX *ctx, const char *cert, const char *key, struct err *err);
/* The innermost of OpenSSL's reasons, and none is left behind; -1. */
int tls_err(struct err *err, const char *what, const char *file);
SSL *tls_new_ssl(const struct net_tls *t, bool server, const char *server_name);

/* tls/io.c */
/* The connection whose call is under way, and where its loop keeps sessions. */
struct net_conn *tls_conn_of(const SSL *ssl);
struct tls_sessions **tls_sessions_of(const struct net_conn *c);

/* tls/names.c: which certificate fits a name */
struct tls_names;
struct tls_names *tls_names_new(void);
void tls_names_free(struct tls_names *n);
/* Names of a certificate map to ctx; the first one given a name keeps it. */
void tls_names_add(struct tls_names *n, X509 *cert, SSL_CTX *ctx);
SSL_CTX *tls_names_find(const struct tls_names *n, const char *name);
/* The first one that has exactly the names of cert, or NULL. */
SSL_CTX *tls_names_same(const struct tls_names *n, X509 *cert);

/* tls/tickets.c: session tickets under the keys of the process */
void tls_tickets_use(SSL_CTX *ctx);

/* tls/staple.c: the staple of a context's certificate, and that staples are shown */
void tls_staple(SSL_CTX *ctx, const char *file);
void tls_staples_show(SSL_CTX *ctx);

/* tls/clients.c: what a listener asks of its clients */
struct tls_clients {
	X509_STORE *store; /* NULL: nothing */
	STACK_OF(X509_NAME) * names;
	bool required;
	uint8_t context[32]; /* sessions are good where it is the same */
};
int tls_clients_init(
	struct tls_clients *c, const struct net_tls_server *s, struct err *err);
void tls_clients_ask(const struct tls_clients *c, SSL_CTX *ctx);
void tls_clients_fini(struct tls_clients *c);

/* tls/resume.c: sessions with servers */
struct tls_sessions;
void tls_sessions_free(struct tls_sessions *s);
void tls_sessions_keep(SSL_CTX *ctx);
void tls_sessions_offer(struct net_conn *c, const char *name);
void tls_sessions_forget(struct net_conn *c);

#endif
