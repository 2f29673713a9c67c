/*
 * Rows on their way to PostgreSQL: which of the outbox are in the batch, and what its
 * answers say of them.
 */
#include <string.h>

#include "journal_priv.h"

static bool add_row(void *arg, const struct record *r)
{
	struct outgoing *o = arg;
	unsigned before = o->batch.statements;

	if (wire_send(o, r) != 0) {
		o->lost = true;
		return false;
	}
	for (unsigned i = before; i < o->batch.statements; i++)
		o->row_of[i] = o->rows;
	o->row[o->rows++] = r->seq;
	return o->batch.bytes < OUTGOING_BYTES;
}

int outgoing_take(struct outgoing *o, struct store *s, struct err *err)
{
	o->batch = (struct pg_batch){ .statements = 0 };
	o->rows = 0;
	o->lost = false;
	if (store_each_waiting(s, o->max_rows, add_row, o, err) != 0)
		return -1;
	if (o->lost)
		return err_set(err, ERR_STORE, "%s", pg_session_trouble(o->session));
	return 0;
}

uint64_t outgoing_refused(const struct outgoing *o)
{
	return o->row[o->row_of[o->batch.failed_at]];
}

/* No such table, no such column. */
const char *outgoing_advice(const struct outgoing *o)
{
	bool is_schema = strcmp(o->batch.sqlstate, "42P01") == 0 ||
			 strcmp(o->batch.sqlstate, "42703") == 0;

	return is_schema ? ": run: sluicectl db migrate" : "";
}
