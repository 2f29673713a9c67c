/*
 * tracks - one track for each migration of the configuration in force: made when the
 * migration is first seen, led over each reload, shelved when it leaves.
 *
 * A reload is a three-way merge: what the file said last, what runs, what the file
 * says now. Only what changed in the file is a wish (S1, S7).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/log.h"
#include "sluice/base/mem.h"
#include "sluice/proxy.h"

#include "control_priv.h"

const char *track_name(const struct track *t)
{
	return t->config->name;
}

uint32_t track_new_ppm(const struct track *t)
{
	return memory_new_ppm(&t->m);
}

struct track *track_find(struct control *c, const char *name)
{
	for (size_t i = 0; i < c->n_tracks; i++) {
		if (strcmp(track_name(c->tracks[i]), name) == 0)
			return c->tracks[i];
	}
	return NULL;
}

/* --- runs and steps ------------------------------------------------------ */

void track_new_step(struct track *t)
{
	const struct shift_state *s = &t->m.state;
	struct engine_params p = engine_defaults();
	bool in_step = s->phase == SHIFT_RUNNING || s->phase == SHIFT_WAITING ||
		       s->phase == SHIFT_PAUSED;

	if (in_step && s->step < t->m.plan.n_steps) {
		p.min_hold_ms = t->m.plan.step[s->step].hold_ms;
		p.max_hold_ms = t->m.plan.step[s->step].timeout_ms;
	}
	engine_step(&t->engine);
	t->engine.p.min_hold_ms = p.min_hold_ms;
	t->engine.p.max_hold_ms = p.max_hold_ms;
	guards_ask(&t->engine, track_new_ppm(t));
}

/* What is under way counts for the old run only; what was counted since the last tick
 * was of the old run, too. */
static void drop_samples(struct track *t)
{
	t->m.run++;
	migration_set_run(t->live, t->m.run);
	migration_sum(t->live, &t->seen);
}

void track_new_run(struct track *t)
{
	drop_samples(t);
	migration_set_seen_new(t->live, false);
	engine_start(&t->engine);
	track_new_step(t);
}

bool track_begins_run(const struct track *t, enum shift_command command)
{
	const enum shift_phase p = t->m.state.phase;
	const bool at_zero = track_new_ppm(t) == 0;
	const bool breached = t->engine.verdict == VERDICT_BREACH;

	if (command == COMMAND_START)
		return true;
	if (command == COMMAND_RESUME)
		return shift_is_latched(p) || (at_zero && breached);
	return command == COMMAND_WEIGHT && at_zero && (p == SHIFT_IDLE || breached);
}

/* --- guards -------------------------------------------------------------- */

void track_publish_pivot(struct track *t)
{
	if (guards_find(&t->guards, GUARD_P95_RATIO))
		migration_set_ratio_us(t->live,
			(uint64_t)(pivot_legacy_ms(&t->pivot) * 1000),
			(uint64_t)(pivot_new_ms(&t->pivot) * 1000));
	else
		migration_set_ratio_us(t->live, 0, 0);
}

static void publish_thresholds(struct track *t)
{
	const struct guard_def *latency = guards_find(&t->guards, GUARD_P95_LATENCY);

	migration_set_slow_us(t->live, latency ? latency->slow_us : 0);
	track_publish_pivot(t);
}

static void begin_pivot(struct track *t, const struct guard_set *old)
{
	const struct guard_def *d = guards_find(&t->guards, GUARD_P95_RATIO);
	const struct guard_def *was = old ? guards_find(old, GUARD_P95_RATIO) : NULL;

	if (d && (!was || !guards_equal(d, was)))
		pivot_init(&t->pivot, was ? pivot_legacy_ms(&t->pivot) : 0, 0.95,
			d->ratio, d->t_min_ms);
}

static void begin_guards(struct control *c, struct track *t)
{
	t->guards = guards_of(t->config, &c->config->timeouts);
	guards_init_engine(&t->engine, &t->guards);
	begin_pivot(t, NULL);
	publish_thresholds(t);
	track_new_run(t);
}

static void follow_guards(struct control *c, struct track *t)
{
	const struct guard_set old = t->guards;

	t->guards = guards_of(t->config, &c->config->timeouts);
	if (!guards_change_engine(&t->engine, &old, &t->guards))
		return;
	begin_pivot(t, &old);
	publish_thresholds(t);
	drop_samples(t);
	guards_ask(&t->engine, track_new_ppm(t));
	log_info(
		"guards changed", "migration=%s guards=%u", track_name(t), t->guards.n);
}

