/*
 * journal, inside: entries come from control, the store keeps them in SQLite, the
 * forward carries them to PostgreSQL. Everything but struct journal's locked part
 * belongs to the journal thread once that runs.
 */
#ifndef SLUICE_JOURNAL_PRIV_H
#define SLUICE_JOURNAL_PRIV_H

#include <pthread.h>

#include "sluice/base/list.h"
#include "sluice/base/mem.h"
#include "sluice/journal.h"
#include "sluice/net/loop.h"
#include "sluice/pg.h"

struct sqlite3;
struct sqlite3_stmt;

/* --- entry.c: what waits for its transaction --- */

enum entry_kind { ENTRY_DECISION, ENTRY_SAMPLE };

struct entry {
	struct link link;
	enum entry_kind kind;
	uint64_t seq;             /* what journal_append returned; 0 for a sample */
	struct decision decision; /* texts are behind the entry */
	struct journal_sample sample;
	char sample_id[DIGEST_UUID_SIZE];
	struct journal_state *states;
	size_t n_states;
	char text[];
};

/* Copies all texts, with what is no UTF-8 in them replaced; makes the id and the
 * time that are missing. */
struct entry *entry_of_decision(const struct decision *d,
	const struct journal_state *states, size_t n) MUST_USE;
struct entry *entry_of_sample(const struct journal_sample *s) MUST_USE;
void entry_free(struct entry *e);
/* Moves all of from behind what is in to. */
void entry_move_all(struct link *to, struct link *from);
void entry_free_all(struct link *entries);

/* --- store*.c, outbox.c: SQLite --- */

enum {
	/* Samples kept, delivered or not; the oldest go first (S3). */
	STORE_SAMPLES = 100000,
	/* Dropped at once when the bound is reached, so that the deletes are rare. */
	STORE_DROP_AT_ONCE = 1000,
	/* The most decisions that one question is answered with. */
	STORE_ASK_MAX = 10000,
};

enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_OUTBOX_PUT,
	SQL_OUTBOX_TAKE,
	SQL_DECISION_PUT,
	SQL_SAMPLE_PUT,
	SQL_STATE_PUT,
	SQL_COUNTER_PUT,
	SQL_STATES,
	SQL_ASK_ALL,
	SQL_ASK_ONE,
	SQL_WAITING,
	SQL_DECISION,
	SQL_SAMPLE,
	SQL_REFUSE,
	SQL_UNREFUSE,
	SQL_DROP_UP_TO,
	SQL_DROP_FROM_OUTBOX,
	SQL_DROP_SAMPLES,
	SQL_PRUNE_OUTBOX,
	SQL_PRUNE_SAMPLES,
	SQL_COUNTS,
	SQL_UNTOLD,
	SQL_KEY_PUT,
	SQL_KEY,
	SQL_N,
};

struct outbox { /* how many rows there are; true after each commit */
	uint64_t waiting, refused, samples;
};

enum store_limit { /* what there is while nothing can be written */
	STORE_WHOLE,
	STORE_READING, /* what was kept, for reading */
	STORE_MISSING, /* nothing was kept, nor can be */
	STORE_LOST,    /* what is there is to be set aside when that is possible */
};

struct store {
	struct sqlite3 *db;
	struct sqlite3_stmt *st[SQL_N];
	char *path;
	uint64_t key; /* random, for ever the same for this database; 0: none yet */
	struct outbox outbox;
	uint64_t committed; /* rows since open */
	/* Samples dropped: since open; and those that no row tells of yet. */
	uint64_t dropped, untold;
	uint64_t told_ms; /* when a row last told */
	uint64_t in_flight_first,
		in_flight_last; /* on their way to PostgreSQL; 0: none */
	bool forwarded;  /* there is somebody to forward to: dropping is a loss */
	int64_t changes; /* when the transaction began */
	enum store_limit limit;
	bool no_room; /* for what failed last in making a database */
	bool failing;
	char trouble[256];
};

/* The last thing SQLite said, as err with what before it; -1. */
int store_err(struct store *s, struct err *err, const char *what);

int store_open(struct store **out, const char *path, enum journal_found *found,
	struct err *lost) MUST_USE;
void store_close(struct store *s);
void store_detach(struct store *s); /* from its database */
/* Whether it is a database of ours and whole. */
int store_check(struct store *s, struct err *err) MUST_USE;

/* Prepares all statements and reads what is kept in the store. */
int store_prepare(struct store *s, struct err *err) MUST_USE;
extern const char store_schema[];

/* While the file system has no room or is read-only: why is what said so. */
bool store_errno_is_no_room(int number);
bool store_has_no_room(const struct store *s); /* after what SQLite said last */
int store_open_reading(
	struct store *s, const struct err *why, struct err *err) MUST_USE;
/* An empty database in memory, until there is room for the real one. */
int store_open_stand_in(struct store *s, enum store_limit limit, const struct err *why,
	struct err *err) MUST_USE;
/* Tries for the real one; what there is stays where that fails. */
int store_reopen(struct store *s, struct err *err) MUST_USE;

/* Runs a statement that gives no rows. */
int store_run(struct store *s, enum sql q, struct err *err) MUST_USE;
void store_bind_text(struct store *s, enum sql q, int i, const char *text);
void store_bind_u64(struct store *s, enum sql q, int i, uint64_t value);
/* What is done between the two is kept whole or not at all. ok false rolls back.
 * Remembers whether the disk works, and logs when that changes. */
int store_begin(struct store *s, struct err *err) MUST_USE;
int store_end(struct store *s, bool ok, struct err *err) MUST_USE;

int store_commit(struct store *s, const struct link *entries, struct err *err) MUST_USE;

