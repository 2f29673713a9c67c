/*
 * What a listener offers.
 *
 * There is one OpenSSL context for each certificate, and the name that the client asks
 * for chooses (RFC 6066, 3). Certificates with the same names and keys of different
 * kinds share a context, in which OpenSSL chooses by what the client can verify.
 */
#include "sluice/net/tls.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/tls_priv.h"

/* OpenSSL's own without SHA-1, SHA-224 and DSA: what nobody would be given is not looked
 * at in each handshake. */
#define SIGNATURES                                                     \
	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:"        \
	"rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"    \
	"rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:" \
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"

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

/* False: it has a certificate for keys of that kind. */
static bool join(SSL_CTX *same, SSL_CTX *ctx)
{
	STACK_OF(X509) *chain = NULL;
	int joined;

	(void)SSL_CTX_get0_chain_certs(ctx, &chain);
	joined = SSL_CTX_use_cert_and_key(same, SSL_CTX_get0_certificate(ctx),
		SSL_CTX_get0_privatekey(ctx), chain, 0);
	ERR_clear_error();
	return joined == 1;
}

static SSL_CTX *server_ctx(
	struct net_tls *t, const struct net_tls_server *s, size_t i, struct err *err)
{
	SSL_CTX *ctx = tls_new_ctx(TLS_server_method(), s->min_1_3);

	if (ctx == NULL || SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) != 1) {
		tls_err(err, "context for", s->cert_files[i]);
		goto fail;
	}
	if (tls_use_certificate(ctx, s->cert_files[i], s->key_files[i], err) != 0)
		goto fail;
	if (s->ocsp_files != NULL && s->ocsp_files[i] != NULL &&
		s->ocsp_files[i][0] != '\0')
		tls_staple(ctx, s->ocsp_files[i]);
	/* The chain is the file's, and no handshake looks for a longer one. */
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	tls_staples_show(ctx);
	tls_tickets_use(ctx);
	if (t->alpn_n > 0)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, t);
	return ctx;
fail:
	SSL_CTX_free(ctx);
	return NULL;
}

/* The context of one more certificate, or a pair's completed. */
static void add_ctx(struct net_tls *t, SSL_CTX *ctx)
{
	X509 *cert = SSL_CTX_get0_certificate(ctx);
	SSL_CTX *same = tls_names_same(t->names, cert);

	if (same != NULL && join(same, ctx)) {
		SSL_CTX_free(ctx);
		return;
	}
	if (t->ctx == NULL)
		t->ctx = ctx;
	else
		t->others[t->n_others++] = ctx;
	tls_names_add(t->names, cert, ctx);
}

static int add_all(struct net_tls *t, const struct net_tls_server *s,
	const struct tls_clients *clients, struct err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		SSL_CTX *ctx = server_ctx(t, s, i, err);

		if (ctx == NULL)
			return -1;
		tls_clients_ask(clients, ctx);
		add_ctx(t, ctx);
	}
	return 0;
}

int net_tls_server_new(
	struct net_tls **out, const struct net_tls_server *s, struct err *err)
{
	struct net_tls *t = tls_new();
	struct tls_clients clients;

	t->names = tls_names_new();
	if (s->h2)
		tls_offer(t, "h2");
	if (s->http1) {
		tls_offer(t, "http/1.1");
		tls_offer(t, "http/1.0"); /* some clients of it say so */
	}
	t->others = mem_zero(s->n * sizeof(SSL_CTX *));
	if (tls_clients_init(&clients, s, err) != 0)
		goto fail;
	if (add_all(t, s, &clients, err) != 0)
		goto fail;
	SSL_CTX_set_tlsext_servername_callback(t->ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(t->ctx, t);
	tls_clients_fini(&clients);
	*out = t;
	return 0;
fail:
	tls_clients_fini(&clients);
	net_tls_unref(t);
	return -1;
}
