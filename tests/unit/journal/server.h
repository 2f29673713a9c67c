/*
 * server - the PostgreSQL that with_postgres.sh gives, and a database of the test's
 * own in it.
 */
#ifndef JOURNAL_SERVER_H
#define JOURNAL_SERVER_H

#include <libpq-fe.h>

extern char server_database[192]; /* a connection string */

void server_begin(void); /* scene_begin, and an empty database */
void server_begin_migrated(void);
void server_migrate(void);
void server_ctl(const char *what); /* of pg_ctl: "stop -m immediate" ... */
void server_read_only(const char *on_or_off);

PGconn *server_session(void);
/* The first value that a query answers with. */
const char *pg(const char *sql);
long pg_number(const char *sql);

/* Waits until nothing waits: each decision arrived once and in order. */
void server_has_all_of(long decisions);
long server_disorder(void); /* rows that arrived before one with a lower seq */

#endif
