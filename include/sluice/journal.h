/*
 * journal - the durable, ordered record of decisions: SQLite on this machine,
 * forwarded to PostgreSQL.
 *
 * A thread of its own does all disk and database work; the calls here only
 * queue, never block and never touch a file (but journal_open and _close).
 * Callbacks come on the control loop. Decisions are never dropped; metric
 * samples are, first, when the outbox reaches its bound (S3), and a row says so.
 */
#ifndef SLUICE_JOURNAL_H
#define SLUICE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/base/digest.h"
#include "sluice/base/err.h"
#include "sluice/base/mem.h"
#include "sluice/config.h"

struct journal;
struct net_loop;

/* The state of a migration as control keeps it, for the next start: json is
 * opaque to the journal, generation is compared with the live file's (S2). */
struct journal_state {
	char migration[CONFIG_NAME_SIZE];
	uint64_t generation;
	const char *json; /* borrowed for the call */
};

/* One thing that changed, or refused to change, traffic. Texts are borrowed for
 * the call and copied by the journal. */
struct decision {
	char id[DIGEST_UUID_SIZE]; /* UUIDv7; made by journal_append when empty */
	uint64_t wall_us;          /* likewise when 0 */
	const char *migration;     /* "" = the whole process */
	const char *action;        /* decision_text; another version may know others */
	const char *phase_from, *phase_to; /* "" where there is none */
	uint32_t from_ppm, to_ppm;
	const char *actor;         /* shift_actor_text */
	const char *reason;        /* one sentence, with what the actor said */
	const char *evidence_json; /* NULL: none. Its first_bad_us, wall time, goes
				      into migration_rollback.first_bad_at */
	const char *config_hash;
	uint64_t generation; /* after the decision */
};

/* Summed over an interval; what migration_metrics keeps of one migration. */
struct journal_sample {
	char migration[CONFIG_NAME_SIZE];
	uint64_t wall_us;
	uint32_t interval_ms, new_ppm;
	struct {
		uint64_t requests, attempts, errors;
		uint64_t p50_us, p95_us, p99_us;
	} legacy, new_;
	uint64_t spilled, rescued;
	double evidence; /* the largest of the guards, 0..1 */
};

enum journal_forward { JOURNAL_NO_FORWARD, JOURNAL_CONNECTED, JOURNAL_AWAY };

struct journal_status { /* a snapshot any thread may take */
	enum journal_forward forward;
	bool failing;           /* SQLite cannot commit: disk full, I/O error */
	uint64_t committed;     /* rows in SQLite since start */
	uint64_t waiting;       /* rows committed and not yet forwarded */
	uint64_t dropped;       /* samples */
	uint64_t away_since_us; /* wall; 0 while connected or not configured */
	char trouble[256];      /* the last error; "" when all is well */
};

struct journal_owner {
	struct net_loop *loop; /* where the callbacks come: control's */
	/* All appends up to and including seq are committed (fsynced). */
	void (*on_committed)(void *arg, uint64_t seq);
	/* failing or forward changed. */
	void (*on_status)(void *arg, const struct journal_status *s);
	void *arg;
};

enum journal_found { JOURNAL_FRESH, JOURNAL_FOUND, JOURNAL_LOST };

/* Opens or makes the database and its tables; may block, so at start only. A
 * database that cannot be opened, is damaged or is newer is set aside (renamed
 * with a suffix, reason in lost) and a new one made: JOURNAL_LOST (S2). -1 only when no
 * new one can be made either (then the old one stays where it was), or when another
 * process holds the database. */
int journal_open(struct journal **out, const struct config_journal *c,
	const struct journal_owner *owner, enum journal_found *found,
	struct err *lost) MUST_USE;

/* The states kept, once after open, before journal_start. */
void journal_each_state(struct journal *j,
	void (*take)(void *arg, const struct journal_state *s), void *arg);

/* Starts the thread. Before it, appends are queued. ERR_SYSTEM: no memory for one. */
int journal_start(struct journal *j, struct err *err) MUST_USE;
/* Another connection string or grace after a reload. */
void journal_configure(struct journal *j, const struct config_journal *c);
/* Commits what is queued, gives PostgreSQL until ms to take the rest, ends the thread.
 * Open questions are answered, with an error; on_committed and on_status are silent. */
void journal_close(struct journal *j, uint32_t ms);

/* Queues a decision together with the states after it (n may be 0): one transaction.
 * Returns its sequence number. Control thread only. */
uint64_t journal_append(struct journal *j, const struct decision *d,
	const struct journal_state *states, size_t n);
void journal_sample(struct journal *j, const struct journal_sample *s);
void journal_get_status(struct journal *j, struct journal_status *out);

struct journal_query {
	char migration[CONFIG_NAME_SIZE]; /* "" = all */
	uint64_t since_us;
	unsigned limit; /* the newest so many, given oldest first; at most 10,000 */
};

/* on_rows comes later on the control loop with n decisions (texts valid for the call),
 * or err. Cancelled by nothing: the owner stays. */
void journal_ask(struct journal *j, const struct journal_query *q,
	void (*on_rows)(void *arg, const struct decision *rows, size_t n,
		const struct err *err),
	void *arg);

/* --- PostgreSQL's schema; used by sluicectl ----------------------------------- */

/* Applies the numbered SQL files not applied yet, in one transaction each, under an
 * advisory lock. Synchronous. *from and *to are versions. */
int journal_migrate(const char *conninfo, int *from, int *to, struct err *err) MUST_USE;

#endif
