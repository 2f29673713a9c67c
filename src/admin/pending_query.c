/*
 * Decisions out of the journal. Its rows come later and nothing cancels them, but the
 * connection that asked may be closed by then: a pending query stands between the two,
 * and lives until the rows come, also when they are not wanted any more.
 *
 * Rows are valid for the call, so they are copied, and made into JSON a row at a time.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/clock.h"
#include "sluice/base/json.h"
#include "sluice/base/mem.h"

#include "admin_priv.h"

struct pending_query {
	struct httpd_pending pending;
	bool forgotten;
};

struct decisions {
	struct body_source source;
	struct decision *row;
	size_t n, next;
};

static double percent(uint32_t ppm)
{
	return ppm / 10000.0;
}

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* A text that is no JSON would spoil the whole answer: it is shown as a text. */
static void put_evidence(struct json *j, const char *evidence)
{
	struct json *parsed = NULL;

	if (evidence != NULL)
		parsed = json_parse(evidence, strlen(evidence), NULL);
	if (parsed != NULL)
		json_put(j, "evidence", parsed);
	else
		json_put_text(j, "evidence", evidence);
}

struct json *pending_query_decision_json(const struct decision *d, bool with_evidence)
{
	struct json *j = json_new_object();
	char when[CLOCK_TEXT_SIZE];

	clock_text(d->wall_us, when);
	json_put_text(j, "id", d->id);
	json_put_text(j, "time", when);
	json_put_text(j, "migration", or_empty(d->migration));
	json_put_text(j, "action", or_empty(d->action));
	json_put_text(j, "phase_from", or_empty(d->phase_from));
	json_put_text(j, "phase_to", or_empty(d->phase_to));
	json_put_real(j, "from_percent", percent(d->from_ppm));
	json_put_real(j, "to_percent", percent(d->to_ppm));
	json_put_text(j, "actor", or_empty(d->actor));
	json_put_text(j, "reason", or_empty(d->reason));
	json_put_int(j, "generation", (int64_t)d->generation);
	json_put_text(j, "config_hash", or_empty(d->config_hash));
	if (with_evidence)
		put_evidence(j, d->evidence_json);
	return j;
}

/* The texts of a copy are its own. */
static const char *copy(const char *text)
{
	return mem_text(or_empty(text));
}

static void keep(struct decision *to, const struct decision *from)
{
	*to = *from;
	to->migration = copy(from->migration);
	to->action = copy(from->action);
	to->phase_from = copy(from->phase_from);
	to->phase_to = copy(from->phase_to);
	to->actor = copy(from->actor);
	to->reason = copy(from->reason);
	to->config_hash = copy(from->config_hash);
	to->evidence_json =
		from->evidence_json != NULL ? mem_text(from->evidence_json) : NULL;
}

static void drop(struct decision *d)
{
	const char *texts[] = { d->migration, d->action, d->phase_from, d->phase_to,
		d->actor, d->reason, d->config_hash, d->evidence_json };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free((void *)texts[i]);
}

static void decisions_free(struct body_source *source)
{
	struct decisions *p = (struct decisions *)(void *)source;

	for (size_t i = 0; i < p->n; i++)
		drop(&p->row[i]);
	free(p->row);
	free(p);
}

static bool decisions_make(struct body_source *source, struct text *out)
{
	struct decisions *p = (struct decisions *)(void *)source;

	if (p->next == 0)
		text_put(out, "{\"decisions\":[");
	if (p->next < p->n) {
		struct json *j = pending_query_decision_json(&p->row[p->next], true);

		text_put(out, p->next == 0 ? "" : ",");
		text_take_json(out, &j);
		p->next++;
	}
	if (p->next < p->n)
		return true;
	text_put(out, "]}\n");
	return false;
}

static struct body_source *decisions_source(const struct decision *rows, size_t n)
{
	struct decisions *p = mem_zero(sizeof(*p));

	p->source =
		(struct body_source){ .make = decisions_make, .free = decisions_free };
	p->row = mem_alloc((n + 1) * sizeof(*p->row));
	p->n = n;
	for (size_t i = 0; i < n; i++)
		keep(&p->row[i], &rows[i]);
	return &p->source;
}

static void on_rows(
	void *arg, const struct decision *rows, size_t n, const struct err *err)
{
	struct pending_query *p = arg;
	struct err why = { .code = ERR_NONE };

	if (err != NULL) {
		why = *err;
		(void)err_wrap(&why, "the journal cannot be read");
	}
	if (!p->forgotten) {
		assert(p->pending.on_ready != NULL); /* rows come on a later turn */
		p->pending.on_ready(p->pending.arg,
			err != NULL ? NULL : decisions_source(rows, n), &why);
	}
	free(p);
}

static void forget(struct httpd_pending *pending)
{
	((struct pending_query *)(void *)pending)->forgotten = true;
}

struct httpd_pending *pending_query_new(
	struct journal *j, const struct journal_query *q)
{
	struct pending_query *p = mem_zero(sizeof(*p));

	p->pending.forget = forget;
	journal_ask(j, q, on_rows, p);
	return &p->pending;
}
