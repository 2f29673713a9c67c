#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "scene.h"

#define SERVER "servers = ( { address = \"127.0.0.1:9001\"; } ); "

static struct slip slips[] = {
	{ "", "pools.old.servers: is missing: a pool needs servers" },
	{ "servers = ( );", "pools.old.servers: is empty: a pool needs servers" },
	{ "servers = { };",
		"pools.old.servers: expected a list of groups ( { }, { } )" },
	{ "servers = ( \"127.0.0.1:9001\" );", "servers[0]: expected a group { }" },
	{ "servers = ( { } );", "servers[0].address: is missing: where the server is" },
	{ "servers = ( { address = 9001; } );", "expected an address in quotes" },
	{ "servers = ( { address = \"a_.b-:1\"; } );", "\"a_.b-\" is no host name" },
	{ "servers = ( { address = \"a..b:1\"; } );", "\"a..b\" is no host name" },
	{ "servers = ( { address = \"0x7f000001:9001\"; } );",
		"\"0x7f000001\" is no host name" },
	{ "servers = ( { address = \"a.0X1f:9001\"; } );", "\"a.0X1f\" is no host" },
	{ "servers = ( { address = \"a.08:9001\"; } );", "\"a.08\" is no host name" },
	{ "servers = ( { address = \"0x:9001\"; } );", "\"0x\" is no host name" },
	{ "servers = ( { address = \"[::1%lo]:1\"; } );", "is no IPv6 address" },
	{ "servers = ( { address = \"a:1\"; weight = 140; } );",
		"pools.old.servers[0].weight: expected 0..100, got 140" },
	{ "servers = ( { address = \"a:1\"; weight = 0; } );", "all have weight 0" },
	{ "servers = ( { address = \"a:1\"; max_requests = -1; } );", "got -1" },
	{ "servers = ( { address = \"a:1\"; }, { address = \"A:1\"; } );",
		"servers[1].address: a:1 stands already at" },
	{ "servers = ( { address = \"127.0.0.1:80\"; },"
	  "{ address = \"127.0.0.1:080\"; } );",
		"servers[1].address: 127.0.0.1:80 stands already at" },
	{ "servers = ( { address = \"localhost.:80\"; } );",
		"\"localhost.\" is no host name" },
	{ "servers = ( { address = \"127.0.0.01:80\"; } );",
		"127.0.0.01 is no IPv4 address" },
	{ "servers = ( { adress = \"a:1\"; address = \"a:1\"; } );",
		"servers[0].adress: unknown setting; the nearest known one is "
		"\"address\"" },
	{ SERVER "balance = \"hash\";",
		"\"hash\" is not available in this version: expected" },
	{ SERVER "balance = \"peak_ewma\";",
		"\"peak_ewma\" is not available in this version" },
	{ SERVER "balance = \"random\";", "balance: expected \"round_robin\" or" },
	{ SERVER "protocol = \"http2\";",
		"protocol: expected \"http/1.1\" or \"h2\", got \"http2\"; the "
		"nearest is \"h2\"" },
	{ SERVER "proxy_protocol = true;",
		"proxy_protocol: expected a word in quotes, got true" },
	{ SERVER "proxy_protocol = \"v3\";",
		"proxy_protocol: expected \"off\" or \"v1\" or \"v2\", got \"v3\"" },
	{ SERVER "proxy_protocol = \"v2\"; protocol = \"h2\";",
		"pools.old.proxy_protocol: does not go with protocol = \"h2\": its "
		"header names one client" },
	{ SERVER "max_requests = 1000001;",
		"max_requests: expected 0..1000000, got 1000001" },
	{ SERVER "max_pending = -1;", "max_pending: expected 0..1000000, got -1" },
	{ SERVER "max_pendign = 1;", "the nearest known one is \"max_pending\"" },
	{ SERVER "keepalive_age = \"8d\";", "keepalive_age: expected" },
	{ SERVER "keepalive_requests = -1;",
		"keepalive_requests: expected 0..1000000000, got -1" },
	{ SERVER "keepalive = 10001;", "keepalive: expected 0..10000, got 10001" },
	{ SERVER "health = true;", "health: expected a group { }, got true" },
	{ SERVER "health = { type = \"gprc\"; };",
		"type: expected \"http\" or \"tcp\" or \"grpc\" or \"none\", got "
		"\"gprc\"; the nearest is \"grpc\"" },
	{ SERVER "health = { service = 5; };", "service: expected a text in quotes" },
	{ SERVER "health = { path = \"health\"; };", "expected a path from \"/\"" },
	{ SERVER "health = { path = \"/a b\"; };", "expected a path from \"/\"" },
	{ SERVER "health = { host = \"a/b\"; };", "health.host: expected a host name" },
	{ SERVER "health = { status = [ 199 ]; };",
		"status[0]: expected a status in 200..599" },
	{ SERVER "health = { status = [ 600 ]; };",
		"expected a status in 200..599, got 600" },
	{ SERVER "health = { status = [ ]; };", "expected 1..32 statuses, got 0" },
	{ SERVER "health = { status = 200; };", "expected an array of statuses" },
	{ SERVER "health = { interval = \"9ms\"; };",
		"interval: expected 10ms..1h, got 9ms" },
	{ SERVER "health = { jitter = 100.5; };",
		"jitter: expected 0..100, got 100.5" },
	{ SERVER "health = { rise = 0; };", "rise: expected 1..100, got 0" },
	{ SERVER "health = { fall = 0; };", "fall: expected 1..100, got 0" },
	{ SERVER "eject = { failures = 0; };", "failures: expected 1..1000, got 0" },
	{ SERVER "eject = { max_share = 101; };",
		"max_share: expected 0..100, got 101" },
	{ SERVER "retry = { attempts = 0; };", "attempts: expected 1..10, got 0" },
	{ SERVER "retry = { budget = -1; };", "budget: expected 0..100, got -1" },
	{ SERVER "tls = { verify = 1; };", "verify: expected true or false, got 1" },
	{ SERVER "tls = { server_name = \"a b\"; };",
		"server_name: expected a host name" },
	{ SERVER "tls = { ca_file = \"none.pem\"; };",
		"/scene/none.pem: No such file" },
	{ SERVER "tls = { cert = \"/etc/hostname\"; };",
		"tls.key: a certificate and its key go together" },
	{ SERVER "tls = { key = \"/etc/hostname\"; };",
		"tls.cert: a certificate and its key go together" },
};

