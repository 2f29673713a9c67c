#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "scene.h"

/* Something of everything, and little of it the default. */
#define MUCH                                                                           \
	"workers = 3; trusted = [ \"10.0.0.0/8\", \"fd00::/8\" ];\n"                   \
	"log = { level = \"debug\"; format = \"json\"; };\n"                           \
	"listeners = ( { name = \"web\"; address = \"[::]:8443\"; tls = { "            \
	"certificates = (\n"                                                           \
	"  { cert = \"/etc/hostname\"; key = \"/etc/hostname\"; } ); min_version = "   \
	"\"1.3\";\n"                                                                   \
	"  alpn = [ \"http/1.1\" ]; }; }, { name = \"r\"; address = \"0.0.0.0:80\";\n" \
	"  redirect = \"https\"; }, { name = \"p\"; address = \"0.0.0.0:81\"; \n"      \
	"  h2c = true; proxy_protocol = true; upgrades = { rate = 9; }; } );\n"        \
	"headers = { via = \"me\"; forwarded = true; };\n"                             \
	"limits = { body_bytes = \"3g\"; uri_bytes = \"1000\"; streams = 7; pending "  \
	"= 9; };\n"                                                                    \
	"pools = { old = { servers = ( { address = \"a.b:1\"; weight = 7; "            \
	"max_requests = 9; } );\n"                                                     \
	"  balance = \"round_robin\"; health = { host = \"q\\\"\\\\q\"; status = [ "   \
	"200, 404 ];\n"                                                                \
	"  jitter = 12.3456; }; tls = { verify = false; server_name = \"x.y\"; }; "    \
	"};\n"                                                                         \
	"  proxy = { servers = ( { address = \"a:1\"; } ); proxy_protocol = \"v1\"; "  \
	"};\n"                                                                         \
	"  next = { servers = ( { address = \"unix:/n\"; } ); protocol = \"h2\";\n"    \
	"  max_requests = 3; max_pending = 4; health = { type = \"grpc\"; service = "  \
	"\"s\"; }; }; };\n"                                                            \
	"migrations = { m = { legacy = \"old\"; new = \"next\";\n"                     \
	"  weights = { legacy = 2; new = 1; }; guard = { error_rate = 0.07; h = "      \
	"1.23456789;\n"                                                                \
	"  p95_latency = \"1s\"; mode = \"observe\"; alpha_promote = "                 \
	"0.333333333333333315; };\n"                                                   \
	"  plan = { autostart = true; steps = ( { weight = 0.1; }, { weight = "        \
	"33.3333; } ); };\n"                                                           \
	"  rescue = { enabled = false; max_body = \"0\"; };\n"                         \
	"  tunnels = { enabled = false; on_revert = \"cut\"; drain_rate = 1; burst = " \
	"2; };\n"                                                                      \
	"  errors = { status = [ 404, 500 ]; grpc = [ 1, 16 ]; }; }; };\n"             \
	"routes = ( { migration = \"m\"; }, { host = \"*.b\"; path = \"/x\"; pool = "  \
	"\"old\"; } );\n"                                                              \
	"admin = { listen = \"127.0.0.1:9900\"; mode = \"0600\"; };\n"                 \
	"journal = { on_outage = \"revert\"; };\n"

Test(print, what_is_printed_loads_again_as_the_same)
{
	struct loaded first = load(MUCH);
	expect_accepted(&first);
	char *printed = config_print(first.c);

	struct loaded again = load(printed);

	expect_accepted(&again);
	struct config_problems lines = { 0 };
	config_diff(first.c, again.c, &lines);
	cr_expect_eq(lines.n, 0, "%s", lines.n > 0 ? lines.text[0] : "");
	cr_expect_eq(first.c->migrations[0].guard.h, again.c->migrations[0].guard.h);
	cr_expect_eq(first.c->migrations[0].guard.alpha_promote,
		again.c->migrations[0].guard.alpha_promote);
	cr_expect_eq(first.c->migrations[0].new_ppm, again.c->migrations[0].new_ppm);
	config_problems_fini(&lines);
	unload(&again);
	free(printed);
	unload(&first);
}

Test(print, every_default_is_shown)
{
	struct loaded l = load(LEAST);
	char *printed = config_print(l.c);

	cr_expect_not_null(strstr(printed, "\theader_count = 100;\n"));
	cr_expect_not_null(strstr(printed, "\tdrain = \"30s\";\n"));
	cr_expect_not_null(strstr(printed, "\tsocket = \"/run/sluice/admin.sock\";\n"));
	cr_expect_not_null(strstr(printed, "\t\tbalance = \"least_inflight\";\n"));
	cr_expect_not_null(strstr(printed, "\t\tprotocol = \"http/1.1\";\n"));
	cr_expect_not_null(strstr(printed, "\t\tproxy_protocol = \"off\";\n"));
	cr_expect_not_null(strstr(printed, "\t\th2c = false;\n"));
	cr_expect_not_null(strstr(printed, "\tstreams = 100;\n"));
	cr_expect_not_null(strstr(printed, "\tvia = \"\";\n"));
	free(printed);
	unload(&l);
}

