#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sluice/base/mem.h"

#include "scene.h"

#define TLS                                                           \
	"tls = { certificates = ( { cert = \"/etc/hostname\"; key = " \
	"\"/etc/hostname\"; } );"

static struct slip slips[] = {
	{ "", "listeners: is empty: at least one address" },
	{ "{ address = \"0.0.0.0:80\"; }", "listeners[0].name: is missing: " },
	{ "{ name = \"a\"; }", "listeners[0].address: is missing: where to listen" },
	{ "{ name = \"a b\"; address = \"0.0.0.0:80\"; }",
		"\"a b\" is no name: expected a letter" },
	{ "{ name = \"9a\"; address = \"0.0.0.0:80\"; }", "\"9a\" is no name" },
	{ "{ name = \"a\"; address = \"example.net:80\"; }",
		"expected a numeric address" },
	{ "{ name = \"a\"; address = \"*:80\"; }", "\"*\" is no host name" },
	{ "{ name = \"a\"; address = \":80\"; }", "expected \"HOST:PORT\"" },
	{ "{ name = \"a\"; address = \"80\"; }", "expected \"HOST:PORT\"" },
	{ "{ name = \"a\"; address = \"::1:80\"; }", "stands in brackets" },
	{ "{ name = \"a\"; address = \"[::1]80\"; }", "expected \"HOST:PORT\"" },
	{ "{ name = \"a\"; address = \"[::g]:80\"; }", "[::g] is no IPv6 address" },
	{ "{ name = \"a\"; address = \"256.0.0.1:80\"; }",
		"256.0.0.1 is no IPv4 address" },
	{ "{ name = \"a\"; address = \"0.0.0.0:0\"; }",
		"the port is \"0\": expected 1..65535" },
	{ "{ name = \"a\"; address = \"0.0.0.0:65536\"; }", "expected 1..65535" },
	{ "{ name = \"a\"; address = \"0.0.0.0:+80\"; }", "expected 1..65535" },
	{ "{ name = \"a\"; address = \"unix:web.sock\"; }",
		"expected a path from the root" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; proxy_protocol = \"v1\"; }",
		"proxy_protocol: expected true or false, got \"v1\"" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; h2c = 1; }",
		"h2c: expected true or false, got 1" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; h2c = true; " TLS " }; }",
		"listeners[0].h2c: is for plain listeners: with TLS, alpn says" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; h2c = true; redirect = "
	  "\"https\"; }",
		"listeners[0].h2c: does not go with redirect" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; upgrade = { }; }",
		"upgrade: unknown setting; the nearest known one is \"upgrades\"" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; upgrades = { rate = 1000001; "
	  "}; }",
		"upgrades.rate: expected 0..1000000, got 1000001" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; upgrades = { burst = 0; }; }",
		"upgrades.burst: expected 1..1000000, got 0" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; upgrades = { queue = 100001; "
	  "}; }",
		"upgrades.queue: expected 0..100000, got 100001" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; redirect = \"http\"; }",
		"redirect: expected \"https\" or \"https:PORT\", got \"http\"" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; redirect = \"https:\"; }",
		"got \"https:\"" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; redirect = \"https:65536\"; }",
		"got \"https:65536\"" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; redirect = \"https\"; " TLS
	  " }; }",
		"a redirect to https cannot itself speak TLS" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; tls = { }; }",
		"tls.certificates: is missing: TLS needs one" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; tls = { certificates = ( ); }; }",
		"tls.certificates: is empty: TLS needs one" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; " TLS
	  " min_version = \"1.1\"; }; }",
		"min_version: expected \"1.2\" or \"1.3\", got \"1.1\"" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; " TLS " alpn = [ \"h3\" ]; }; }",
		"alpn[0]: expected \"h2\" or \"http/1.1\", got \"h3\"" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; " TLS " alpn = [ ]; }; }",
		"alpn: is empty: expected \"h2\", \"http/1.1\" or both" },
	{ "{ name = \"a\"; address = \"0.0.0.0:80\"; },"
	  "{ name = \"a\"; address = \"0.0.0.0:81\"; }",
		"listeners[1].name: a stands already at /scene/sluice.conf:1" },
	{ "{ name = \"a\"; address = \"[::1]:80\"; },"
	  "{ name = \"b\"; address = \"[0:0::1]:80\"; }",
		"listeners[1].address: [::1]:80 stands already at" },
	{ "{ name = \"a\"; address = \"127.0.0.1:80\"; },"
	  "{ name = \"b\"; address = \"[::ffff:127.0.0.1]:80\"; }",
		"listeners[1].address: 127.0.0.1:80 stands already at" },
	{ "5", "listeners[0]: expected a group { }, got 5" },
};

