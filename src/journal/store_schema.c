/*
 * What is in the database, and every statement that the store runs.
 */
#include <sqlite3.h>

#include "journal_priv.h"

/* outbox holds what PostgreSQL does not have yet, in order; its seq is everybody's.
 * AUTOINCREMENT, so that a seq that was delivered never comes again. */
const char store_schema[] =
	"PRAGMA application_id = 1936487779;"
	"PRAGMA user_version = 1;"
	"CREATE TABLE outbox ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" kind INTEGER NOT NULL,"
	" refused TEXT) STRICT;"
	"CREATE TABLE decision ("
	" seq INTEGER PRIMARY KEY,"
	" id TEXT NOT NULL UNIQUE,"
	" wall_us INTEGER NOT NULL,"
	" migration TEXT NOT NULL,"
	" action TEXT NOT NULL,"
	" phase_from TEXT NOT NULL,"
	" phase_to TEXT NOT NULL,"
	" from_ppm INTEGER NOT NULL,"
	" to_ppm INTEGER NOT NULL,"
	" actor TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" evidence TEXT,"
	" config_hash TEXT NOT NULL,"
	" generation INTEGER NOT NULL) STRICT;"
	"CREATE INDEX decision_migration ON decision (migration, seq);"
	"CREATE TABLE sample ("
	" seq INTEGER PRIMARY KEY,"
	" id TEXT NOT NULL UNIQUE,"
	" wall_us INTEGER NOT NULL,"
	" migration TEXT NOT NULL,"
	" interval_ms INTEGER NOT NULL,"
	" new_ppm INTEGER NOT NULL,"
	" legacy_requests INTEGER NOT NULL,"
	" legacy_attempts INTEGER NOT NULL,"
	" legacy_errors INTEGER NOT NULL,"
	" legacy_p50_us INTEGER NOT NULL,"
	" legacy_p95_us INTEGER NOT NULL,"
	" legacy_p99_us INTEGER NOT NULL,"
	" new_requests INTEGER NOT NULL,"
	" new_attempts INTEGER NOT NULL,"
	" new_errors INTEGER NOT NULL,"
	" new_p50_us INTEGER NOT NULL,"
	" new_p95_us INTEGER NOT NULL,"
	" new_p99_us INTEGER NOT NULL,"
	" spilled INTEGER NOT NULL,"
	" rescued INTEGER NOT NULL,"
	" evidence REAL NOT NULL) STRICT;"
	"CREATE TABLE state ("
	" migration TEXT PRIMARY KEY,"
	" generation INTEGER NOT NULL,"
	" json TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE counter ("
	" name TEXT PRIMARY KEY,"
	" value INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

#define DECISION_COLUMNS                                                          \
	"id, wall_us, migration, action, phase_from, phase_to, from_ppm, to_ppm," \
	" actor, reason, evidence, config_hash, generation"
#define SAMPLE_COLUMNS                                                        \
	"id, wall_us, migration, interval_ms, new_ppm, legacy_requests,"      \
	" legacy_attempts, legacy_errors, legacy_p50_us, legacy_p95_us,"      \
	" legacy_p99_us, new_requests, new_attempts, new_errors, new_p50_us," \
	" new_p95_us, new_p99_us, spilled, rescued, evidence"

