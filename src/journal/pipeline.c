/*
 * One batch of rows to PostgreSQL and the answers to it. All statements go out
 * before the first answer is read, with one synchronisation point at the end: so
 * they are one round trip and, there, one transaction.
 */
#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

#include "journal_priv.h"

struct batch {
	struct pipeline *p;
	struct pg_conn *conn;
	const char *instance;
};

static bool add_row(void *arg, const struct record *r)
{
	struct batch *b = arg;
	struct pipeline *p = b->p;
	int n = wire_send(b->conn, b->instance, r, &p->bytes);

	if (n == -1) {
		p->send_failed = true;
		return false;
	}
	while (n-- > 0)
		p->row_of[p->statements++] = p->rows;
	p->row[p->rows++] = r->seq;
	return p->bytes < PIPELINE_BYTES;
}

int pipeline_send(struct pipeline *p, struct pg_conn *conn, const char *instance,
	struct store *s, struct err *err)
{
	struct batch b = { .p = p, .conn = conn, .instance = instance };

	*p = (struct pipeline){ .max_rows = p->max_rows };
	if (store_each_waiting(s, p->max_rows, add_row, &b, err) != 0)
		return -1;
	if (p->send_failed)
		return err_set(err, ERR_STORE, "%s", PQerrorMessage(conn));
	return 0;
}

/* What there is to do about no such table, no such column. */
static const char *advice(const char *sqlstate)
{
	bool is_schema =
		strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "42703") == 0;

	return is_schema ? ": run: sluicectl db migrate" : "";
}

/* The first error is the reason; those after it say only that it happened. */
static void remember(struct pipeline *p, const struct pg_result *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *said = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	if (p->trouble[0] != '\0')
		return;
	(void)snprintf(
		p->sqlstate, sizeof(p->sqlstate), "%s", state != NULL ? state : "");
	(void)snprintf(p->trouble, sizeof(p->trouble), "%.200s%s",
		said != NULL ? said : PQresultErrorMessage(r), advice(p->sqlstate));
	if (p->answered < p->statements)
		p->refused_seq = p->row[p->row_of[p->answered]];
}

/* Whether the row is to blame, rather than the server, its schema or our rights:
 * data exceptions, violated constraints, program limits, what triggers raise. */
static bool is_row_to_blame(const struct pipeline *p)
{
	static const char *const classes[] = { "22", "23", "44", "54", "P0" };

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (strncmp(p->sqlstate, classes[i], 2) == 0)
			return p->refused_seq != 0;
	return false;
}

static enum pipeline_result at_end(const struct pipeline *p)
{
	if (p->trouble[0] != '\0')
		return is_row_to_blame(p) ? PIPELINE_REFUSED : PIPELINE_FAILED;
	return p->answered == p->statements ? PIPELINE_DONE : PIPELINE_FAILED;
}

static enum pipeline_result take(struct pipeline *p, const struct pg_result *r)
{
	switch (PQresultStatus(r)) {
	case PGRES_COMMAND_OK:
	case PGRES_PIPELINE_ABORTED:
		p->answered++;
		return PIPELINE_MORE;
	case PGRES_PIPELINE_SYNC:
		return at_end(p);
	case PGRES_EMPTY_QUERY:
	case PGRES_TUPLES_OK:
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_FATAL_ERROR:
	case PGRES_COPY_BOTH:
	case PGRES_SINGLE_TUPLE:
		remember(p, r);
		p->answered++;
		return PIPELINE_MORE;
	}
	return PIPELINE_FAILED;
}

enum pipeline_result pipeline_receive(struct pipeline *p, struct pg_conn *conn)
{
	enum pipeline_result result = PIPELINE_MORE;
	unsigned nothing = 0;

	while (result == PIPELINE_MORE && PQstatus(conn) == CONNECTION_OK &&
		!PQisBusy(conn)) {
		struct pg_result *r = PQgetResult(conn);

		/* One NULL stands between the answers to two statements; two mean that
		 * nothing more will come. */
		if (r == NULL && ++nothing > 1)
			result = PIPELINE_FAILED;
		if (r == NULL)
			continue;
		nothing = 0;
		result = take(p, r);
		PQclear(r);
	}
	if (PQstatus(conn) != CONNECTION_OK)
		result = PIPELINE_FAILED;
	if (result == PIPELINE_FAILED && p->trouble[0] == '\0')
		wire_trouble(PQerrorMessage(conn), p->trouble, sizeof(p->trouble));
	return result;
}
