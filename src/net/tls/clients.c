/*
 * Clients with certificates: which authorities a listener believes, and whose word it
 * takes back (CRL).
 *
 * Tickets are shared by all listeners, but a session is good only where the same was
 * asked of the client: its context is a digest of that. So a ticket from a listener
 * that asks nothing opens no door at one that does, and a new CRL ends what was
 * resumable under the old one.
 */
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "sluice/base/digest.h"
#include "sluice/base/log.h"

#include "tls/tls_priv.h"

static int load_crl(X509_STORE *store, const char *file, struct err *err)
{
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

	if (lookup == NULL || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) < 1)
		return tls_err(err, "CRL", file);
	(void)X509_STORE_set_flags(
		store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

static void warn_if_old(const X509_CRL *crl, const char *file)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);

	if (next != NULL && X509_cmp_current_time(next) < 0)
		log_warn(
			"CRL is out of date, its clients are refused", "file=%s", file);
}

/* Adds an authority or a CRL to the context. */
static void stir(uint8_t context[static DIGEST_SIZE], X509_OBJECT *o)
{
	uint8_t both[2 * DIGEST_SIZE] = { 0 };
	unsigned n = 0;
	X509 *cert = X509_OBJECT_get0_X509(o);
	X509_CRL *crl = X509_OBJECT_get0_X509_CRL(o);

	memcpy(both, context, DIGEST_SIZE);
	if (cert != NULL)
		(void)X509_digest(cert, EVP_sha256(), both + DIGEST_SIZE, &n);
	if (crl != NULL)
		(void)X509_CRL_digest(crl, EVP_sha256(), both + DIGEST_SIZE, &n);
	digest_sha256(both, sizeof(both), context);
}

static int load(struct tls_clients *c, const char *ca, const char *crl, struct err *err)
{
	STACK_OF(X509_OBJECT) * all;

	c->store = X509_STORE_new();
	c->names = SSL_load_client_CA_file(ca);
	if (c->store == NULL || c->names == NULL ||
		X509_STORE_load_file(c->store, ca) != 1)
		return tls_err(err, "client CA file", ca);
	if (crl != NULL && load_crl(c->store, crl, err) != 0)
		return -1;
	all = X509_STORE_get0_objects(c->store);
	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		X509_OBJECT *o = sk_X509_OBJECT_value(all, i);
		const X509_CRL *list = X509_OBJECT_get0_X509_CRL(o);

		stir(c->context, o);
		if (list != NULL)
			warn_if_old(list, crl);
	}
	return 0;
}

static bool given(const char *file)
{
	return file != NULL && file[0] != '\0';
}

int tls_clients_init(
	struct tls_clients *c, const struct net_tls_server *s, struct err *err)
{
	static const char anybody[] = "sluice: anybody",
			  required[] = "sluice: required",
			  optional[] = "sluice: optional";
	const char *asked = s->client_optional ? optional : required;

	*c = (struct tls_clients){ .required = !s->client_optional };
	if (!given(s->client_ca))
		asked = anybody;
	digest_sha256(asked, strlen(asked), c->context);
	if (!given(s->client_ca))
		return 0;
	return load(c, s->client_ca, given(s->crl) ? s->crl : NULL, err);
}

void tls_clients_ask(const struct tls_clients *c, SSL_CTX *ctx)
{
	int mode =
		SSL_VERIFY_PEER | (c->required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);

	(void)SSL_CTX_set_session_id_context(ctx, c->context, sizeof(c->context));
	if (c->store == NULL)
		return;
	SSL_CTX_set_verify(ctx, mode, NULL);
	/* Not the store of the context itself: from that one OpenSSL would complete
	 * our own chain. */
	(void)SSL_CTX_set1_verify_cert_store(ctx, c->store);
	SSL_CTX_set_client_CA_list(ctx, SSL_dup_CA_list(c->names));
}

void tls_clients_fini(struct tls_clients *c)
{
	X509_STORE_free(c->store);
	sk_X509_NAME_pop_free(c->names, X509_NAME_free);
}
