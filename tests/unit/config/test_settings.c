#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/log.h"
#include "sluice/base/mem.h"

#include "scene.h"

static struct slip slips[] = {
	{ "workers = 65;", "workers: expected 0..64, got 65" },
	{ "workers = -1;", "workers: expected 0..64, got -1" },
	{ "workers = 2.0;", "workers: expected a whole number, got 2" },
	{ "workers = \"2\";", "workers: expected a whole number, got \"2\"" },
	{ "worker = 2;",
		"worker: unknown setting; the nearest known one is \"workers\"" },
	{ "log = { level = \"inof\"; };", "log.level: expected \"error\" or" },
	{ "log = { level = 3; };", "log.level: expected a word in quotes, got 3" },
	{ "log = ( );", "log: expected a group { }, got a list ( )" },
	{ "log = { fromat = \"json\"; };", "the nearest known one is \"format\"" },
	{ "timeouts = { connect = \"0\"; };",
		"timeouts.connect: expected 1ms..24h, got 0" },
	{ "timeouts = { connect = \"25h\"; };", "expected 1ms..24h, got 25h" },
	{ "timeouts = { connect = 2; };", "expected a duration in quotes" },
	{ "timeouts = { connect = \"2\"; };",
		"as \"250ms\", \"2s\", \"10m\" or \"4h\", got \"2\"" },
	{ "timeouts = { connect = \"1h30m\"; };", "got \"1h30m\"" },
	{ "timeouts = { connect = \"2 s\"; };", "got \"2 s\"" },
	{ "timeouts = { connect = \"1.5s\"; };", "got \"1.5s\"" },
	{ "timeouts = { connect = \"-2s\"; };", "got \"-2s\"" },
	{ "timeouts = { connect = \"s\"; };", "got \"s\"" },
	{ "timeouts = { connect = \"\"; };", "got \"\"" },
	{ "timeouts = { connect = \"99999999999999999999s\"; };",
		"expected a duration" },
	{ "timeouts = { connect = \"2S\"; };", "got \"2S\"" },
	{ "limits = { header_bytes = \"1023\"; };",
		"header_bytes: expected 1k..64k, got 1023" },
	{ "limits = { header_bytes = \"65k\"; };", "expected 1k..64k, got 65k" },
	{ "limits = { header_bytes = 32768; };",
		"expected a size in quotes, as \"512\"" },
	{ "limits = { header_bytes = \"32kb\"; };", "got \"32kb\"" },
	{ "limits = { header_count = 0; };", "header_count: expected 1..256, got 0" },
	{ "limits = { header_count = 257; };",
		"header_count: expected 1..256, got 257" },
	{ "limits = { streams = 0; };", "streams: expected 1..1000, got 0" },
	{ "limits = { streams = 1001; };", "streams: expected 1..1000, got 1001" },
	{ "limits = { pending = 0; };", "pending: expected 1..65535, got 0" },
	{ "limits = { pending = 65536; };", "pending: expected 1..65535, got 65536" },
	{ "limits = { handshakes_per_client = 100001; };",
		"handshakes_per_client: expected 0..100000, got 100001" },
	{ "limits = { handshakes_per_cleint = 1; };",
		"the nearest known one is \"handshakes_per_client\"" },
	{ "headers = { via = \"a b\"; };",
		"headers.via: expected a token (letters, digits and "
		"!#$%&'*+-.^_`|~), got \"a b\"" },
	{ "headers = { via = \"a/b\"; };", "headers.via: expected a token" },
	{ "headers = { via = \"caf\xc3\xa9\"; };", "headers.via: expected a token" },
	{ "headers = { forwarded = \"yes\"; };",
		"headers.forwarded: expected true or false, got \"yes\"" },
	{ "headers = { forwared = true; };", "the nearest known one is \"forwarded\"" },
	{ "headers = \"via\";", "headers: expected a group { }, got \"via\"" },
	{ "limits = { uri_bytes = \"33k\"; };",
		"uri_bytes: is larger than header_bytes" },
	{ "limits = { body_bytes = \"-1\"; };",
		"body_bytes: expected a size in quotes" },
	{ "trusted = \"10.0.0.0/8\";", "trusted: expected an array of address ranges" },
	{ "trusted = [ \"10.0.0.0/33\" ];",
		"trusted[0]: the prefix of \"10.0.0.0/33\"" },
	{ "trusted = [ \"10.0.0.1/8\" ];", "write \"10.0.0.0/8\"" },
	{ "trusted = [ \"fd00::1/8\" ];", "write \"fd00::/8\"" },
	{ "trusted = [ \"localhost\" ];", "expected an address or a range" },
	{ "trusted = [ 10 ];",
		"trusted[0]: expected an address range in quotes, got 10" },
	{ "admin = { listen = \"0.0.0.0:9900\"; };",
		"admin.listen: expected a loopback" },
	{ "admin = { listen = \"unix:/x\"; };", "admin.listen: expected a loopback" },
	{ "admin = { listen = \"127.0.0.1\"; };", "expected \"HOST:PORT\"" },
	{ "admin = { listen = \"127.0.0.1:8080\"; };", "stands already at" },
	{ "admin = { socket = \"\"; };", "admin.socket: " },
	{ "admin = { socket = \"/run/\"; };", "is a folder: expected a file" },
	{ "admin = { mode = 660; };",
		"admin.mode: expected file permissions in quotes" },
	{ "admin = { mode = \"0689\"; };", "got \"0689\"" },
	{ "admin = { mode = \"4755\"; };",
		"admin.mode: expected 0000..0777, got 4755" },
	{ "journal = { path = \"\"; };", "journal.path: " },
	{ "journal = { grace = \"25h\"; };",
		"journal.grace: expected 0..24h, got 25h" },
	{ "journal = { on_outage = \"stop\"; };",
		"journal.on_outage: expected \"hold\" or" },
	{ "include = 1;", "include: unknown setting" },
	{ "log = { level = \"in\nfo\"; };", "a text has no end on its line" },
	{ "log = { level = \"in\\nfo\"; };", "log.level: has a control character" },
};

