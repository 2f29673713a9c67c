/*
 * shift/guard - is new healthy? The rule of docs/guard.md, whose sections are cited as
 * GUARD 4: one guard, the pivot of relative latency, and the engine that brings a
 * migration's guards to one verdict.
 */
#ifndef SLUICE_SHIFT_GUARD_H
#define SLUICE_SHIFT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
