/*
 * Group commit: whatever has come together is one transaction, with the states
 * that go with it.
 */
#include <math.h>
#include <stdio.h>

#include <sqlite3.h>

#include "sluice/base/clock.h"
#include "sluice/shift/decision.h"

#include "journal_priv.h"

/* A row tells at once that samples are being dropped, and then, as long as that
 * goes on, this often how many more. */
enum { TELL_EVERY_MS = 600000 };

static int put_in_outbox(
	struct store *s, enum entry_kind kind, uint64_t *seq, struct err *err)
{
	store_bind_u64(s, SQL_OUTBOX_PUT, 1, kind);
	if (store_run(s, SQL_OUTBOX_PUT, err) != 0)
		return -1;
	*seq = (uint64_t)sqlite3_last_insert_rowid(s->db);
	return 0;
}

/* A decision that is there already (the same id) is not there twice. */
static int put_decision(struct store *s, const struct decision *d, struct err *err)
{
	const char *const texts[] = { d->migration, d->action, d->phase_from,
		d->phase_to };
	uint64_t seq;

	if (put_in_outbox(s, ENTRY_DECISION, &seq, err) != 0)
		return -1;
	store_bind_u64(s, SQL_DECISION_PUT, 1, seq);
	store_bind_text(s, SQL_DECISION_PUT, 2, d->id);
	store_bind_u64(s, SQL_DECISION_PUT, 3, d->wall_us);
	for (int i = 0; i < 4; i++)
		store_bind_text(s, SQL_DECISION_PUT, 4 + i, texts[i]);
	store_bind_u64(s, SQL_DECISION_PUT, 8, d->from_ppm);
	store_bind_u64(s, SQL_DECISION_PUT, 9, d->to_ppm);
	store_bind_text(s, SQL_DECISION_PUT, 10, d->actor);
	store_bind_text(s, SQL_DECISION_PUT, 11, d->reason);
	store_bind_text(s, SQL_DECISION_PUT, 12, d->evidence_json);
	store_bind_text(s, SQL_DECISION_PUT, 13, d->config_hash);
	store_bind_u64(s, SQL_DECISION_PUT, 14, d->generation);
	if (store_run(s, SQL_DECISION_PUT, err) != 0)
		return -1;
	if (sqlite3_changes(s->db) == 1) {
		s->outbox.waiting++;
		return 0;
	}
	store_bind_u64(s, SQL_OUTBOX_TAKE, 1, seq);
	return store_run(s, SQL_OUTBOX_TAKE, err);
}

static int put_sample(struct store *s, const struct entry *e, struct err *err)
{
	const struct journal_sample *p = &e->sample;
	const uint64_t numbers[] = { p->interval_ms, p->new_ppm, p->legacy.requests,
		p->legacy.attempts, p->legacy.errors, p->legacy.p50_us,
		p->legacy.p95_us, p->legacy.p99_us, p->new_.requests, p->new_.attempts,
		p->new_.errors, p->new_.p50_us, p->new_.p95_us, p->new_.p99_us,
		p->spilled, p->rescued };
	int at = 5;
	uint64_t seq;

	if (put_in_outbox(s, ENTRY_SAMPLE, &seq, err) != 0)
		return -1;
	store_bind_u64(s, SQL_SAMPLE_PUT, 1, seq);
	store_bind_text(s, SQL_SAMPLE_PUT, 2, e->sample_id);
	store_bind_u64(s, SQL_SAMPLE_PUT, 3, p->wall_us);
	store_bind_text(s, SQL_SAMPLE_PUT, 4, p->migration);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		store_bind_u64(s, SQL_SAMPLE_PUT, at++, numbers[i]);
	/* SQLite has no NaN: it would be the NULL that the column refuses. */
	(void)sqlite3_bind_double(
		s->st[SQL_SAMPLE_PUT], at, isfinite(p->evidence) ? p->evidence : 0);
	s->outbox.waiting++;
	s->outbox.samples++;
	return store_run(s, SQL_SAMPLE_PUT, err);
}

static int put_state(
	struct store *s, const struct journal_state *state, struct err *err)
{
	store_bind_text(s, SQL_STATE_PUT, 1, state->migration);
	store_bind_u64(s, SQL_STATE_PUT, 2, state->generation);
	store_bind_text(s, SQL_STATE_PUT, 3, state->json);
	return store_run(s, SQL_STATE_PUT, err);
}

static int put(struct store *s, const struct entry *e, struct err *err)
{
	if (e->kind == ENTRY_SAMPLE)
		return put_sample(s, e, err);
	if (put_decision(s, &e->decision, err) != 0)
		return -1;
	for (size_t i = 0; i < e->n_states; i++)
		if (put_state(s, &e->states[i], err) != 0)
			return -1;
	return 0;
}

static int put_dropped_row(struct store *s, struct err *err)
{
	char reason[96], evidence[64];

	(void)snprintf(reason, sizeof(reason),
		"%llu metric samples were dropped: the journal was full",
		(unsigned long long)s->untold);
	(void)snprintf(evidence, sizeof(evidence), "{\"samples\":%llu}",
		(unsigned long long)s->untold);
	struct entry *e = entry_of_decision(
		&(struct decision){ .migration = "",
			.action = decision_text(DECISION_DROPPED),
			.actor = shift_actor_text(
				&(struct actor){ ACTOR_JOURNAL, NULL }),
			.reason = reason,
			.evidence_json = evidence },
		NULL, 0);
	int r = put_decision(s, &e->decision, err);

	entry_free(e);
	return r;
}

/* The number survives a restart, whether or not a row tells it yet. */
static int account_for_dropped(struct store *s, struct err *err)
{
	uint64_t now = clock_mono_ms();

	if (s->untold > 0 && (s->told_ms == 0 || now - s->told_ms >= TELL_EVERY_MS)) {
		if (put_dropped_row(s, err) != 0)
			return -1;
		s->told_ms = now;
		s->untold = 0;
	}
	store_bind_u64(s, SQL_COUNTER_PUT, 1, s->untold);
	return store_run(s, SQL_COUNTER_PUT, err);
}

static int put_all(
	struct store *s, const struct link *entries, uint64_t *rows, struct err *err)
{
	uint64_t untold = s->untold;

	LIST_EACH (entries, it, next) {
		(*rows)++;
		if (put(s, LIST_ENTRY(it, struct entry, link), err) != 0)
			return -1;
	}
	if (outbox_bound(s, err) != 0)
		return -1;
	return untold == 0 && s->untold == 0 ? 0 : account_for_dropped(s, err);
}

int store_commit(struct store *s, const struct link *entries, struct err *err)
{
	const struct store before = *s;
	uint64_t rows = 0;

	if (store_begin(s, err) != 0)
		return -1;
	if (store_end(s, put_all(s, entries, &rows, err) == 0, err) == 0) {
		s->committed += rows;
		return 0;
	}
	s->outbox = before.outbox;
	s->dropped = before.dropped;
	s->untold = before.untold;
	s->told_ms = before.told_ms;
	return -1;
}
