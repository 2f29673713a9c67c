/*
 * The store while its file system has no room, or is read-only: what is kept is read all
 * the same, since latches are in it, and nothing is set aside for want of a few blocks.
 * Writing is tried again with each transaction.
 *
 * SQLite needs 40 KB to open a database in WAL mode, even to read it: the index of the
 * log is a file. So the database is opened without one. Only this process uses it
 * (control's instance lock), which makes that safe.
 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <sqlite3.h>

#include "sluice/base/log.h"
#include "sluice/base/mem.h"

#include "journal_priv.h"

enum { ENOUGH_BYTES = 65536 }; /* for a database to be opened */

bool store_errno_is_no_room(int number)
{
	return number == ENOSPC || number == EDQUOT || number == EROFS ||
	       number == EFBIG;
}

/* The database itself may not be there. */
static int statvfs_of_folder(const char *path, struct statvfs *fs)
{
	char *copy = mem_text(path);
	int r = statvfs(dirname(copy), fs);

	free(copy);
	return r;
}

static bool is_read_only(const char *path)
{
	struct statvfs fs;

	return statvfs_of_folder(path, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

bool store_has_no_room(const struct store *s)
{
	int code = s->db != NULL ? sqlite3_extended_errcode(s->db) : SQLITE_OK;

	switch (code & 0xff) {
	case SQLITE_FULL:
	case SQLITE_READONLY:
		return true;
	case SQLITE_CANTOPEN:
		return is_read_only(s->path) ||
		       store_errno_is_no_room(sqlite3_system_errno(s->db));
	case SQLITE_IOERR: /* what cannot be read is lost, and not only full */
		return code != SQLITE_IOERR_READ && code != SQLITE_IOERR_SHORT_READ &&
		       code != SQLITE_IOERR_CORRUPTFS && code != SQLITE_IOERR_DATA;
	default:
		return false;
	}
}

static bool has_log(const char *path)
{
	char *log = mem_print("%s-wal", path);
	struct stat st;
	bool is = stat(log, &st) == 0 && st.st_size > 0;

	free(log);
	return is;
}

/* As part of a URI. */
static char *escaped(const char *path)
{
	char *out = mem_alloc(3 * strlen(path) + 1), *at = out;

	for (; *path != '\0'; path++) {
		if (strchr("?#%", *path) != NULL)
			at += sprintf(at, "%%%02X", (unsigned char)*path);
		else
			*at++ = *path;
	}
	*at = '\0';
	return out;
}

/* With a log its index is kept in memory, which takes exclusive locking; such locks
 * cannot be had on a file that is open for reading, so none are asked for. Without a log
 * SQLite would make one: immutable says that there is none. */
static int attach_reading(struct store *s, struct err *err)
{
	bool log = has_log(s->path);
	char *path = escaped(s->path);
	char *uri = mem_print(
		"file:%s?mode=ro&%s", path, log ? "vfs=unix-none" : "immutable=1");
	int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_EXRESCODE;
	int r = sqlite3_open_v2(uri, &s->db, flags, NULL);

	free(path);
	free(uri);
	if (r == SQLITE_OK)
		r = sqlite3_exec(
			s->db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
	return r == SQLITE_OK ? 0 : store_err(s, err, "cannot open for reading");
}

/* SQLite's own word for a full disk may be "disk I/O error". */
static void tell_limit(struct store *s, const struct err *why)
{
	struct statvfs fs;
	const char *text = NULL;

	if (statvfs_of_folder(s->path, &fs) == 0) {
		if ((fs.f_flag & ST_RDONLY) != 0)
			text = "its file system is read-only";
		else if (fs.f_bavail * fs.f_frsize < ENOUGH_BYTES)
			text = "its file system is full";
	}
	if (text != NULL)
		(void)snprintf(
			s->trouble, sizeof(s->trouble), "%.200s: %s", s->path, text);
	else
		(void)snprintf(s->trouble, sizeof(s->trouble), "%.255s", why->text);
}

static void limit_store(struct store *s, enum store_limit limit, const struct err *why)
{
	s->limit = limit;
	s->failing = true;
	tell_limit(s, why);
	log_error("journal cannot write", "reason=%s", s->trouble);
}

int store_open_reading(struct store *s, const struct err *why, struct err *err)
{
	if (attach_reading(s, err) != 0 || store_check(s, err) != 0 ||
		store_prepare(s, err) != 0)
		return -1;
	limit_store(s, STORE_READING, why);
	return 0;
}

int store_open_stand_in(
	struct store *s, enum store_limit limit, const struct err *why, struct err *err)
{
	if (sqlite3_open_v2(":memory:", &s->db, SQLITE_OPEN_READWRITE, NULL) !=
			SQLITE_OK ||
		sqlite3_exec(s->db, store_schema, NULL, NULL, NULL) != SQLITE_OK)
		return store_err(s, err, "cannot stand in for it");
	if (store_prepare(s, err) != 0)
		return -1;
	limit_store(s, limit, why);
	return 0;
}
