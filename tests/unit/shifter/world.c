#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config_step steps[] = {
	{ .new_ppm = 100000, .hold_ms = 1000 },
	{ .new_ppm = 500000, .hold_ms = 1000 },
	{ .new_ppm = 1000000, .hold_ms = 1000 },
};
static struct config_migration shop = {
	.name = "shop", .new_ = 1, .plan = { .steps = steps, .n_steps = 3 }
};
static struct config_pool pools[2] = { { .name = "blue" }, { .name = "green" } };
static struct config config = {
	.pools = pools, .n_pools = 2, .migrations = &shop, .n_migrations = 1
};

static uint64_t now_ms(void *arg)
{
	return ((struct world *)arg)->ms;
}

static uint64_t now_us(void *arg)
{
	return ((struct world *)arg)->ms * 1000;
}

static uint64_t append(void *arg, const struct decision *d,
	const struct journal_state *states, size_t n)
{
	struct world *w = arg;

	(void)states;
	(void)n;
	(void)snprintf(w->row[w->rows].action, 32, "%s", d->action);
	(void)snprintf(w->row[w->rows].actor, 32, "%s", d->actor);
	(void)snprintf(w->row[w->rows].phase, 16, "%s", d->phase_to);
	w->row[w->rows].from_ppm = d->from_ppm;
	w->row[w->rows].to_ppm = d->to_ppm;
	w->row[w->rows].live_ppm = world_live_ppm(w);
	return ++w->rows;
}

static void nudge(void *arg)
{
	((struct world *)arg)->nudges++;
}

static struct pool_capacity capacity(
	void *arg, const struct pool *p, bool unknown_counts)
{
	const struct world *w = arg;
	const bool is_down = unknown_counts ? w->legacy_down : w->new_down;

	(void)p;
	return (struct pool_capacity){ .usable = is_down ? 0 : 1, .total = 1 };
}

static void open_live(struct control *c)
{
	char path[] = "/tmp/shifter-XXXXXX";
	struct err err;
	bool fresh;

	if (mkdtemp(path) == NULL)
		abort();
	char *file = mem_print("%s/live", path);
	if (live_open(&c->live, file, &fresh, &err) != 0)
		abort();
	(void)unlink(file); /* mapped, and nothing is left behind */
	(void)rmdir(path);
	free(file);
}

void world_open(struct world *w)
{
	*w = (struct world){ .ms = 1000000 };
	w->c.io = (struct shifter_io){ .arg = w,
		.mono_ms = now_ms,
		.boot_ms = now_ms,
		.wall_us = now_us,
		.append = append,
		.nudge = nudge,
		.capacity = capacity };
	w->c.config = &config;
	list_init(&w->c.shelf);
	open_live(&w->c);
	w->c.registry = registry_new(1, w->c.live);
	w->t = mem_zero(sizeof(*w->t));
	w->t->config = &shop;
	w->t->live = registry_migration(w->c.registry, "shop");
	w->t->word = migration_word(w->t->live);
	w->t->m.roles = roles_of(&config, &shop);
	w->t->m.plan = memory_file_plan(&shop);
	w->t->m.state = shift_first(&w->t->m.plan, 0);
	w->c.tracks = &w->t;
	w->c.n_tracks = 1;
}

void world_close(struct world *w)
{
	window_free(w->t->window);
	migration_unref(w->c.registry, w->t->live);
	free(w->t);
	registry_free(w->c.registry);
	live_close(w->c.live);
}

struct admin_reply world_asks(struct world *w, enum shift_command c, uint32_t new_ppm)
{
	struct admin_reply out;

	command(&w->c,
		&(struct admin_request){ .command = c,
			.migration = "shop",
			.actor = "user:root",
			.new_ppm = new_ppm },
		&out);
	return out;
}

void world_commits(struct world *w)
{
	act_committed(&w->c, w->rows);
}

uint32_t world_live_ppm(const struct world *w)
{
	return live_effective_ppm(w->c.live, w->t->word);
}