ParameterizedTestParameters(pools, a_slip_is_named_once)
{
	return cr_make_param_array(
		struct slip, slips, sizeof(slips) / sizeof(slips[0]));
}

ParameterizedTest(struct slip *s, pools, a_slip_is_named_once)
{
	char *text =
		mem_print("pools = { old = { %s }; };\n" LISTENERS ROUTES, s->text);

	expect_refused(text, s->words);
	free(text);
}

static struct loaded load_pool(const char *settings)
{
	char *text =
		mem_print("pools = { old = { %s }; };\n" LISTENERS ROUTES, settings);
	struct loaded l = load(text);

	free(text);
	expect_accepted(&l);
	return l;
}

Test(pools, a_pool_has_the_documented_defaults)
{
	struct loaded l = load_pool(SERVER);
	const struct config_pool *p = &l.c->pools[0];

	cr_expect_str_eq(p->name, "old");
	cr_expect_eq(p->servers[0].weight, 1);
	cr_expect_eq(p->servers[0].max_requests, 0);
	cr_expect_eq(p->balance, CONFIG_LEAST_INFLIGHT);
	cr_expect_eq(p->protocol, CONFIG_HTTP1);
	cr_expect_eq(p->proxy_header, CONFIG_PROXY_OFF);
	cr_expect_eq(p->keepalive, 32);
	cr_expect_eq(p->keepalive_age_ms, 3600000);
	cr_expect_eq(p->keepalive_requests, 0);
	cr_expect_eq(p->max_requests, 0);
	cr_expect_eq(p->max_pending, 0);
	cr_expect_eq(p->eject_failures, 3);
	cr_expect_eq(p->eject_max_ppm, 500000);
	cr_expect_eq(p->retry_attempts, 2);
	cr_expect_eq(p->retry_budget_ppm, 200000);
	cr_expect_not(p->tls);
	unload(&l);
}

