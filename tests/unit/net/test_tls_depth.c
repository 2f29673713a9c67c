/* Pairs of certificates, staples, clients with certificates, and sessions. */
#include "raw_tls.h"

#include <criterion/parameterized.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net_priv.h"

static struct raw_tls raw;
static struct err err;

/* The files are made once, by whoever comes first. */
static void setup(void)
{
	cr_assert_eq(system(FILES_SCRIPT " " FILES_FOLDER), 0);
	scene_open();
}

static void teardown(void)
{
	if (raw.ssl != NULL)
		raw_close(&raw);
	scene_close();
}

TestSuite(tls_depth, .init = setup, .fini = teardown, .timeout = 30);

#define FILE_OF(name) FILES_FOLDER "/" name

static const char *const pair_certs[] = { FILE_OF("demo.pem"), FILE_OF("pair.pem"),
	FILE_OF("pair-rsa.pem") },
			 *const pair_keys[] = { FILE_OF("demo.key"),
				 FILE_OF("pair.key"), FILE_OF("pair-rsa.key") };

static struct net_tls_server pair(void)
{
	return (struct net_tls_server){
		.cert_files = pair_certs, .key_files = pair_keys, .n = 3, .http1 = true
	};
}

/* Listens so from now on. */
static void listen_as(struct net_tls_server s)
{
	net_tls_unref(speaks);
	speaks = NULL;
	cr_assert_eq(net_tls_server_new(&speaks, &s, &err), 0, "%s", err.text);
	if (acceptor == NULL)
		open_listener();
}

/* --- pairs ------------------------------------------------------------------------ */

struct able {
	char name[32], algorithms[64], subject[64];
	int version;
};

