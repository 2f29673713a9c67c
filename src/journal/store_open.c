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
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "sluice/base/clock.h"
#include "sluice/base/mem.h"

#include "journal_priv.h"

enum { SCHEMA_VERSION = 1, APPLICATION_ID = 0x736c7563, BUSY_MS = 2000 };

/* --- SQLite's memory: the threads that keep the journal have the reserve too --------- */

static void *take(int bytes)
{
	return mem_try((size_t)bytes);
}

static void *grow(void *p, int bytes)
{
	return mem_try_grow(p, (size_t)bytes);
}

static int size_of(void *p)
{
	return (int)malloc_usable_size(p);
}

static int round_up(int bytes)
{
	return (bytes + 7) & ~7;
}

static int begin(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void end(void *arg)
{
	(void)arg;
}

__attribute__((constructor)) static void use_reserve(void)
{
	sqlite3_mem_methods methods = {
		.xMalloc = take,
		.xFree = free,
		.xRealloc = grow,
		.xSize = size_of,
		.xRoundup = round_up,
		.xInit = begin,
		.xShutdown = end,
	};

	(void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}

/* --- the file --------------------------------------------------------------------- */

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

static int attach(struct store *s, const char *path, struct err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK)
		return store_err(s, err, "cannot open");
	(void)sqlite3_busy_timeout(s->db, BUSY_MS);
	return 0;
}

void store_detach(struct store *s)
{
	for (unsigned q = 0; q < SQL_N; q++) {
		sqlite3_finalize(s->st[q]);
		s->st[q] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}

int store_check(struct store *s, struct err *err)
{
	return check_identity(s, err) == 0 ? check_whole(s, err) : -1;
}

/* The checks come before anything is written: what is not ours stays as it was. */
static int open_existing(struct store *s, struct err *err)
{
	if (attach(s, s->path, err) == 0 && store_check(s, err) == 0 &&
		make_durable(s, err) == 0 && store_prepare(s, err) == 0)
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

/* Of a system call that failed; -1. */
static int note_errno(struct store *s, struct err *err, const char *path)
{
	s->no_room = store_errno_is_no_room(errno);
	return err_errno(err, "%s", path);
}

static int make_at(struct store *s, const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (fd == -1)
		return note_errno(s, err, path);
	(void)close(fd);
	if (attach(s, path, err) == 0 &&
		sqlite3_exec(s->db, store_schema, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	s->no_room = store_has_no_room(s);
	return store_err(s, err, "cannot create the tables");
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
			r = note_errno(s, err, from);
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

	store_detach(s);
	if (r == 0)
		r = set_aside(s, err);
	if (r == 0 && rename(path, s->path) == -1)
		r = note_errno(s, err, path);
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

static int make_and_open(struct store *s, struct err *err)
{
	if (make(s, err) != 0)
		return -1;
	if (open_existing(s, err) == 0)
		return 0;
	s->no_room = store_has_no_room(s);
	store_detach(s);
	return -1;
}

/* A new database; or, where there is no room for one, none until there is. */
static int make_or_stand_in(struct store *s, enum store_limit limit, struct err *err)
{
	struct err why = { .code = ERR_NONE };

	if (make_and_open(s, &why) == 0)
		return 0;
	if (s->no_room && store_open_stand_in(s, limit, &why, err) == 0)
		return 0;
	if (limit == STORE_MISSING)
		*err = why;
	else
		(void)err_wrap(err, "%s, after", why.text);
	return -1;
}

static int open_found(struct store *s, enum journal_found *found, struct err *lost)
{
	*found = JOURNAL_FOUND;
	if (open_existing(s, lost) == 0)
		return 0;

	struct err why = *lost;
	bool busy = is_busy(s), no_room = store_has_no_room(s);

	store_detach(s);
	if (busy)
		return err_wrap(lost, "another process holds it");
	if (no_room && store_open_reading(s, &why, lost) == 0)
		return 0;
	store_detach(s);
	*found = JOURNAL_LOST;
	return make_or_stand_in(s, STORE_LOST, lost);
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
		r = make_or_stand_in(s, STORE_MISSING, lost);
	} else {
		r = open_found(s, found, lost);
	}
	if (r != 0) {
		store_close(s);
		s = NULL;
	}
	*out = s;
	return r;
}

/* What was read has been checked when it was opened for reading. */
static int open_again(struct store *s, struct err *err)
{
	if (s->limit != STORE_READING)
		return make_and_open(s, err);
	if (attach(s, s->path, err) == 0 && make_durable(s, err) == 0 &&
		store_prepare(s, err) == 0)
		return 0;
	store_detach(s);
	return -1;
}

int store_reopen(struct store *s, struct err *err)
{
	struct store old = *s;

	s->db = NULL;
	memset(s->st, 0, sizeof(s->st));
	if (open_again(s, err) == 0) {
		store_detach(&old);
		s->limit = STORE_WHOLE;
		return 0;
	}
	s->db = old.db;
	memcpy(s->st, old.st, sizeof(s->st));
	return err_set(err, ERR_STORE, "%s", s->trouble); /* why, in clear words */
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	store_detach(s);
	free(s->path);
	free(s);
}
