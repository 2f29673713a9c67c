/*
 * A batch of statements and the answers to it. All statements go out before the first
 * answer is read, with one synchronisation point at the end: so they are one round trip
 * and, there, one transaction.
 */
#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

#include "pg_priv.h"

/* The server keeps its answers back until it is asked for them. Some come before the
 * end, so that a batch which is slow can be told from one that is lost. */
enum { ANSWER_EVERY = 20 };

int pg_batch_add(struct pg_batch *b, struct pg_session *s, const char *sql,
	const char *const *values, int n)
{
	b->bytes += strlen(sql);
	for (int i = 0; i < n; i++)
		b->bytes += values[i] != NULL ? strlen(values[i]) : 0;
	if (PQsendQueryParams(s->conn, sql, n, NULL, values, NULL, NULL, 0) != 1)
		return -1;
	b->statements++;
	if (b->statements % ANSWER_EVERY == 0 && PQsendFlushRequest(s->conn) != 1)
		return -1;
	return 0;
}

int pg_batch_send(struct pg_batch *b, struct pg_session *s)
{
	(void)b;
	return PQpipelineSync(s->conn) == 1 ? pg_session_flush(s) : -1;
}

/* The first error is the reason; those after it say only that it happened. */
static void remember(struct pg_batch *b, const struct pg_result *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *said = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	if (b->trouble[0] != '\0')
		return;
	(void)snprintf(
		b->sqlstate, sizeof(b->sqlstate), "%s", state != NULL ? state : "");
	(void)snprintf(b->trouble, sizeof(b->trouble), "%.200s",
		said != NULL ? said : PQresultErrorMessage(r));
	b->failed_at = b->answered;
}

/* Whether the data are to blame, rather than the server, its schema or our rights:
 * data exceptions, violated constraints, program limits, what triggers raise. */
static bool are_data_to_blame(const struct pg_batch *b)
{
	static const char *const classes[] = { "22", "23", "44", "54", "P0" };

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (strncmp(b->sqlstate, classes[i], 2) == 0)
			return b->failed_at < b->statements;
	return false;
}

static enum pg_batch_result at_end(const struct pg_batch *b)
{
	if (b->trouble[0] != '\0')
		return are_data_to_blame(b) ? PG_BATCH_REFUSED : PG_BATCH_FAILED;
	return b->answered == b->statements ? PG_BATCH_DONE : PG_BATCH_FAILED;
}

static enum pg_batch_result take(struct pg_batch *b, const struct pg_result *r)
{
	switch (PQresultStatus(r)) {
	case PGRES_COMMAND_OK:
	case PGRES_PIPELINE_ABORTED:
		b->answered++;
		return PG_BATCH_MORE;
	case PGRES_PIPELINE_SYNC:
		return at_end(b);
	case PGRES_EMPTY_QUERY:
	case PGRES_TUPLES_OK:
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_FATAL_ERROR:
	case PGRES_COPY_BOTH:
	case PGRES_SINGLE_TUPLE:
		remember(b, r);
		b->answered++;
		return PG_BATCH_MORE;
	}
	return PG_BATCH_FAILED;
}

enum pg_batch_result pg_batch_receive(struct pg_batch *b, struct pg_session *s)
{
	enum pg_batch_result result = PG_BATCH_MORE;
	struct pg_conn *conn = s->conn;
	unsigned nothing = 0;

	while (result == PG_BATCH_MORE && PQstatus(conn) == CONNECTION_OK &&
		!PQisBusy(conn)) {
		struct pg_result *r = PQgetResult(conn);

		/* One NULL stands between the answers to two statements; two mean that
		 * nothing more will come. */
		if (r == NULL && ++nothing > 1)
			result = PG_BATCH_FAILED;
		if (r == NULL)
			continue;
		nothing = 0;
		result = take(b, r);
		PQclear(r);
	}
	if (PQstatus(conn) != CONNECTION_OK)
		result = PG_BATCH_FAILED;
	if (result == PG_BATCH_FAILED && b->trouble[0] == '\0')
		pg_first_line(PQerrorMessage(conn), b->trouble, sizeof(b->trouble));
	return result;
}
