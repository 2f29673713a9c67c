/*
 * guards - what the new pool of a migration must not exceed.
 *
 * The ranges are those of GUARD 2: outside them the arithmetic is not defined.
 * t_min also keeps the pivot's floor below its ceiling (GUARD 6).
 */
#include "config_priv.h"

#define LN_1E7 16.11809565095832

static const struct word breaches[] = {
	{ .text = "revert" },
	{ .text = "hold", .value = 1, .later = true },
	{ .text = "step_back", .value = 2, .later = true },
	{ 0 },
};

static const struct word modes[] = {
	{ .text = "enforce", .value = CONFIG_ENFORCE },
	{ .text = "observe", .value = CONFIG_OBSERVE },
	{ 0 },
};

static const struct key guard_keys[] = {
	{
		.name = "error_rate",
		.kind = &kind_percent_share,
		AT(config_migration, guard.error_rate),
		.low = 0.0001,
		.high = 50,
		.optional = true,
		.help = "highest percent of new's requests that may fail; left out = "
			"no such guard",
	},
	{
		.name = "p95_latency",
		.kind = &kind_duration_us,
		AT(config_migration, guard.p95_latency_us),
		.low = 1,
		.high = HOUR,
		.optional = true,
		.help = "19 of 20 of new's requests are answered within this; left out "
			"= no such guard",
	},
	{
		.name = "error_ratio",
		.kind = &kind_real,
		AT(config_migration, guard.error_ratio),
		.low = 0.1,
		.high = 100,
		.optional = true,
		.help = "how many times legacy's error rate of the same moment new may "
			"have; left out = no such guard",
	},
	{
		.name = "p95_ratio",
		.kind = &kind_real,
		AT(config_migration, guard.p95_ratio),
		.low = 0.1,
		.high = 100,
		.optional = true,
		.help = "how many times legacy's p95 of the same moment new may have; "
			"left out = no such guard",
	},
	{
		.name = "dwell",
		.kind = &kind_duration,
		AT(config_migration, guard.dwell_ms),
		.preset = 3 * SECOND,
		.high = HOUR,
		.help = "an excess must have lasted this long; calm services 1s, "
			"bursty ones 10s",
	},
	{
		.name = "min_bad",
		.kind = &kind_integer,
		AT(config_migration, guard.min_bad),
		.preset = 5,
		.high = 1000000,
		.help = "bad requests that a revert needs at least",
	},
	{
		.name = "cap_rps",
		.kind = &kind_real,
		AT(config_migration, guard.cap_rps),
		.preset = 100,
		.low = 0.001,
		.high = 1000000,
		.help = "requests a second that count as evidence at most, so that one "
			"hiccup of a busy service does not speak for everyone",
	},
	{
		.name = "h",
		.kind = &kind_real,
		AT(config_migration, guard.h),
		.preset = LN_1E7,
		.low = 1,
		.high = 100,
		.help = "evidence that a revert needs, in nats; the default is ten "
			"million to one",
	},
	{
		.name = "alpha_promote",
		.kind = &kind_real,
		AT(config_migration, guard.alpha_promote),
		.preset = 0.05,
		.low = 1e-9,
		.high = 0.999999,
		.help = "chance, for each guard and step, of advancing although new is "
			"at its threshold",
	},
	{
		.name = "p_min",
		.kind = &kind_percent_share,
		AT(config_migration, guard.p_min),
		.preset = 0.5,
		.low = 0.0001,
		.high = 50,
		.help = "relative guards: percent of bad requests below which a "
			"difference does not matter",
	},
	{
		.name = "bin_min",
		.kind = &kind_integer,
		AT(config_migration, guard.bin_min),
		.preset = 4,
		.low = 1,
		.high = 1000000,
		.help = "relative guards: requests of each pool that make one "
			"comparison",
	},
	{
		.name = "t_min",
		.kind = &kind_duration,
		AT(config_migration, guard.t_min_ms),
		.preset = 20,
		.low = 1,
		.high = 5 * SECOND,
		.help = "p95_ratio: latencies below this are never slow",
	},
	{
		.name = "on_breach",
		.kind = &kind_choice,
		.at = NOWHERE,
		.words = breaches,
		.help = "what a breach does: all traffic returns to legacy",
	},
	{
		.name = "mode",
		.kind = &kind_choice,
		AT(config_migration, guard.mode),
		.words = modes,
		.preset = CONFIG_ENFORCE,
		.help = "act on a breach, or only show it",
	},
};

static void check_guard(struct reader *rd, void *base, config_setting_t *s)
{
	struct config_migration *m = base;

	(void)rd;
	(void)s;
	m->has_guard = true;
}

const struct table table_guard = { TABLE_KEYS(guard_keys), .check = check_guard };
