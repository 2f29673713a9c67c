/*
 * Which certificate answers for a name: exact names first, then wildcards, which stand
 * for exactly one label (RFC 6125, 6.4.3).
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "sluice/base/hash.h"

#include "tls/tls_priv.h"

enum { NAME_BYTES = 256 };

struct tls_names {
	struct hash_table *exact;
	struct hash_table *wild; /* "example.net" for "*.example.net" */
	struct hash_table *sets; /* all names of a certificate, as one text */
};

struct tls_names *tls_names_new(void)
{
	struct tls_names *n = mem_zero(sizeof(*n));

	n->exact = hash_table_new(8);
	n->wild = hash_table_new(8);
	n->sets = hash_table_new(8);
	return n;
}

void tls_names_free(struct tls_names *n)
{
	if (n == NULL)
		return;
	hash_table_free(n->exact);
	hash_table_free(n->wild);
	hash_table_free(n->sets);
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

static void add_name(struct tls_names *names, const char *low, SSL_CTX *ctx)
{
	bool wild = low[0] == '*' && low[1] == '.' && low[2] != '\0';
	struct span key = span_of(wild ? low + 2 : low);
	struct hash_table *table = wild ? names->wild : names->exact;

	if (hash_table_get(table, key) == NULL)
		(void)hash_table_put(table, key, ctx);
}

/* The names of one certificate, in order. */
struct all_names {
	char **name;
	size_t n;
};

static void collect(struct all_names *all, const unsigned char *p, int n)
{
	char low[NAME_BYTES];
	size_t len = n > 0 ? lower(low, (const char *)p, (size_t)n) : 0;

	if (len > 0)
		all->name[all->n++] = mem_text_n(low, len);
}

static void collect_common_name(struct all_names *all, X509 *cert)
{
	char text[NAME_BYTES];
	int n = X509_NAME_get_text_by_NID(
		X509_get_subject_name(cert), NID_commonName, text, sizeof(text));

	collect(all, (const unsigned char *)text, n);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct all_names names_of(X509 *cert)
{
	GENERAL_NAMES *san = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(san); /* -1: there are none */
	struct all_names all = { .name = mem_zero(((size_t)(n + 2)) * sizeof(char *)) };
	bool found = false;

	for (int i = 0; i < n; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(san, i);

		if (g->type != GEN_DNS)
			continue;
		collect(&all, ASN1_STRING_get0_data(g->d.dNSName),
			ASN1_STRING_length(g->d.dNSName));
		found = true;
	}
	GENERAL_NAMES_free(san);
	if (!found)
		collect_common_name(&all, cert);
	if (all.n > 1)
		qsort(all.name, all.n, sizeof(char *), by_text);
	return all;
}

static void forget_names(struct all_names *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->name[i]);
	free(all->name);
}

/* One text for a set of names; empty when there is none. */
static char *joined(const struct all_names *all)
{
	char *text = mem_text("");

	for (size_t i = 0; i < all->n; i++) {
		char *longer;

		if (i > 0 && strcmp(all->name[i], all->name[i - 1]) == 0)
			continue;
		longer = mem_print("%s %s", text, all->name[i]);
		free(text);
		text = longer;
	}
	return text;
}

void tls_names_add(struct tls_names *names, X509 *cert, SSL_CTX *ctx)
{
	struct all_names all = names_of(cert);
	char *set = joined(&all);

	for (size_t i = 0; i < all.n; i++)
		add_name(names, all.name[i], ctx);
	if (all.n > 0 && hash_table_get(names->sets, span_of(set)) == NULL)
		(void)hash_table_put(names->sets, span_of(set), ctx);
	free(set);
	forget_names(&all);
}

SSL_CTX *tls_names_same(const struct tls_names *names, X509 *cert)
{
	struct all_names all = names_of(cert);
	char *set = joined(&all);
	SSL_CTX *ctx = all.n > 0 ? hash_table_get(names->sets, span_of(set)) : NULL;

	free(set);
	forget_names(&all);
	return ctx;
}

SSL_CTX *tls_names_find(const struct tls_names *names, const char *name)
{
	char low[NAME_BYTES];
	size_t given = strlen(name);
	/* Some clients ask for the absolute form, which RFC 6066, 3 leaves out. */
	size_t n = lower(low, name, given - (given > 0 && name[given - 1] == '.'));
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