/* The text of a file of this source tree. Free with free(). */
static char *read_source(const char *name)
{
	char *path = mem_print("%s/%s", SOURCE_FOLDER, name);
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t n = 0;

	cr_assert_not_null(f, "%s", path);
	cr_assert_neq(getdelim(&text, &n, '\0', f), -1);
	fclose(f);
	free(path);
	return text;
}

Test(print, the_reference_in_docs_is_what_the_tables_say)
{
	char *kept = read_source("docs/configuration.md");
	char *now = config_reference();

	cr_assert(strcmp(kept, now) == 0, "docs/configuration.md is old: ninja -C "
					  "build reference writes it anew");
	free(now);
	free(kept);
}

/* conf/sluice.conf, in a folder where its certificates exist. */
static struct loaded load_default_file(const char *folder)
{
	char *text = read_source("conf/sluice.conf");
	char *conf = mem_print("%s/conf", folder),
	     *certs = mem_print("%s/certs", folder);
	char *command = mem_print("mkdir %s %s", conf, certs);

	cr_assert_eq(system(command), 0);
	free(write_file(certs, "demo.pem", ""));
	free(write_file(certs, "demo.key", ""));
	char *file = write_file(conf, "sluice.conf", text);

	struct loaded l = load_file(file);

	free(file);
	free(command);
	free(certs);
	free(conf);
	free(text);
	return l;
}

/* What conf/sluice.conf says that is not a default, and nothing else. */
#define EXAMPLES                                                                      \
	"listeners = (\n"                                                             \
	"{ name = \"web\"; address = \"0.0.0.0:8443\"; tls = { certificates = (\n"    \
	"  { cert = \"../certs/demo.pem\"; key = \"../certs/demo.key\"; } ); }; },\n" \
	"{ name = \"redirect\"; address = \"0.0.0.0:8080\"; redirect = "              \
	"\"https:8443\"; } );\n"                                                      \
	"pools = { legacy = { servers = ( { address = \"127.0.0.1:9001\"; },\n"       \
	"  { address = \"127.0.0.1:9002\"; } ); health = { }; };\n"                   \
	"new = { servers = ( { address = \"127.0.0.1:9101\"; }, { address = "         \
	"\"127.0.0.1:9102\"; } );\n"                                                  \
	"  health = { }; }; };\n"                                                     \
	"migrations = { api = { legacy = \"legacy\"; new = \"new\";\n"                \
	"weights = { legacy = 100; new = 0; };\n"                                     \
	"guard = { error_rate = 1.0; p95_latency = \"500ms\"; };\n"                   \
	"plan = { steps = ( { weight = 5; hold = \"10m\"; }, { weight = 25; hold = "  \
	"\"30m\"; },\n"                                                               \
	"  { weight = 50; hold = \"1h\"; }, { weight = 100; } ); }; }; };\n"          \
	"routes = ( { migration = \"api\"; } );\n"

Test(print, the_file_for_operators_is_accepted_and_shows_the_defaults)
{
	char *folder = folder_new();
	struct loaded shown = load_default_file(folder);
	char *path = mem_print("%s/conf", folder);
	char *file = write_file(path, "examples.conf", EXAMPLES);

	struct loaded bare = load_file(file);

	expect_accepted(&shown);
	expect_accepted(&bare);
	struct config_problems lines = { 0 };
	config_diff(bare.c, shown.c, &lines);
	cr_assert_eq(lines.n, 0, "%s", lines.n > 0 ? lines.text[0] : "");
	config_problems_fini(&lines);
	unload(&bare);
	unload(&shown);
	free(file);
	free(path);
	folder_remove(folder);
}

/* The names in "| `name` | ..." of the reference. */
static bool next_name(const char **at, char name[static 64])
{
	while ((*at = strstr(*at, "\n| `")) != NULL) {
		*at += strlen("\n| `");
		if (sscanf(*at, "%63[a-z0-9_]", name) == 1)
			return true;
	}
	return false;
}

Test(print, the_file_for_operators_mentions_every_setting)
{
	char *text = read_source("conf/sluice.conf");
	char *reference = config_reference();
	const char *at = reference;
	char name[64];
	size_t seen = 0;

	for (; next_name(&at, name); seen++) {
		char *setting = mem_print("%s = ", name);

		/* What is not available yet would only tempt. */
		if (strcmp(name, "sticky") != 0)
			cr_expect_not_null(strstr(text, setting), "%s", name);
		free(setting);
	}
	cr_assert_geq(seen, 80);
	free(reference);
	free(text);
}
