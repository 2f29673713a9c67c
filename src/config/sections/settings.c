/*
 * settings - the tables of the file itself and of its small groups.
 */
#include <sched.h>
#include <stdlib.h>

#include "sluice/base/log.h"

#include "config_priv.h"

enum { MOST_WORKERS_BY_DEFAULT = 8, MOST_CONNECTIONS = 10000000 };

static const struct word levels[] = {
	{ .text = "error", .value = LOG_ERROR },
	{ .text = "warn", .value = LOG_WARN },
	{ .text = "info", .value = LOG_INFO },
	{ .text = "debug", .value = LOG_DEBUG },
	{ 0 },
};

static const struct word formats[] = {
	{ .text = "text", .value = LOG_TEXT },
	{ .text = "json", .value = LOG_JSON },
	{ 0 },
};

static const struct key log_keys[] = {
	{
		.name = "level",
		.kind = &kind_choice,
		AT(config, log_level),
		.words = levels,
		.preset = LOG_INFO,
		.help = "the least important events that are logged",
	},
	{
		.name = "format",
		.kind = &kind_choice,
		AT(config, log_format),
		.words = formats,
		.preset = LOG_TEXT,
		.help = "how each event is written to stderr, one line each",
	},
};

static const struct table table_log = { TABLE_KEYS(log_keys) };

#define TIMEOUT(key, normal, most, meaning)                                          \
	{                                                                            \
		.name = #key, .kind = &kind_duration, AT(config_timeouts, key##_ms), \
		.preset = (normal), .low = 1, .high = (most), .help = (meaning),     \
	}

static const struct key timeout_keys[] = {
	TIMEOUT(client_header, 10 * SECOND, 24 * HOUR,
		"from the first byte of a request to the end of its head; then 408"),
	TIMEOUT(client_body, 30 * SECOND, 24 * HOUR,
		"longest silence of a client inside a request body; then 408"),
	TIMEOUT(client_slow, 30 * SECOND, 24 * HOUR,
		"how long a client may be waited for at less than limits.client_rate; "
		"then 408, or its connection is closed"),
	TIMEOUT(client_idle, 60 * SECOND, 24 * HOUR,
		"how long a client connection is kept between two requests"),
	TIMEOUT(linger, 2 * MINUTE, HOUR,
		"how long a client that was answered before its request had ended may "
		"go on sending, at limits.client_rate or more; what comes is dropped"),
	TIMEOUT(tls_handshake, 10 * SECOND, 24 * HOUR,
		"from accepting a connection to the end of its TLS handshake"),
	TIMEOUT(connect, 2 * SECOND, 24 * HOUR,
		"for connecting to a server, its TLS handshake included"),
	TIMEOUT(response_head, 30 * SECOND, 24 * HOUR,
		"from the request's last byte to the response head; then 504"),
	TIMEOUT(stream_idle, 60 * SECOND, 24 * HOUR,
		"longest silence of a server inside a response body"),
	TIMEOUT(stall, 2 * SECOND, 24 * HOUR,
		"a promised body silent for this long is one error of its pool; the "
		"exchange goes on"),
	TIMEOUT(upstream_idle, 60 * SECOND, 24 * HOUR,
		"how long an unused connection to a server is kept"),
	TIMEOUT(tunnel_idle, HOUR, 168.0 * HOUR,
		"longest silence of an upgraded connection (WebSocket)"),
	{
		.name = "drain_delay",
		.kind = &kind_duration,
		AT(config_timeouts, drain_delay_ms),
		.preset = 0,
		.high = HOUR,
		.help = "how long sluice still accepts when it is to stop, and /readyz "
			"says 503 already, so that a balancer in front turns away; "
			"then drain begins",
	},
	{
		.name = "drain",
		.kind = &kind_duration,
		AT(config_timeouts, drain_ms),
		.preset = 30 * SECOND,
		.high = 24 * HOUR,
		.help = "what is under way may take this long when sluice stops or a "
			"server leaves",
	},
};

static const struct table table_timeouts = { TABLE_KEYS(timeout_keys) };

