/*
 * shift - split, guard, plan: who gets a request, is new healthy, what now?
 *
 * Pure: values in, values out. No clock, log, allocation, random number or
 * global; the same input gives the same answer for ever. Every struct here is
 * plain data that its owner may copy, compare and keep.
 *
 * The guard is docs/guard.md's rule, exactly; shares are ppm, time is ms, only
 * evidence is floating point.
 */
#ifndef SLUICE_SHIFT_H
#define SLUICE_SHIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- split: error diffusion, exact in any window (docs/architecture.md) ---- */

struct split {
	uint32_t carry; /* 0..999999 */
};

/* The phase of one data thread of several. */
void split_init(struct split *s, unsigned thread, unsigned threads);
/* Whether this one is new's, when new has ppm of a million. 0 never, 1000000 always. */
bool split_next(struct split *s, uint32_t ppm);

/* --- guard ------------------------------------------------------------------ */

enum { GUARD_HARM_BANK = 4, GUARD_PROMOTE_BANK = 3, GUARD_MAX = 4 };

struct guard_params {
	bool relative;
	double p0, rho, p_min, h, cap_rps, alpha_promote;
	uint32_t dwell_ms, min_bad, bin_min;
	bool observe; /* never fires the engine, never asked for proof (GUARD 9) */
};

/* All defaults of the rule; relative false. */
struct guard_params guard_defaults(void);
/* NULL, or which parameter is out of range. */
const char *guard_check(const struct guard_params *p);

struct guard_counts { /* of one tick; new_ n and bad, legacy n and bad */
	int64_t n1, k1, n0, k0;
};

struct guard {
	struct guard_params p;
	double s[GUARD_HARM_BANK];
	int64_t age_ms[GUARD_HARM_BANK], bad[GUARD_HARM_BANK], n[GUARD_HARM_BANK];
	bool fired;
	int64_t bin[5]; /* n1 k1 n0 k0 dt */
	double promote[2 * GUARD_PROMOTE_BANK];
	bool proven;
	double effective_n;
	int64_t step_n, step_bad;
	double ln_harm[GUARD_HARM_BANK],
		l1p_harm[GUARD_HARM_BANK]; /* worked out once */
	double ln_promote[GUARD_PROMOTE_BANK], l1p_promote[GUARD_PROMOTE_BANK];
	double proof;  /* what guard_promote_log must reach: ln(1 / alpha) */
	uint64_t need; /* guard_need(&p) */
};

void guard_init(struct guard *g, const struct guard_params *p);
double guard_evidence(const struct guard *g);      /* 0..1, of the bar */
unsigned guard_bar_percent(const struct guard *g); /* GUARD 10: 99 until fired */
unsigned guard_leader(const struct guard *g);      /* index into s, age_ms, bad, n */
double guard_promote_log(const struct guard *g);
double guard_promote(const struct guard *g);       /* 0..1 */
uint64_t guard_need(const struct guard_params *p); /* all-good requests that prove it */

/* Tracks legacy's p95 for the relative latency guard (GUARD 6). */
struct pivot {
	double ln_q, t, rho, lo, hi;
};

/* q0_ms: the last known p95 of legacy; 0 when there is none. */
void pivot_init(
	struct pivot *v, double q0_ms, double quantile, double rho, double t_min_ms);
void pivot_tick(struct pivot *v, int64_t n0, int64_t k0);
double pivot_legacy_ms(const struct pivot *v);
double pivot_new_ms(const struct pivot *v);

enum shift_verdict { VERDICT_HOLD, VERDICT_PASS, VERDICT_BREACH, VERDICT_INCONCLUSIVE };
enum verdict_reason {
	BECAUSE_NOTHING,
	BECAUSE_FLOOR,
	BECAUSE_GUARD,              /* engine.reason_guard */
	BECAUSE_TOO_LITTLE_TRAFFIC, /* likewise */
	BECAUSE_TOO_CLOSE,          /* likewise */
	BECAUSE_NOT_SETTLED,
};

struct engine_params {
	uint32_t min_hold_ms, max_hold_ms;
	uint32_t floor_fails, floor_ticks;
	double settle;
};

struct engine {
	struct engine_params p;
	struct guard guard[GUARD_MAX];
	unsigned n_guards;
	uint32_t asked; /* bit i: guard i is asked for proof in this step; all at start
			 */
	int64_t run, run_ticks, elapsed_ms;
	enum shift_verdict verdict;
	enum verdict_reason reason;
	unsigned reason_guard;
};

struct engine_params engine_defaults(void);
void engine_init(struct engine *e, const struct engine_params *p,
	const struct guard_params *guards, unsigned n_guards);
void engine_start(struct engine *e); /* a new run: all state zero, all asked */
void engine_step(struct engine *e);  /* a new step or weight: promotion and elapsed */
void engine_config(struct engine *e, unsigned guard, const struct guard_params *p);
/* counts: one for each guard. Latched once VERDICT_BREACH, until engine_start. */
enum shift_verdict engine_tick(struct engine *e, int64_t dt_ms, int64_t ok,
	int64_t failed, const struct guard_counts *counts);
/* max(10, ceil(h / -ln p0)) for the error guard's limit p0 (GUARD 7). */
uint32_t engine_floor_fails(double h, double p0);

/* --- plan: the phases of a migration (S42) ---------------------------------- */

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
