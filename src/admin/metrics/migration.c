/*
 * The metrics of each migration. Whatever a dashboard or an alert needs to explain a
 * decision is here; the decision itself, with its evidence, is in the journal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "metrics/metrics_priv.h"

enum { GUARD_NAME_SIZE = 32 };

struct row {
	struct labels labels;
	uint32_t new_ppm, effective_ppm;
	uint64_t generation;
	enum shift_phase phase;
	enum shift_reason held;
	enum shift_verdict verdict;
	unsigned step, steps, n_guards;
	struct {
		char name[GUARD_NAME_SIZE];
		bool observe;
		double evidence, promote;
	} guard[GUARD_MAX];
	struct migration_counts counts;
	struct bucketed latency[N_SIDES];
};

static const char *const sides[N_SIDES] = {
	[SIDE_LEGACY] = "legacy",
	[SIDE_NEW] = "new",
};

/* --- single values ---------------------------------------------------------- */

static double weight(const void *row)
{
	return ((const struct row *)row)->new_ppm / 1e6;
}

static double effective(const void *row)
{
	return ((const struct row *)row)->effective_ppm / 1e6;
}

static double generation(const void *row)
{
	return (double)((const struct row *)row)->generation;
}

static double latched(const void *row)
{
	return shift_is_latched(((const struct row *)row)->phase);
}

static double step(const void *row)
{
	return ((const struct row *)row)->step;
}

static double steps(const void *row)
{
	return ((const struct row *)row)->steps;
}

/* --- several samples a row --------------------------------------------------- */

static void show_phase(struct text *t, const struct family *f, const void *row)
{
	const struct row *r = row;

	for (unsigned p = 0; p < SHIFT_N_PHASES; p++)
		text_print(t, "%s{%s,phase=\"%s\"} %d\n", f->name, r->labels.text,
			shift_phase_text((enum shift_phase)p), r->phase == p);
}

static void show_verdict(struct text *t, const struct family *f, const void *row)
{
	static const enum shift_verdict all[] = { VERDICT_HOLD, VERDICT_PASS,
		VERDICT_BREACH };
	const struct row *r = row;
	const char *now = status_verdict(r->verdict);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		text_print(t, "%s{%s,verdict=\"%s\"} %d\n", f->name, r->labels.text,
			status_verdict(all[i]),
			strcmp(now, status_verdict(all[i])) == 0);
}

static void show_held(struct text *t, const struct family *f, const void *row)
{
	const struct row *r = row;

	text_print(t, "%s{%s,reason=\"%s\"} %d\n", f->name, r->labels.text,
		r->held == WHY_NOTHING ? "" : shift_reason_name(r->held),
		r->held != WHY_NOTHING);
}

enum { SHOW_EVIDENCE, SHOW_PROMOTE };

static void show_guard(struct text *t, const struct family *f, const void *row)
{
	const struct row *r = row;

	for (unsigned i = 0; i < r->n_guards; i++)
		text_print(t, "%s{%s,guard=\"%s\",mode=\"%s\"} %.6g\n", f->name,
			r->labels.text, r->guard[i].name,
			r->guard[i].observe ? "observe" : "enforce",
			f->arg == SHOW_EVIDENCE ? r->guard[i].evidence
						: r->guard[i].promote);
}

static void show_outcomes(struct text *t, const struct family *f, const void *row)
{
	const struct row *r = row;

	for (unsigned s = 0; s < N_SIDES; s++) {
		for (unsigned o = 0; o < N_OUTCOMES; o++)
			text_print(t, "%s{%s,side=\"%s\",outcome=\"%s\"} %llu\n",
				f->name, r->labels.text, sides[s],
				outcome_text((enum outcome)o),
				(unsigned long long)r->counts.outcome[s][o]);
	}
}

static void show_classes(struct text *t, const struct family *f, const void *row)
{
	const struct row *r = row;

	for (unsigned s = 0; s < N_SIDES; s++) {
		for (unsigned c = COUNT_STATUS_1XX; c <= COUNT_STATUS_5XX; c++)
			text_print(t, "%s{%s,side=\"%s\",class=\"%uxx\"} %llu\n",
				f->name, r->labels.text, sides[s],
				c - COUNT_STATUS_1XX + 1,
				(unsigned long long)r->counts.v[s][c]);
	}
}

static void show_count(struct text *t, const struct family *f, const void *row)
{
	const struct row *r = row;

	for (unsigned s = 0; s < N_SIDES; s++)
		text_print(t, "%s{%s,side=\"%s\"} %llu\n", f->name, r->labels.text,
			sides[s], (unsigned long long)r->counts.v[s][f->arg]);
}

