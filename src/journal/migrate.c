/*
 * sluicectl db migrate: brings PostgreSQL's schema to the version that this
 * program knows. Blocking, and never called by the daemon's threads.
 */
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

#include "journal_priv.h"

/* "sluice" in ASCII: nobody else's lock by accident. */
#define LOCK_KEY "126943972156261"

static int complain(struct pg_conn *conn, struct err *err)
{
	char said[512];

	wire_trouble(PQerrorMessage(conn), said, sizeof(said));
	return err_set(err, ERR_STORE, "postgresql: %s", said);
}

static int run(struct pg_conn *conn, const char *sql, struct err *err)
{
	struct pg_result *r = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(r);

	PQclear(r);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK
		       ? 0
		       : complain(conn, err);
}

/* The number that a query answers with. */
static int ask(struct pg_conn *conn, const char *sql, int *number, struct err *err)
{
	struct pg_result *r = PQexec(conn, sql);
	bool ok = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1;

	if (ok)
		*number = (int)strtol(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return ok ? 0 : complain(conn, err);
}

static int read_version(struct pg_conn *conn, int *version, struct err *err)
{
	int there = 0;

	*version = 0;
	if (ask(conn, "SELECT (to_regclass('schema_version') IS NOT NULL)::int", &there,
		    err) != 0)
		return -1;
	if (!there)
		return 0;
	return ask(conn, "SELECT coalesce(max(version), 0) FROM schema_version",
		version, err);
}

static int record(struct pg_conn *conn, const struct sql_file *file, struct err *err)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
		"INSERT INTO schema_version (version, name) VALUES (%d, '%s')",
		file->version, file->name);
	return run(conn, sql, err);
}

static int apply(struct pg_conn *conn, const struct sql_file *file, struct err *err)
{
	if (run(conn, "BEGIN", err) == 0 && run(conn, file->text, err) == 0 &&
		record(conn, file, err) == 0 && run(conn, "COMMIT", err) == 0)
		return 0;
	(void)run(conn, "ROLLBACK", NULL); /* the first error is the one to tell */
	return err_wrap(err, "%s", file->name);
}

static int apply_newer(struct pg_conn *conn, int from, int *to, struct err *err)
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
		if (apply(conn, f, err) != 0)
			return -1;
		*to = f->version;
	}
	return 0;
}

static void on_notice(void *arg, const struct pg_result *r)
{
	(void)arg; /* without this libpq writes to stderr */
	(void)r;
}

static struct pg_conn *connect_to(const char *conninfo, struct err *err)
{
	static const char *const keys[] = { "fallback_application_name",
		"connect_timeout", "dbname", NULL };
	const char *const values[] = { "sluicectl", "10", conninfo, NULL };

	if (conninfo[0] == '\0' || !session_is_conninfo(conninfo)) {
		(void)err_set(err, ERR_CONFIG,
			"journal.postgres: expected a connection string like "
			"\"host=db.example.net dbname=sluice user=sluice\"");
		return NULL;
	}
	struct pg_conn *conn = PQconnectdbParams(keys, values, 1);

	if (PQstatus(conn) != CONNECTION_OK) {
		(void)complain(conn, err);
		PQfinish(conn);
		return NULL;
	}
	(void)PQsetNoticeReceiver(conn, on_notice, NULL);
	return conn;
}

int journal_migrate(const char *conninfo, int *from, int *to, struct err *err)
{
	struct pg_conn *conn = connect_to(conninfo, err);
	int r = -1;

	*from = *to = 0;
	if (conn == NULL)
		return -1;
	/* The lock is the session's: it goes with the connection. */
	if (run(conn, "SET lock_timeout = '60s'", err) == 0 &&
		run(conn, "SELECT pg_advisory_lock(" LOCK_KEY ")", err) == 0 &&
		read_version(conn, from, err) == 0)
		r = apply_newer(conn, *from, to, err);
	PQfinish(conn);
	return r;
}
