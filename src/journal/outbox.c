/*
 * The outbox: rows that PostgreSQL does not have yet. Decisions stay for ever;
 * samples up to a bound and a week. What is dropped is counted, never silent.
 */
#include <sqlite3.h>

#include "sluice/base/clock.h"

#include "journal_priv.h"

enum { PRUNE_AT_ONCE = 5000 };

static const uint64_t KEEP_US = UINT64_C(7) * 24 * 3600 * 1000000;

/* Reads the number that s->untold was at the last commit. */
static int read_untold(struct store *s, struct err *err)
{
	sqlite3_stmt *st = s->st[SQL_UNTOLD];
	bool there = sqlite3_step(st) == SQLITE_ROW;

	if (there)
		s->untold = (uint64_t)sqlite3_column_int64(st, 0);
	else
		(void)store_err(s, err, "cannot read the counters");
	sqlite3_reset(st);
	return there ? 0 : -1;
}

int outbox_count(struct store *s, struct err *err)
{
	sqlite3_stmt *st = s->st[SQL_COUNTS];
	bool there = sqlite3_step(st) == SQLITE_ROW;

	if (there)
		s->outbox = (struct outbox){
			.waiting = (uint64_t)sqlite3_column_int64(st, 0),
			.refused = (uint64_t)sqlite3_column_int64(st, 1),
			.samples = (uint64_t)sqlite3_column_int64(st, 2),
		};
	else
		(void)store_err(s, err, "cannot count what waits");
	sqlite3_reset(st);
	return there ? 0 : -1;
}

int outbox_open(struct store *s, struct err *err)
{
	return outbox_count(s, err) == 0 ? read_untold(s, err) : -1;
}

static void subtract(uint64_t *from, uint64_t n)
{
	*from -= n < *from ? n : *from;
}

int outbox_delivered(struct store *s, const uint64_t *seqs, size_t n, struct err *err)
{
	bool ok = true;
	uint64_t rows = 0;

	if (store_begin(s, err) != 0)
		return -1;
	for (size_t i = 0; i < n && ok; i++) {
		store_bind_u64(s, SQL_OUTBOX_TAKE, 1, seqs[i]);
		ok = store_run(s, SQL_OUTBOX_TAKE, err) == 0;
		rows += (uint64_t)sqlite3_changes(s->db);
	}
	if (store_end(s, ok, err) != 0)
		return -1;
	subtract(&s->outbox.waiting, rows);
	return 0;
}

int outbox_refuse(struct store *s, uint64_t seq, const char *why, struct err *err)
{
	if (store_begin(s, err) != 0)
		return -1;
	store_bind_text(s, SQL_REFUSE, 1, why);
	store_bind_u64(s, SQL_REFUSE, 2, seq);
	if (store_end(s, store_run(s, SQL_REFUSE, err) == 0, err) != 0)
		return -1;
	subtract(&s->outbox.waiting, 1);
	s->outbox.refused++;
	return 0;
}

int outbox_unrefuse(struct store *s, struct err *err)
{
	if (s->outbox.refused == 0)
		return 0;
	if (store_begin(s, err) != 0)
		return -1;
	if (store_end(s, store_run(s, SQL_UNREFUSE, err) == 0, err) != 0)
		return -1;
	s->outbox.waiting += s->outbox.refused;
	s->outbox.refused = 0;
	return 0;
}

static void bind_in_flight(struct store *s, enum sql q, uint64_t third)
{
	store_bind_u64(s, q, 1, s->in_flight_first);
	store_bind_u64(s, q, 2, s->in_flight_last);
	store_bind_u64(s, q, 3, third);
}

/* The seq up to which samples go, so that a few more have room; 0: none can. */
static uint64_t cut(struct store *s)
{
	sqlite3_stmt *st = s->st[SQL_DROP_UP_TO];
	uint64_t seq = 0;

	bind_in_flight(s, SQL_DROP_UP_TO,
		s->outbox.samples - STORE_SAMPLES + STORE_DROP_AT_ONCE - 1);
	if (sqlite3_step(st) == SQLITE_ROW)
		seq = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return seq;
}

int outbox_bound(struct store *s, struct err *err)
{
	if (s->outbox.samples <= STORE_SAMPLES)
		return 0;

	uint64_t up_to = cut(s);

	bind_in_flight(s, SQL_DROP_FROM_OUTBOX, up_to);
	if (store_run(s, SQL_DROP_FROM_OUTBOX, err) != 0)
		return -1;
	uint64_t lost = (uint64_t)sqlite3_changes(s->db);

	bind_in_flight(s, SQL_DROP_SAMPLES, up_to);
	if (store_run(s, SQL_DROP_SAMPLES, err) != 0)
		return -1;
	if (s->forwarded) {
		s->dropped += lost;
		s->untold += lost;
	}
	return outbox_count(s, err);
}

int outbox_prune(struct store *s, struct err *err)
{
	const struct outbox before = s->outbox;
	uint64_t now = clock_wall_us();

	if (store_begin(s, err) != 0)
		return -1;
	store_bind_u64(s, SQL_PRUNE_SAMPLES, 1, now > KEEP_US ? now - KEEP_US : 0);
	store_bind_u64(s, SQL_PRUNE_SAMPLES, 2, s->forwarded);
	store_bind_u64(s, SQL_PRUNE_SAMPLES, 3, PRUNE_AT_ONCE);
	bool ok = store_run(s, SQL_PRUNE_SAMPLES, err) == 0 &&
		  (s->forwarded || store_run(s, SQL_PRUNE_OUTBOX, err) == 0) &&
		  outbox_count(s, err) == 0;

	if (store_end(s, ok, err) == 0)
		return 0;
	s->outbox = before;
	return -1;
}
