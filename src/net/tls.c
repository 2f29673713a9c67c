/*
 * TLS contexts: what a listener offers and what a pool demands.
 *
 * Modern only: TLS 1.2 with ECDHE and AEAD, TLS 1.3; no renegotiation, no compression.
 * A listener has one OpenSSL context for each certificate, and the name that the client
 * asks for chooses (RFC 6066, 3).
 */
#include "sluice/net/tls.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "sluice/base/digest.h"
#include "sluice/base/log.h"

#include "net_priv.h"

#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS "X25519:P-256"

enum { ALPN_BYTES = 16 };

struct net_tls {
	atomic_uint refs;
	SSL_CTX *ctx;     /* the default certificate's, or a client's */
	SSL_CTX **others; /* the further certificates' */
	size_t n_others;
	struct tls_names *names;
	unsigned char alpn[ALPN_BYTES]; /* wire form, in the order of our liking */
	unsigned alpn_n;
};

/* The innermost of OpenSSL's reasons, and none is left behind. */
static int tls_err(struct err *err, const char *what, const char *file)
{
	unsigned long code = ERR_peek_error();
	const char *why = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (code != 0 && ERR_SYSTEM_ERROR(code))
		why = strerror(ERR_GET_REASON(code));
	ERR_clear_error();
	return err_set(err, ERR_TLS, "%s %s: %s", what, file,
		why != NULL ? why : "unknown error");
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *in, unsigned in_n, void *arg)
{
	const struct net_tls *t = arg;
	unsigned char *chosen = NULL;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_n, t->alpn, t->alpn_n, in, in_n) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301, 3.2 */
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct net_tls *t = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = name != NULL ? tls_names_find(t->names, name) : NULL;

	(void)alert;
	if (ctx != NULL && ctx != SSL_get_SSL_CTX(ssl))
		SSL_set_SSL_CTX(ssl, ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* Both roles. */
static SSL_CTX *new_ctx(const SSL_METHOD *role, bool min_1_3)
{
	SSL_CTX *ctx = SSL_CTX_new(role);

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, min_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) != 1 ||
		SSL_CTX_set1_groups_list(ctx, GROUPS) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* Nobody is asked for a pass phrase: OpenSSL would, at the terminal, and wait. */
static int on_pass_phrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int use_certificate(
	SSL_CTX *ctx, const char *cert, const char *key, struct err *err)
{
	SSL_CTX_set_default_passwd_cb(ctx, on_pass_phrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return tls_err(err, "certificate", cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return tls_err(err, "key", key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return tls_err(err, "key does not fit its certificate:", key);
	return 0;
}

/* The keys that tickets are sealed with: drawn once a process, the same for every
 * context, so that a client's ticket is good at each thread and after each reload. */
static unsigned char ticket_keys[80];
static pthread_once_t ticket_keys_drawn = PTHREAD_ONCE_INIT;

static void draw_ticket_keys(void)
{
	digest_random(ticket_keys, sizeof(ticket_keys));
}

static void share_tickets(SSL_CTX *ctx)
{
	(void)pthread_once(&ticket_keys_drawn, draw_ticket_keys);
	/* Tickets alone resume; one is enough, and the second costs 7 % of a handshake.
	 */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"sluice", 6);
	if (SSL_CTX_set_tlsext_ticket_keys(ctx, ticket_keys, sizeof(ticket_keys)) != 1)
		log_warn("tickets do not outlive a reload", "");
}

static SSL_CTX *server_ctx(
	struct net_tls *t, const struct net_tls_server *s, size_t i, struct err *err)
{
	SSL_CTX *ctx = new_ctx(TLS_server_method(), s->min_1_3);

	if (ctx == NULL) {
		tls_err(err, "context for", s->cert_files[i]);
		return NULL;
	}
	if (use_certificate(ctx, s->cert_files[i], s->key_files[i], err) != 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	share_tickets(ctx);
	if (t->alpn_n > 0)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, t);
	tls_names_add(t->names, SSL_CTX_get0_certificate(ctx), ctx);
	return ctx;
}

static void offer(struct net_tls *t, const char *name)
{
	size_t n = strlen(name);

	t->alpn[t->alpn_n++] = (unsigned char)n;
	memcpy(t->alpn + t->alpn_n, name, n);
	t->alpn_n += (unsigned)n;
}

int net_tls_server_new(
	struct net_tls **out, const struct net_tls_server *s, struct err *err)
{
	struct net_tls *t = mem_zero(sizeof(*t));

	atomic_init(&t->refs, 1);
	t->names = tls_names_new();
	if (s->h2)
		offer(t, "h2");
	if (s->http1)
		offer(t, "http/1.1");
	t->others = mem_zero(s->n * sizeof(SSL_CTX *));
	for (size_t i = 0; i < s->n; i++) {
		SSL_CTX *ctx = server_ctx(t, s, i, err);

		if (ctx == NULL)
			goto fail;
		if (i == 0)
			t->ctx = ctx;
		else
			t->others[t->n_others++] = ctx;
	}
	SSL_CTX_set_tlsext_servername_callback(t->ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(t->ctx, t);
	*out = t;
	return 0;
fail:
	net_tls_unref(t);
	return -1;
}

static int trust(SSL_CTX *ctx, const char *ca_file, struct err *err)
{
	if (ca_file[0] == '\0') {
		if (SSL_CTX_set_default_verify_paths(ctx) != 1)
			return tls_err(err, "system's", "CA certificates");
		return 0;
	}
	if (SSL_CTX_load_verify_file(ctx, ca_file) != 1)
		return tls_err(err, "CA file", ca_file);
	return 0;
}

int net_tls_client_new(
	struct net_tls **out, const char *ca_file, bool verify, struct err *err)
{
	struct net_tls *t = mem_zero(sizeof(*t));

	atomic_init(&t->refs, 1);
	t->ctx = new_ctx(TLS_client_method(), false);
	if (t->ctx == NULL) {
		tls_err(err, "context for", "upstream");
		goto fail;
	}
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	if (verify) {
		SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
		if (trust(t->ctx, ca_file, err) != 0)
			goto fail;
	}
	*out = t;
	return 0;
fail:
	net_tls_unref(t);
	return -1;
}

struct net_tls *net_tls_ref(struct net_tls *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void net_tls_unref(struct net_tls *t)
{
	if (t == NULL ||
		atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < t->n_others; i++)
		SSL_CTX_free(t->others[i]);
	SSL_CTX_free(t->ctx);
	tls_names_free(t->names);
	free(t->others);
	free(t);
}

/* The name or address that the peer's certificate has to be for. */
static bool expect_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
		return true;
	ERR_clear_error();
	return SSL_set1_host(ssl, name) == 1 &&
	       SSL_set_tlsext_host_name(ssl, name) == 1;
}

SSL *tls_new_ssl(const struct net_tls *t, bool server, const char *server_name)
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl == NULL)
		return NULL;
	if (server) {
		SSL_set_accept_state(ssl);
		return ssl;
	}
	SSL_set_connect_state(ssl);
	if (server_name != NULL && server_name[0] != '\0' &&
		!expect_name(ssl, server_name)) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}