/* Half of a scrape is this: what a side's samples share is made once. */
static void show_bounds(
	struct text *t, const char *name, const char *labels, const struct bucketed *l)
{
	char start[384];
	int n = snprintf(start, sizeof(start), "%s_bucket{%s,le=\"", name, labels);

	for (unsigned b = 0; b < METRICS_BUCKETS; b++) {
		text_add(t, start, (size_t)n);
		text_put(t, metrics_bounds[b].text);
		text_put(t, "\"} ");
		text_u64(t, l->upto[b]);
		text_put(t, "\n");
	}
}

static void show_latency(struct text *t, const struct family *f, const void *row)
{
	const struct row *r = row;

	for (unsigned s = 0; s < N_SIDES; s++) {
		const struct bucketed *l = &r->latency[s];
		unsigned long long count = l->count;
		char labels[256];

		snprintf(labels, sizeof(labels), "%s,side=\"%s\"", r->labels.text,
			sides[s]);
		show_bounds(t, f->name, labels, l);
		text_print(t,
			"%s_bucket{%s,le=\"+Inf\"} %llu\n%s_sum{%s} %.9g\n"
			"%s_count{%s} %llu\n",
			f->name, labels, count, f->name, labels, l->sum_s, f->name,
			labels, count);
	}
}

/* --- the table ---------------------------------------------------------------- */

#define NAME(rest) "sluice_migration_" rest

static const struct family families[] = {
	{ .name = NAME("weight_ratio"),
		.type = "gauge",
		.help = "Share of requests meant for new, 0..1.",
		.value = weight },
	{ .name = NAME("effective_weight_ratio"),
		.type = "gauge",
		.help = "Share of requests that new gets right now: 0 while latched.",
		.value = effective },
	{ .name = NAME("phase"),
		.type = "gauge",
		.help = "1 for the phase that the migration is in.",
		.show = show_phase },
	{ .name = NAME("latched"),
		.type = "gauge",
		.help = "1 after a revert or cutback, until resume.",
		.value = latched },
	{ .name = NAME("generation"),
		.type = "gauge",
		.help = "Rises with every change of the weight or latch.",
		.value = generation },
	{ .name = NAME("step"),
		.type = "gauge",
		.help = "The plan's step in force, from 1; 0 when none is.",
		.value = step },
	{ .name = NAME("steps"),
		.type = "gauge",
		.help = "Steps of the plan; 0 without one.",
		.value = steps },
	{ .name = NAME("held"),
		.type = "gauge",
		.help = "1 while something forbids the plan to advance.",
		.show = show_held },
	{ .name = NAME("verdict"),
		.type = "gauge",
		.help = "1 for what the guards say of the current step.",
		.show = show_verdict },
	{ .name = NAME("guard_evidence_ratio"),
		.type = "gauge",
		.help = "Evidence against new; 1 reverts.",
		.show = show_guard,
		.arg = SHOW_EVIDENCE },
	{ .name = NAME("guard_promotion_ratio"),
		.type = "gauge",
		.help = "Evidence for new in this step; 1 is proof.",
		.show = show_guard,
		.arg = SHOW_PROMOTE },
	{ .name = NAME("requests_total"),
		.type = "counter",
		.help = "Requests of users, by the side that answered or was to; those "
			"whose client left are no errors.",
		.show = show_count,
		.arg = COUNT_REQUESTS },
	{ .name = NAME("user_errors_total"),
		.type = "counter",
		.help = "Requests that ended with 5xx or broken as the user saw it.",
		.show = show_count,
		.arg = COUNT_USER_ERRORS },
	{ .name = NAME("responses_total"),
		.type = "counter",
		.help = "Responses by class of status.",
		.show = show_classes },
	{ .name = NAME("attempts_total"),
		.type = "counter",
		.help = "Attempts that ended, retries and rescues included.",
		.show = show_count,
		.arg = COUNT_ATTEMPTS },
	{ .name = NAME("attempt_errors_total"),
		.type = "counter",
		.help = "Attempts that the pool failed.",
		.show = show_count,
		.arg = COUNT_ERRORS },
	{ .name = NAME("outcomes_total"),
		.type = "counter",
		.help = "Attempts by how they ended.",
		.show = show_outcomes },
	{ .name = NAME("retries_total"),
		.type = "counter",
		.help = "Attempts tried again on the same side.",
		.show = show_count,
		.arg = COUNT_RETRIES },
	{ .name = NAME("rescued_total"),
		.type = "counter",
		.help = "Requests that one side failed and legacy answered.",
		.show = show_count,
		.arg = COUNT_RESCUED },
	{ .name = NAME("not_rescued_total"),
		.type = "counter",
		.help = "Requests not rescued because of their size or the budget.",
		.show = show_count,
		.arg = COUNT_NOT_RESCUED },
	{ .name = NAME("spilled_total"),
		.type = "counter",
		.help = "Requests meant for a side without servers, sent to the other.",
		.show = show_count,
		.arg = COUNT_SPILL },
	{ .name = NAME("queued_total"),
		.type = "counter",
		.help = "Requests that waited for a server.",
		.show = show_count,
		.arg = COUNT_QUEUED },
	{ .name = NAME("received_bytes_total"),
		.type = "counter",
		.help = "Bytes of request bodies from clients.",
		.show = show_count,
		.arg = COUNT_BYTES_IN },
	{ .name = NAME("sent_bytes_total"),
		.type = "counter",
		.help = "Bytes of response bodies to clients.",
		.show = show_count,
		.arg = COUNT_BYTES_OUT },
	{ .name = NAME("tunnels_total"),
		.type = "counter",
		.help = "Tunnels (WebSocket) that began.",
		.show = show_count,
		.arg = COUNT_TUNNELS },
	{ .name = NAME("tunnels_open"),
		.type = "gauge",
		.help = "Tunnels open now.",
		.show = show_count,
		.arg = COUNT_TUNNELS_OPEN },
	{ .name = NAME("tunnels_broken_total"),
		.type = "counter",
		.help = "Tunnels that the pool broke within 5 s: errors.",
		.show = show_count,
		.arg = COUNT_TUNNELS_BROKEN },
	{ .name = NAME("tunnels_drained_total"),
		.type = "counter",
		.help = "Tunnels asked to leave by a close frame.",
		.show = show_count,
		.arg = COUNT_TUNNELS_DRAINED },
	{ .name = NAME("tunnels_cut_total"),
		.type = "counter",
		.help = "Tunnels reset by on_revert or --hard.",
		.show = show_count,
		.arg = COUNT_TUNNELS_CUT },
	{ .name = NAME("tunnel_received_messages_total"),
		.type = "counter",
		.help = "Messages from clients through tunnels.",
		.show = show_count,
		.arg = COUNT_MESSAGES_IN },
	{ .name = NAME("tunnel_sent_messages_total"),
		.type = "counter",
		.help = "Messages to clients through tunnels.",
		.show = show_count,
		.arg = COUNT_MESSAGES_OUT },
	{ .name = NAME("tunnel_received_bytes_total"),
		.type = "counter",
		.help = "Bytes from clients through tunnels.",
		.show = show_count,
		.arg = COUNT_TUNNEL_BYTES_IN },
	{ .name = NAME("tunnel_sent_bytes_total"),
		.type = "counter",
		.help = "Bytes to clients through tunnels.",
		.show = show_count,
		.arg = COUNT_TUNNEL_BYTES_OUT },
	{ .name = NAME("latency_seconds"),
		.type = "histogram",
		.help = "From the whole request head to the response's first byte, by "
			"attempt.",
		.show = show_latency },
};