ParameterizedTestParameters(listeners, a_slip_is_named_once)
{
	return cr_make_param_array(
		struct slip, slips, sizeof(slips) / sizeof(slips[0]));
}

ParameterizedTest(struct slip *s, listeners, a_slip_is_named_once)
{
	char *text = mem_print("listeners = ( %s );\n" POOLS ROUTES, s->text);

	expect_refused(text, s->words);
	free(text);
}

Test(listeners, a_certificate_that_is_not_there_is_told_with_the_script_that_makes_one)
{
	struct loaded l = load(
		"listeners = ( { name = \"a\"; address = \"0.0.0.0:443\"; tls = {\n"
		"certificates = ( { cert = \"demo.pem\";\n"
		"                   key = \"/etc\"; } ); }; } );\n" POOLS ROUTES);

	cr_assert_eq(l.problems.n, 2);
	cr_assert(told(&l,
		":2: listeners[0].tls.certificates[0].cert: /scene/demo.pem: No such "
		"file or directory; certs/make.sh makes certificates"));
	cr_assert(told(
		&l, ":3: listeners[0].tls.certificates[0].key: /etc is not a file"));
	cr_assert_eq(count_lines(&l.problems, "make.sh"), 1);
	unload(&l);
}

/* What config says of path as a certificate, when nobody special reads it. */
static struct loaded load_unprivileged(const char *path)
{
	char *text = mem_print("listeners = ( { name = \"a\"; address = "
			       "\"0.0.0.0:443\"; tls = { certificates = (\n"
			       "{ cert = \"%s\"; key = \"/etc/hostname\"; } ); }; } "
			       ");\n" POOLS ROUTES,
		path);
	bool root = getuid() == 0;

	if (root)
		cr_assert_eq(setresuid(65534, 65534, 0), 0);
	struct loaded l = load(text);
	if (root)
		cr_assert_eq(setresuid(0, 0, 0), 0);
	free(text);
	return l;
}

Test(listeners, a_certificate_that_may_not_be_read_is_told_with_that_reason_alone)
{
	char *folder = folder_new();
	char *file = write_file(folder, "web.pem", "");
	char *words = mem_print("cert: %s may not be read: Permission denied", file);
	cr_assert_eq(chmod(file, 0), 0);
	cr_assert_eq(chmod(folder, 0755), 0);
	struct loaded file_shut = load_unprivileged(file);
	cr_assert_eq(chmod(file, 0644), 0);
	cr_assert_eq(chmod(folder, 0), 0);
	struct loaded folder_shut = load_unprivileged(file);

	cr_expect(told(&file_shut, words), "%s", file_shut.problems.text[0]);
	cr_expect_not(told(&file_shut, "make.sh"));
	cr_expect(told(&folder_shut, words), "%s", folder_shut.problems.text[0]);
	cr_expect_not(told(&folder_shut, "make.sh"));
	cr_assert_eq(chmod(folder, 0755), 0);
	unload(&folder_shut);
	unload(&file_shut);
	free(words);
	free(file);
	folder_remove(folder);
}

Test(listeners, a_plain_one_a_tls_one_and_a_redirect_are_told_apart)
{
	struct loaded l =
		load("listeners = (\n"
		     "{ name = \"plain\"; address = \"unix:/run/web.sock\"; },\n"
		     "{ name = \"tls\"; address = \"[::]:443\"; " TLS " }; },\n"
		     "{ name = \"redirect\"; address = \"0.0.0.0:80\";\n"
		     "  redirect = \"https:8443\"; } );\n" POOLS ROUTES);
	const struct config_listener *a = l.c->listeners;

	expect_accepted(&l);
	cr_assert_eq(l.c->n_listeners, 3);
	cr_expect(!a[0].tls && !a[0].redirect);
	cr_expect_eq(a[0].address.sa.any.sa_family, AF_UNIX);
	cr_expect(a[1].tls && !a[1].redirect);
	cr_expect_eq(a[1].address.sa.in6.sin6_port, htons(443));
	cr_expect_str_eq(a[1].certificates[0].cert_file, "/etc/hostname");
	cr_expect(!a[2].tls && a[2].redirect);
	cr_expect_eq(a[2].redirect_port, 8443);
	unload(&l);
}