void store_each_state(struct store *s,
	void (*take)(void *arg, const struct journal_state *s), void *arg);

struct ask {
	struct link link;
	struct journal_query query;
	void (*on_rows)(void *arg, const struct decision *rows, size_t n,
		const struct err *err);
	void *arg;
	struct decision *rows; /* point into entries */
	struct link entries;
	size_t n;
	struct err err; /* code ERR_NONE: answered */
};

void store_answer(struct store *s, struct ask *a);

/* One row on its way; texts are valid for the call. */
struct record {
	uint64_t seq;
	enum entry_kind kind;
	const struct decision *decision;
	const struct journal_sample *sample;
	const char *id;
};

/* Gives the oldest waiting rows in order until take returns false or max were given. */
int store_each_waiting(struct store *s, unsigned max,
	bool (*take)(void *arg, const struct record *r), void *arg,
	struct err *err) MUST_USE;

int outbox_open(struct store *s, struct err *err) MUST_USE;
int outbox_count(struct store *s, struct err *err) MUST_USE;
/* Exactly these: rows between them may have been refused. */
int outbox_delivered(
	struct store *s, const uint64_t *seqs, size_t n, struct err *err) MUST_USE;
/* Takes seq out of the way until outbox_unrefuse: PostgreSQL will not have it. */
int outbox_refuse(
	struct store *s, uint64_t seq, const char *why, struct err *err) MUST_USE;
int outbox_unrefuse(struct store *s, struct err *err);
/* Inside a transaction: drops samples above the bound. */
int outbox_bound(struct store *s, struct err *err) MUST_USE;
/* Forgets some of the samples older than a week. */
int outbox_prune(struct store *s, struct err *err);

/* --- forward.c, outgoing.c, wire.c: PostgreSQL --- */

struct forward;

struct forward_view {
	enum journal_forward state;
	uint64_t away_since_us;
	const char *trouble;
};

/* on_news: the view changed, rows were delivered, or an attempt to connect failed. */
struct forward *forward_new(
	struct net_loop *l, struct store *s, void (*on_news)(void *), void *arg);
void forward_free(struct forward *f);
void forward_configure(struct forward *f, const char *conninfo);
/* There may be rows to forward. */
void forward_kick(struct forward *f);
/* Try now if it is resting, and do not rest again. */
void forward_hurry(struct forward *f);
struct forward_view forward_look(const struct forward *f);
/* Nothing waits, or nothing can be done about it any more. */
bool forward_is_finished(const struct forward *f);

enum { OUTGOING_ROWS = 200, OUTGOING_BYTES = 1 << 20, OUTGOING_A_ROW = 3 };

struct outgoing { /* a batch on its way: one transaction there */
	struct pg_session *session;
	const char *instance;
	struct pg_batch batch;
	unsigned max_rows, rows; /* max_rows 1..OUTGOING_ROWS */
	uint64_t row[OUTGOING_ROWS];
	unsigned row_of[OUTGOING_A_ROW * OUTGOING_ROWS]; /* of each statement */
	bool lost; /* the connection, while rows were queued */
};

/* Queues the oldest rows that wait; rows 0: none does. */
int outgoing_take(struct outgoing *o, struct store *s, struct err *err) MUST_USE;
/* The row that PG_BATCH_REFUSED speaks of. */
uint64_t outgoing_refused(const struct outgoing *o);
/* What there is to do about an error, to follow it; "" when that is unknown. */
const char *outgoing_advice(const struct outgoing *o);

/* Queues the statements of a row, at most OUTGOING_A_ROW. -1: the connection is lost. */
int wire_send(struct outgoing *to, const struct record *r) MUST_USE;

/* host:path, for ever the same for this journal. */
void wire_name_instance(const char *path, char *out, size_t size);

enum { WIRE_SESSION_SIZE = 64 }; /* as much of a session's name as PostgreSQL keeps */

/* "sluice", the host, and what no other journal shares: a copy of this one's path on a
 * host of the same name is another journal. Needs no quotes in SQL. */
void wire_name_session(
	uint64_t key, const char *instance, char out[static WIRE_SESSION_SIZE]);

/* Answered with why rows cannot be written; "" if they can. */
extern const char wire_check_sql[];

enum { WIRE_CLEAR_SIZE = 512 };

/* Ends the other sessions of that name; answered with how many. */
void wire_clear_sql(const char *name, char out[static WIRE_CLEAR_SIZE]);

/* --- sql.c (made from sql/) --- */

struct sql_file {
	int version;
	const char *name, *text;
};

/* Ends with version 0. */
extern const struct sql_file sql_files[];

/* --- journal.c, thread.c --- */

struct journal {
	/* Control's. */
	struct net_waker *to_control;
	struct journal_owner owner;
	uint64_t appended;
	pthread_t thread;
	bool started;

	/* Under lock, which is never held during I/O. */
	pthread_mutex_t lock;
	struct link queue, asks, answers;
	size_t queued_samples;
	uint64_t overflowed; /* samples that the queue had no room for */
	char *postgres;      /* a wish that the thread has not taken yet; NULL: none */
	bool closing;
	uint32_t closing_ms;
	uint64_t committed_seq;
	struct journal_status status;
	bool status_changed;

	/* The journal thread's. */
	struct net_loop *loop;
	struct net_waker *to_thread;
	struct net_timer retry, prune, last_call;
	struct store *store;
	struct forward *forward;
	struct link pending;
	size_t pending_samples;
	bool ending;
};

/* Samples in memory, in the queue and again while the disk fails. */
enum { JOURNAL_MEMORY_SAMPLES = 10000 };

void thread_init(struct journal *j);
void thread_fini(struct journal *j);
void *thread_main(void *arg);

#endif
