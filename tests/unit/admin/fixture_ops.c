/*
 * A control that shows what the fixture holds and notes what it is told.
 */
#include <stdio.h>
#include <string.h>

#include "fixture.h"

static size_t count(void *arg)
{
	const struct fixture *s = arg;

	return s->config->n_migrations;
}

static void migration(void *arg, size_t i, struct admin_migration *out)
{
	struct fixture *s = arg;
	const struct config_migration *c = &s->config->migrations[i];

	*out = (struct admin_migration){
		.config = c,
		.live = s->migrations[i],
		.legacy = s->pools[c->legacy],
		.new_ = s->pools[c->new_],
		.state = &s->state,
		.plan = &s->plan,
		.engine = &s->engine,
		.guard = { { .name = "error_rate" },
			{ .name = "p95_latency", .slow_us = 15000000 },
			{ .name = "error_ratio" },
			{ .name = "p95_ratio", .ratio = 1.25 } },
		.new_ppm = 250000,
		.generation = 7,
		.held = WHY_SPILL,
		.window_ms = 10000,
		.window[SIDE_LEGACY] = {
			.requests = 750,
			.errors = 3,
			.p50_us = 12000,
			.p95_us = 40000,
			.p99_us = 80500,
			.samples = 750,
			.user_requests = 748,
			.user_errors = 2,
		},
		.window[SIDE_NEW] = {
			.requests = 250,
			.p50_us = 11000,
			.p95_us = 39000,
			.p99_us = 79000,
			.samples = 250,
			.user_requests = 243,
		},
		.rescued = 7,
		.last = s->last.action != NULL ? &s->last : NULL,
	};
}

static void process(void *arg, struct admin_process *out)
{
	const struct fixture *s = arg;
	static char hash[32];

	snprintf(hash, sizeof(hash), "hash-%u", atomic_load(&s->reloads));
	*out = (struct admin_process){
		.ready = s->ready,
		.draining = s->draining,
		.running_is_file = true,
		.reload_error = "",
		.config_file = s->config->file,
		.config_hash = hash,
		.started_us = 1,
		.workers = 2,
		.loop_lag_us = 1500,
	};
	journal_get_status(s->journal, &out->journal);
}

static size_t pools(void *arg, struct pool *const **out)
{
	struct fixture *s = arg;

	*out = s->pools;
	return s->config->n_pools;
}

static void command(void *arg, const struct admin_request *q, struct admin_reply *out)
{
	struct fixture *s = arg;
	struct fixture_command *c = &s->command;

	c->command = q->command;
	c->new_ppm = q->new_ppm;
	c->has_generation = q->has_generation;
	c->generation = q->generation;
	snprintf(c->migration, sizeof(c->migration), "%s",
		q->migration != NULL ? q->migration : "");
	snprintf(c->actor, sizeof(c->actor), "%s", q->actor);
	snprintf(c->reason, sizeof(c->reason), "%s", q->reason);
	atomic_fetch_add(&c->n, 1);
	*out = (struct admin_reply){
		.outcome = s->reply_outcome,
		.text = "as control says",
		.has_migration = true,
		.phase = SHIFT_MANUAL,
		.new_ppm = q->new_ppm,
		.generation = 8,
	};
}

static struct journal *journal(void *arg)
{
	return ((struct fixture *)arg)->journal;
}

static struct stats *stats(void *arg)
{
	return ((struct fixture *)arg)->stats;
}

void fixture_fill_ops(struct fixture *s, struct admin_ops *ops)
{
	*ops = (struct admin_ops){
		.count = count,
		.migration = migration,
		.process = process,
		.pools = pools,
		.command = command,
		.journal = journal,
		.stats = stats,
		.arg = s,
	};
}