ParameterizedTestParameters(settings, a_slip_is_named_once)
{
	return cr_make_param_array(
		struct slip, slips, sizeof(slips) / sizeof(slips[0]));
}

ParameterizedTest(struct slip *s, settings, a_slip_is_named_once)
{
	char *text = mem_print("%s\n" LEAST, s->text);

	expect_refused(text, s->words);
	free(text);
}

static int usable_cores(void)
{
	cpu_set_t set;

	cr_assert_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_COUNT(&set);
}

Test(settings, without_workers_there_is_one_for_each_core_but_at_most_8)
{
	struct loaded unset = load(LEAST);
	struct loaded zero = load("workers = 0;\n" LEAST);
	unsigned cores = (unsigned)usable_cores();

	cr_assert_eq(unset.c->workers, cores > 8 ? 8 : cores);
	cr_assert_eq(zero.c->workers, unset.c->workers);
	unload(&zero);
	unload(&unset);
}

Test(settings, more_workers_than_cores_may_be_asked_for)
{
	struct loaded l = load("workers = 64;\n" LEAST);

	expect_accepted(&l);
	cr_assert_eq(l.c->workers, 64);
	unload(&l);
}

Test(settings, timeouts_and_limits_have_the_documented_defaults)
{
	struct loaded l = load(LEAST);
	const struct config_timeouts *t = &l.c->timeouts;
	const struct config_limits *limits = &l.c->limits;

	cr_expect_eq(t->client_header_ms, 10000);
	cr_expect_eq(t->client_body_ms, 30000);
	cr_expect_eq(t->client_idle_ms, 60000);
	cr_expect_eq(t->linger_ms, 120000);
	cr_expect_eq(t->tls_handshake_ms, 10000);
	cr_expect_eq(t->connect_ms, 2000);
	cr_expect_eq(t->response_head_ms, 30000);
	cr_expect_eq(t->stream_idle_ms, 60000);
	cr_expect_eq(t->stall_ms, 2000);
	cr_expect_eq(t->upstream_idle_ms, 60000);
	cr_expect_eq(t->tunnel_idle_ms, 3600000);
	cr_expect_eq(t->drain_delay_ms, 0);
	cr_expect_eq(t->drain_ms, 30000);
	cr_expect_eq(limits->header_bytes, 32768);
	cr_expect_eq(limits->header_count, 100);
	cr_expect_eq(limits->uri_bytes, 8192);
	cr_expect_eq(limits->body_bytes, 0);
	cr_expect_eq(limits->connections, 0);
	cr_expect_eq(limits->connections_per_client, 0);
	cr_expect_eq(limits->handshakes_per_client, 0);
	cr_expect_eq(limits->streams, 100);
	cr_expect_eq(limits->pending, 1024);
	unload(&l);
}

Test(settings, the_log_the_admin_and_the_journal_have_the_documented_defaults)
{
	struct loaded l = load(LEAST);

	cr_expect_eq(l.c->log_level, LOG_INFO);
	cr_expect_eq(l.c->log_format, LOG_TEXT);
	cr_expect_str_eq(l.c->admin.socket, "/run/sluice/admin.sock");
	cr_expect_eq(l.c->admin.mode, 0660);
	cr_expect_not(l.c->admin.has_listen);
	cr_expect_str_eq(l.c->journal.path, "/var/lib/sluice/journal.db");
	cr_expect_str_eq(l.c->journal.postgres, "");
	cr_expect_eq(l.c->journal.grace_ms, 30000);
	cr_expect_eq(l.c->journal.on_outage, CONFIG_OUTAGE_HOLD);
	unload(&l);
}