Test(listeners, tls_has_the_documented_defaults)
{
	struct loaded l =
		load("listeners = ( { name = \"tls\"; address = \"0.0.0.0:443\"; " TLS
		     " }; } );\n" POOLS ROUTES);

	expect_accepted(&l);
	cr_expect_eq(l.c->listeners[0].min_version, CONFIG_TLS_1_2);
	cr_expect(l.c->listeners[0].alpn_h2 && l.c->listeners[0].alpn_http1);
	unload(&l);
}

Test(listeners, tls_may_offer_one_protocol_or_both)
{
	struct loaded h2 =
		load("listeners = ( { name = \"a\"; address = \"0.0.0.0:443\"; " TLS
		     " alpn = [ \"h2\" ]; }; } );\n" POOLS ROUTES);
	struct loaded http1 =
		load("listeners = ( { name = \"a\"; address = \"0.0.0.0:443\"; " TLS
		     " alpn = [ \"http/1.1\" ]; }; } );\n" POOLS ROUTES);

	expect_accepted(&h2);
	expect_accepted(&http1);
	cr_expect(h2.c->listeners[0].alpn_h2 && !h2.c->listeners[0].alpn_http1);
	cr_expect(!http1.c->listeners[0].alpn_h2 && http1.c->listeners[0].alpn_http1);
	unload(&http1);
	unload(&h2);
}

Test(listeners, nothing_is_expected_before_http_and_upgrades_are_unmetered_by_default)
{
	struct loaded l = load(LEAST);
	const struct config_listener *a = l.c->listeners;

	cr_expect_not(a->proxy_protocol);
	cr_expect_not(a->h2c);
	cr_expect_eq(a->upgrades.rate, 0);
	cr_expect_eq(a->upgrades.burst, 100);
	cr_expect_eq(a->upgrades.queue, 1000);
	unload(&l);
}

Test(listeners, expecting_the_proxy_protocol_of_nobody_would_close_everyone)
{
	static const char listener[] =
		"listeners = ( { name = \"a\"; address = \"0.0.0.0:80\";\n"
		"proxy_protocol = true; } );\n" POOLS ROUTES;
	char *empty = mem_print("trusted = [ ];\n%s", listener);
	char *wrong = mem_print("trusted = [ \"x\" ];\n%s", listener);

	expect_refused(empty,
		":3: listeners[0].proxy_protocol: would close every client, because "
		"trusted is empty: name the peers that send the header there");
	expect_refused(wrong, "trusted[0]: expected an address or a range");
	free(wrong);
	free(empty);
}

Test(listeners, may_expect_the_proxy_protocol_speak_h2c_and_meter_upgrades)
{
	struct loaded l = load(
		"listeners = ( { name = \"a\"; address = \"0.0.0.0:80\"; h2c = true;\n"
		"proxy_protocol = true; upgrades = { rate = 50; burst = 1; queue = 0; "
		"}; } );\n" POOLS ROUTES);
	const struct config_listener *a = l.c->listeners;

	expect_accepted(&l);
	cr_expect(a->proxy_protocol);
	cr_expect(a->h2c);
	cr_expect_eq(a->upgrades.rate, 50);
	cr_expect_eq(a->upgrades.burst, 1);
	cr_expect_eq(a->upgrades.queue, 0);
	unload(&l);
}

Test(listeners, tls_may_ask_clients_for_certificates)
{
	struct loaded l =
		load("listeners = ( { name = \"tls\"; address = \"0.0.0.0:443\"; " TLS
		     " client_ca = \"/etc/hostname\"; client_verify = \"optional\";\n"
		     "crl = \"/etc/hostname\"; }; } );\n" POOLS ROUTES);

	expect_accepted(&l);
	cr_expect_str_eq(l.c->listeners[0].client_ca, "/etc/hostname");
	cr_expect_str_eq(l.c->listeners[0].crl, "/etc/hostname");
	cr_expect_eq(l.c->listeners[0].client_verify, CONFIG_CLIENT_OPTIONAL);
	unload(&l);
}

