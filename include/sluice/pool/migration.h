/*
 * pool/migration - a migration as a live object: the word that holds its weight
 * and latch, what its guards need to know on the request path, and its counters.
 *
 * Counters only grow. Each data thread writes its own block, anybody sums them.
 */
#ifndef SLUICE_POOL_MIGRATION_H
#define SLUICE_POOL_MIGRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/base/hist.h"
#include "sluice/live.h"

struct bucket;
struct migration;

enum side { SIDE_LEGACY, SIDE_NEW, N_SIDES };

/* How an attempt ended, decided once. One table of texts. */
enum outcome {
	OUTCOME_OK,
	OUTCOME_CONNECT, /* from here to GRPC: the pool's errors (S17) */
	OUTCOME_TLS,
	OUTCOME_STATUS,
	OUTCOME_MALFORMED,
	OUTCOME_TRUNCATED,
	OUTCOME_RESET,
	OUTCOME_TIMEOUT,
	OUTCOME_STALL,
	OUTCOME_GRPC,
	OUTCOME_CLIENT_GONE,
	OUTCOME_LOCAL,
	N_OUTCOMES,
};

const char *outcome_text(enum outcome o);
bool outcome_is_error(enum outcome o);

/* Counted for each side of a migration. The guard's are those of the current run. */
enum side_count {
	COUNT_REQUESTS,    /* the user's: answered by this side */
	COUNT_USER_ERRORS, /* of these, 5xx or broken as the user saw it */
	COUNT_ATTEMPTS,    /* ended */
	COUNT_ERRORS,      /* of these, OUTCOME_CONNECT..GRPC */
	COUNT_STATUS_1XX,
	COUNT_STATUS_2XX,
	COUNT_STATUS_3XX,
	COUNT_STATUS_4XX,
	COUNT_STATUS_5XX,
	COUNT_BYTES_IN,
	COUNT_BYTES_OUT, /* bodies, from and to clients */
	COUNT_RETRIES,
	COUNT_RESCUED,     /* of new: answered by legacy instead */
	COUNT_NOT_RESCUED, /* of new: could have been, but for size or budget */
	COUNT_SPILL,       /* meant for this side, sent to the other */
	COUNT_QUEUED,      /* waited for a server */
	COUNT_TUNNELS,
	COUNT_TUNNELS_OPEN,    /* now */
	COUNT_TUNNELS_BROKEN,  /* by the pool within their first seconds: errors */
	COUNT_TUNNELS_DRAINED, /* asked to leave */
	COUNT_TUNNELS_CUT,
	COUNT_MESSAGES_IN, /* from clients, through tunnels */
	COUNT_MESSAGES_OUT,
	COUNT_TUNNEL_BYTES_IN,
	COUNT_TUNNEL_BYTES_OUT,
	GUARD_N,
	GUARD_K, /* error guards */
	GUARD_LAT_N,
	GUARD_LAT_K, /* p95_latency: fast or slow, slow */
	GUARD_RATIO_N,
	GUARD_RATIO_K, /* p95_ratio, against the pivot */
	GUARD_OK,
	GUARD_CF, /* the floor's */
	N_SIDE_COUNTS,
};

struct migration_counts {
	uint64_t v[N_SIDES][N_SIDE_COUNTS];
	uint64_t outcome[N_SIDES][N_OUTCOMES];
};

const char *migration_name(const struct migration *m);
struct live_word *migration_word(const struct migration *m);

/* --- data threads ---------------------------------------------------------------- */

/* Whether the next request is new's, with the thread's own split. */
bool migration_split(struct migration *m, unsigned thread);
/* Whether one that is new's must spill, when only usable of total can take it (S11). */
bool migration_spills(
	struct migration *m, unsigned thread, uint32_t usable, uint32_t total);
/* Legacy is down: whether this one may go to new (S12). */
bool migration_overflows(struct migration *m, unsigned thread);
uint32_t migration_effective_ppm(const struct migration *m);
/* A revert or cutback holds, in this moment; and its tunnels are to be cut (S35). */
bool migration_is_latched(const struct migration *m);
bool migration_is_hard(const struct migration *m);
/* How many tunnels may begin, and how many may be asked to leave: for all threads. */
struct bucket *migration_upgrades(struct migration *m);
struct bucket *migration_leaving(struct migration *m);

/* The rescue budget, as the pool's for retries; ppm is the configured share. */
void migration_note_request(struct migration *m, unsigned thread, uint32_t ppm);
bool migration_may_rescue(struct migration *m, unsigned thread, uint64_t now_ns);

/* What an attempt takes along when it is routed, to be judged by (S28, GUARD 6). */
struct mark {
	uint32_t run;
	uint64_t slow_us;       /* p95_latency; 0: no such guard */
	uint64_t ratio_slow_us; /* by the side; 0: no such guard */
};
struct mark migration_mark(const struct migration *m, enum side side);

void migration_add(struct migration *m, unsigned thread, enum side side,
	enum side_count c, uint64_t n);
/* Guard counts: dropped when mark is of another run. */
void migration_add_marked(struct migration *m, unsigned thread, enum side side,
	enum side_count c, const struct mark *mark);
void migration_outcome(
	struct migration *m, unsigned thread, enum side side, enum outcome o);
/* First byte at this age; and total time of the exchange. */
void migration_latency(
	struct migration *m, unsigned thread, enum side side, uint64_t us);

/* --- control -------------------------------------------------------------- */

void migration_sum(const struct migration *m, struct migration_counts *out);
void migration_add_hist(
	const struct migration *m, enum side side, struct hist_view *sum);
/* All that ever came, now; valid until the next call. */
const struct hist_total *migration_hist_total(struct migration *m, enum side side);
uint32_t migration_run(const struct migration *m);
void migration_set_run(struct migration *m, uint32_t run);
void migration_set_slow_us(struct migration *m, uint64_t us);
void migration_set_ratio_us(struct migration *m, uint64_t legacy_us, uint64_t new_us);
/* The largest weight that has passed its step (S12). */
void migration_set_passed_ppm(struct migration *m, uint32_t ppm);
/* Once new has had a usable server in this run, its absence is a failure (S11). */
void migration_set_seen_new(struct migration *m, bool seen);
bool migration_seen_new(const struct migration *m);
/* A cutback that closes tunnels too; ends with the latch. */
void migration_set_hard(struct migration *m, bool hard);

struct registry;
/* Control thread: counted. */
void migration_unref(struct registry *r, struct migration *m);

#endif
