/*
 * A blocking client for the command line. The daemon's threads never call it.
 */
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

#include "pg_priv.h"

struct pg_client {
	struct pg_conn *conn;
};

static int fail(struct pg_conn *conn, struct err *err)
{
	char said[512];

	pg_first_line(PQerrorMessage(conn), said, sizeof(said));
	return err_set(err, ERR_STORE, "postgresql: %s", said);
}

int pg_client_open(struct pg_client **out, const char *conninfo, struct err *err)
{
	static const char *const keys[] = { "client_encoding",
		"fallback_application_name", "connect_timeout", "dbname", NULL };
	const char *const values[] = { "UTF8", "sluicectl", "10", conninfo, NULL };
	struct pg_client *c;

	*out = NULL;
	if (conninfo[0] == '\0' || !pg_is_conninfo(conninfo))
		return err_set(err, ERR_CONFIG,
			"journal.postgres: expected a connection string like "
			"\"host=db.example.net dbname=sluice user=sluice\"");
	c = mem_zero(sizeof(*c));
	c->conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(c->conn) != CONNECTION_OK) {
		(void)fail(c->conn, err);
		pg_client_close(c);
		return -1;
	}
	pg_ignore_notices(c->conn);
	if (pg_client_run(c, "SET TimeZone = 'UTC'", err) != 0) {
		pg_client_close(c);
		return -1;
	}
	*out = c;
	return 0;
}

void pg_client_close(struct pg_client *c)
{
	if (c == NULL)
		return;
	PQfinish(c->conn);
	free(c);
}

int pg_client_run(struct pg_client *c, const char *sql, struct err *err)
{
	struct pg_result *r = PQexec(c->conn, sql);
	ExecStatusType status = PQresultStatus(r);

	PQclear(r);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK
		       ? 0
		       : fail(c->conn, err);
}

int pg_client_ask(
	struct pg_client *c, const char *sql, char *out, size_t size, struct err *err)
{
	struct pg_result *r = PQexec(c->conn, sql);
	bool ok = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1;

	if (ok)
		(void)snprintf(out, size, "%s", PQgetvalue(r, 0, 0));
	PQclear(r);
	return ok ? 0 : fail(c->conn, err);
}
