/*
 * migrations - pairs of pools, and how traffic may move between them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/buf.h"
#include "sluice/base/units.h"

#include "config_priv.h"

static void pool_preset(const struct key *k, void *base)
{
	size_t none = SIZE_MAX;

	memcpy(key_slot(k, base), &none, sizeof(none));
}

static void pool_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	size_t index = routes_find_named(rd, s, FIND_POOL);

	memcpy(key_slot(k, base), &index, sizeof(index));
}

static void pool_print(struct printer *p, const struct key *k, const void *base)
{
	size_t index;

	memcpy(&index, key_field(k, base), sizeof(index));
	print_text(p->f, p->c->pools[index].name);
}

static const struct kind kind_pool = {
	.name = "name of a pool",
	.preset = pool_preset,
	.read = pool_read,
	.print = pool_print,
};

struct weights {
	double legacy, new_; /* below 0: not read */
};

static const struct key weight_keys[] = {
	{
		.name = "legacy",
		.kind = &kind_real,
		AT(weights, legacy),
		.preset = -1,
		.high = PPM,
		.required = true,
		.help = "the share of legacy, relative to the sum of both",
	},
	{
		.name = "new",
		.kind = &kind_real,
		AT(weights, new_),
		.preset = -1,
		.high = PPM,
		.required = true,
		.help = "the share of new, relative to the sum of both",
	},
};

static const struct table table_weights = { TABLE_KEYS(weight_keys) };

static void weights_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	struct config_migration *m = base;
	struct weights w = { .legacy = -1, .new_ = -1 };

	if (s->type != CONFIG_TYPE_GROUP) {
		problem_type(rd, s, "a group, as { legacy = 90; new = 10; }");
		return;
	}
	table_read(rd, k->table, &w, s);
	if (w.legacy < 0 || w.new_ < 0)
		return;
	if (w.legacy + w.new_ == 0) {
		problem_at(rd, s,
			"are both 0: set legacy = 100 to send everything to legacy");
		return;
	}
	m->new_ppm = (uint32_t)llround(w.new_ * PPM / (w.legacy + w.new_));
	if ((w.new_ > 0 && m->new_ppm == 0) || (w.legacy > 0 && m->new_ppm == PPM))
		problem_at(rd, s,
			"the smaller share is below one in a million: set it to 0");
}

static void weights_print(struct printer *p, const struct key *k, const void *base)
{
	const struct config_migration *m = base;

	(void)k;
	fputs("{ legacy = ", p->f);
	number_show_real(p->f, (PPM - m->new_ppm) / 1e4, 15);
	fputs("; new = ", p->f);
	number_show_real(p->f, m->new_ppm / 1e4, 15);
	fputs("; }", p->f);
}

static const struct kind kind_weights = {
	.name = "group",
	.read = weights_read,
	.print = weights_print,
};

/* What is held for another attempt lies in one buffer: the head, with what sluice adds to
 * it, and the body. */
enum { HELD_BYTES = BUF_LARGE - 4 * KIB };

static const struct key rescue_keys[] = {
	{
		.name = "enabled",
		.kind = &kind_switch,
		AT(config_migration, rescue),
		.preset = true,
		.help = "answer from legacy what new failed before the client saw a "
			"byte",
	},
	{
		.name = "max_body",
		.kind = &kind_size,
		AT(config_migration, rescue_max_body),
		.preset = 64 * KIB,
		.high = HELD_BYTES - KIB,
		.help = "requests with a larger body cannot be rescued; with its head "
			"a "
			"body is held in memory, so this and limits.header_bytes are "
			"124k together at most (as the default is, too)",
	},
	{
		.name = "budget",
		.kind = &kind_percent_ppm,
		AT(config_migration, rescue_budget_ppm),
		.preset = 20,
		.high = 100,
		.help = "percent of new's requests that may be rescued, 10 at least",
	},
};

static const struct table table_rescue = { TABLE_KEYS(rescue_keys) };

static bool is_guarded(const void *base)
{
	return ((const struct config_migration *)base)->has_guard;
}

static bool is_planned(const void *base)
{
	return ((const struct config_migration *)base)->plan.n_steps > 0;
}

static bool never(const void *base)
{
	(void)base;
	return false;
}

static const struct key migration_keys[] = {
	{
		.name = "legacy",
		.kind = &kind_pool,
		AT(config_migration, legacy),
		.required = true,
		.help = "the pool that serves now",
	},
	{
		.name = "new",
		.kind = &kind_pool,
		AT(config_migration, new_),
		.required = true,
		.help = "the pool to move to",
	},
	{
		.name = "weights",
		.kind = &kind_weights,
		.table = &table_weights,
		.required = true,
		.help = "the split, as { legacy = 100; new = 0; }; a change is a "
			"person's wish, an unchanged one is none",
	},
	{
		.name = "sticky",
		.kind = &kind_later,
		.written = never,
		.help = "keep each user on one side",
	},
	{
		.name = "guard",
		.kind = &kind_group,
		.table = &table_guard,
		.written = is_guarded,
		.help = "what new must not exceed",
	},
	{
		.name = "plan",
		.kind = &kind_group,
		AT(config_migration, plan),
		.table = &table_plan,
		.written = is_planned,
		.help = "the steps from legacy to new",
	},
	{
		.name = "rescue",
		.kind = &kind_group,
		.table = &table_rescue,
		.help = "answering from legacy what new failed",
	},
	{
		.name = "tunnels",
		.kind = &kind_group,
		AT(config_migration, tunnels),
		.table = &table_tunnels,
		.help = "upgraded connections (WebSocket) and endless streams; a route "
			"straight to a pool has the defaults",
	},
	{
		.name = "event_retry",
		.kind = &kind_switch,
		AT(config_migration, event_retry),
		.preset = 1,
		.help = "answer a GET for text/event-stream that sluice itself has to "
			"refuse (502, 503, 504) with 200 and a time to come again: "
			"EventSource gives up for good on any other status; it counts "
			"as the error that it is",
	},
	{
		.name = "errors",
		.kind = &kind_group,
		AT(config_migration, errors),
		.table = &table_errors,
		.help = "which answers are errors of their pool; a route straight to a "
			"pool has the defaults",
	},
};

static void check_rescue(
	struct reader *rd, struct config_migration *m, config_setting_t *s)
{
	uint32_t head_bytes = rd->c->limits.header_bytes;
	uint32_t most = HELD_BYTES - head_bytes;
	config_setting_t *rescue = config_setting_get_member(s, "rescue");

	if (m->rescue_max_body <= most)
		return;
	if (rescue == NULL || config_setting_get_member(rescue, "max_body") == NULL)
		m->rescue_max_body = most;
	else
		problem_at_member(rd, rescue, "max_body",
			"is more than can be held beside a head of %uk "
			"(limits.header_bytes): at most %uk",
			head_bytes / KIB, most / KIB);
}

static void check_migration(struct reader *rd, void *base, config_setting_t *s)
{
	struct config_migration *m = base;

	if (m->legacy != SIZE_MAX && m->legacy == m->new_)
		problem_at_member(rd, s, "new",
			"is the same pool as legacy (\"%s\"): name two different pools",
			rd->c->pools[m->new_].name);
	check_rescue(rd, m, s);
	if (*m->name != '\0')
		hash_table_put(rd->migrations, span_of(m->name), m);
}

static void identify(FILE *f, const void *base)
{
	fputs(((const struct config_migration *)base)->name, f);
}

const struct table table_migration = {
	TABLE_KEYS(migration_keys),
	.size = sizeof(struct config_migration),
	.check = check_migration,
	.identify = identify,
};