/* --- reading ------------------------------------------------------------------- */

static void take_guards(struct row *r, const struct admin_migration *m)
{
	r->n_guards = m->engine->n_guards;
	for (unsigned i = 0; i < r->n_guards; i++) {
		const struct guard *g = &m->engine->guard[i];

		snprintf(r->guard[i].name, sizeof(r->guard[i].name), "%s",
			m->guard[i].name);
		r->guard[i].observe = g->p.observe;
		r->guard[i].evidence = guard_evidence(g);
		r->guard[i].promote = guard_promote(g);
	}
}

static void take_latency(struct row *r, struct migration *m, const struct buckets *b)
{
	for (unsigned side = 0; side < N_SIDES; side++)
		buckets_apply(
			b, migration_hist_total(m, (enum side)side), &r->latency[side]);
}

void metrics_take_migration(
	void *row, const struct admin_migration *m, const struct buckets *b)
{
	struct row *r = row;
	struct text label = { .p = NULL };

	metrics_label(&label, "migration", m->config->name);
	r->labels.text = label.p;
	r->new_ppm = m->new_ppm;
	r->effective_ppm = migration_effective_ppm(m->live);
	r->generation = m->generation;
	r->phase = m->state->phase;
	r->held = m->held;
	r->verdict = m->engine->verdict;
	r->step = status_step(m);
	r->steps = m->plan->n_steps;
	take_guards(r, m);
	migration_sum(m->live, &r->counts);
	take_latency(r, m->live, b);
}

static void forget(void *row)
{
	free(((struct row *)row)->labels.text);
}

const struct family_group metrics_migrations = {
	.families = families,
	.n_families = sizeof(families) / sizeof(families[0]),
	.row_bytes = sizeof(struct row),
	.fini = forget,
};