Test(pools, health_has_the_documented_defaults)
{
	struct loaded l = load_pool(SERVER "health = { };");
	const struct config_health *h = &l.c->pools[0].health;

	cr_expect_eq(h->type, CONFIG_HEALTH_HTTP);
	cr_expect_str_eq(h->path, "/api/health");
	cr_expect_str_eq(h->host, "");
	cr_expect_str_eq(h->service, "");
	cr_assert_eq(h->n_status, 1);
	cr_expect_eq(h->status[0], 200);
	cr_expect_eq(h->interval_ms, 2000);
	cr_expect_eq(h->timeout_ms, 1000);
	cr_expect_eq(h->jitter_ppm, 100000);
	cr_expect_eq(h->rise, 2);
	cr_expect_eq(h->fall, 3);
	unload(&l);
}

Test(pools, without_a_health_group_nothing_is_checked)
{
	struct loaded none = load_pool(SERVER);
	struct loaded tcp = load_pool(SERVER "health = { type = \"tcp\"; };");

	cr_expect_eq(none.c->pools[0].health.type, CONFIG_HEALTH_NONE);
	cr_expect_eq(tcp.c->pools[0].health.type, CONFIG_HEALTH_TCP);
	unload(&tcp);
	unload(&none);
}

Test(pools, may_speak_h2_and_bound_what_is_under_way_and_waits)
{
	struct loaded l = load_pool(
		SERVER "protocol = \"h2\"; max_requests = 500; max_pending = 20;");
	const struct config_pool *p = &l.c->pools[0];

	cr_expect_eq(p->protocol, CONFIG_H2);
	cr_expect_eq(p->max_requests, 500);
	cr_expect_eq(p->max_pending, 20);
	cr_expect_eq(p->keepalive, 32);
	unload(&l);
}

Test(pools, connections_that_name_a_client_are_kept_for_nobody_else)
{
	struct loaded v1 = load_pool(SERVER "proxy_protocol = \"v1\";");
	struct loaded v2 = load_pool(SERVER "keepalive = 8; proxy_protocol = \"v2\";");

	cr_expect_eq(v1.c->pools[0].proxy_header, CONFIG_PROXY_V1);
	cr_expect_eq(v1.c->pools[0].keepalive, 0);
	cr_expect_eq(v2.c->pools[0].proxy_header, CONFIG_PROXY_V2);
	cr_expect_eq(v2.c->pools[0].keepalive, 0);
	unload(&v2);
	unload(&v1);
}

Test(pools, of_any_protocol_may_be_asked_over_grpc)
{
	struct loaded whole = load_pool(SERVER "health = { type = \"grpc\"; };");
	struct loaded one = load_pool(SERVER
		"protocol = \"h2\"; health = { type = \"grpc\"; service = \"a.B\"; "
		"};");

	cr_expect_eq(whole.c->pools[0].health.type, CONFIG_HEALTH_GRPC);
	cr_expect_str_eq(whole.c->pools[0].health.service, "");
	cr_expect_eq(one.c->pools[0].health.type, CONFIG_HEALTH_GRPC);
	cr_expect_str_eq(one.c->pools[0].health.service, "a.B");
	unload(&one);
	unload(&whole);
}

Test(pools, several_statuses_may_mean_healthy)
{
	struct loaded l = load_pool(SERVER "health = { status = [ 200, 204, 599 ]; };");
	const struct config_health *h = &l.c->pools[0].health;

	cr_assert_eq(h->n_status, 3);
	cr_expect_eq(h->status[1], 204);
	cr_expect_eq(h->status[2], 599);
	unload(&l);
}

