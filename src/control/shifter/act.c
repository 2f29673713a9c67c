/*
 * act - the only place where a migration's state changes, and the order of effect
 * and record (S3): what lowers new, and what a person wants, takes effect first; a
 * plan's rise is committed first and takes effect on the acknowledgement, if nothing
 * else has happened to the migration by then and the plan would still decide so.
 */
#include <stdio.h>

#include "sluice/base/log.h"

#include "control_priv.h"

static bool is_another_step(const struct shift_state *a, const struct shift_state *b)
{
	return a->phase != b->phase || a->step != b->step;
}

/* The store comes before everything else: from here on every data thread obeys, and
 * kill -9 does not undo it. */
static void take_effect(struct control *c, struct track *t,
	const struct shift_state *next, bool new_run)
{
	const struct shift_state was = t->m.state;
	const uint32_t was_ppm = track_new_ppm(t);
	const struct shift_plan file = memory_file_plan(t->config);

	t->m.state = *next;
	live_store(t->word, memory_live(&t->m));
	migration_set_passed_ppm(t->live, next->passed_ppm);
	t->plan_pending = memory_adopt_plan(&t->m, &file);
	if (new_run)
		track_new_run(t);
	else if (is_another_step(&was, next) || was_ppm != track_new_ppm(t))
		track_new_step(t);
	c->io.nudge(c->io.arg);
}

static struct before as_it_is(const struct track *t)
{
	return (struct before){
		.m = t->m, .engine = t->engine, .ppm = track_new_ppm(t)
	};
}

void act_do(struct control *c, struct track *t, const struct act *a)
{
	const struct before was = as_it_is(t);
	struct memory after = t->m;

	after.state = a->next;
	after.generation = ++t->m.generation;
	t->rise.waits = a->waits && memory_new_ppm(&after) > was.ppm;
	if (t->rise.waits) {
		t->rise.next = a->next;
		t->rise.new_run = a->new_run;
		t->rise.seq = record(c, t, a, &was, &after);
		return;
	}
	take_effect(c, t, &a->next, a->new_run);
	(void)record(c, t, a, &was, &t->m);
}

/* What is kept of a migration whose rise waits is the state after it: the journal has
 * that already. */
struct memory act_to_keep(const struct track *t)
{
	struct memory m = t->m;

	if (t->rise.waits)
		m.state = t->rise.next;
	return m;
}

static struct before as_recorded(const struct track *t)
{
	struct before b = as_it_is(t);

	b.m = act_to_keep(t);
	b.ppm = memory_new_ppm(&b.m);
	return b;
}

void act_tell(struct control *c, struct track *t, const struct act *a)
{
	const struct before was = as_recorded(t);

	(void)record(c, t, a, &was, &was.m);
}

/* --- acknowledgements ---------------------------------------------------- */

/* A slow disk may have taken minutes. What starts a run has no evidence to lose. */
static bool is_still_wanted(const struct track *t)
{
	const struct shift_state *next = &t->rise.next;
	const struct shift_change now =
		shift_decide(&t->m.state, &t->m.plan, &t->engine, t->held);

	return t->rise.new_run || (now.changed && now.next.phase == next->phase &&
					  now.next.step == next->step);
}

/* The journal has it as done: there it goes back. */
static void take_back(struct control *c, struct track *t)
{
	const struct before was = as_recorded(t);
	char reason[REASON_SIZE];

	(void)snprintf(reason, sizeof(reason), "recorded too late to be done: %s",
		t->held != WHY_NOTHING ? shift_reason_text(t->held)
				       : "the guards ask for more by now");
	t->rise.waits = false;
	t->m.generation++;
	live_store(t->word, memory_live(&t->m));
	(void)record(c, t,
		&(struct act){
			.action = DECISION_WITHDRAWN,
			.actor = { ACTOR_PLAN, NULL },
			.reason = reason,
			.next = t->m.state,
		},
		&was, &t->m);
}

static void settle(struct control *c, struct track *t)
{
	const struct rise r = t->rise;

	if (!is_still_wanted(t)) {
		take_back(c, t);
		return;
	}
	t->rise.waits = false;
	take_effect(c, t, &r.next, r.new_run);
	log_debug("rise is recorded and in force", "migration=%s generation=%llu",
		track_name(t), (unsigned long long)t->m.generation);
}

void act_committed(struct control *c, uint64_t seq)
{
	for (size_t i = 0; i < c->n_tracks; i++) {
		struct track *t = c->tracks[i];

		if (t->rise.waits && t->rise.seq <= seq)
			settle(c, t);
	}
}