ParameterizedTestParameters(tls_depth, what_the_client_can_verify_chooses)
{
	static struct able cases[] = {
		{ "pair.test", "ECDSA+SHA256:RSA-PSS+SHA256", "pair.sluice.test",
			TLS1_3_VERSION },
		{ "a.pair.test", "RSA-PSS+SHA256:ECDSA+SHA256", "pair.sluice.test",
			TLS1_3_VERSION },
		{ "pair.test", "RSA-PSS+SHA256", "pair-rsa.sluice.test",
			TLS1_3_VERSION },
		{ "a.pair.test", "RSA-PSS+SHA256:RSA+SHA256", "pair-rsa.sluice.test",
			TLS1_2_VERSION },
		{ "pair.test", "ECDSA+SHA256", "pair.sluice.test", TLS1_2_VERSION },
	};

	return cr_make_param_array(
		struct able, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct able *c, tls_depth, what_the_client_can_verify_chooses)
{
	listen_as(pair());
	raw_open(&raw, c->name);
	(void)SSL_set_max_proto_version(raw.ssl, c->version);
	cr_assert_eq(SSL_set1_sigalgs_list(raw.ssl, c->algorithms), 1);

	cr_assert(raw_connect(&raw));

	cr_expect_str_eq(raw_subject(&raw), c->subject);
}

Test(tls_depth, a_certificate_without_a_twin_is_not_given_one)
{
	listen_as(pair());
	raw_open(&raw, "localhost");
	cr_assert_eq(SSL_set1_sigalgs_list(raw.ssl, "RSA-PSS+SHA256"), 1);

	cr_expect_not(raw_connect(&raw));
}

Test(tls_depth, the_key_of_the_twin_is_not_taken_for_ones_own)
{
	const char *keys[] = { FILE_OF("demo.key"), FILE_OF("pair.key"),
		FILE_OF("pair.key") };
	struct net_tls_server s = pair();
	s.key_files = keys;

	cr_expect_eq(net_tls_server_new(&speaks, &s, &err), -1);

	cr_expect_not_null(strstr(err.text, "pair.key"), "%s", err.text);
}

/* --- staples -----------------------------------------------------------------------
 */

struct stapled {
	char file[128], algorithms[32];
	bool shown;
};

ParameterizedTestParameters(tls_depth, a_staple_is_shown_when_it_is_good)
{
	static struct stapled cases[] = {
		{ FILE_OF("pair.ocsp"), "ECDSA+SHA256", true },
		{ FILE_OF("pair.ocsp"), "RSA-PSS+SHA256", false },
		{ FILE_OF("pair-rsa.ocsp"), "ECDSA+SHA256", false },
		{ FILE_OF("pair-revoked.ocsp"), "ECDSA+SHA256", false },
		{ FILE_OF("pair.pem"), "ECDSA+SHA256", false },
		{ "/no/such.ocsp", "ECDSA+SHA256", false },
		{ "", "ECDSA+SHA256", false },
	};

	return cr_make_param_array(
		struct stapled, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct stapled *c, tls_depth, a_staple_is_shown_when_it_is_good)
{
	const char *staples[] = { "", c->file, "" };
	struct net_tls_server s = pair();
	unsigned char *shown = NULL;
	s.ocsp_files = staples;
	listen_as(s);
	raw_open(&raw, "pair.test");
	cr_assert_eq(SSL_set1_sigalgs_list(raw.ssl, c->algorithms), 1);
	(void)SSL_set_tlsext_status_type(raw.ssl, TLSEXT_STATUSTYPE_ocsp);

	cr_assert(raw_connect(&raw));

	cr_expect_eq(SSL_get_tlsext_status_ocsp_resp(raw.ssl, &shown) > 0, c->shown,
		"%s", c->file);
}

/* --- clients with certificates
 * -------------------------------------------------------- */

static struct net_tls_server asking(const char *crl, bool optional)
{
	struct net_tls_server s = pair();

	s.client_ca = FILE_OF("ca.pem");
	s.crl = crl;
	s.client_optional = optional;
	return s;
}

static void show(const char *name)
{
	char file[512];

	if (name[0] == '\0')
		return;
	(void)snprintf(file, sizeof(file), FILES_FOLDER "/%s.pem", name);
	cr_assert_eq(SSL_use_certificate_file(raw.ssl, file, SSL_FILETYPE_PEM), 1);
	(void)snprintf(file, sizeof(file), FILES_FOLDER "/%s.key", name);
	cr_assert_eq(SSL_use_PrivateKey_file(raw.ssl, file, SSL_FILETYPE_PEM), 1);
}

static bool server_is_decided(void)
{
	return server.events & (NET_OPEN | NET_FAILED);
}

/* What the listener thinks: with TLS 1.3 the client is ready before it is judged. */
static bool is_let_in(void)
{
	(void)raw_connect(&raw);
	cr_assert(wait_until(server_is_decided));
	return server.events & NET_OPEN;
}

struct caller {
	char certificate[16], crl[128], name[32];
	bool optional, let_in;
	int version;
};

ParameterizedTestParameters(tls_depth, clients_are_let_in_by_their_certificates)
{
	static struct caller cases[] = {
		{ "client", "", "localhost", false, true, TLS1_3_VERSION },
		{ "client", "", "localhost", false, true, TLS1_2_VERSION },
		{ "client", "", "pair.test", false, true, TLS1_3_VERSION },
		{ "", "", "localhost", false, false, TLS1_3_VERSION },
		{ "", "", "localhost", false, false, TLS1_2_VERSION },
		{ "", "", "pair.test", false, false, TLS1_3_VERSION },
		{ "stranger", "", "localhost", false, false, TLS1_3_VERSION },
		{ "stranger", "", "pair.test", false, false, TLS1_2_VERSION },
		{ "demo", "", "localhost", false, false, TLS1_3_VERSION },
		{ "", "", "localhost", true, true, TLS1_3_VERSION },
		{ "client", "", "localhost", true, true, TLS1_3_VERSION },
		{ "stranger", "", "localhost", true, false, TLS1_3_VERSION },
		{ "revoked", "", "localhost", false, true, TLS1_3_VERSION },
		{ "revoked", FILE_OF("empty.crl"), "localhost", false, true,
			TLS1_3_VERSION },
		{ "revoked", FILE_OF("revoked.crl"), "localhost", false, false,
			TLS1_3_VERSION },
		{ "revoked", FILE_OF("revoked.crl"), "pair.test", true, false,
			TLS1_3_VERSION },
		{ "client", FILE_OF("revoked.crl"), "localhost", false, true,
			TLS1_3_VERSION },
		{ "client", FILE_OF("old.crl"), "localhost", false, false,
			TLS1_3_VERSION },
	};

	return cr_make_param_array(
		struct caller, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct caller *c, tls_depth, clients_are_let_in_by_their_certificates)
{
	listen_as(asking(c->crl, c->optional));
	raw_open(&raw, c->name);
	(void)SSL_set_max_proto_version(raw.ssl, c->version);
	show(c->certificate);

	cr_expect_eq(
		is_let_in(), c->let_in, "%s %s %s", c->certificate, c->crl, c->name);
}

Test(tls_depth, a_file_without_a_ca_or_a_list_is_named)
{
	struct net_tls_server s = asking(NULL, false);

	s.client_ca = FILE_OF("demo.key");
	cr_expect_eq(net_tls_server_new(&speaks, &s, &err), -1);
	cr_expect_not_null(strstr(err.text, "demo.key"), "%s", err.text);
	s = asking(FILE_OF("demo.pem"), false);
	cr_expect_eq(net_tls_server_new(&speaks, &s, &err), -1);
	cr_expect_not_null(strstr(err.text, "demo.pem"), "%s", err.text);
}

/* --- tickets
 * ---------------------------------------------------------------------------- */

static SSL_SESSION *ticket;
static bool has_ticket(void)
{
	char c;

	raw_receive(&raw);
	(void)SSL_read(raw.ssl, &c, 1);
	return SSL_get_session(raw.ssl) != NULL &&
	       SSL_SESSION_is_resumable(SSL_get_session(raw.ssl));
}

/* Comes, takes a ticket, and leaves. */
static void take_ticket(const char *certificate)
{
	raw_open(&raw, NULL);
	show(certificate);
	cr_assert(is_let_in());
	cr_assert(wait_until(has_ticket));
	ticket = SSL_get1_session(raw.ssl);
	SSL_set_shutdown(raw.ssl, SSL_SENT_SHUTDOWN); /* as if it had said goodbye */
	raw_close(&raw);
	close_end(&server);
	server.events = 0;
}

/* Comes again with the ticket: whether that was good. */
static bool is_known_again(void)
{
	bool known;

	raw_open(&raw, NULL);
	cr_assert_eq(SSL_set_session(raw.ssl, ticket), 1);
	known = is_let_in() && SSL_session_reused(raw.ssl) == 1;
	SSL_SESSION_free(ticket);
	return known;
}

Test(tls_depth, a_ticket_is_good_after_a_reload)
{
	listen_as(pair());
	take_ticket("");

	listen_as(pair());

	cr_expect(is_known_again());
}

Test(tls_depth, a_ticket_is_good_after_a_reload_where_clients_show_certificates)
{
	listen_as(asking(FILE_OF("empty.crl"), false));
	take_ticket("client");

	listen_as(asking(FILE_OF("empty.crl"), false));

	cr_expect(is_known_again());
}

Test(tls_depth, a_ticket_from_a_listener_for_anybody_opens_no_other)
{
	listen_as(pair());
	take_ticket("");

	listen_as(asking(NULL, false));

	cr_expect_not(is_known_again());
	cr_expect_eq(server.events & NET_OPEN, 0);
}

Test(tls_depth, a_ticket_of_one_who_showed_nothing_is_no_certificate)
{
	listen_as(asking(NULL, true));
	take_ticket("");

	listen_as(asking(NULL, false));

	cr_expect_not(is_known_again());
	cr_expect_eq(server.events & NET_OPEN, 0);
}

Test(tls_depth, a_new_list_ends_the_tickets_of_those_on_it)
{
	listen_as(asking(FILE_OF("empty.crl"), false));
	take_ticket("revoked");

	listen_as(asking(FILE_OF("revoked.crl"), false));

	cr_expect_not(is_known_again());
}

/* --- sessions with servers
 * ---------------------------------------------------------------- */

static struct net_tls *believer(const char *cert, const char *key)
{
	const struct net_tls_client s = { .ca_file = FILE_OF("ca.pem"),
		.verify = true,
		.cert_file = cert,
		.key_file = key };
	struct net_tls *tls = NULL;

	cr_assert_eq(net_tls_client_new(&tls, &s, &err), 0, "%s", err.text);
	return tls;
}

static bool client_has_read(void)
{
	return client.got > 0 || client.first[0] != '\0';
}

static bool client_is_decided(void)
{
	return client.events & (NET_OPEN | NET_FAILED);
}

/* One visit: connects, reads something (and the ticket before it), and leaves. */
static bool visit_resumed(struct net_tls *tls, const char *name)
{
	bool resumed;

	connect_client(tls, name);
	cr_assert(wait_until(both_are_open));
	resumed = SSL_session_reused(client.conn->ssl) == 1;
	server.to_send = 2;
	send_text(&server, "hi");
	cr_assert(wait_until(client_has_read));
	close_end(&client);
	close_end(&server);
	client = server = (struct end){ 0 };
	return resumed;
}

Test(tls_depth, the_second_connection_to_a_server_resumes)
{
	struct net_tls *tls = believer(NULL, NULL);
	listen_as(pair());

	cr_expect_not(visit_resumed(tls, "localhost"));
	cr_expect(visit_resumed(tls, "localhost"));
	cr_expect(visit_resumed(tls, "localhost"));

	net_tls_unref(tls);
}

Test(tls_depth, a_session_proves_no_other_name)
{
	struct net_tls *tls = believer(NULL, NULL);
	listen_as(pair());

	cr_expect_not(visit_resumed(tls, "localhost"));
	cr_expect_not(visit_resumed(tls, "pair.test"));
	cr_expect_not(visit_resumed(tls, "127.0.0.1"));
	cr_expect(visit_resumed(tls, "pair.test"));

	net_tls_unref(tls);
}

Test(tls_depth, a_session_is_not_offered_under_another_configuration)
{
	struct net_tls *careless = NULL;
	cr_assert_eq(net_tls_client_new(&careless,
			     &(struct net_tls_client){ .ca_file = "" }, &err),
		0);
	listen_as(pair());
	cr_expect_not(visit_resumed(careless, "unheard.of"));
	cr_expect(visit_resumed(careless, "unheard.of"));
	net_tls_unref(careless);
	struct net_tls *tls = believer(NULL, NULL);

	connect_client(tls, "unheard.of");
	cr_assert(wait_until(client_is_decided));

	cr_expect_eq(client.events, NET_FAILED);
	net_tls_unref(tls);
}

Test(tls_depth, a_server_that_asks_is_shown_the_certificate)
{
	struct net_tls *tls = believer(FILE_OF("client.pem"), FILE_OF("client.key"));
	listen_as(asking(NULL, false));

	cr_expect_not(visit_resumed(tls, "localhost"));
	cr_expect(visit_resumed(tls, "localhost"));

	net_tls_unref(tls);
}

Test(tls_depth, a_server_that_asks_refuses_who_shows_nothing)
{
	struct net_tls *tls = believer(NULL, NULL);
	listen_as(asking(NULL, false));

	connect_client(tls, "localhost");
	cr_assert(wait_until(server_is_decided));

	cr_expect_eq(server.events, NET_FAILED);
	cr_expect_eq(net_conn_failure(server.conn), NET_TLS);
	net_tls_unref(tls);
}

Test(tls_depth, a_key_that_is_not_the_clients_certificates_is_named)
{
	const struct net_tls_client s = { .ca_file = "",
		.cert_file = FILE_OF("client.pem"),
		.key_file = FILE_OF("revoked.key") };
	struct net_tls *tls = NULL;

	cr_expect_eq(net_tls_client_new(&tls, &s, &err), -1);

	cr_expect_not_null(strstr(err.text, "revoked.key"), "%s", err.text);
}
