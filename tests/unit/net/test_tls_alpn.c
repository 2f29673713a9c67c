/* Which protocol is agreed upon (RFC 7301), as a listener and with servers. */
#include "raw_tls.h"

#include <criterion/parameterized.h>
#include <string.h>

static struct raw_tls raw;
static struct err err;

static void teardown(void)
{
	if (raw.ssl != NULL)
		raw_close(&raw);
	scene_close();
}

TestSuite(tls_alpn, .init = scene_open, .fini = teardown, .timeout = 30);

static void listen_for(bool h2, bool http1)
{
	const char *cert = cert_file("demo.pem"), *key = cert_file("demo.key");
	const struct net_tls_server s = {
		.cert_files = &cert, .key_files = &key, .n = 1, .h2 = h2, .http1 = http1
	};

	cr_assert_eq(net_tls_server_new(&speaks, &s, &err), 0, "%s", err.text);
	open_listener();
}

/* The names in wire form. */
static void open_offering(const char *first, const char *second)
{
	const char *const names[] = { first, second };
	unsigned char wire[64];
	unsigned n = 0;

	raw_open(&raw, NULL);
	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(names[i]);

		if (len == 0)
			continue;
		wire[n++] = (unsigned char)len;
		memcpy(wire + n, names[i], len);
		n += (unsigned)len;
	}
	if (n > 0)
		cr_assert_eq(SSL_set_alpn_protos(raw.ssl, wire, n), 0);
}

static bool agreed_on(const struct net_conn *c, const char *name)
{
	return span_eq(net_conn_alpn(c), span_of(name));
}

/* --- as a listener ---------------------------------------------------------------- */

struct offered {
	char first[16], second[16], agreed[16];
};

ParameterizedTestParameters(tls_alpn, a_listener_for_both_prefers_h2)
{
	static struct offered cases[] = {
		{ "h2", "http/1.1", "h2" },
		{ "http/1.1", "h2", "h2" },
		{ "h2", "", "h2" },
		{ "http/1.1", "", "http/1.1" },
		{ "spdy/3", "http/1.1", "http/1.1" },
		{ "http/1.0", "http/1.1", "http/1.1" },
		{ "http/1.0", "", "http/1.0" },
		{ "", "", "" },
	};

	return cr_make_param_array(
		struct offered, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct offered *c, tls_alpn, a_listener_for_both_prefers_h2)
{
	listen_for(true, true);
	open_offering(c->first, c->second);

	cr_assert(raw_connect(&raw));

	cr_expect(agreed_on(server.conn, c->agreed), "%s, %s", c->first, c->second);
}

static bool server_is_decided(void)
{
	return server.events & (NET_OPEN | NET_FAILED);
}

static int alert;

static void note_alert(const SSL *ssl, int where, int value)
{
	(void)ssl;
	if (where & SSL_CB_READ && where & SSL_CB_ALERT)
		alert = value & 0xff;
}

static void expect_refusal(void)
{
	SSL_set_info_callback(raw.ssl, note_alert);

	cr_expect_not(raw_connect(&raw));

	cr_expect_eq(alert, SSL_AD_NO_APPLICATION_PROTOCOL);
	cr_assert(wait_until(server_is_decided));
	cr_expect_eq(net_conn_failure(server.conn), NET_TLS);
}

Test(tls_alpn, who_offers_nothing_that_we_speak_is_told_so)
{
	listen_for(true, true);
	open_offering("spdy/3", "h3");

	expect_refusal();
}

Test(tls_alpn, a_listener_for_h2_alone_refuses_http_1)
{
	listen_for(true, false);
	open_offering("http/1.1", "");

	expect_refusal();
}

/* --- with servers ----------------------------------------------------------------- */

static bool client_is_decided(void)
{
	return client.events & (NET_OPEN | NET_FAILED);
}

static void connect_offering(bool h2)
{
	const struct net_tls_client s = {
		.ca_file = cert_file("ca.pem"), .verify = true, .h2 = h2
	};
	struct net_tls *tls = NULL;

	cr_assert_eq(net_tls_client_new(&tls, &s, &err), 0, "%s", err.text);
	connect_client(tls, "localhost");
	net_tls_unref(tls);
	cr_assert(wait_until(client_is_decided));
}

struct server_speaks {
	char agreed[16];
	bool h2, http1, offer_h2;
};

ParameterizedTestParameters(tls_alpn, h2_is_agreed_upon_with_a_server_that_speaks_it)
{
	static struct server_speaks cases[] = {
		{ "h2", .h2 = true, .http1 = true, .offer_h2 = true },
		{ "h2", .h2 = true, .offer_h2 = true },
		{ "http/1.1", .http1 = true, .offer_h2 = true },
		{ "", .offer_h2 = true },
		{ "", .h2 = true, .http1 = true },
	};

	return cr_make_param_array(
		struct server_speaks, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct server_speaks *c, tls_alpn,
	h2_is_agreed_upon_with_a_server_that_speaks_it)
{
	listen_for(c->h2, c->http1);

	connect_offering(c->offer_h2);

	cr_assert_eq(client.events & NET_FAILED, 0);
	cr_expect(agreed_on(client.conn, c->agreed), "%s", c->agreed);
}
