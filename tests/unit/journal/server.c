#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "scene.h"

char server_database[192];

static char base[128], admin[192];

static PGconn *connect_to(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);

	cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
	return conn;
}

static const char *pg_in(const char *conninfo, const char *sql)
{
	static char value[512];
	PGconn *conn = connect_to(conninfo);
	PGresult *r = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(r);

	cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s",
		sql, PQerrorMessage(conn));
	(void)snprintf(value, sizeof(value), "%s",
		PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	PQfinish(conn);
	return value;
}

const char *pg(const char *sql)
{
	return pg_in(server_database, sql);
}

long pg_number(const char *sql)
{
	return strtol(pg(sql), NULL, 10);
}

void server_ctl(const char *what)
{
	char command[512];

	(void)snprintf(command, sizeof(command), "%s %s", getenv("PG_TEST_CTL"), what);
	cr_assert_eq(system(command), 0, "%s", command);
}

void server_migrate(void)
{
	struct err err;
	int from, to;

	cr_assert_eq(
		journal_migrate(server_database, &from, &to, &err), 0, "%s", err.text);
}

void server_begin(void)
{
	char sql[128];

	cr_assert_not_null(getenv("PG_TEST_HOST"), "run through with_postgres.sh");
	scene_begin();
	(void)snprintf(
		base, sizeof(base), "host=%s user=postgres", getenv("PG_TEST_HOST"));
	(void)snprintf(admin, sizeof(admin), "%s dbname=postgres", base);
	(void)snprintf(server_database, sizeof(server_database), "%s dbname=t%d", base,
		(int)getpid());
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE t%d", (int)getpid());
	(void)pg_in(admin, sql);
}

void server_begin_migrated(void)
{
	server_begin();
	server_migrate();
}

long server_disorder(void)
{
	return pg_number(
		"SELECT count(*) FROM (SELECT seq < lag(seq) OVER"
		" (ORDER BY arrived) AS wrong FROM decision) AS d WHERE wrong");
}

void server_has_all_of(long decisions)
{
	scene_until_all_committed();
	scene_until_waiting_is(0);
	cr_assert_eq(pg_number("SELECT count(*) FROM decision"), decisions);
	cr_assert_eq(server_disorder(), 0);
	cr_assert_eq(scene_sql("SELECT count(*) FROM outbox"), 0);
	cr_assert_eq(scene_sql("SELECT count(*) FROM decision"), decisions);
}

void server_read_only(const char *on_or_off)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql),
		"ALTER DATABASE t%d SET default_transaction_read_only = %s",
		(int)getpid(), on_or_off);
	(void)pg_in(admin, sql);
}

PGconn *server_session(void)
{
	return connect_to(server_database);
}
