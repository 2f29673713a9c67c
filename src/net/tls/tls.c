/*
 * TLS contexts: what both roles have in common, and what a pool demands of its servers.
 *
 * Modern only: TLS 1.2 with ECDHE and AEAD, TLS 1.3; no renegotiation, no compression.
 */
#include "sluice/net/tls.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls/tls_priv.h"

/* AES-128 before AES-256: nobody breaks either, and with SHA-256 in place of SHA-384
 * the key schedule of a handshake costs half, a record a third less. */
#define SUITES_1_3 \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_1_2 "ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS "X25519:P-256"

int tls_err(struct err *err, const char *what, const char *file)
{
	unsigned long code = ERR_peek_error();
	const char *why = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (code != 0 && ERR_SYSTEM_ERROR(code))
		why = strerror(ERR_GET_REASON(code));
	ERR_clear_error();
	return err_set(err, ERR_TLS, "%s %s: %s", what, file,
		why != NULL ? why : "unknown error");
}

SSL_CTX *tls_new_ctx(const SSL_METHOD *role, bool min_1_3)
{
	SSL_CTX *ctx = SSL_CTX_new(role);

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, min_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_set_ciphersuites(ctx, SUITES_1_3) != 1 ||
		SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) != 1 ||
		SSL_CTX_set1_groups_list(ctx, GROUPS) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* No pass phrase is asked for: OpenSSL would, at the terminal, and wait. */
static int on_pass_phrase(char *out, int size, int writing, void *asked)
{
	(void)out;
	(void)size;
	(void)writing;
	if (asked != NULL)
		*(bool *)asked = true;
	return -1;
}

static int use_key(SSL_CTX *ctx, const char *key, struct err *err)
{
	bool encrypted = false;
	int used;

	SSL_CTX_set_default_passwd_cb_userdata(ctx, &encrypted);
	used = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (used == 1)
		return 0;
	if (!encrypted)
		return tls_err(err, "key", key);
	ERR_clear_error();
	return err_set(err, ERR_TLS,
		"key %s is encrypted, and no pass phrase is asked for: write it "
		"without one (openssl pkey -in %s -out NEW)",
		key, key);
}

int tls_use_certificate(
	SSL_CTX *ctx, const char *cert, const char *key, struct err *err)
{
	SSL_CTX_set_default_passwd_cb(ctx, on_pass_phrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return tls_err(err, "certificate", cert);
	if (use_key(ctx, key, err) != 0)
		return -1;
	if (SSL_CTX_check_private_key(ctx) != 1)
		return tls_err(err, "key does not fit its certificate:", key);
	return 0;
}

void tls_offer(struct net_tls *t, const char *name)
{
	size_t n = strlen(name);

	assert(t->alpn_n + 1 + n <= sizeof(t->alpn));
	t->alpn[t->alpn_n++] = (unsigned char)n;
	memcpy(t->alpn + t->alpn_n, name, n);
	t->alpn_n += (unsigned)n;
}

struct net_tls *tls_new(void)
{
	static _Atomic uint64_t made;
	struct net_tls *t = mem_zero(sizeof(*t));

	atomic_init(&t->refs, 1);
	t->id = 1 + atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
	return t;
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

/* Who may be spoken to in HTTP/1.1 alone is offered nothing: an old server may not
 * know the extension. */
static int offer_h2(struct net_tls *t, struct err *err)
{
	tls_offer(t, "h2");
	tls_offer(t, "http/1.1");
	if (SSL_CTX_set_alpn_protos(t->ctx, t->alpn, t->alpn_n) != 0)
		return tls_err(err, "ALPN for", "upstream");
	return 0;
}

static int client_ctx(SSL_CTX *ctx, const struct net_tls_client *s, struct err *err)
{
	tls_sessions_keep(ctx);
	if (s->cert_file != NULL && s->cert_file[0] != '\0' &&
		tls_use_certificate(ctx, s->cert_file, s->key_file, err) != 0)
		return -1;
	if (!s->verify)
		return 0;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return trust(ctx, s->ca_file, err);
}

int net_tls_client_new(
	struct net_tls **out, const struct net_tls_client *s, struct err *err)
{
	struct net_tls *t = tls_new();

	t->ctx = tls_new_ctx(TLS_client_method(), false);
	if (t->ctx == NULL) {
		tls_err(err, "context for", "upstream");
		goto fail;
	}
	if (client_ctx(t->ctx, s, err) != 0)
		goto fail;
	if (s->h2 && offer_h2(t, err) != 0)
		goto fail;
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