static const struct key limit_keys[] = {
	{
		.name = "header_bytes",
		.kind = &kind_size,
		AT(config_limits, header_bytes),
		.preset = 32 * KIB,
		.low = 1 * KIB,
		.high = 64 * KIB,
		.help = "largest head of a request or response; then 431 or 502",
	},
	{
		.name = "header_count",
		.kind = &kind_integer,
		AT(config_limits, header_count),
		.preset = 100,
		.low = 1,
		.high = 256,
		.help = "most header lines of a request or response; then 431 or 502",
	},
	{
		.name = "uri_bytes",
		.kind = &kind_size,
		AT(config_limits, uri_bytes),
		.preset = 8 * KIB,
		.low = 64,
		.high = 128 * KIB,
		.help = "longest request target, at most header_bytes (as the default "
			"is, too); then 414",
	},
	{
		.name = "body_bytes",
		.kind = &kind_size64,
		AT(config_limits, body_bytes),
		.high = 1024.0 * 1024 * MIB,
		.help = "largest request body; then 413; \"0\" = no bound",
	},
	{
		.name = "client_rate",
		.kind = &kind_size,
		AT(config_limits, client_rate),
		.preset = 240,
		.high = 1024 * MIB,
		.help = "fewest bytes a second of a request body that comes, or of an "
			"answer that is taken, while sluice waits for the client "
			"alone; "
			"not of gRPC, streams of events and tunnels; \"0\" = no bound",
	},
	{
		.name = "connections",
		.kind = &kind_integer,
		AT(config_limits, connections),
		.high = MOST_CONNECTIONS,
		.help = "most client connections at once; data threads that accept at "
			"the same moment may pass it by one each; 0 = no bound",
	},
	{
		.name = "connections_per_client",
		.kind = &kind_integer,
		AT(config_limits, connections_per_client),
		.high = MOST_CONNECTIONS,
		.help = "most connections at once from one client address; 0 = no "
			"bound",
	},
	{
		.name = "handshakes_per_client",
		.kind = &kind_integer,
		AT(config_limits, handshakes_per_client),
		.high = 100000,
		.help = "most TLS handshakes a second from one client address; those "
			"above are closed; 0 = no bound",
	},
	{
		.name = "streams",
		.kind = &kind_integer,
		AT(config_limits, streams),
		.preset = 100,
		.low = 1,
		.high = 1000,
		.help = "most requests at once on one HTTP/2 connection of a client",
	},
	{
		.name = "pending",
		.kind = &kind_integer,
		AT(config_limits, pending),
		.preset = 1024,
		.low = 1,
		.high = UINT16_MAX,
		.help = "most requests of each data thread that wait for a server; one "
			"more is answered 503",
	},
};

static void check_limits(struct reader *rd, void *base, config_setting_t *s)
{
	struct config_limits *l = base;

	if (l->uri_bytes <= l->header_bytes)
		return;
	if (config_setting_get_member(s, "uri_bytes") == NULL)
		l->uri_bytes = l->header_bytes;
	else if (problem_is_absent(rd, s, "header_bytes") &&
		 problem_is_absent(rd, s, "uri_bytes"))
		problem_at_member(rd, s, "uri_bytes",
			"is larger than header_bytes (%u > %u): a request target is "
			"part of the head",
			l->uri_bytes, l->header_bytes);
}

static const struct table table_limits = {
	TABLE_KEYS(limit_keys),
	.check = check_limits,
};

static bool admin_listens(const void *base)
{
	return ((const struct config_admin *)base)->has_listen;
}

static const struct key admin_keys[] = {
	{
		.name = "socket",
		.kind = &kind_path,
		AT(config_admin, socket),
		.text = "/run/sluice/admin.sock",
		.high = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1,
		.restart = true,
		.help = "the Unix socket that sluicectl talks to",
	},
	{
		.name = "mode",
		.kind = &kind_mode,
		AT(config_admin, mode),
		.preset = 0660,
		.high = 0777,
		.help = "permissions of the socket: whoever may write to it may move "
			"traffic",
	},
	{
		.name = "listen",
		.kind = &kind_loopback_address,
		AT(config_admin, listen),
		.written = admin_listens,
		.help = "also serve /metrics, /healthz, /readyz and the reading half "
			"of the API here, plain HTTP",
	},
};

static void check_admin(struct reader *rd, void *base, config_setting_t *s)
{
	struct config_admin *a = base;
	char *socket = mem_print("unix:%s", a->socket);

	(void)problem_unless_first(rd, rd->bound, span_of(socket), s, "socket");
	free(socket);
	a->has_listen = a->listen.text != NULL;
	if (a->has_listen)
		(void)problem_unless_first(
			rd, rd->bound, span_of(a->listen.text), s, "listen");
}

static const struct table table_admin = {
	TABLE_KEYS(admin_keys),
	.check = check_admin,
};

static const struct word outages[] = {
	{ .text = "hold", .value = CONFIG_OUTAGE_HOLD },
	{ .text = "ignore", .value = CONFIG_OUTAGE_IGNORE },
	{ .text = "revert", .value = CONFIG_OUTAGE_REVERT },
	{ 0 },
};

