/*
 * checks - how the servers of a pool are asked whether they are well.
 */
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

static const struct word health_types[] = {
	{ .text = "http", .value = CONFIG_HEALTH_HTTP },
	{ .text = "tcp", .value = CONFIG_HEALTH_TCP },
	{ .text = "grpc", .value = CONFIG_HEALTH_GRPC },
	{ .text = "none", .value = CONFIG_HEALTH_NONE },
	{ 0 },
};

static const struct key health_keys[] = {
	{
		.name = "type",
		.kind = &kind_choice,
		AT(config_health, type),
		.words = health_types,
		.preset = CONFIG_HEALTH_HTTP,
		.help = "what a check does: a request (in the pool's protocol), a "
			"connect, a call of grpc.health.v1 (on an HTTP/2 connection of "
			"its own, whatever the pool's protocol), or nothing; without a "
			"health group, nothing",
	},
	{
		.name = "path",
		.kind = &kind_text,
		AT(config_health, path),
		.text = "/api/health",
		.high = 1024,
		.help = "what an http check asks for",
	},
	{
		.name = "host",
		.kind = &kind_text,
		AT(config_health, host),
		.high = 260,
		.help = "the Host (:authority) that an http or grpc check sends; empty "
			"= the server's address",
	},
	{
		.name = "status",
		.kind = &kind_statuses,
		AT(config_health, status),
		.count_at = offsetof(struct config_health, n_status),
		.preset = 200,
		.text = "[ 200 ]",
		.low = 200,
		.high = 599,
		.help = "the answers to an http check that mean healthy",
	},
	{
		.name = "service",
		.kind = &kind_text,
		AT(config_health, service),
		.high = 255,
		.help = "the service that a grpc check asks about; empty = the server "
			"as a whole",
	},
	{
		.name = "interval",
		.kind = &kind_duration,
		AT(config_health, interval_ms),
		.preset = 2 * SECOND,
		.low = 10,
		.high = HOUR,
		.help = "from the start of one check to the start of the next",
	},
	{
		.name = "jitter",
		.kind = &kind_percent_ppm,
		AT(config_health, jitter_ppm),
		.preset = 10,
		.high = 100,
		.help = "percent by which an interval may be shorter or longer, so "
			"that checks do not march in step",
	},
	{
		.name = "timeout",
		.kind = &kind_duration,
		AT(config_health, timeout_ms),
		.preset = 1 * SECOND,
		.low = 1,
		.high = HOUR,
		.help = "a check without an answer by then has failed",
	},
	{
		.name = "rise",
		.kind = &kind_integer,
		AT(config_health, rise),
		.preset = 2,
		.low = 1,
		.high = 100,
		.help = "checks in a row that bring a server back",
	},
	{
		.name = "fall",
		.kind = &kind_integer,
		AT(config_health, fall),
		.preset = 3,
		.low = 1,
		.high = 100,
		.help = "failed checks in a row that take a server out",
	},
};

bool check_path_is_valid(const char *path)
{
	if (*path != '/')
		return false;
	for (; *path != '\0'; path++)
		if (*path <= 0x20 || *path > 0x7e || *path == '#')
			return false;
	return true;
}

static void check_health(struct reader *rd, void *base, config_setting_t *s)
{
	const struct config_health *h = base;

	if (!check_path_is_valid(h->path))
		problem_at_member(rd, s, "path",
			"expected a path from \"/\" without blanks or \"#\", got "
			"\"%.60s\"",
			h->path);
	for (const char *p = h->host; *p != '\0'; p++)
		if (*p <= 0x20 || *p > 0x7e || strchr("/?#@", *p) != NULL) {
			problem_at_member(rd, s, "host",
				"expected a host name, with \":PORT\" if needed, got "
				"\"%.60s\"",
				h->host);
			return;
		}
}

const struct table table_health = {
	TABLE_KEYS(health_keys),
	.check = check_health,
};
