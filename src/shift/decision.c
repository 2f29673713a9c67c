/* Decisions and actors: their words, and what is true of them. */
#include "sluice/shift/decision.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *name, *phrase;
	enum log_level level;
	bool is_rollback;
} actions[] = {
	[DECISION_ADVANCE] = { "advance", "shift advanced", LOG_INFO, false },
	[DECISION_DONE] = { "done", "shift done", LOG_INFO, false },
	[DECISION_REVERT] = { "revert", "shift reverted", LOG_WARN, true },
	[DECISION_CUTBACK] = { "cutback", "shift cut back", LOG_WARN, true },
	[DECISION_WEIGHT] = { "weight", "weight set", LOG_INFO, false },
	[DECISION_START] = { "start", "plan started", LOG_INFO, false },
	[DECISION_PAUSE] = { "pause", "plan paused", LOG_INFO, false },
	[DECISION_RESUME] = { "resume", "resumed", LOG_INFO, false },
	[DECISION_ABORT] = { "abort", "plan aborted", LOG_INFO, false },
	[DECISION_TIMEOUT] = { "timeout", "step timed out", LOG_WARN, false },
	[DECISION_WITHDRAWN] = { "withdrawn", "rise withdrawn", LOG_WARN, false },
	[DECISION_REFUSED] = { "refused", "wish refused", LOG_WARN, false },
	[DECISION_LOST] = { "lost", "state lost", LOG_ERROR, false },
	[DECISION_ROLES] = { "roles", "legacy and new are other pools", LOG_WARN,
		false },
	[DECISION_CONDEMNED] = { "condemned", "starts latched", LOG_WARN, false },
	[DECISION_START_UP] = { "start_up", "state found", LOG_INFO, false },
	[DECISION_RELOAD] = { "reload", "decision", LOG_INFO, false },
	[DECISION_RELOAD_REFUSED] = { "reload_refused", "decision", LOG_INFO, false },
	[DECISION_STOP] = { "stop", "decision", LOG_INFO, false },
	[DECISION_DROPPED] = { "dropped", "decision", LOG_INFO, false },
};

static const char *const actors[] = {
	[ACTOR_GUARD] = "guard",
	[ACTOR_PLAN] = "plan",
	[ACTOR_FILE] = "file",
	[ACTOR_SIGNAL] = "signal",
	[ACTOR_START] = "start",
	[ACTOR_JOURNAL] = "journal",
	[ACTOR_PERSON] = "",
};

static const enum decision_action of_command[] = {
	[COMMAND_START] = DECISION_START,
	[COMMAND_PAUSE] = DECISION_PAUSE,
	[COMMAND_RESUME] = DECISION_RESUME,
	[COMMAND_ABORT] = DECISION_ABORT,
	[COMMAND_WEIGHT] = DECISION_WEIGHT,
	[COMMAND_CUTBACK] = DECISION_CUTBACK,
};

static_assert(sizeof(actions) / sizeof(actions[0]) == DECISION_N, "a row each");
static_assert(sizeof(actors) / sizeof(actors[0]) == ACTOR_N, "a text each");
static_assert(sizeof(of_command) / sizeof(of_command[0]) == COMMAND_N, "one each");

const char *decision_text(enum decision_action a)
{
	assert(a < DECISION_N);

	return actions[a].name;
}

bool decision_parse(const char *text, enum decision_action *a)
{
	for (unsigned i = 0; i < DECISION_N; i++) {
		if (text != NULL && strcmp(text, actions[i].name) == 0) {
			*a = (enum decision_action)i;
			return true;
		}
	}
	return false;
}

const char *decision_phrase(enum decision_action a)
{
	assert(a < DECISION_N);

	return actions[a].phrase;
}

enum log_level decision_level(enum decision_action a)
{
	assert(a < DECISION_N);

	return actions[a].level;
}

bool decision_is_rollback(enum decision_action a)
{
	assert(a < DECISION_N);

	return actions[a].is_rollback;
}

bool decision_text_is_rollback(const char *text)
{
	enum decision_action a;

	return decision_parse(text, &a) && decision_is_rollback(a);
}

enum decision_action decision_of_reason(enum shift_reason why)
{
	if (why == WHY_PASSED || why == WHY_TIMED_OUT_ADVANCE)
		return DECISION_ADVANCE;
	if (why == WHY_LAST_PASSED)
		return DECISION_DONE;
	return why == WHY_TIMED_OUT ? DECISION_TIMEOUT : DECISION_REVERT;
}

enum decision_action decision_of_command(enum shift_command c)
{
	assert(c < COMMAND_N);

	return of_command[c];
}

const char *shift_actor_text(const struct actor *a)
{
	assert(a->kind < ACTOR_N);

	if (a->kind != ACTOR_PERSON)
		return actors[a->kind];
	return a->name ? a->name : "";
}