static const struct key journal_keys[] = {
	{
		.name = "path",
		.kind = &kind_path,
		AT(config_journal, path),
		.text = "/var/lib/sluice/journal.db",
		.restart = true,
		.help = "the SQLite file with every decision; the state that survives "
			"a crash stands beside it in PATH-live",
	},
	{
		.name = "postgres",
		.kind = &kind_secret,
		AT(config_journal, postgres),
		.help = "connection string of a PostgreSQL to which decisions are "
			"forwarded; empty = none; never shown",
	},
	{
		.name = "grace",
		.kind = &kind_duration,
		AT(config_journal, grace_ms),
		.preset = 30 * SECOND,
		.high = 24 * HOUR,
		.help = "PostgreSQL may be away this long before on_outage acts",
	},
	{
		.name = "on_outage",
		.kind = &kind_choice,
		AT(config_journal, on_outage),
		.words = outages,
		.preset = CONFIG_OUTAGE_HOLD,
		.help = "what plans do then: stay where they are, go on, or return to "
			"legacy",
	},
};

static const struct table table_journal = { TABLE_KEYS(journal_keys) };

/* Pools stand before migrations, and both before routes, because names are
 * resolved as they are read. */
static const struct key root_keys[] = {
	{
		.name = "workers",
		.kind = &kind_integer,
		AT(config, workers),
		.high = CONFIG_MAX_WORKERS,
		.restart = true,
		.help = "data threads; 0 = the cores this process may use, at most 8",
	},
	{
		.name = "trusted",
		.kind = &kind_networks,
		.text = "[ \"127.0.0.0/8\" ]",
		.help = "peers whose X-Forwarded-* and PROXY headers count; a peer on "
			"a "
			"Unix socket is as 127.0.0.1",
	},
	{
		.name = "log",
		.kind = &kind_group,
		.table = &table_log,
		.help = "what is logged, and how",
	},
	{
		.name = "timeouts",
		.kind = &kind_group,
		AT(config, timeouts),
		.table = &table_timeouts,
		.help = "how long each wait may last",
	},
	{
		.name = "limits",
		.kind = &kind_group,
		AT(config, limits),
		.table = &table_limits,
		.help = "how much is accepted from clients",
	},
	{
		.name = "headers",
		.kind = &kind_group,
		AT(config, headers),
		.table = &table_headers,
		.help = "what sluice adds to messages about itself",
	},
	{
		.name = "pools",
		.kind = &kind_named,
		AT(config, pools),
		.count_at = offsetof(struct config, n_pools),
		.table = &table_pool,
		.low = 1,
		.high = 1024,
		.required = true,
		.help = "named sets of servers",
		.hint = "at least one pool of servers is needed, as pools = { main = { "
			"servers = ( { address = \"127.0.0.1:9001\"; } ); }; };",
	},
	{
		.name = "migrations",
		.kind = &kind_named,
		AT(config, migrations),
		.count_at = offsetof(struct config, n_migrations),
		.table = &table_migration,
		.high = 1000,
		.help = "pairs of pools between which traffic moves; without any, "
			"sluice is a reverse proxy",
	},
	{
		.name = "listeners",
		.kind = &kind_list,
		AT(config, listeners),
		.count_at = offsetof(struct config, n_listeners),
		.table = &table_listener,
		.low = 1,
		.high = 64,
		.required = true,
		.help = "the addresses to accept clients on",
		.hint = "at least one address to listen on is needed, as listeners = ( "
			"{ name = \"web\"; address = \"0.0.0.0:8080\"; } );",
	},
	{
		.name = "routes",
		.kind = &kind_list,
		AT(config, routes),
		.count_at = offsetof(struct config, n_routes),
		.table = &table_route,
		.low = 1,
		.high = 20000,
		.required = true,
		.help = "which requests go to which migration or pool",
		.hint = "at least one route from requests to a pool or migration is "
			"needed, as routes = ( { path = \"/\"; pool = \"main\"; } );",
	},
	{
		.name = "admin",
		.kind = &kind_group,
		AT(config, admin),
		.table = &table_admin,
		.help = "where operators and monitoring reach sluice",
	},
	{
		.name = "journal",
		.kind = &kind_group,
		AT(config, journal),
		.table = &table_journal,
		.help = "where decisions are recorded",
	},
};

static uint32_t usable_cores(void)
{
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	if (n < 1)
		n = 1;
	return n > MOST_WORKERS_BY_DEFAULT ? MOST_WORKERS_BY_DEFAULT : (uint32_t)n;
}

static void check_root(struct reader *rd, void *base, config_setting_t *s)
{
	struct config *c = base;

	(void)rd;
	(void)s;
	if (c->workers == 0)
		c->workers = usable_cores();
}

const struct table table_root = {
	TABLE_KEYS(root_keys),
	.size = sizeof(struct config),
	.check = check_root,
};
