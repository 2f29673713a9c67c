/*
 * commands - what people ask through admin, and cutback of everything.
 *
 * Every change but cutback may carry the generation it was decided on, and loses
 * politely when that is old (S8). What a person wants takes effect first and is
 * recorded then; a refusal is a decision, too.
 */
#include <stdio.h>
#include <string.h>

#include "sluice/base/log.h"

#include "control_priv.h"

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void say(
	struct admin_reply *out, enum admin_outcome outcome, const struct track *t)
{
	out->outcome = outcome;
	out->has_migration = true;
	out->phase = t->m.state.phase;
	out->new_ppm = track_new_ppm(t);
	out->generation = t->m.generation;
}

/* What lives on after a cutback lives on for a reason, which the next reader of the
 * journal wants to find: whether --hard closed it. */
static const char *hard_text(const struct admin_request *q)
{
	return q->hard ? ", hard: what is open to new is closed" : "";
}

static void reason_of(char out[static REASON_SIZE], enum shift_reason why,
	const struct admin_request *q)
{
	const char *said = or_empty(q->reason);

	(void)snprintf(out, REASON_SIZE, "%s%s%s%s", shift_reason_text(why),
		hard_text(q), said[0] ? ": " : "", said);
}

static void refuse(struct control *c, struct track *t, const struct admin_request *q,
	const char *why, struct admin_reply *out)
{
	char reason[REASON_SIZE];

	(void)snprintf(reason, sizeof(reason), "%s refused: %s",
		shift_command_text(q->command), why);
	act_tell(c, t,
		&(struct act){
			.action = DECISION_REFUSED,
			.actor = { ACTOR_PERSON, q->actor },
			.reason = reason,
			.next = t->m.state,
		});
	say(out, ADMIN_REFUSED, t);
	(void)snprintf(
		out->text, sizeof(out->text), "%s: %.400s", track_name(t), reason);
}

static void done_text(const struct track *t, uint32_t from_ppm, struct admin_reply *out)
{
	const char *phase = shift_phase_text(t->m.state.phase);
	char from[16], to[16];

	record_percent_text(from, from_ppm);
	record_percent_text(to, track_new_ppm(t));
	if (from_ppm == track_new_ppm(t))
		(void)snprintf(out->text, sizeof(out->text), "%s: %s, new is at %s",
			track_name(t), phase, to);
	else
		(void)snprintf(out->text, sizeof(out->text),
			"%s: %s, new goes from %s to %s", track_name(t), phase, from,
			to);
}

static void obey(struct control *c, struct track *t, const struct admin_request *q,
	const struct shift_change *change, struct admin_reply *out)
{
	const uint32_t from = track_new_ppm(t);
	char reason[REASON_SIZE];

	reason_of(reason, change->reason, q);
	const struct act a = {
		.action = decision_of_command(q->command),
		.actor = { ACTOR_PERSON, q->actor },
		.reason = reason,
		.next = change->next,
		.new_run = change->changed && track_begins_run(t, q->command),
	};

	if (change->changed)
		act_do(c, t, &a);
	else
		act_tell(c, t, &a);
	say(out, ADMIN_DONE, t);
	if (change->changed)
		done_text(t, from, out);
	else
		(void)snprintf(out->text, sizeof(out->text), "%s: %s%s", track_name(t),
			shift_reason_text(change->reason), hard_text(q));
}

static bool is_outdated(const struct track *t, const struct admin_request *q)
{
	return q->command != COMMAND_CUTBACK && q->has_generation &&
	       q->generation != t->m.generation;
}

static void refuse_outdated(struct control *c, struct track *t,
	const struct admin_request *q, struct admin_reply *out)
{
	char why[128];

	(void)snprintf(why, sizeof(why),
		"it has changed since generation %llu (now %llu), look again",
		(unsigned long long)q->generation, (unsigned long long)t->m.generation);
	refuse(c, t, q, why, out);
}

/* Before the latch, so that no tunnel is asked politely first. */
static void set_hard(struct track *t, bool hard)
{
	t->m.hard = hard;
	migration_set_hard(t->live, hard);
}

