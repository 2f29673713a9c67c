/*
 * record - a decision written down: in the journal with its evidence and the state
 * after it, in the log in one line, and in the track for status.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sluice/base/log.h"
#include "sluice/base/mem.h"

#include "control_priv.h"

void record_percent_text(char out[static 16], uint32_t ppm)
{
	(void)snprintf(out, 16, "%.7g %%", (double)ppm / 10000);
}

/* --- the log ------------------------------------------------------------- */

/* Without the blank, for which a value would need quotes. */
static void log_percent(char out[static 16], uint32_t ppm)
{
	(void)snprintf(out, 16, "%.7g%%", (double)ppm / 10000);
}

static void tell(enum decision_action action, const struct decision *d)
{
	char from[16], to[16];

	log_percent(from, d->from_ppm);
	log_percent(to, d->to_ppm);
	log_line(decision_level(action), decision_phrase(action),
		"migration=%s from=%s to=%s phase=%s actor=%s reason=%s "
		"generation=%llu",
		d->migration, from, to, d->phase_to, d->actor, d->reason,
		(unsigned long long)d->generation);
}

/* --- one migration ------------------------------------------------------- */

static char *evidence_of(
	const struct track *t, const struct act *a, const struct before *was)
{
	bool has_pivot = guards_find(&t->guards, GUARD_P95_RATIO) != NULL;

	return evidence_print(&(struct evidence){
		.memory = &was->m,
		.guards = &t->guards,
		.engine = &was->engine,
		.sample = a->sample,
		.window = &t->view,
		.first_bad_us = t->bad_since_us,
		.pivot_legacy_ms = has_pivot ? pivot_legacy_ms(&t->pivot) : 0,
	});
}

static void keep_last(struct track *t, const struct decision *d)
{
	struct kept_decision *k = &t->last;

	k->d = *d;
	(void)snprintf(k->actor, sizeof(k->actor), "%s", d->actor);
	(void)snprintf(k->reason, sizeof(k->reason), "%s", d->reason);
	(void)snprintf(k->config_hash, sizeof(k->config_hash), "%s", d->config_hash);
	k->d.migration = ""; /* the track has the name, and the config may go */
	k->d.actor = k->actor;
	k->d.reason = k->reason;
	k->d.config_hash = k->config_hash;
	k->d.evidence_json = NULL;
}

static void fill_name(struct journal_state *s, const struct track *t)
{
	(void)snprintf(s->migration, sizeof(s->migration), "%s", track_name(t));
}

uint64_t record(struct control *c, struct track *t, const struct act *a,
	const struct before *was, const struct memory *after)
{
	window_look(t, c->io.mono_ms(c->io.arg));

	char *evidence = evidence_of(t, a, was);
	char *kept = memory_print(after);
	struct journal_state state = { .generation = after->generation, .json = kept };
	struct decision d = {
		.wall_us = c->io.wall_us(c->io.arg),
		.migration = track_name(t),
		.action = decision_text(a->action),
		.phase_from = shift_phase_text(was->m.state.phase),
		.phase_to = shift_phase_text(after->state.phase),
		.from_ppm = was->ppm,
		.to_ppm = memory_new_ppm(after),
		.actor = shift_actor_text(&a->actor),
		.reason = a->reason,
		.evidence_json = evidence,
		.config_hash = c->config->hash,
		.generation = after->generation,
	};

	digest_uuid7(d.wall_us, d.id);
	fill_name(&state, t);
	uint64_t seq = c->io.append(c->io.arg, &d, &state, 1);

	tell(a->action, &d);
	keep_last(t, &d);
	free(kept);
	free(evidence);
	return seq;
}

/* --- the process --------------------------------------------------------- */

void record_process(struct control *c, enum decision_action action, struct actor actor,
	const char *reason, const char *evidence_json)
{
	struct journal_state *states = mem_zero((c->n_tracks + 1) * sizeof(*states));
	char **texts = mem_zero((c->n_tracks + 1) * sizeof(*texts));
	const struct decision d = {
		.wall_us = c->io.wall_us(c->io.arg),
		.migration = "",
		.action = decision_text(action),
		.phase_from = "",
		.phase_to = "",
		.actor = shift_actor_text(&actor),
		.reason = reason,
		.evidence_json = evidence_json,
		.config_hash = c->config->hash,
	};

	for (size_t i = 0; i < c->n_tracks; i++) {
		struct memory m = act_to_keep(c->tracks[i]);

		texts[i] = memory_print(&m);
		states[i].generation = m.generation;
		states[i].json = texts[i];
		fill_name(&states[i], c->tracks[i]);
	}
	(void)c->io.append(c->io.arg, &d, states, c->n_tracks);
	for (size_t i = 0; i < c->n_tracks; i++)
		free(texts[i]);
	free(texts);
	free(states);
}