static const char *const statements[SQL_N] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_OUTBOX_PUT] = "INSERT INTO outbox (kind) VALUES (?)",
	[SQL_OUTBOX_TAKE] = "DELETE FROM outbox WHERE seq = ?",
	[SQL_DECISION_PUT] = "INSERT INTO decision (seq, " DECISION_COLUMNS ") VALUES"
			     " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
			     " ON CONFLICT (id) DO NOTHING",
	[SQL_SAMPLE_PUT] =
		"INSERT INTO sample (seq, " SAMPLE_COLUMNS ") VALUES (?,"
		" ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQL_STATE_PUT] = "INSERT INTO state (migration, generation, json)"
			  " VALUES (?, ?, ?) ON CONFLICT (migration) DO UPDATE SET"
			  " generation = excluded.generation, json = excluded.json",
	[SQL_COUNTER_PUT] = "INSERT INTO counter (name, value) VALUES ('untold', ?)"
			    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
	[SQL_STATES] = "SELECT migration, generation, json FROM state",
	[SQL_ASK_ALL] = "SELECT * FROM (SELECT seq, " DECISION_COLUMNS
			" FROM decision WHERE ?1 = '' AND wall_us >= ?2"
			" ORDER BY seq DESC LIMIT ?3) ORDER BY seq",
	[SQL_ASK_ONE] = "SELECT * FROM (SELECT seq, " DECISION_COLUMNS
			" FROM decision WHERE migration = ?1 AND wall_us >= ?2"
			" ORDER BY seq DESC LIMIT ?3) ORDER BY seq",
	[SQL_WAITING] = "SELECT seq, kind FROM outbox WHERE refused IS NULL"
			" ORDER BY seq LIMIT ?",
	[SQL_DECISION] = "SELECT seq, " DECISION_COLUMNS " FROM decision WHERE seq = ?",
	[SQL_SAMPLE] = "SELECT seq, " SAMPLE_COLUMNS " FROM sample WHERE seq = ?",
	[SQL_REFUSE] = "UPDATE outbox SET refused = ? WHERE seq = ?",
	[SQL_UNREFUSE] = "UPDATE outbox SET refused = NULL WHERE refused IS NOT NULL",
	/* ?1 and ?2 are what is in flight: that is no longer ours to drop. */
	[SQL_DROP_UP_TO] = "SELECT seq FROM sample WHERE seq NOT BETWEEN ?1 AND ?2"
			   " ORDER BY seq LIMIT 1 OFFSET ?3",
	[SQL_DROP_FROM_OUTBOX] = "DELETE FROM outbox WHERE kind = 1 AND seq <= ?3"
				 " AND seq NOT BETWEEN ?1 AND ?2",
	[SQL_DROP_SAMPLES] = "DELETE FROM sample WHERE seq <= ?3"
			     " AND seq NOT BETWEEN ?1 AND ?2",
	/* ?1 is the age, ?2 whether waiting samples must stay, ?3 the most at once. */
	[SQL_PRUNE_SAMPLES] = "DELETE FROM sample WHERE seq IN (SELECT seq FROM sample"
			      " WHERE wall_us < ?1 AND"
			      " (?2 = 0 OR seq NOT IN (SELECT seq FROM outbox))"
			      " ORDER BY seq LIMIT ?3)",
	[SQL_PRUNE_OUTBOX] = "DELETE FROM outbox WHERE kind = 1"
			     " AND seq NOT IN (SELECT seq FROM sample)",
	[SQL_COUNTS] = "SELECT count(*) - count(refused), count(refused),"
		       " (SELECT count(*) FROM sample) FROM outbox",
	[SQL_UNTOLD] = "SELECT coalesce(sum(value), 0) FROM counter"
		       " WHERE name = 'untold'",
	[SQL_KEY_PUT] = "INSERT INTO counter (name, value) VALUES ('key', random())"
			" ON CONFLICT (name) DO NOTHING",
	[SQL_KEY] = "SELECT value FROM counter WHERE name = 'key'",
};

static int prepare_all(struct store *s, struct err *err)
{
	for (unsigned q = 0; q < SQL_N; q++)
		if (sqlite3_prepare_v3(s->db, statements[q], -1,
			    SQLITE_PREPARE_PERSISTENT, &s->st[q], NULL) != SQLITE_OK)
			return store_err(s, err, "does not have the journal's tables");
	return 0;
}

/* A database of before there were keys gets one, unless the disk is full: then the next
 * start tries again. */
static int read_key(struct store *s, struct err *err)
{
	sqlite3_stmt *st = s->st[SQL_KEY];

	(void)sqlite3_step(s->st[SQL_KEY_PUT]);
	sqlite3_reset(s->st[SQL_KEY_PUT]);
	int r = sqlite3_step(st);

	if (r == SQLITE_ROW)
		s->key = (uint64_t)sqlite3_column_int64(st, 0);
	else if (r != SQLITE_DONE)
		(void)store_err(s, err, "cannot read its key");
	sqlite3_reset(st);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : -1;
}

int store_prepare(struct store *s, struct err *err)
{
	if (prepare_all(s, err) == 0 && outbox_open(s, err) == 0 &&
		read_key(s, err) == 0)
		return 0;
	return -1;
}