/* --- making and following ------------------------------------------------ */

static void look_at(struct control *c, struct track *t, size_t i)
{
	const struct config_migration *m = &c->config->migrations[i];
	struct pool *const *pools = snapshot_pools(c->snapshot);

	t->config = m;
	t->live = snapshot_migrations(c->snapshot)[i];
	t->word = migration_word(t->live);
	t->pool[SIDE_LEGACY] = pools[m->legacy];
	t->pool[SIDE_NEW] = pools[m->new_];
	t->epoch = c->epoch;
}

static enum memory_origin remember(struct control *c, struct track *t)
{
	struct memory kept = { .run = 0 };
	bool damaged = false;
	bool is_kept = store_shelf_take(c, track_name(t), &kept, &damaged);
	struct live_value live = live_load(t->word);
	bool unexplained = !is_kept && live.generation > 0;

	/* A damaged state still tells its generation. */
	if (damaged && live.generation < kept.generation)
		live.generation = kept.generation;
	return memory_at_start(&t->m,
		&(struct memory_found){
			.kept = is_kept && !damaged ? &kept : NULL,
			.live = live,
			.lost = damaged || (c->lost && (c->epoch == 1 || unexplained)),
		},
		t->config);
}

/* was: what the live file said before this start. */
static void tell_origin(struct control *c, struct track *t, enum memory_origin origin,
	struct live_value was)
{
	const struct act a = {
		.action = origin == ORIGIN_LOST ? DECISION_LOST : DECISION_START_UP,
		.actor = { ACTOR_START, NULL },
		.reason = memory_origin_text(origin),
		.next = t->m.state,
	};
	const struct before before = {
		.m = t->m,
		.engine = t->engine,
		.ppm = was.latch == LIVE_OPEN ? was.new_ppm : 0,
	};

	if (origin != ORIGIN_FIRST)
		c->first_start = false;
	if (origin != ORIGIN_KEPT && origin != ORIGIN_FIRST)
		(void)record(c, t, &a, &before, &t->m);
}

/* A latch speaks of the pool that it was made for, whatever the migration is called. */
static bool begin_condemned(struct control *c, struct track *t,
	struct track *const *more, size_t n_more, char reason[static REASON_SIZE])
{
	const char *by =
		roles_condemned_by(c, more, n_more, &t->m.roles.side[SIDE_NEW]);

	if (!by)
		return false;
	t->m.state = (struct shift_state){ .phase = SHIFT_CUTBACK };
	t->m.generation++;
	(void)snprintf(reason, REASON_SIZE,
		"starts latched: migration \"%s\" was cut back or reverted from pool "
		"\"%s\", and that has not been resumed",
		by, t->m.roles.side[SIDE_NEW].name);
	return true;
}

static void tell_begun(struct control *c, struct track *t, enum decision_action action,
	const char *reason, const struct before *was)
{
	(void)record(c, t,
		&(struct act){
			.action = action,
			.actor = { ACTOR_START, NULL },
			.reason = reason,
			.next = t->m.state,
		},
		was, &t->m);
}

/* now: the n_now tracks that this configuration has already. */
static struct track *begin(
	struct control *c, size_t i, struct track *const *now, size_t n_now)
{
	struct track *t = mem_zero(sizeof(*t));
	char reason[REASON_SIZE];

	look_at(c, t, i);
	const struct live_value was = live_load(t->word);
	const struct roles roles = roles_of(c->config, t->config);
	enum memory_origin origin = remember(c, t);
	const struct before kept = { .m = t->m, .ppm = track_new_ppm(t) };
	bool others = roles_at_start(&t->m, &roles, t->config, reason) != NULL;
	bool condemned =
		origin == ORIGIN_FIRST && begin_condemned(c, t, now, n_now, reason);

	live_store(t->word, memory_live(&t->m));
	migration_set_passed_ppm(t->live, t->m.state.passed_ppm);
	migration_set_hard(t->live, t->m.hard);
	begin_guards(c, t);
	tell_origin(c, t, origin, was);
	if (others || condemned)
		tell_begun(c, t, others ? DECISION_ROLES : DECISION_CONDEMNED, reason,
			&kept);
	return t;
}

/* Under its old name a pool may be another one: a deployment gave it other servers. */
static bool has_server(const struct config_pool *p, const char *address)
{
	for (size_t i = 0; i < p->n_servers; i++) {
		if (strcmp(p->servers[i].address.text, address) == 0)
			return true;
	}
	return false;
}