Test(pools, a_tls_group_turns_tls_on_and_verifies)
{
	struct loaded l = load_pool(SERVER "tls = { };");

	cr_expect(l.c->pools[0].tls);
	cr_expect(l.c->pools[0].tls_verify);
	cr_expect_str_eq(l.c->pools[0].tls_server_name, "");
	cr_expect_str_eq(l.c->pools[0].tls_ca_file, "");
	unload(&l);
}

Test(pools, addresses_are_filled_when_numeric_and_kept_in_one_spelling)
{
	struct loaded l = load_pool("servers = ( { address = \"App.internal:80\"; },\n"
				    "{ address = \"[2001:db8::1]:81\"; },\n"
				    "{ address = \"unix:/run/app.sock\"; },\n"
				    "{ address = \"10.0.0.1:82\"; weight = 0; } );");
	const struct config_server *s = l.c->pools[0].servers;

	cr_assert_eq(l.c->pools[0].n_servers, 4);
	cr_expect_str_eq(s[0].address.text, "app.internal:80");
	cr_expect_str_eq(s[0].address.host, "app.internal");
	cr_expect_eq(s[0].address.port, 80);
	cr_expect_not(s[0].address.numeric);
	cr_expect_str_eq(s[1].address.host, "2001:db8::1");
	cr_expect_eq(s[1].address.sa_len, sizeof(struct sockaddr_in6));
	cr_expect_str_eq(s[2].address.sa.un.sun_path, "/run/app.sock");
	cr_expect_eq(s[3].address.sa.in4.sin_addr.s_addr, htonl(0x0a000001));
	cr_expect_eq(s[3].weight, 0);
	unload(&l);
}

struct spelling {
	char written[48], kept[48];
};

static struct spelling spellings[] = {
	{ "127.0.0.1:080", "127.0.0.1:80" },
	{ "localhost:00080", "localhost:80" },
	{ "LocalHost:80", "localhost:80" },
	{ "[0:0:0::0001]:80", "[::1]:80" },
	{ "[2001:DB8::A]:80", "[2001:db8::a]:80" },
	{ "[::ffff:127.0.0.1]:80", "127.0.0.1:80" },
	{ "[::FFFF:7f00:1]:80", "127.0.0.1:80" },
	{ "unix:/run/App.sock", "unix:/run/App.sock" },
};

ParameterizedTestParameters(pools, one_address_has_one_text)
{
	return cr_make_param_array(
		struct spelling, spellings, sizeof(spellings) / sizeof(spellings[0]));
}

ParameterizedTest(struct spelling *s, pools, one_address_has_one_text)
{
	char *settings = mem_print("servers = ( { address = \"%s\"; } );", s->written);

	struct loaded l = load_pool(settings);

	cr_expect_str_eq(l.c->pools[0].servers[0].address.text, s->kept);
	unload(&l);
	free(settings);
}

Test(pools, whole_numbers_are_taken_where_fractions_are_wanted)
{
	struct loaded l = load_pool(SERVER "health = { jitter = 5; };\n"
					   "eject = { max_share = 33.3333; };");

	cr_expect_eq(l.c->pools[0].health.jitter_ppm, 50000);
	cr_expect_eq(l.c->pools[0].eject_max_ppm, 333333);
	unload(&l);
}

Test(pools, are_found_by_name)
{
	struct loaded l = load(LEAST);

	cr_assert_eq(config_find_pool(l.c, "next"), &l.c->pools[1]);
	cr_assert_null(config_find_pool(l.c, "nex"));
	unload(&l);
}

Test(pools, a_name_has_at_most_63_characters)
{
	char *good = mem_print("pools = { old = { " SERVER " }; n%062d = { " SERVER
			       " }; };\n" LISTENERS ROUTES,
		0);
	char *bad = mem_print("pools = { old = { " SERVER " }; n%063d = { " SERVER
			      " }; };\n" LISTENERS ROUTES,
		0);
	struct loaded l = load(good);

	expect_accepted(&l);
	expect_refused(bad, "is no name: expected a letter");
	unload(&l);
	free(bad);
	free(good);
}