Test(settings, sluice_says_nothing_of_itself_by_default)
{
	struct loaded l = load(LEAST);

	cr_expect_str_eq(l.c->headers.via, "");
	cr_expect_not(l.c->headers.forwarded);
	unload(&l);
}

Test(settings, sluice_may_name_itself_and_send_forwarded)
{
	struct loaded l = load(
		"headers = { via = \"sluice-1.edge\"; forwarded = true; };\n" LEAST);

	expect_accepted(&l);
	cr_expect_str_eq(l.c->headers.via, "sluice-1.edge");
	cr_expect(l.c->headers.forwarded);
	unload(&l);
}

Test(settings, durations_and_sizes_have_units)
{
	struct loaded l = load(
		"timeouts = { connect = \"250ms\"; stall = \"2s\"; drain = \"0\";\n"
		"client_idle = \"10m\"; tunnel_idle = \"4h\"; };\n"
		"limits = { header_bytes = \"16k\"; uri_bytes = \"512\";\n"
		"body_bytes = \"5g\"; };\n" LEAST);

	expect_accepted(&l);
	cr_expect_eq(l.c->timeouts.connect_ms, 250);
	cr_expect_eq(l.c->timeouts.stall_ms, 2000);
	cr_expect_eq(l.c->timeouts.drain_ms, 0);
	cr_expect_eq(l.c->timeouts.client_idle_ms, 600000);
	cr_expect_eq(l.c->timeouts.tunnel_idle_ms, 4 * 3600000);
	cr_expect_eq(l.c->limits.header_bytes, 16384);
	cr_expect_eq(l.c->limits.uri_bytes, 512);
	cr_expect_eq(l.c->limits.body_bytes, UINT64_C(5) << 30);
	unload(&l);
}

Test(settings, relative_paths_start_at_the_folder_of_the_file)
{
	struct loaded l = load("admin = { socket = \"run/admin.sock\"; };\n"
			       "journal = { path = \"../journal.db\"; };\n" LEAST);

	expect_accepted(&l);
	cr_expect_str_eq(l.c->admin.socket, "/scene/run/admin.sock");
	cr_expect_str_eq(l.c->journal.path, "/scene/../journal.db");
	unload(&l);
}

Test(settings, a_socket_path_that_the_system_cannot_hold_is_refused)
{
	char *text = mem_print("admin = { socket = \"/%0107d\"; };\n" LEAST, 0);

	expect_refused(text, "admin.socket: ");
	free(text);
}

Test(settings, the_admin_socket_is_no_listener)
{
	expect_refused(
		"listeners = ( { name = \"web\"; address = \"unix:/run/a.sock\"; } );\n"
		"admin = { socket = \"/run/a.sock\"; };\n" POOLS ROUTES,
		"admin.socket: unix:/run/a.sock stands already at");
}

Test(settings, a_request_target_has_no_more_room_than_its_head)
{
	struct loaded l = load("limits = { header_bytes = \"4k\"; };\n" LEAST);

	expect_accepted(&l);
	cr_assert_eq(l.c->limits.uri_bytes, 4096);
	unload(&l);
}

Test(settings, admin_may_listen_on_loopback)
{
	struct loaded v4 = load("admin = { listen = \"127.0.0.2:9900\"; };\n" LEAST);
	struct loaded v6 = load("admin = { listen = \"[::1]:9900\"; };\n" LEAST);

	expect_accepted(&v4);
	expect_accepted(&v6);
	cr_expect(v4.c->admin.has_listen);
	cr_expect_eq(v4.c->admin.listen.sa.in4.sin_port, htons(9900));
	cr_expect_eq(v6.c->admin.listen.sa.any.sa_family, AF_INET6);
	unload(&v6);
	unload(&v4);
}

Test(settings, what_is_missing_altogether_is_named_with_an_example)
{
	struct loaded l = load("");

	cr_assert_eq(l.problems.n, 3);
	cr_assert(told(&l, "pools: is missing: at least one pool"));
	cr_assert(told(&l, "listeners: is missing: at least one address"));
	cr_assert(told(&l, "routes: is missing: at least one route"));
	unload(&l);
}

Test(settings, the_connection_string_is_never_told)
{
	struct loaded good =
		load("journal = { postgres = \"password=hunter2\"; };\n" LEAST);
	struct loaded bad =
		load("journal = { postgres = \"password=hunter2\\n\"; };\n" LEAST);
	struct loaded list = load("journal = { postgres = [ \"hunter2\" ]; };\n" LEAST);
	char *printed = config_print(good.c);

	cr_assert_str_eq(good.c->journal.postgres, "password=hunter2");
	cr_assert_not_null(strstr(printed, "postgres = \"***\""));
	cr_assert_null(strstr(printed, "hunter2"));
	cr_assert(told(&bad, "journal.postgres: ") && !told(&bad, "hunter2"));
	cr_assert(told(&list, "journal.postgres: ") && !told(&list, "hunter2"));
	free(printed);
	unload(&list);
	unload(&bad);
	unload(&good);
}
