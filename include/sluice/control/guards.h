/*
 * control/guards - which guards a migration's configuration asks for, in which order,
 * and which counters feed each of them. Pure.
 *
 * The order is that of enum guard_kind; a guard's place in the engine is its place
 * in the set. No error guard goes alone: without p95_latency one at half of the
 * response head's time-out watches in observe mode (S19).
 */
#ifndef SLUICE_CONTROL_GUARDS_H
#define SLUICE_CONTROL_GUARDS_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/config.h"
#include "sluice/pool/migration.h"
#include "sluice/shift.h"

enum guard_kind {
	GUARD_ERROR_RATE,
	GUARD_P95_LATENCY,
	GUARD_ERROR_RATIO,
	GUARD_P95_RATIO,
	N_GUARD_KINDS,
};

struct guard_def {
	enum guard_kind kind;
	struct guard_params p;
	uint64_t slow_us; /* p95_latency's; else 0 */
	double ratio;     /* p95_ratio's; else 0 */
	double t_min_ms;
};

struct guard_set {
	struct guard_def def[GUARD_MAX];
	unsigned n;
	uint32_t floor_fails; /* UINT32_MAX: the floor is not armed */
};

const char *guard_kind_name(enum guard_kind k); /* "error_rate", as in the file */

struct guard_set guards_of(
	const struct config_migration *m, const struct config_timeouts *t);
bool guards_equal(const struct guard_def *a, const struct guard_def *b);
/* NULL when there is none of this kind. */
const struct guard_def *guards_find(const struct guard_set *s, enum guard_kind k);

void guards_init_engine(struct engine *e, const struct guard_set *s);
/* Guards that are as before keep their evidence, the others begin anew. True when
 * there is one of those. */
bool guards_change_engine(
	struct engine *e, const struct guard_set *old, const struct guard_set *s);
/* No relative guard is asked for proof where legacy has no share (GUARD 9). */
void guards_ask(struct engine *e, uint32_t new_ppm);

/* One tick's counts: what came after then. A counter that went back counts 0. */
void guards_count(const struct guard_set *s, const struct migration_counts *now,
	const struct migration_counts *then, struct guard_counts out[GUARD_MAX]);
uint64_t guards_delta(const struct migration_counts *now,
	const struct migration_counts *then, enum side side, enum side_count c);

#endif