Test(listeners, a_crl_without_an_authority_is_refused)
{
	struct loaded l =
		load("listeners = ( { name = \"tls\"; address = \"0.0.0.0:443\"; " TLS
		     " crl = \"/etc/hostname\"; }; } );\n" POOLS ROUTES);

	cr_assert_eq(l.problems.n, 1);
	cr_expect(told(&l, "listeners[0].tls.crl: clients are not asked"));
	unload(&l);
}

Test(listeners, a_staple_need_not_be_there)
{
	struct loaded l = load(
		"listeners = ( { name = \"a\"; address = \"0.0.0.0:443\"; tls = {\n"
		"certificates = ( { cert = \"/etc/hostname\"; key = "
		"\"/etc/hostname\";\n"
		"ocsp = \"word.ocsp\"; }, { cert = \"/etc/hostname\"; key =\n"
		"\"/etc/hostname\"; ocsp = \"\"; } ); }; } );\n" POOLS ROUTES);

	expect_accepted(&l);
	cr_expect_str_eq(
		l.c->listeners[0].certificates[0].ocsp_file, "/scene/word.ocsp");
	cr_expect_str_eq(l.c->listeners[0].certificates[1].ocsp_file, "");
	unload(&l);
}

Test(listeners, https_alone_is_port_443)
{
	struct loaded l =
		load("listeners = ( { name = \"a\"; address = \"0.0.0.0:80\";\n"
		     "redirect = \"https\"; } );\n" POOLS ROUTES);

	expect_accepted(&l);
	cr_assert_eq(l.c->listeners[0].redirect_port, 443);
	unload(&l);
}

static bool trusts(const struct config *c, const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in4 = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &in4.sin_addr) == 1)
		return config_trusts(c, (const struct sockaddr *)&in4);
	cr_assert_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return config_trusts(c, (const struct sockaddr *)&in6);
}

Test(listeners, only_loopback_is_trusted_by_default)
{
	struct loaded l = load(LEAST);
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	cr_expect(trusts(l.c, "127.0.0.1"));
	cr_expect(trusts(l.c, "127.255.255.255"));
	cr_expect(trusts(l.c, "::ffff:127.0.0.1"));
	cr_expect(config_trusts(l.c, (const struct sockaddr *)&un));
	cr_expect_not(trusts(l.c, "128.0.0.1"));
	cr_expect_not(trusts(l.c, "::1"));
	unload(&l);
}

Test(listeners, trust_ends_with_the_last_bit_of_the_prefix)
{
	struct loaded l = load("trusted = [ \"10.64.0.0/10\", \"192.0.2.7\", "
			       "\"fd00:8000::/17\" ];\n" LEAST);

	expect_accepted(&l);
	cr_expect(trusts(l.c, "10.64.0.0"));
	cr_expect(trusts(l.c, "10.127.255.255"));
	cr_expect_not(trusts(l.c, "10.128.0.0"));
	cr_expect_not(trusts(l.c, "10.63.255.255"));
	cr_expect(trusts(l.c, "192.0.2.7"));
	cr_expect_not(trusts(l.c, "192.0.2.6"));
	cr_expect(trusts(l.c, "fd00:ffff::1"));
	cr_expect_not(trusts(l.c, "fd00:7fff::1"));
	unload(&l);
}

Test(listeners, an_empty_list_trusts_nobody_and_0_0_0_0_trusts_all_of_ipv4)
{
	struct loaded nobody = load("trusted = [ ];\n" LEAST);
	struct loaded all = load("trusted = [ \"0.0.0.0/0\" ];\n" LEAST);

	expect_accepted(&nobody);
	expect_accepted(&all);
	cr_expect_not(trusts(nobody.c, "127.0.0.1"));
	cr_expect(trusts(all.c, "203.0.113.9"));
	cr_expect_not(trusts(all.c, "2001:db8::1"));
	unload(&all);
	unload(&nobody);
}
