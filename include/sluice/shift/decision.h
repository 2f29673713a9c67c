/*
 * shift/decision - what was decided, and who decided it. One table says for each action
 * what the journal and the API call it, how the log tells it, and whether it is a
 * rollback; whoever tells actions apart asks it here.
 */
#ifndef SLUICE_SHIFT_DECISION_H
#define SLUICE_SHIFT_DECISION_H

#include <stdbool.h>

#include "sluice/base/log.h"
#include "sluice/shift/plan.h"

enum decision_action {
	DECISION_ADVANCE,
	DECISION_DONE, /* the last step has passed */
	DECISION_REVERT,
	DECISION_CUTBACK,
	DECISION_WEIGHT,
	DECISION_START,
	DECISION_PAUSE,
	DECISION_RESUME,
	DECISION_ABORT,
	DECISION_TIMEOUT,   /* held, as the plan says */
	DECISION_WITHDRAWN, /* a rise that was recorded too late */
	DECISION_REFUSED,
	DECISION_LOST,      /* the state of before the start */
	DECISION_ROLES,     /* legacy and new are other pools */
	DECISION_CONDEMNED, /* latched from the start */
	DECISION_START_UP,
	DECISION_RELOAD, /* this and what follows: of the process */
	DECISION_RELOAD_REFUSED,
	DECISION_STOP,
	DECISION_DROPPED, /* samples, by a full journal */
	DECISION_N,
};

const char *decision_text(enum decision_action a); /* "reload_refused" */
/* false: of another version, perhaps. */
bool decision_parse(const char *text, enum decision_action *a);
const char *decision_phrase(enum decision_action a); /* of the log line */
enum log_level decision_level(enum decision_action a);
/* New has lost its traffic to legacy against its plan. */
bool decision_is_rollback(enum decision_action a);
/* The same of a text that was kept or sent; false when it is unknown. */
bool decision_text_is_rollback(const char *text);

/* Of a change that shift_decide made for this reason. */
enum decision_action decision_of_reason(enum shift_reason why);
enum decision_action decision_of_command(enum shift_command c);

enum actor_kind {
	ACTOR_GUARD,
	ACTOR_PLAN,
	ACTOR_FILE, /* the configuration's */
	ACTOR_SIGNAL,
	ACTOR_START,
	ACTOR_JOURNAL,
	ACTOR_PERSON,
	ACTOR_N,
};

struct actor {
	enum actor_kind kind;
	const char *name; /* of a person: "user:root"; else unused */
};

/* "guard", "user:root"; borrowed from a. */
const char *shift_actor_text(const struct actor *a);

#endif
