/*
 * The SQLite side's tools: running prepared statements, and transactions that
 * remember whether the disk works.
 */
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "sluice/base/log.h"

#include "journal_priv.h"

int store_err(struct store *s, struct err *err, const char *what)
{
	return err_set(err, ERR_STORE, "%s: %s: %s", s->path, what,
		s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory");
}

int store_run(struct store *s, enum sql q, struct err *err)
{
	int r = sqlite3_step(s->st[q]);

	if (r == SQLITE_DONE || r == SQLITE_ROW) {
		sqlite3_reset(s->st[q]);
		return 0;
	}
	(void)store_err(s, err, "cannot write");
	sqlite3_reset(s->st[q]);
	return -1;
}

/* The text lives until the statement has run. Binding fails only without memory, and
 * then the statement fails on its NOT NULL. */
void store_bind_text(struct store *s, enum sql q, int i, const char *text)
{
	(void)sqlite3_bind_text(s->st[q], i, text, -1, SQLITE_STATIC);
}

/* SQLite's integers are signed: the bits are kept, not the order. */
void store_bind_u64(struct store *s, enum sql q, int i, uint64_t value)
{
	(void)sqlite3_bind_int64(s->st[q], i, (sqlite3_int64)value);
}

static void remember_failure(struct store *s, const struct err *why)
{
	(void)snprintf(s->trouble, sizeof(s->trouble), "%.255s", why->text);
	if (!s->failing)
		log_error("journal cannot write", "reason=%s", s->trouble);
	s->failing = true;
}

/* A full disk takes a transaction that writes nothing, which proves nothing. */
static void remember_success(struct store *s)
{
	if (sqlite3_total_changes64(s->db) == s->changes)
		return;
	if (s->failing)
		log_info("journal writes again", "path=%s", s->path);
	s->failing = false;
	s->trouble[0] = '\0';
}

/* What is written to a file that was deleted or put elsewhere, no restart finds again. */
static int is_in_its_place(struct store *s, struct err *err)
{
	int moved = 0;

	(void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (!moved)
		return 0;
	return err_set(err, ERR_STORE,
		"%s: was deleted or moved: put it back; without it the next start "
		"sends "
		"nothing to new until a person says so",
		s->path);
}

int store_begin(struct store *s, struct err *err)
{
	if (s->limit != STORE_WHOLE && store_reopen(s, err) != 0) {
		remember_failure(s, err);
		return -1;
	}
	s->changes = sqlite3_total_changes64(s->db);
	if (is_in_its_place(s, err) == 0 && store_run(s, SQL_BEGIN, err) == 0)
		return 0;
	remember_failure(s, err);
	return -1;
}

int store_end(struct store *s, bool ok, struct err *err)
{
	if (ok && store_run(s, SQL_COMMIT, err) == 0) {
		remember_success(s);
		return 0;
	}
	remember_failure(s, err);
	/* A full disk may have rolled it back already; more can't be done. */
	if (!sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}
