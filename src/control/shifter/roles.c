/*
 * roles - who legacy and new are.
 *
 * All that is known of a migration, its evidence, its share and above all its latch, is
 * known of two pools. When a file makes other pools of them (exchanges them, points one
 * side elsewhere, lets the two pools exchange their servers), none of it may be said of
 * the ones that stand there now, S28 (evidence run).
 *
 * A pool is the same one while it keeps its name or its servers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/log.h"
#include "sluice/base/mem.h"
#include "sluice/base/units.h"

#include "control_priv.h"

/* --- a reload ------------------------------------------------------------ */

static const char *what_first(enum shift_phase p)
{
	if (shift_is_latched(p))
		return "resume it first, or put legacy and new back";
	return "abort the plan first, or put legacy and new back";
}

static bool is_bound(enum shift_phase p)
{
	return shift_is_latched(p) || p == SHIFT_RUNNING || p == SHIFT_WAITING;
}

static void check_one(const struct track *t, const struct config *config,
	const struct config_migration *m, struct config_problems *problems)
{
	const struct roles now = roles_of(config, m);
	const struct roles *was = &t->m.roles;
	const enum shift_phase p = t->m.state.phase;

	if (!is_bound(p) || roles_compare(was, &now) == ROLES_SAME)
		return;
	config_problems_add(problems,
		"%s: migrations.%s: legacy is \"%s\" and was \"%s\", new is \"%s\" and "
		"was \"%s\"%s, while the migration is %s: %s",
		config->file, m->name, now.side[SIDE_LEGACY].name,
		was->side[SIDE_LEGACY].name, now.side[SIDE_NEW].name,
		was->side[SIDE_NEW].name,
		roles_compare(was, &now) == ROLES_EXCHANGED
			? " (their servers are exchanged)"
			: "",
		shift_phase_text(p), what_first(p));
}

int roles_check_reload(const struct control *c, const struct config *config,
	struct config_problems *problems)
{
	const size_t before = problems->n;

	for (size_t i = 0; i < config->n_migrations; i++) {
		const struct config_migration *m = &config->migrations[i];

		for (size_t k = 0; k < c->n_tracks; k++) {
			if (strcmp(track_name(c->tracks[k]), m->name) == 0)
				check_one(c->tracks[k], config, m, problems);
		}
	}
	return problems->n == before ? 0 : -1;
}

static void describe(char out[static REASON_SIZE], const struct roles *was,
	uint32_t was_ppm, const struct roles *now, uint32_t now_ppm)
{
	char old[N_SIDES][16], new_[N_SIDES][16];

	record_percent_text(old[SIDE_NEW], was_ppm);
	record_percent_text(old[SIDE_LEGACY], PPM - was_ppm);
	record_percent_text(new_[SIDE_NEW], now_ppm);
	record_percent_text(new_[SIDE_LEGACY], PPM - now_ppm);
	(void)snprintf(out, REASON_SIZE,
		"other pools are legacy and new: it was legacy \"%s\" with %s and new "
		"\"%s\" with %s; it is legacy \"%s\" with %s and new \"%s\" with %s, "
		"and nothing is known of it yet",
		was->side[SIDE_LEGACY].name, old[SIDE_LEGACY], was->side[SIDE_NEW].name,
		old[SIDE_NEW], now->side[SIDE_LEGACY].name, new_[SIDE_LEGACY],
		now->side[SIDE_NEW].name, new_[SIDE_NEW]);
}

void roles_follow(struct control *c, struct track *t)
{
	const struct roles was = t->m.roles, now = roles_of(c->config, t->config);
	const struct shift_plan plan = memory_file_plan(t->config);
	char reason[REASON_SIZE];

	t->m.roles = now;
	if (roles_compare(&was, &now) == ROLES_SAME)
		return;
	t->m.plan = plan;
	t->m.file_ppm = t->config->new_ppm; /* heard: it was meant for the others */
	describe(reason, &was, track_new_ppm(t), &now, 0);
	act_do(c, t,
		&(struct act){
			.action = DECISION_ROLES,
			.actor = { ACTOR_FILE, NULL },
			.reason = reason,
			.next = shift_first(&plan, 0),
			.new_run = true,
		});
}

/* --- a start -------------------------------------------------------------- */

/* Who served goes on to serve: the pool that a latch has condemned is legacy now. */
static struct shift_state other_state(
	const struct memory *m, enum role_change change, const struct shift_plan *plan)
{
	if (change == ROLES_EXCHANGED && shift_is_latched(m->state.phase))
		return (struct shift_state){ .phase = SHIFT_MANUAL, .person_ppm = PPM };
	return shift_first(plan, 0);
}

const char *roles_at_start(struct memory *m, const struct roles *now,
	const struct config_migration *config, char out[static REASON_SIZE])
{
	const struct roles was = m->roles;
	const enum role_change change = roles_compare(&was, now);
	const uint32_t was_ppm = memory_new_ppm(m);

	m->roles = *now;
	if (change == ROLES_SAME)
		return NULL;
	m->plan = memory_file_plan(config);
	m->state = other_state(m, change, &m->plan);
	m->file_ppm = config->new_ppm;
	m->run++;
	m->generation++;
	describe(out, &was, was_ppm, now, memory_new_ppm(m));
	return out;
}

/* --- a latch outlives its migration's name -------------------------------- */

static bool condemns(const struct memory *m, const struct role *pool)
{
	const struct role *new_ = &m->roles.side[SIDE_NEW];

	return shift_is_latched(m->state.phase) && roles_are_known(&m->roles) &&
	       role_is_same(new_, pool);
}

static const struct track *condemning(
	struct track *const *tracks, size_t n, const struct role *pool)
{
	for (size_t i = 0; i < n; i++) {
		if (condemns(&tracks[i]->m, pool))
			return tracks[i];
	}
	return NULL;
}

const char *roles_condemned_by(const struct control *c, struct track *const *more,
	size_t n_more, const struct role *pool)
{
	const struct track *t = condemning(c->tracks, c->n_tracks, pool);

	if (!t)
		t = condemning(more, n_more, pool);
	if (t)
		return track_name(t);
	LIST_EACH (&c->shelf, it, after) {
		struct shelved *s = LIST_ENTRY(it, struct shelved, link);

		if (!s->damaged && condemns(&s->m, pool))
			return s->name;
	}
	return NULL;
}

void roles_forgive(struct control *c, const struct role *pool)
{
	LIST_EACH (&c->shelf, it, after) {
		struct shelved *s = LIST_ENTRY(it, struct shelved, link);

		if (condemns(&s->m, pool))
			s->m.roles = (struct roles){ .side = { { .servers = 0 } } };
	}
}
