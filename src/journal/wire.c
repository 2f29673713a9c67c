/*
 * A row of the journal as the INSERTs that PostgreSQL gets: one for what happened,
 * and for decisions what follows from it. All parameters are texts, whose types
 * PostgreSQL takes from the columns. And the questions that come before them.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/base/digest.h"
#include "sluice/base/json.h"
#include "sluice/base/mem.h"
#include "sluice/pg.h"
#include "sluice/shift/decision.h"

#include "journal_priv.h"

enum { PARAMS = 24, NUMBER_SIZE = 24 };

/* No conflict target: with one, the role would need SELECT as well. */
#define ONCE " ON CONFLICT DO NOTHING"

static const char insert_decision[] =
	"INSERT INTO decision (id, instance, seq, at, migration, action, phase_from,"
	" phase_to, from_ppm, to_ppm, actor, reason, evidence, config_hash, generation)"
	" VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15)" ONCE;

static const char insert_tracking[] =
	"INSERT INTO migration_tracking (decision_id, instance, migration, at, phase,"
	" new_ppm, phase_before, new_ppm_before, action, actor, reason, generation)"
	" VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)" ONCE;

static const char insert_rollback[] =
	"INSERT INTO migration_rollback (decision_id, instance, migration, at, kind,"
	" actor, reason, phase_before, from_ppm, to_ppm, first_bad_at, evidence,"
	" config_hash, generation)"
	" VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)" ONCE;

static const char insert_metrics[] =
	"INSERT INTO migration_metrics (id, instance, migration, at, interval_ms,"
	" new_ppm, legacy_requests, legacy_attempts, legacy_errors, legacy_p50_us,"
	" legacy_p95_us, legacy_p99_us, new_requests, new_attempts, new_errors,"
	" new_p50_us, new_p95_us, new_p99_us, spilled, rescued, evidence)"
	" VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,"
	"$20,$21)" ONCE;

struct params {
	const char *value[PARAMS];
	char number[PARAMS][NUMBER_SIZE];
	int n;
};

static void add_text(struct params *p, const char *text)
{
	p->value[p->n++] = text;
}

/* Unsigned here, signed there: what is too large for max is given as max. */
static void add_number(struct params *p, uint64_t value, uint64_t max)
{
	char *at = p->number[p->n];

	(void)snprintf(at, NUMBER_SIZE, "%llu",
		(unsigned long long)(value < max ? value : max));
	p->value[p->n++] = at;
}

static void add_real(struct params *p, double value)
{
	char *at = p->number[p->n];

	(void)snprintf(at, NUMBER_SIZE, "%.9g", value);
	p->value[p->n++] = at;
}

/* What the statements of a decision share. */
struct sending {
	struct outgoing *to;
	uint64_t seq;
	const struct decision *d;
	const char *evidence; /* JSON that PostgreSQL takes, or NULL */
	char at[CLOCK_TEXT_SIZE], first_bad[CLOCK_TEXT_SIZE];
};

static int send_params(struct outgoing *to, const char *sql, const struct params *p)
{
	return pg_batch_add(&to->batch, to->session, sql, p->value, p->n);
}

static int send_decision(const struct sending *w)
{
	const struct decision *d = w->d;
	struct params p = { .n = 0 };

	add_text(&p, d->id);
	add_text(&p, w->to->instance);
	add_number(&p, w->seq, INT64_MAX);
	add_text(&p, w->at);
	add_text(&p, d->migration);
	add_text(&p, d->action);
	add_text(&p, d->phase_from);
	add_text(&p, d->phase_to);
	add_number(&p, d->from_ppm, INT32_MAX);
	add_number(&p, d->to_ppm, INT32_MAX);
	add_text(&p, d->actor);
	add_text(&p, d->reason);
	add_text(&p, w->evidence);
	add_text(&p, d->config_hash);
	add_number(&p, d->generation, INT64_MAX);
	return send_params(w->to, insert_decision, &p);
}

static bool moves(const struct decision *d)
{
	return d->migration[0] != '\0' && d->phase_to[0] != '\0' &&
	       (strcmp(d->phase_from, d->phase_to) != 0 || d->from_ppm != d->to_ppm);
}

static int send_tracking(const struct sending *w)
{
	const struct decision *d = w->d;
	struct params p = { .n = 0 };

	if (!moves(d))
		return 0;
	add_text(&p, d->id);
	add_text(&p, w->to->instance);
	add_text(&p, d->migration);
	add_text(&p, w->at);
	add_text(&p, d->phase_to);
	add_number(&p, d->to_ppm, INT32_MAX);
	add_text(&p, d->phase_from);
	add_number(&p, d->from_ppm, INT32_MAX);
	add_text(&p, d->action);
	add_text(&p, d->actor);
	add_text(&p, d->reason);
	add_number(&p, d->generation, INT64_MAX);
	return send_params(w->to, insert_tracking, &p);
}

static bool goes_back(const struct decision *d)
{
	return d->migration[0] != '\0' && decision_text_is_rollback(d->action);
}

static int send_rollback(const struct sending *w)
{
	const struct decision *d = w->d;
	struct params p = { .n = 0 };

	if (!goes_back(d))
		return 0;
	add_text(&p, d->id);
	add_text(&p, w->to->instance);
	add_text(&p, d->migration);
	add_text(&p, w->at);
	add_text(&p, d->action);
	add_text(&p, d->actor);
	add_text(&p, d->reason);
	add_text(&p, d->phase_from);
	add_number(&p, d->from_ppm, INT32_MAX);
	add_number(&p, d->to_ppm, INT32_MAX);
	add_text(&p, w->first_bad[0] != '\0' ? w->first_bad : NULL);
	add_text(&p, w->evidence);
	add_text(&p, d->config_hash);
	add_number(&p, d->generation, INT64_MAX);
	return send_params(w->to, insert_rollback, &p);
}