static bool has_only_other_servers(
	const struct pool *was, const struct config_pool *now)
{
	for (size_t i = 0; i < now->n_servers; i++) {
		if (has_server(pool_config(was), now->servers[i].address.text))
			return false;
	}
	return true;
}

static bool are_replaced(const struct control *c, const struct track *t, size_t i)
{
	const struct config_migration *m = &c->config->migrations[i];

	return has_only_other_servers(
		       t->pool[SIDE_LEGACY], &c->config->pools[m->legacy]) ||
	       has_only_other_servers(t->pool[SIDE_NEW], &c->config->pools[m->new_]);
}

static void follow(struct control *c, struct track *t, size_t i)
{
	const struct shift_plan plan = memory_file_plan(&c->config->migrations[i]);
	const bool replaced = are_replaced(c, t, i);

	look_at(c, t, i);
	follow_guards(c, t);
	t->plan_pending = memory_adopt_plan(&t->m, &plan);
	if (replaced)
		track_new_run(t);
	roles_follow(c, t);
}

static void end(struct track *t)
{
	if (!t)
		return;
	window_free(t->window);
	free(t);
}

/* A rise that waits for its record is not done any more: what the journal has of it
 * loses against the word, whose generation is above. */
static void forget_rise(struct track *t)
{
	if (!t->rise.waits)
		return;
	t->rise.waits = false;
	t->m.generation++;
	live_store(t->word, memory_live(&t->m));
}

static void shelve_unseen(struct control *c, struct track **old, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (old[i]->epoch == c->epoch)
			continue;
		forget_rise(old[i]);
		/* Its config is still there: the old snapshot goes later. */
		store_shelf_put(c, track_name(old[i]), &old[i]->m);
		end(old[i]);
	}
}

void tracks_follow(struct control *c)
{
	struct track **old = c->tracks;
	const size_t n_old = c->n_tracks, n = c->config->n_migrations;
	struct track **now = mem_alloc((n + 1) * sizeof(struct track *));

	c->epoch++;
	for (size_t i = 0; i < n; i++) {
		struct track *t = track_find(c, c->config->migrations[i].name);

		if (t)
			follow(c, t, i);
		else
			t = begin(c, i, now, i);
		now[i] = t;
	}
	shelve_unseen(c, old, n_old);
	c->tracks = now;
	c->n_tracks = n;
	free(old);
}

void tracks_free(struct control *c)
{
	for (size_t i = 0; i < c->n_tracks; i++)
		end(c->tracks[i]);
	free(c->tracks);
	c->tracks = NULL;
	c->n_tracks = 0;
}

/* --- the file's wishes --------------------------------------------------- */

/* The rise of a latched migration is refused, and not tried again at the next reload:
 * the file as last loaded has been heard. */
static void hear_weight(struct control *c, struct track *t)
{
	const uint32_t wish = t->config->new_ppm;
	char reason[128], from[16], to[16];

	if (t->m.file_ppm == wish)
		return;
	record_percent_text(from, t->m.file_ppm);
	record_percent_text(to, wish);
	t->m.file_ppm = wish;

	struct shift_change change =
		shift_command(&t->m.state, &t->m.plan, COMMAND_WEIGHT, wish);
	(void)snprintf(reason, sizeof(reason),
		"the file's weight changed from %s to %s%s%s", from, to,
		change.refused ? ": " : "",
		change.refused ? shift_reason_text(change.reason) : "");
	const struct act a = {
		.action = change.refused ? DECISION_REFUSED : DECISION_WEIGHT,
		.actor = { ACTOR_FILE, NULL },
		.reason = reason,
		.next = change.next,
		.new_run = change.changed && track_begins_run(t, COMMAND_WEIGHT),
	};

	if (change.changed)
		act_do(c, t, &a);
	else
		act_tell(c, t, &a);
}

static void hear_autostart(struct control *c, struct track *t)
{
	if (!memory_autostarts(&t->m, t->config))
		return;
	t->m.plan = memory_file_plan(t->config);

	struct shift_change change =
		shift_command(&t->m.state, &t->m.plan, COMMAND_START, 0);
	const struct act a = {
		.action = DECISION_START,
		.actor = { ACTOR_PLAN, NULL },
		.reason = "autostart of a plan that is loaded for the first time",
		.next = change.next,
		.new_run = true,
		.waits = true,
	};

	if (change.changed)
		act_do(c, t, &a);
}

void tracks_hear_file(struct control *c)
{
	for (size_t i = 0; i < c->n_tracks; i++) {
		hear_weight(c, c->tracks[i]);
		hear_autostart(c, c->tracks[i]);
	}
}
