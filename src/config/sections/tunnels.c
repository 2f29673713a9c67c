/*
 * tunnels - connections that stop being HTTP (WebSocket): how many may begin, and
 * what becomes of them when traffic returns to legacy.
 *
 * A bucket stands at both doors that a tunnel goes through: the listener it comes
 * in at, and the migration that it belongs to.
 */
#include "config_priv.h"

#define RATE(type, field, where)                                        \
	{                                                               \
		.name = "rate", .kind = &kind_integer, AT(type, field), \
		.high = 1000000,                                        \
		.help = "tunnels that may begin each second " where     \
			", over all threads; 0 = unmetered",            \
	}
#define BURST(type, field)                                                  \
	{                                                                   \
		.name = "burst", .kind = &kind_integer, AT(type, field),    \
		.preset = 100, .low = 1, .high = 1000000,                   \
		.help = "tunnels that may begin at once after a calm time", \
	}
#define QUEUE(type, field)                                                            \
	{                                                                             \
		.name = "queue", .kind = &kind_integer, AT(type, field),              \
		.preset = 1000, .high = 100000,                                       \
		.help = "tunnels that wait for their turn; one more is answered 503 " \
			"with Retry-After",                                           \
	}

static const struct key upgrade_keys[] = {
	RATE(config_bucket, rate, "at this listener"),
	BURST(config_bucket, burst),
	QUEUE(config_bucket, queue),
};

const struct table table_upgrades = { TABLE_KEYS(upgrade_keys) };

static const struct word on_reverts[] = {
	{ .text = "stay", .value = CONFIG_STAY },
	{ .text = "drain", .value = CONFIG_DRAIN },
	{ .text = "cut", .value = CONFIG_CUT },
	{ 0 },
};

static const struct key tunnel_keys[] = {
	{
		.name = "enabled",
		.kind = &kind_switch,
		AT(config_tunnels, enabled),
		.preset = true,
		.help = "false answers upgrades with 503 and Retry-After, so that "
			"clients fall back to polling",
	},
	{
		.name = "on_revert",
		.kind = &kind_choice,
		AT(config_tunnels, on_revert),
		.words = on_reverts,
		.preset = CONFIG_DRAIN,
		.help = "what becomes of new's tunnels and endless streams when "
			"traffic returns to legacy: they live on, are asked to leave a "
			"few at a time, or are closed at once",
	},
	{
		.name = "drain_rate",
		.kind = &kind_integer,
		AT(config_tunnels, drain_rate),
		.preset = 50,
		.low = 1,
		.high = 100000,
		.help = "how many a second are asked to leave by drain, over all "
			"threads, so that they do not all come back at once",
	},
	RATE(config_tunnels, bucket.rate, "in this migration"),
	BURST(config_tunnels, bucket.burst),
	QUEUE(config_tunnels, bucket.queue),
};

const struct table table_tunnels = { TABLE_KEYS(tunnel_keys) };
