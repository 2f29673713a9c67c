/*
 * Opening the database, which is the truth about this machine's migrations: so it
 * is checked, and what cannot be trusted is set aside rather than repaired (S2).
 *
 * A new database is made under another name and renamed, so that a crash in the
 * middle leaves none rather than half of one, and an empty file is always damage.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "sluice/base/clock.h"
#include "sluice/base/mem.h"

#include "journal_priv.h"

enum { SCHEMA_VERSION = 1, APPLICATION_ID = 0x736c7563, BUSY_MS = 2000 };

/* outbox holds what PostgreSQL does not have yet, in order; its seq is everybody's.
 * AUTOINCREMENT, so that a seq that was delivered never comes again. */
static const char schema[] =
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

/* The first value of a pragma, as text. */
static int pragma(struct store *s, const char *sql, char *out, size_t size)
{
	sqlite3_stmt *st = NULL;
	int r = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(st);
	if (r == SQLITE_ROW)
		(void)snprintf(
			out, size, "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	return r == SQLITE_ROW ? 0 : -1;
}

static int check_whole(struct store *s, struct err *err)
{
	char got[512] = "";

	if (pragma(s, "PRAGMA quick_check(1)", got, sizeof(got)) != 0)
		return store_err(s, err, "is damaged");
	if (strcmp(got, "ok") == 0)
		return 0;
	for (char *line = got; (line = strchr(line, '\n')) != NULL;)
		*line = ' ';
	return err_set(err, ERR_STORE, "%s: is damaged: %s", s->path, got);
}

static int make_durable(struct store *s, struct err *err)
{
	char mode[16] = "";

	if (pragma(s, "PRAGMA journal_mode = WAL", mode, sizeof(mode)) != 0 ||
		sqlite3_exec(s->db,
			"PRAGMA synchronous = FULL; PRAGMA journal_size_limit = "
			"67108864",
			NULL, NULL, NULL) != SQLITE_OK)
		return store_err(s, err, "cannot open");
	if (strcmp(mode, "wal") != 0)
		return err_set(err, ERR_STORE,
			"%s: its file system has no room for a "
			"write-ahead log: journal mode %s",
			s->path, mode);
	return 0;
}

static int check_identity(struct store *s, struct err *err)
{
	char id[32] = "", version[32] = "";

	if (pragma(s, "PRAGMA application_id", id, sizeof(id)) != 0 ||
		pragma(s, "PRAGMA user_version", version, sizeof(version)) != 0)
		return store_err(s, err, "cannot read");
	if (strtol(id, NULL, 10) != APPLICATION_ID)
		return err_set(err, ERR_STORE, "%s: is no journal of sluice", s->path);
	if (strtol(version, NULL, 10) != SCHEMA_VERSION)
		return err_set(err, ERR_STORE,
			"%s: is of version %s, and this program knows version %d",
			s->path, version, SCHEMA_VERSION);
	return 0;
}

static int prepare(struct store *s, struct err *err)
{
	for (unsigned q = 0; q < SQL_N; q++)
		if (sqlite3_prepare_v3(s->db, statements[q], -1,
			    SQLITE_PREPARE_PERSISTENT, &s->st[q], NULL) != SQLITE_OK)
			return store_err(s, err, "does not have the journal's tables");
	return 0;
}

static int attach(struct store *s, const char *path, struct err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK)
		return store_err(s, err, "cannot open");
	(void)sqlite3_busy_timeout(s->db, BUSY_MS);
	return 0;
}

static void detach(struct store *s)
{
	for (unsigned q = 0; q < SQL_N; q++) {
		sqlite3_finalize(s->st[q]);
		s->st[q] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
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

/* The checks come before anything is written: what is not ours stays as it was. */
static int open_existing(struct store *s, struct err *err)
{
	if (attach(s, s->path, err) == 0 && check_identity(s, err) == 0 &&
		check_whole(s, err) == 0 && make_durable(s, err) == 0 &&
		prepare(s, err) == 0 && outbox_open(s, err) == 0 &&
		read_key(s, err) == 0)
		return 0;
	return -1;
}

static int sync_folder(const char *path, struct err *err)
{
	char *copy = mem_text(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd == -1 ? -1 : fsync(fd);

	if (r == -1)
		(void)err_errno(err, "%s: cannot sync its folder", path);
	if (fd != -1)
		(void)close(fd);
	free(copy);
	return r;
}

static void remove_with(const char *path, const char *suffix)
{
	char *file = mem_print("%s%s", path, suffix);

	(void)unlink(file); /* it is there only after a crash */
	free(file);
}

static int make_at(struct store *s, const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (fd == -1)
		return err_errno(err, "%s: cannot create", path);
	(void)close(fd);
	if (attach(s, path, err) != 0)
		return -1;
	if (sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return store_err(s, err, "cannot create the tables");
	return 0;
}

/* The database first: were it the last and the power failed before, it would be
 * taken for whole without its write-ahead log, and so for older than it is. */
static int set_aside(struct store *s, struct err *err)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	char when[CLOCK_TEXT_SIZE];
	int r = 0;

	clock_text(clock_wall_us(), when);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && r == 0; i++) {
		char *from = mem_print("%s%s", s->path, parts[i]);
		char *to = mem_print("%s.lost-%s%s", s->path, when, parts[i]);

		if (rename(from, to) == -1 && errno != ENOENT)
			r = err_errno(err, "%s: cannot set aside", from);
		free(from);
		free(to);
	}
	return r;
}

/* The new one is there before the old one goes: a full disk displaces nothing. */
static int make(struct store *s, struct err *err)
{
	char *path = mem_print("%s.making", s->path);

	remove_with(path, "");
	remove_with(path, "-journal");
	int r = make_at(s, path, err);

	detach(s);
	if (r == 0)
		r = set_aside(s, err);
	if (r == 0 && rename(path, s->path) == -1)
		r = err_errno(err, "%s: cannot rename %s", s->path, path);
	if (r == 0)
		r = sync_folder(s->path, err);
	if (r != 0)
		remove_with(path, "");
	free(path);
	return r;
}

static bool is_busy(const struct store *s)
{
	int code = s->db != NULL ? sqlite3_errcode(s->db) & 0xff : SQLITE_OK;

	return code == SQLITE_BUSY || code == SQLITE_LOCKED;
}

/* Whether what is there cannot be used and was set aside; -1 when that failed. */
static int replace_lost(struct store *s, struct err *lost)
{
	struct err why = { .code = ERR_NONE };
	bool busy = is_busy(s);

	detach(s);
	if (busy)
		return err_wrap(lost, "another process holds it");
	if (make(s, &why) == 0 && open_existing(s, &why) == 0)
		return 0;
	return err_wrap(lost, "%s, after", why.text);
}

int store_open(struct store **out, const char *path, enum journal_found *found,
	struct err *lost)
{
	struct store *s = mem_zero(sizeof(*s));
	int r;

	s->path = mem_text(path);
	lost->code = ERR_NONE;
	if (access(path, F_OK) == -1 && errno == ENOENT) {
		*found = JOURNAL_FRESH;
		r = make(s, lost) == 0 ? open_existing(s, lost) : -1;
	} else if (open_existing(s, lost) == 0) {
		*found = JOURNAL_FOUND;
		r = 0;
	} else {
		*found = JOURNAL_LOST;
		r = replace_lost(s, lost);
	}
	if (r != 0) {
		store_close(s);
		s = NULL;
	}
	*out = s;
	return r;
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	detach(s);
	free(s->path);
	free(s);
}
