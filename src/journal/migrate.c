/*
 * sluicectl db migrate: brings PostgreSQL's schema to the version that this
 * program knows. Blocking, and never called by the daemon's threads.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sluice/pg.h"

#include "journal_priv.h"

/* "sluice" in ASCII: no other program's lock by accident. */
#define LOCK_KEY "126943972156261"

static int ask_number(
	struct pg_client *c, const char *sql, int *number, struct err *err)
{
	char text[32];

	if (pg_client_ask(c, sql, text, sizeof(text), err) != 0)
		return -1;
	*number = (int)strtol(text, NULL, 10);
	return 0;
}

static int read_version(struct pg_client *c, int *version, struct err *err)
{
	int there = 0;

	*version = 0;
	if (ask_number(c, "SELECT (to_regclass('schema_version') IS NOT NULL)::int",
		    &there, err) != 0)
		return -1;
	if (!there)
		return 0;
	return ask_number(c, "SELECT coalesce(max(version), 0) FROM schema_version",
		version, err);
}

static int record(struct pg_client *c, const struct sql_file *file, struct err *err)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
		"INSERT INTO schema_version (version, name) VALUES (%d, '%s')",
		file->version, file->name);
	return pg_client_run(c, sql, err);
}

static int apply(struct pg_client *c, const struct sql_file *file, struct err *err)
{
	if (pg_client_run(c, "BEGIN", err) == 0 &&
		pg_client_run(c, file->text, err) == 0 && record(c, file, err) == 0 &&
		pg_client_run(c, "COMMIT", err) == 0)
		return 0;
	(void)pg_client_run(
		c, "ROLLBACK", NULL); /* the first error is the one to tell */
	return err_wrap(err, "%s", file->name);
}

static int apply_newer(struct pg_client *c, int from, int *to, struct err *err)
{
	int known = 0;

	for (const struct sql_file *f = sql_files; f->version != 0; f++)
		known = f->version;
	if (from > known)
		return err_set(err, ERR_REFUSED,
			"the schema is of version %d, and this program knows up to %d: "
			"use the sluicectl that belongs to it",
			from, known);
	*to = from;
	for (const struct sql_file *f = sql_files; f->version != 0; f++) {
		if (f->version <= from)
			continue;
		if (apply(c, f, err) != 0)
			return -1;
		*to = f->version;
	}
	return 0;
}

int journal_migrate(const char *conninfo, int *from, int *to, struct err *err)
{
	struct pg_client *c;
	int r = -1;

	*from = *to = 0;
	if (pg_client_open(&c, conninfo, err) != 0)
		return -1;
	/* The lock is the session's: it goes with the connection. */
	if (pg_client_run(c, "SET lock_timeout = '60s'", err) == 0 &&
		pg_client_run(c, "SELECT pg_advisory_lock(" LOCK_KEY ")", err) == 0 &&
		read_version(c, from, err) == 0)
		r = apply_newer(c, *from, to, err);
	pg_client_close(c);
	return r;
}
