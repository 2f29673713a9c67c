/*
 * live - the words that decide where traffic goes, in a file mapped by every
 * process that serves (docs/architecture.md, Decisions).
 *
 * A revert or cutback is one atomic store here and outlives kill -9 of every
 * process the moment it takes effect. One writer (control), besides
 * commands_cutback_all, to which a signal handler adds; any thread reads, lock-free.
 *
 * A migration that leaves the configuration keeps its word, and finds it when it
 * comes back. When all are taken, words that are not latched and that nothing needs are
 * given back for other names; a latched one never is.
 */
#ifndef SLUICE_LIVE_H
#define SLUICE_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sluice/base/err.h"
#include "sluice/base/mem.h"

enum { LIVE_NAME_SIZE = 64, LIVE_WORDS = 1024 };
enum live_latch { LIVE_OPEN, LIVE_REVERTED, LIVE_CUTBACK };

/* Weight, latch and generation change together, in one store. */
struct live_value {
	uint32_t new_ppm; /* 0..1000000; what the latch allows is live_effective's */
	enum live_latch latch;
	uint64_t generation; /* rises with every change; 40 bits are kept */
};

struct live_word {
	_Alignas(64) char name[LIVE_NAME_SIZE]; /* empty: a free slot */
	_Atomic uint64_t packed;
	_Atomic uint32_t epoch; /* of stickiness; not the run (S28) */
};

struct live;

/* Maps path, made and filled with posix_fallocate if it is missing. *fresh says
 * that it was. A file that is no live file, of another version, damaged (bad
 * magic or size) is an error: the caller decides that it is lost (S2). */
int live_open(
	struct live **out, const char *path, bool *fresh, struct err *err) MUST_USE;
void live_close(struct live *live);

/* False: the file system is read-only or full, the words are in memory alone, and end with
 * this process. live_keep tries to write them to the file and to map that; no store into
 * them is lost meanwhile, and pointers to words stay valid. Control's thread. */
bool live_is_kept(const struct live *live);
/* Once a second: whether the file is where it was and whole. False: it was deleted, moved
 * or cut, is_kept is false from now, and live_keep makes it anew with what is mapped. */
bool live_look(struct live *live);
/* From now on a file that is cut short ends no process. Once in a process. */
void live_watch(struct live *live);
int live_keep(struct live *live, struct err *err) MUST_USE;

/* NULL when name has none and add is false, or all LIVE_WORDS are taken; and for
 * a name that is empty or does not fit into LIVE_NAME_SIZE with its NUL. */
struct live_word *live_find(struct live *live, const char *name, bool add);

/* Frees the words that are not latched and that are not needed; how many. A word that a
 * thread may still read is needed. */
size_t live_give_back(struct live *live,
	bool (*is_needed)(void *arg, const struct live_word *w), void *arg);

void live_store(struct live_word *w, struct live_value value);
struct live_value live_load(const struct live_word *w);

/* A counter that only grows: while it is above cutback_done, every attempt goes
 * to legacy. Async-signal-safe, never blocks. */
void live_cutback_all(struct live *live);
uint64_t live_cutback_wanted(const struct live *live);
uint64_t live_cutback_done(const struct live *live);
void live_set_cutback_done(struct live *live, uint64_t value);

/* What the request path asks: the share to new, right now. */
uint32_t live_effective_ppm(const struct live *live, const struct live_word *w);

#endif
