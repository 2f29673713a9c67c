/*
 * Which certificate answers for a name: exact names first, then wildcards, which stand
 * for exactly one label (RFC 6125, 6.4.3).
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "sluice/base/hash.h"

#include "net_priv.h"

enum { NAME_BYTES = 256 };

struct tls_names {
	struct hash_table *exact;
	struct hash_table *wild; /* "example.net" for "*.example.net" */
};

struct tls_names *tls_names_new(void)
{
	struct tls_names *n = mem_zero(sizeof(*n));

	n->exact = hash_table_new(8);
	n->wild = hash_table_new(8);
	return n;
}

void tls_names_free(struct tls_names *n)
{
	if (n == NULL)
		return;
	hash_table_free(n->exact);
	hash_table_free(n->wild);
	free(n);
}

/* In lower case; the length, or 0 when it is no name. */
static size_t lower(char out[static NAME_BYTES], const char *p, size_t n)
{
	if (n == 0 || n >= NAME_BYTES || memchr(p, '\0', n) != NULL)
		return 0;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)p[i]);
	return n;
}

static void add_name(struct tls_names *names, const char *p, size_t n, SSL_CTX *ctx)
{
	char low[NAME_BYTES];
	size_t len = lower(low, p, n);
	bool wild = len > 2 && low[0] == '*' && low[1] == '.';
	struct span key = wild ? (struct span){ .p = low + 2, .n = len - 2 }
			       : (struct span){ .p = low, .n = len };
	struct hash_table *table = wild ? names->wild : names->exact;

	if (len > 0 && hash_table_get(table, key) == NULL)
		(void)hash_table_put(table, key, ctx);
}

static void add_common_name(struct tls_names *names, X509 *cert, SSL_CTX *ctx)
{
	char text[NAME_BYTES];
	int n = X509_NAME_get_text_by_NID(
		X509_get_subject_name(cert), NID_commonName, text, sizeof(text));

	if (n > 0)
		add_name(names, text, (size_t)n, ctx);
}

void tls_names_add(struct tls_names *names, X509 *cert, SSL_CTX *ctx)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type != GEN_DNS)
			continue;
		add_name(names, (const char *)ASN1_STRING_get0_data(g->d.dNSName),
			(size_t)ASN1_STRING_length(g->d.dNSName), ctx);
		found = true;
	}
	GENERAL_NAMES_free(all);
	if (!found)
		add_common_name(names, cert, ctx);
}

SSL_CTX *tls_names_find(const struct tls_names *names, const char *name)
{
	char low[NAME_BYTES];
	size_t n = lower(low, name, strlen(name));
	const char *dot = n > 0 ? memchr(low, '.', n) : NULL;
	SSL_CTX *ctx = NULL;

	if (n > 0)
		ctx = hash_table_get(names->exact, (struct span){ .p = low, .n = n });
	if (ctx == NULL && dot != NULL) {
		size_t skip = (size_t)(dot + 1 - low);

		ctx = hash_table_get(
			names->wild, (struct span){ .p = dot + 1, .n = n - skip });
	}
	return ctx;
}