/* 9999-12-31: what lies behind it, no clock means. */
static void time_text(uint64_t wall_us, char out[static CLOCK_TEXT_SIZE])
{
	static const uint64_t last = UINT64_C(253402214400000000);

	clock_text(wall_us < last ? wall_us : last, out);
}

/* What is no JSON is kept as a text in JSON: a decision is never refused for it. */
static char *check_evidence(struct sending *w, const char *text)
{
	struct err err;
	struct json *j = text != NULL ? json_parse(text, strlen(text), &err) : NULL;
	char *wrapped = NULL;

	w->evidence = text;
	if (j != NULL) {
		int64_t us = json_int(j, "first_bad_us", 0);

		if (us > 0)
			time_text((uint64_t)us, w->first_bad);
	} else if (text != NULL) {
		j = json_new_object();
		json_put_text(j, "not_json", text);
		w->evidence = wrapped = json_print(j);
	}
	json_free(j);
	return wrapped;
}

static int send_all_of_decision(const struct sending *w)
{
	int (*const parts[])(const struct sending *) = { send_decision, send_tracking,
		send_rollback };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i](w) != 0)
			return -1;
	return 0;
}

static int send_sample(struct outgoing *to, const struct record *r)
{
	const struct journal_sample *m = r->sample;
	const uint64_t numbers[] = { m->legacy.requests, m->legacy.attempts,
		m->legacy.errors, m->legacy.p50_us, m->legacy.p95_us, m->legacy.p99_us,
		m->new_.requests, m->new_.attempts, m->new_.errors, m->new_.p50_us,
		m->new_.p95_us, m->new_.p99_us, m->spilled, m->rescued };
	struct params p = { .n = 0 };
	char at[CLOCK_TEXT_SIZE];

	time_text(m->wall_us, at);
	add_text(&p, r->id);
	add_text(&p, to->instance);
	add_text(&p, m->migration);
	add_text(&p, at);
	add_number(&p, m->interval_ms, INT32_MAX);
	add_number(&p, m->new_ppm, INT32_MAX);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		add_number(&p, numbers[i], INT64_MAX);
	add_real(&p, m->evidence);
	return send_params(to, insert_metrics, &p);
}

int wire_send(struct outgoing *to, const struct record *r)
{
	if (r->kind == ENTRY_SAMPLE)
		return send_sample(to, r);

	struct sending w = { .to = to, .seq = r->seq, .d = r->decision };
	char *wrapped = check_evidence(&w, r->decision->evidence_json);

	time_text(r->decision->wall_us, w.at);
	int rc = send_all_of_decision(&w);

	free(wrapped);
	return rc;
}

void wire_name_instance(const char *path, char *out, size_t size)
{
	char host[HOST_NAME_MAX + 1] = "";
	char *real = realpath(path, NULL);

	(void)gethostname(host, sizeof(host) - 1);
	(void)snprintf(out, size, "%s:%s", host, real != NULL ? real : path);
	free(real);
}

void wire_name_session(
	uint64_t key, const char *instance, char out[static WIRE_SESSION_SIZE])
{
	enum { HOST_MAX = 36, HASH_BYTES = 8 };
	char hex[2 * HASH_BYTES + 1];
	uint8_t hash[DIGEST_SIZE];
	char *whole = mem_print("%s %llu", instance, (unsigned long long)key);
	int host = (int)strspn(instance, "abcdefghijklmnopqrstuvwxyz0123456789-."
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	digest_sha256(whole, strlen(whole), hash);
	digest_hex(hash, HASH_BYTES, hex);
	(void)snprintf(out, WIRE_SESSION_SIZE, "sluice %.*s %s",
		host < HOST_MAX ? host : HOST_MAX, instance, hex);
	free(whole);
}

/* What the writer must have and no more. to_regclass follows search_path and says
 * NULL where the schema may not be used. */
const char wire_check_sql[] =
	"SELECT set_config('synchronous_commit', 'on', false)"
	" WHERE current_setting('synchronous_commit') = 'off';"
	"SELECT CASE"
	" WHEN current_setting('transaction_read_only') = 'on'"
	" THEN 'the server is read-only'"
	" WHEN bool_or(to_regclass(t) IS NULL)"
	" THEN 'no table ' || min(t) FILTER (WHERE to_regclass(t) IS NULL)"
	" || ': run: sluicectl db migrate'"
	" WHEN bool_or(NOT has_table_privilege(to_regclass(t), 'INSERT'))"
	" THEN 'no right to INSERT into '"
	" || min(t) FILTER (WHERE NOT has_table_privilege(to_regclass(t), 'INSERT'))"
	" ELSE '' END "
	"FROM unnest(ARRAY['decision', 'migration_tracking', 'migration_metrics',"
	" 'migration_rollback']) AS t";

/* Sessions that this journal has lost and the server has not: they may be in the middle
 * of a batch, waiting for the rest of it, and no time-out of the server ends that. The
 * name is this journal's alone, and the role may always end its own. */
static const char clear_format[] =
	"SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity"
	" WHERE application_name = '%s' AND usename = session_user"
	" AND datname = current_database() AND pid <> pg_backend_pid()";

void wire_clear_sql(const char *name, char out[static WIRE_CLEAR_SIZE])
{
	(void)snprintf(out, WIRE_CLEAR_SIZE, clear_format, name);
}
