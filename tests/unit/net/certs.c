/* See certs.h. */
#include "certs.h"

#include <criterion/hooks.h>
#include <stdio.h>
#include <stdlib.h>

enum { CERT_FILES = 16 };

/* Before the tests, in the process that starts them. */
ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
	(void)tests;
	if (system(CERTS_SCRIPT " " CERTS_MAKE " " CERTS_FOLDER) != 0) {
		(void)fprintf(stderr, "no certificates\n");
		abort();
	}
}

const char *cert_file(const char *name)
{
	static char path[CERT_FILES][512];
	static unsigned n;
	char *out = path[n++ % CERT_FILES];

	(void)snprintf(out, sizeof(path[0]), CERTS_FOLDER "/%s", name);
	return out;
}

struct net_tls *server_tls(const char *const *names, size_t n)
{
	const char *certs[4], *keys[4];
	struct net_tls_server s = {
		.cert_files = certs, .key_files = keys, .n = n, .http1 = true
	};
	struct net_tls *tls = NULL;
	struct err err = { .text = "" };

	for (size_t i = 0; i < n; i++) {
		char file[64];

		(void)snprintf(file, sizeof(file), "%s.pem", names[i]);
		certs[i] = cert_file(file);
		(void)snprintf(file, sizeof(file), "%s.key", names[i]);
		keys[i] = cert_file(file);
	}
	cr_assert_eq(net_tls_server_new(&tls, &s, &err), 0, "%s", err.text);
	return tls;
}

struct net_tls *demo_tls(void)
{
	return server_tls((const char *const[]){ "demo" }, 1);
}

struct net_tls *client_tls(bool verify)
{
	struct net_tls *tls = NULL;
	struct err err = { .text = "" };

	cr_assert_eq(net_tls_client_new(&tls,
			     &(struct net_tls_client){
				     .ca_file = cert_file("ca.pem"), .verify = verify },
			     &err),
		0, "%s", err.text);
	return tls;
}
