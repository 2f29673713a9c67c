/* Which certificate answers, what is agreed upon, and whom a client believes. */
#include "raw_tls.h"

#include <criterion/parameterized.h>
#include <fcntl.h>
#include <unistd.h>

static struct raw_tls raw;
static struct err err;

static void teardown(void)
{
	if (raw.ssl != NULL)
		raw_close(&raw);
	scene_close();
}

TestSuite(tls, .init = scene_open, .fini = teardown, .timeout = 30);

static bool client_is_decided(void)
{
	return client.events & (NET_OPEN | NET_FAILED);
}

static bool server_is_decided(void)
{
	return server.events & (NET_OPEN | NET_FAILED);
}

static bool server_is_there(void)
{
	return server.conn != NULL;
}

static void listen_with(struct net_tls *tls)
{
	speaks = tls;
	open_listener();
}

static void listen_as_four(void)
{
	static const char *const names[] = { "demo", "one", "wild", "exact" };

	listen_with(server_tls(names, 4));
}

/* --- which certificate ------------------------------------------------------------ */

struct asked {
	char name[64], subject[64];
};

ParameterizedTestParameters(tls, the_name_asked_for_chooses_the_certificate)
{
	static struct asked cases[] = {
		{ "", "demo.sluice.test" },
		{ "localhost", "demo.sluice.test" },
		{ "unheard.of", "demo.sluice.test" },
		{ "one.test", "one.sluice.test" },
		{ "oNe.TEST", "one.sluice.test" },
		{ "one-more.test", "one.sluice.test" },
		{ "two.one.test", "demo.sluice.test" },
		{ "a.wild.test", "wild.sluice.test" },
		{ "wild.test", "demo.sluice.test" },
		{ "a.b.wild.test", "demo.sluice.test" },
		{ "x.wild.test", "exact.sluice.test" },
		{ "X.Wild.test", "exact.sluice.test" },
		{ "y.x.wild.test", "demo.sluice.test" },
		{ "one.test.", "one.sluice.test" },
		{ "a.wild.test.", "wild.sluice.test" },
		{ "one.test..", "demo.sluice.test" },
	};

	return cr_make_param_array(
		struct asked, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct asked *c, tls, the_name_asked_for_chooses_the_certificate)
{
	listen_as_four();
	raw_open(&raw, c->name[0] != '\0' ? c->name : NULL);

	cr_assert(raw_connect(&raw));

	cr_expect_str_eq(raw_subject(&raw), c->subject, "%s: %s", c->name, raw.subject);
}

Test(tls, a_certificate_with_an_rsa_key_serves_too)
{
	listen_with(server_tls((const char *const[]){ "other" }, 1));
	raw_open(&raw, "other.sluice.test");

	cr_assert(raw_connect(&raw));

	cr_expect_str_eq(raw_subject(&raw), "other.sluice.test");
}

/* --- what is agreed upon -------------------------------------------------------------
 */

Test(tls, http_1_is_agreed_upon_with_who_offers_it)
{
	static const unsigned char offer[] = "\x02h2\x08http/1.1";
	listen_with(demo_tls());
	raw_open(&raw, NULL);
	(void)SSL_set_alpn_protos(raw.ssl, offer, sizeof(offer) - 1);

	cr_assert(raw_connect(&raw));

	cr_expect(span_eq(net_conn_alpn(server.conn), SPAN("http/1.1")));
}

Test(tls, who_offers_only_what_we_do_not_speak_is_refused)
{
	static const unsigned char offer[] = "\x02h2\x06spdy/3";
	listen_with(demo_tls());
	raw_open(&raw, NULL);
	(void)SSL_set_alpn_protos(raw.ssl, offer, sizeof(offer) - 1);

	cr_expect_not(raw_connect(&raw));

	cr_assert(wait_until(server_is_decided));
	cr_expect_eq(net_conn_failure(server.conn), NET_TLS);
}

Test(tls, who_offers_nothing_is_served_without_an_agreement)
{
	listen_with(demo_tls());
	raw_open(&raw, NULL);

	cr_assert(raw_connect(&raw));

	cr_expect_eq(net_conn_alpn(server.conn).n, 0);
	cr_expect(net_conn_has_tls(server.conn));
}

Test(tls, version_1_2_is_served)
{
	listen_with(demo_tls());
	raw_open(&raw, NULL);
	(void)SSL_set_max_proto_version(raw.ssl, TLS1_2_VERSION);

	cr_assert(raw_connect(&raw));

	cr_expect_eq(SSL_version(raw.ssl), TLS1_2_VERSION);
}

Test(tls, version_1_1_is_refused)
{
	listen_with(demo_tls());
	raw_open(&raw, NULL);
	SSL_set_security_level(raw.ssl, 0);
	(void)SSL_set_max_proto_version(raw.ssl, TLS1_1_VERSION);

	cr_expect_not(raw_connect(&raw));
}

Test(tls, version_1_2_is_refused_where_1_3_is_demanded)
{
	const char *cert = cert_file("demo.pem"), *key = cert_file("demo.key");
	struct net_tls_server s = { .cert_files = &cert,
		.key_files = &key,
		.n = 1,
		.min_1_3 = true,
		.http1 = true };
	cr_assert_eq(net_tls_server_new(&speaks, &s, &err), 0, "%s", err.text);
	open_listener();
	raw_open(&raw, NULL);
	(void)SSL_set_max_proto_version(raw.ssl, TLS1_2_VERSION);

	cr_expect_not(raw_connect(&raw));
}

/* --- handshakes that come to nothing --------------------------------------------- */

static void greet_with(const char *text, enum net_failure expected)
{
	listen_with(demo_tls());
	int fd = connect_raw();

	cr_assert_eq(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	cr_assert(wait_until(server_is_decided));

	cr_expect_eq(server.events, NET_FAILED);
	cr_expect_eq(net_conn_failure(server.conn), expected);
	close(fd);
}

Test(tls, garbage_instead_of_a_handshake_fails_it)
{
	greet_with("\x80\x81garbage, and some more", NET_TLS);
}

Test(tls, a_request_instead_of_a_handshake_is_known_as_one)
{
	greet_with("DELETE / HTTP/1.0\r\n\r\n", NET_NOT_TLS);
}

Test(tls, a_client_that_leaves_in_the_middle_fails_it)
{
	listen_with(demo_tls());
	raw_open(&raw, NULL);
	(void)SSL_do_handshake(raw.ssl);

	raw_send_some(&raw, 50);
	one_turn();
	cr_expect_eq(server.events, 0);
	cr_assert_eq(shutdown(raw.fd, SHUT_WR), 0);
	cr_assert(wait_until(server_is_decided));

	cr_expect_eq(server.events, NET_FAILED);
}

Test(tls, a_handshake_may_come_byte_by_byte)
{
	listen_with(demo_tls());
	raw_open(&raw, NULL);
	(void)SSL_do_handshake(raw.ssl);

	while (BIO_pending(raw.out) > 0) {
		raw_send_some(&raw, 1);
		one_turn();
	}

	cr_expect(raw_connect(&raw));
}

/* --- whom a client believes --------------------------------------------------------
 */

static void connect_believing(const char *name, bool verify)
{
	struct net_tls *tls = client_tls(verify);

	connect_client(tls, name);
	net_tls_unref(tls);
	cr_assert(wait_until(client_is_decided));
}

Test(tls, a_server_of_a_known_ca_with_the_right_name_is_believed)
{
	listen_as_four();

	connect_believing("one.test", true);

	cr_expect(client.events & NET_OPEN);
	cr_expect(net_conn_has_tls(client.conn));
}

Test(tls, a_server_may_be_known_by_its_address)
{
	listen_with(demo_tls());

	connect_believing("127.0.0.1", true);

	cr_expect(client.events & NET_OPEN);
}

Test(tls, a_server_with_another_name_is_not_believed)
{
	listen_with(demo_tls());

	connect_believing("one.test", true);

	cr_expect_eq(client.events, NET_FAILED);
	cr_expect_eq(net_conn_failure(client.conn), NET_TLS);
}

Test(tls, a_server_with_another_address_is_not_believed)
{
	listen_with(demo_tls());

	connect_believing("127.0.0.2", true);

	cr_expect_eq(net_conn_failure(client.conn), NET_TLS);
}

static struct net_tls *stranger_tls(void)
{
	return server_tls((const char *const[]){ "stranger/demo" }, 1);
}

Test(tls, a_server_of_an_unknown_ca_is_not_believed)
{
	listen_with(stranger_tls());

	connect_believing("localhost", true);

	cr_expect_eq(client.events, NET_FAILED);
	cr_expect_eq(net_conn_failure(client.conn), NET_TLS);
}

Test(tls, anybody_is_believed_where_that_is_the_operators_wish)
{
	listen_with(stranger_tls());

	connect_believing("one.test", false);

	cr_expect(client.events & NET_OPEN);
}

Test(tls, a_server_that_speaks_no_tls_is_a_failure_of_tls)
{
	struct net_tls *tls = client_tls(true);
	open_listener();
	connect_client(tls, "localhost");
	net_tls_unref(tls);
	cr_assert(wait_until(server_is_there));

	send_text(&server, "220 mail.example.net ready\r\n");
	cr_assert(wait_until(client_is_decided));

	cr_expect_eq(net_conn_failure(client.conn), NET_TLS);
}

/* --- files
 * ------------------------------------------------------------------------------ */

static int load(const char *cert, const char *key)
{
	struct net_tls_server s = {
		.cert_files = &cert, .key_files = &key, .n = 1, .http1 = true
	};

	return net_tls_server_new(&speaks, &s, &err);
}

Test(tls, a_certificate_that_is_not_there_is_named)
{
	cr_expect_eq(load("/no/such.pem", cert_file("demo.key")), -1);

	cr_expect_not_null(strstr(err.text, "/no/such.pem"), "%s", err.text);
	cr_expect_not_null(strstr(err.text, "No such file"), "%s", err.text);
	cr_expect_null(speaks);
}

Test(tls, a_key_of_another_certificate_is_named)
{
	cr_expect_eq(load(cert_file("demo.pem"), cert_file("one.key")), -1);

	cr_expect_not_null(strstr(err.text, "one.key"), "%s", err.text);
}

Test(tls, a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked_for_it)
{
	int terminal[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, terminal), 0);
	cr_assert_neq(dup2(terminal[0], STDIN_FILENO), -1);
	cr_assert_neq(dup2(terminal[0], STDERR_FILENO), -1);
	char question;

	cr_expect_eq(load(cert_file("one.pem"), cert_file("locked.key")), -1);

	cr_expect_not_null(strstr(err.text, "locked.key"), "%s", err.text);
	cr_expect_not_null(strstr(err.text, "openssl pkey -in"), "%s", err.text);
	cr_expect_eq(recv(terminal[1], &question, 1, MSG_DONTWAIT), -1);
}

Test(tls, a_ca_file_without_a_certificate_is_named)
{
	struct net_tls *tls = NULL;

	cr_expect_eq(net_tls_client_new(&tls,
			     &(struct net_tls_client){
				     .ca_file = cert_file("demo.key"), .verify = true },
			     &err),
		-1);

	cr_expect_not_null(strstr(err.text, "demo.key"), "%s", err.text);
	cr_expect_null(tls);
}

Test(tls, the_systems_cas_are_there)
{
	struct net_tls *tls = NULL;

	cr_expect_eq(net_tls_client_new(&tls,
			     &(struct net_tls_client){ .ca_file = "", .verify = true },
			     &err),
		0, "%s", err.text);

	net_tls_unref(tls);
}

Test(tls, what_a_connection_uses_lives_as_long_as_it_does)
{
	listen_with(demo_tls());
	open_pair(client_tls(true), "localhost");

	net_tls_unref(speaks);
	speaks = NULL;
	client.to_send = 5;
	send_text(&client, "hello");
	one_turn();
	one_turn();

	cr_expect_str_eq(server.first, "hello");
}
