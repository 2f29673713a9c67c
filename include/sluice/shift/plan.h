/*
 * shift/plan - what now? The phases of a migration (S42), what a verdict makes of them,
 * and what a person may.
 */
#ifndef SLUICE_SHIFT_PLAN_H
#define SLUICE_SHIFT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/shift/guard.h"

enum shift_phase {
	SHIFT_IDLE,
	SHIFT_RUNNING,
	SHIFT_WAITING,
	SHIFT_PAUSED,
	SHIFT_MANUAL,
	SHIFT_DONE,
	SHIFT_REVERTED,
	SHIFT_CUTBACK,
	SHIFT_N_PHASES,
};

const char *shift_phase_text(enum shift_phase p); /* "running" */
bool shift_phase_parse(const char *text, enum shift_phase *p);
bool shift_is_latched(enum shift_phase p);

enum { SHIFT_MAX_STEPS = 64 };

struct shift_step {
	uint32_t new_ppm, hold_ms, timeout_ms;
};

enum shift_on_timeout { ON_TIMEOUT_HOLD, ON_TIMEOUT_ADVANCE, ON_TIMEOUT_REVERT };

struct shift_plan {
	struct shift_step step[SHIFT_MAX_STEPS];
	unsigned n_steps; /* 0: no plan */
	enum shift_on_timeout on_timeout;
};

struct shift_state {
	enum shift_phase phase;
	unsigned step;       /* of running, waiting, paused; the last one when done */
	uint32_t person_ppm; /* the weight of manual and idle */
	uint32_t passed_ppm; /* the largest weight that has passed its step (S12) */
	bool timed_out;      /* this step's time-out was told (on_timeout = hold) */
};

/* What a migration begins as on a machine that knows nothing about it. */
struct shift_state shift_first(const struct shift_plan *p, uint32_t file_ppm);
/* The share to new that this state stands for; latched: 0. A step that the plan does
 * not have stands for 0. */
uint32_t shift_new_ppm(const struct shift_state *s, const struct shift_plan *p);

enum shift_reason { /* why something changed or did not; one table of texts */
	WHY_NOTHING,
	WHY_PASSED,      /* hold over, evidence enough */
	WHY_LAST_PASSED, /* the plan is done */
	WHY_BREACH,      /* a guard fired */
	WHY_FLOOR,       /* nothing on new answers right */
	WHY_TIMED_OUT,   /* the step's time is over without evidence: held */
	WHY_TIMED_OUT_ADVANCE,
	WHY_TIMED_OUT_REVERT,
	WHY_COMMAND, /* a person asked */
	WHY_LATCHED, /* refusals: a latch stands; resume clears it */
	WHY_NO_PLAN,
	WHY_NOT_RUNNING,
	WHY_ALREADY, /* nothing to do; accepted as a no-op */
	WHY_SPILL,   /* held: new cannot take its share (S11) */
	WHY_EJECTED, /* held: a server of new is ejected (S14) */
	WHY_JOURNAL, /* held: the rise could not be recorded, or no PostgreSQL (S3) */
	WHY_LEGACY_DOWN, /* held: never advance because legacy is bad (S12) */
	WHY_TAINTED,     /* held: sluice itself stood still (S30) */
	WHY_PAUSED,      /* refusals: start of a paused plan; resume or abort it */
	WHY_DONE,        /* the plan is done; a weight comes first */
	WHY_N,
};

const char *shift_reason_text(enum shift_reason r); /* a short lower-case phrase */
const char *shift_reason_name(enum shift_reason r); /* "passed", "floor" */

struct shift_change {
	bool changed; /* next differs from the state given */
	bool refused; /* a command that may not be done now */
	struct shift_state next;
	enum shift_reason reason;
};

/* What a tick's verdict means for the state. held: WHY_NOTHING, or what forbids an
 * advance now (it never forbids a revert). A breach reverts from every phase in
 * which new has weight; a pass or time-out matters to a running step only. */
struct shift_change shift_decide(const struct shift_state *s,
	const struct shift_plan *p, const struct engine *e, enum shift_reason held);

enum shift_command {
	COMMAND_START,
	COMMAND_PAUSE,
	COMMAND_RESUME,
	COMMAND_ABORT,
	COMMAND_WEIGHT, /* new_ppm */
	COMMAND_CUTBACK,
	COMMAND_N,
};

const char *shift_command_text(enum shift_command c);

/* A person's wish, by the table of S42. Refused with a reason, or next. */
struct shift_change shift_command(const struct shift_state *s,
	const struct shift_plan *p, enum shift_command c, uint32_t new_ppm);

#endif
