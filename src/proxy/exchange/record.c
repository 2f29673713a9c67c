/*
 * The end of a record: once a request, whatever way it ends. Who reads records, reads
 * them here.
 */
#include "exchange/exchange_priv.h"

/* What users got of each side. Who left before an answer has got no error. */
static void count_user(const struct exchange_record *record, unsigned thread)
{
	struct migration *m = record->migration;
	bool error = record->status >= 500 || record->ending == ENDING_BROKEN;

	if (m == NULL)
		return;
	migration_add(m, thread, record->side, COUNT_REQUESTS, 1);
	if (error && record->ending != ENDING_CLIENT)
		migration_add(m, thread, record->side, COUNT_USER_ERRORS, 1);
	migration_add(m, thread, record->side, COUNT_BYTES_IN, record->bytes_in);
	migration_add(m, thread, record->side, COUNT_BYTES_OUT, record->bytes_out);
}

/* Of one that no server took, the side that it was meant for. */
static enum side side_of(const struct exchange *r)
{
	return r->record.tries == 0 && r->wants_new ? SIDE_NEW : r->side;
}

void record_write(struct exchange *r, enum ending how)
{
	struct exchange_record *record = &r->record;

	if (record->ending != ENDING_NONE)
		return;
	record->ending = how;
	record->migration = r->migration;
	record->side = side_of(r);
	count_user(record, r->thread->index);
}
