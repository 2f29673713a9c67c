/*
 * control/evidence - what a decision was made on, as JSON that answers "why?" later
 * and can be played again: the engine before the tick, what the tick counted, and the
 * state and plan it was counted for.
 *
 * Pure.
 */
#ifndef SLUICE_CONTROL_EVIDENCE_H
#define SLUICE_CONTROL_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/base/err.h"
#include "sluice/base/mem.h"
#include "sluice/control/guards.h"
#include "sluice/control/memory.h"
#include "sluice/pool/migration.h"
#include "sluice/shift.h"

/* What both pools did over the last window. */
struct window_view {
	uint32_t ms;
	struct window_side {
		uint64_t requests, user_errors, attempts, errors;
		uint64_t p50_us, p95_us, p99_us, samples;
		uint64_t outcome[N_OUTCOMES];
		uint64_t status[5]; /* 1xx..5xx */
	} side[N_SIDES];
	uint64_t spilled, rescued;
};

/* One tick of the engine, with the engine as it was before it. */
struct sample {
	struct engine before;
	int64_t dt_ms, ok, failed;
	struct guard_counts counts[GUARD_MAX];
	enum shift_reason held;
};

struct evidence {
	const struct memory *memory; /* before the decision */
	const struct guard_set *guards;
	const struct engine *engine; /* after the tick */
	const struct sample *sample; /* NULL: no tick decided this */
	const struct window_view *window;
	double pivot_legacy_ms; /* 0: none */
	uint64_t first_bad_us;  /* wall: when this evidence of harm began; 0: none */
};

/* One line. Free with free(). */
char *evidence_print(const struct evidence *e) MUST_USE;

/* The grounds of the engine's verdict in one sentence for a person: "error_rate: 37 of
 * 210 bad (17.6 %, limit 1 %) within 3.2 s". Empty when there is nothing to say. */
void evidence_sentence(
	char *out, size_t out_n, const struct guard_set *set, const struct engine *e);

struct replay {
	enum shift_verdict verdict_then, verdict_now;
	struct shift_change change; /* what the plan makes of it now */
	struct engine engine;
};

/* Plays the tick of an evidence again. -1: it has none, or is not readable. */
int evidence_replay(struct replay *out, const char *json, struct err *err) MUST_USE;

#endif
