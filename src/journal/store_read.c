/*
 * Reading back: the states at start, the decisions that somebody asks for, and
 * the rows that wait for PostgreSQL.
 */
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "sluice/base/mem.h"

#include "journal_priv.h"

static const char *text_at(sqlite3_stmt *st, int column)
{
	return (const char *)sqlite3_column_text(st, column);
}

static uint64_t u64_at(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}

void store_each_state(struct store *s,
	void (*take)(void *arg, const struct journal_state *s), void *arg)
{
	sqlite3_stmt *st = s->st[SQL_STATES];

	while (sqlite3_step(st) == SQLITE_ROW) {
		struct journal_state state = { .generation = u64_at(st, 1),
			.json = text_at(st, 2) };

		(void)snprintf(
			state.migration, sizeof(state.migration), "%s", text_at(st, 0));
		take(arg, &state);
	}
	sqlite3_reset(st);
}

/* Of a row that starts with seq; the texts are SQLite's until the next step. */
static struct decision decision_at(sqlite3_stmt *st)
{
	struct decision d = {
		.wall_us = u64_at(st, 2),
		.migration = text_at(st, 3),
		.action = text_at(st, 4),
		.phase_from = text_at(st, 5),
		.phase_to = text_at(st, 6),
		.from_ppm = (uint32_t)u64_at(st, 7),
		.to_ppm = (uint32_t)u64_at(st, 8),
		.actor = text_at(st, 9),
		.reason = text_at(st, 10),
		.evidence_json = text_at(st, 11),
		.config_hash = text_at(st, 12),
		.generation = u64_at(st, 13),
	};

	(void)snprintf(d.id, sizeof(d.id), "%s", text_at(st, 1));
	return d;
}

static struct journal_sample sample_at(sqlite3_stmt *st)
{
	struct journal_sample p = {
		.wall_us = u64_at(st, 2),
		.interval_ms = (uint32_t)u64_at(st, 4),
		.new_ppm = (uint32_t)u64_at(st, 5),
		.legacy = { .requests = u64_at(st, 6),
			.attempts = u64_at(st, 7),
			.errors = u64_at(st, 8),
			.p50_us = u64_at(st, 9),
			.p95_us = u64_at(st, 10),
			.p99_us = u64_at(st, 11) },
		.new_ = { .requests = u64_at(st, 12),
			.attempts = u64_at(st, 13),
			.errors = u64_at(st, 14),
			.p50_us = u64_at(st, 15),
			.p95_us = u64_at(st, 16),
			.p99_us = u64_at(st, 17) },
		.spilled = u64_at(st, 18),
		.rescued = u64_at(st, 19),
		.evidence = sqlite3_column_double(st, 20),
	};

	(void)snprintf(p.migration, sizeof(p.migration), "%s", text_at(st, 3));
	return p;
}

static void line_up(struct ask *a)
{
	a->rows = mem_alloc((a->n + 1) * sizeof(*a->rows));
	a->n = 0;
	LIST_EACH (&a->entries, it, next) {
		a->rows[a->n++] = LIST_ENTRY(it, struct entry, link)->decision;
	}
}

void store_answer(struct store *s, struct ask *a)
{
	enum sql q = a->query.migration[0] == '\0' ? SQL_ASK_ALL : SQL_ASK_ONE;
	unsigned limit = a->query.limit;
	int r;

	if (limit == 0 || limit > STORE_ASK_MAX)
		limit = STORE_ASK_MAX;
	store_bind_text(s, q, 1, a->query.migration);
	(void)sqlite3_bind_int64(s->st[q], 2,
		a->query.since_us > INT64_MAX ? INT64_MAX
					      : (sqlite3_int64)a->query.since_us);
	store_bind_u64(s, q, 3, limit);
	while ((r = sqlite3_step(s->st[q])) == SQLITE_ROW) {
		struct decision d = decision_at(s->st[q]);

		list_push(&a->entries, &entry_of_decision(&d, NULL, 0)->link);
		a->n++;
	}
	if (r != SQLITE_DONE)
		(void)store_err(s, &a->err, "cannot read");
	sqlite3_reset(s->st[q]);
	line_up(a);
}

/* Calls take with the row that st has found, if it has. */
static int give(struct store *s, uint64_t seq, enum entry_kind kind,
	bool (*take)(void *arg, const struct record *r), void *arg)
{
	enum sql q = kind == ENTRY_SAMPLE ? SQL_SAMPLE : SQL_DECISION;
	sqlite3_stmt *st = s->st[q];
	struct record r = { .seq = seq, .kind = kind };
	struct decision d;
	struct journal_sample p;
	int more = -1;

	store_bind_u64(s, q, 1, seq);
	if (sqlite3_step(st) == SQLITE_ROW) {
		if (kind == ENTRY_SAMPLE) {
			p = sample_at(st);
			r.sample = &p;
		} else {
			d = decision_at(st);
			r.decision = &d;
		}
		r.id = text_at(st, 1);
		more = take(arg, &r);
	}
	sqlite3_reset(st);
	return more;
}

int store_each_waiting(struct store *s, unsigned max,
	bool (*take)(void *arg, const struct record *r), void *arg, struct err *err)
{
	sqlite3_stmt *st = s->st[SQL_WAITING];
	int step = SQLITE_DONE, more = 1;

	store_bind_u64(s, SQL_WAITING, 1, max);
	while (more == 1 && (step = sqlite3_step(st)) == SQLITE_ROW)
		more = give(
			s, u64_at(st, 0), (enum entry_kind)u64_at(st, 1), take, arg);
	if (more == -1 || (more == 1 && step != SQLITE_DONE))
		(void)store_err(s, err, "cannot read what waits");
	sqlite3_reset(st);
	return more == -1 || (more == 1 && step != SQLITE_DONE) ? -1 : 0;
}
