/*
 * OCSP staples (RFC 6066, 8): the authority's word that a certificate is good, read
 * from a file and shown to clients that ask. The staple hangs on its certificate, and
 * is silent when it is past its time: no word is better than an old one. Whatever is
 * wrong with the file is a warning, because the certificate serves without it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>

#include "sluice/base/log.h"

#include "tls/tls_priv.h"

enum { CLOCKS_DIFFER_S = 300 };

struct staple {
	time_t until; /* 0: for ever */
	int n;
	unsigned char der[];
};

static int staple_at; /* among what hangs on a certificate */

static void on_free(
	void *cert, void *staple, CRYPTO_EX_DATA *all, int at, long number, void *arg)
{
	(void)cert;
	(void)all;
	(void)at;
	(void)number;
	(void)arg;
	free(staple);
}

/* After tls_mem.c's: OpenSSL takes memory here. */
__attribute__((constructor)) static void make_place(void)
{
	staple_at = X509_get_ex_new_index(0, NULL, NULL, NULL, on_free);
}

static OCSP_RESPONSE *read_response(const char *file)
{
	BIO *bio = BIO_new_file(file, "rb");
	OCSP_RESPONSE *r = bio != NULL ? d2i_OCSP_RESPONSE_bio(bio, NULL) : NULL;

	BIO_free(bio);
	return r;
}

/* What the authority says of this certificate, by its number; NULL: nothing. */
static OCSP_SINGLERESP *word_about(OCSP_BASICRESP *basic, X509 *cert)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
		const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(one);
		ASN1_INTEGER *number = NULL;

		if (OCSP_id_get0_info(NULL, NULL, NULL, &number, (OCSP_CERTID *)id) ==
				1 &&
			ASN1_INTEGER_cmp(number, X509_get0_serialNumber(cert)) == 0)
			return one;
	}
	return NULL;
}

/* NULL: it may be shown; *until is when no longer. */
static const char *fault_of(OCSP_BASICRESP *basic, X509 *cert, time_t *until)
{
	OCSP_SINGLERESP *one = basic != NULL ? word_about(basic, cert) : NULL;
	ASN1_GENERALIZEDTIME *since = NULL, *next = NULL;
	struct tm tm;

	if (basic == NULL)
		return "not a successful response";
	if (one == NULL)
		return "about another certificate";
	if (OCSP_single_get0_status(one, NULL, NULL, &since, &next) !=
		V_OCSP_CERTSTATUS_GOOD)
		return "does not say that the certificate is good";
	if (OCSP_check_validity(since, next, CLOCKS_DIFFER_S, -1) != 1)
		return "out of date";
	*until = next != NULL && ASN1_TIME_to_tm(next, &tm) == 1 ? timegm(&tm) : 0;
	return NULL;
}

static void hang_on(X509 *cert, OCSP_RESPONSE *response, time_t until)
{
	int n = i2d_OCSP_RESPONSE(response, NULL);
	struct staple *staple = mem_alloc(sizeof(*staple) + (size_t)n);
	unsigned char *p = staple->der;

	staple->until = until;
	staple->n = i2d_OCSP_RESPONSE(response, &p);
	if (X509_set_ex_data(cert, staple_at, staple) != 1)
		free(staple);
}

static int on_status_asked(SSL *ssl, void *arg)
{
	const X509 *cert = SSL_get_certificate(ssl);
	const struct staple *staple =
		cert != NULL ? X509_get_ex_data(cert, staple_at) : NULL;
	unsigned char *copy;

	(void)arg;
	if (staple == NULL || (staple->until != 0 && time(NULL) > staple->until))
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(staple->der, (size_t)staple->n);
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	(void)SSL_set_tlsext_status_ocsp_resp(ssl, copy, staple->n);
	return SSL_TLSEXT_ERR_OK;
}

void tls_staple(SSL_CTX *ctx, const char *file)
{
	X509 *cert = SSL_CTX_get0_certificate(ctx);
	OCSP_RESPONSE *response = read_response(file);
	OCSP_BASICRESP *basic =
		response != NULL ? OCSP_response_get1_basic(response) : NULL;
	time_t until = 0;
	const char *fault =
		response == NULL ? "cannot be read" : fault_of(basic, cert, &until);

	if (fault == NULL)
		hang_on(cert, response, until);
	else
		log_warn("OCSP staple is not served", "file=%s why=%s", file, fault);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
}

void tls_staples_show(SSL_CTX *ctx)
{
	SSL_CTX_set_tlsext_status_cb(ctx, on_status_asked);
}