static void command_one(struct control *c, struct track *t,
	const struct admin_request *q, struct admin_reply *out)
{
	const struct shift_plan plan =
		q->command == COMMAND_START ? memory_file_plan(t->config) : t->m.plan;

	if (is_outdated(t, q)) {
		refuse_outdated(c, t, q, out);
		return;
	}
	struct shift_change change =
		shift_command(&t->m.state, &plan, q->command, q->new_ppm);

	if (change.refused) {
		refuse(c, t, q, shift_reason_text(change.reason), out);
		return;
	}
	if (change.changed)
		t->m.plan = plan;
	if (change.changed && q->command == COMMAND_RESUME) {
		set_hard(t, false);
		roles_forgive(c, &t->m.roles.side[SIDE_NEW]);
	}
	obey(c, t, q, &change, out);
}

/* --- every migration ----------------------------------------------------- */

static bool cutback_one(
	struct control *c, struct track *t, struct actor actor, const char *reason)
{
	struct shift_change change =
		shift_command(&t->m.state, &t->m.plan, COMMAND_CUTBACK, 0);

	if (!change.changed)
		return false;
	act_do(c, t,
		&(struct act){
			.action = DECISION_CUTBACK,
			.actor = actor,
			.reason = reason,
			.next = change.next,
		});
	return true;
}

/* The value that was read is the one that is done: a signal in between starts this
 * again. */
void commands_cutback_all(struct control *c, struct actor actor, const char *reason)
{
	const uint64_t wanted = live_cutback_wanted(c->live);
	char text[REASON_SIZE];
	size_t n = 0;

	(void)snprintf(text, sizeof(text), "every migration: %s", reason);
	for (size_t i = 0; i < c->n_tracks; i++)
		n += cutback_one(c, c->tracks[i], actor, text);
	store_shelf_cutback(c);
	live_set_cutback_done(c->live, wanted);
	c->io.nudge(c->io.arg);
	if (n == 0)
		record_process(c, DECISION_CUTBACK, actor,
			"every migration: nothing to cut back", NULL);
	log_warn("every migration is cut back", "actor=%s latched=%zu of=%zu",
		shift_actor_text(&actor), n, c->n_tracks);
}

/* The counter first: it acts at once, the latches follow one by one. */
static void command_all(
	struct control *c, const struct admin_request *q, struct admin_reply *out)
{
	const char *said = or_empty(q->reason);
	char reason[REASON_SIZE];

	if (q->command != COMMAND_CUTBACK) {
		out->outcome = ADMIN_UNCLEAR;
		(void)snprintf(out->text, sizeof(out->text),
			"%s needs the name of a migration",
			shift_command_text(q->command));
		return;
	}
	(void)snprintf(reason, sizeof(reason), "%s%s",
		said[0] ? said : "a person asked", hard_text(q));
	live_cutback_all(c->live);
	commands_cutback_all(c, (struct actor){ ACTOR_PERSON, q->actor }, reason);
	out->outcome = ADMIN_DONE;
	if (c->n_tracks == 1)
		(void)snprintf(out->text, sizeof(out->text),
			"the only migration, %s, is cut back to legacy%s",
			track_name(c->tracks[0]), hard_text(q));
	else
		(void)snprintf(out->text, sizeof(out->text),
			"all %zu migrations are cut back to legacy%s", c->n_tracks,
			hard_text(q));
}

void command(void *arg, const struct admin_request *q, struct admin_reply *out)
{
	struct control *c = arg;

	*out = (struct admin_reply){ .outcome = ADMIN_DONE };
	if (!q->migration) {
		for (size_t i = 0; i < c->n_tracks && q->hard; i++)
			set_hard(c->tracks[i], true);
		command_all(c, q, out);
		return;
	}
	struct track *t = track_find(c, q->migration);

	if (t) {
		if (q->hard)
			set_hard(t, true);
		command_one(c, t, q, out);
		return;
	}
	out->outcome = ADMIN_NOT_FOUND;
	(void)snprintf(out->text, sizeof(out->text),
		"there is no migration %s; status lists them", q->migration);
}
