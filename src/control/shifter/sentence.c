/*
 * sentence - the grounds of a verdict in one sentence for a person: what the on-call
 * engineer reads first in the log, the journal and the dashboard.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sluice/control/evidence.h"

static void add(char *out, size_t out_n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void add(char *out, size_t out_n, const char *fmt, ...)
{
	size_t used = strlen(out);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(out + used, out_n - used, fmt, args);
	va_end(args);
}

static const char *bad_word(const struct guard_def *d)
{
	bool of_latency = d->kind == GUARD_P95_LATENCY || d->kind == GUARD_P95_RATIO;

	return of_latency ? "slow" : "bad";
}

static void add_limit(char *out, size_t out_n, const struct guard_def *d)
{
	switch (d->kind) {
	case GUARD_ERROR_RATE:
		add(out, out_n, "limit %.4g %%", 100 * d->p.p0);
		break;
	case GUARD_P95_LATENCY:
		add(out, out_n, "limit %.4g %% over %.4g ms", 100 * d->p.p0,
			(double)d->slow_us / 1000);
		break;
	case GUARD_ERROR_RATIO:
		add(out, out_n, "limit %.4g times legacy's", d->p.rho);
		break;
	case GUARD_P95_RATIO:
		add(out, out_n, "limit %.4g times legacy's p95", d->ratio);
		break;
	case N_GUARD_KINDS:
		break;
	}
}

/* "error_rate: 37 of 210 bad (17.6 %, limit 1 %) within 3.2 s" */
static void add_harm(
	char *out, size_t out_n, const struct guard_def *d, const struct guard *g)
{
	const unsigned j = guard_leader(g);
	double rate = g->n[j] > 0 ? 100 * (double)g->bad[j] / (double)g->n[j] : 0;

	add(out, out_n, "%s: %lld of %lld %s (%.3g %%, ", guard_kind_name(d->kind),
		(long long)g->bad[j], (long long)g->n[j], bad_word(d), rate);
	add_limit(out, out_n, d);
	add(out, out_n, ") within %.1f s", (double)g->age_ms[j] / 1000);
}

static void add_floor(char *out, size_t out_n, const struct engine *e)
{
	add(out, out_n, "%lld failed attempts in a row over %lld ticks, none good",
		(long long)e->run, (long long)e->run_ticks);
}

/* "error_rate 0 of 437 bad, p95_latency 2 of 437 slow in 30.0 s" */
static void add_pass(
	char *out, size_t out_n, const struct guard_set *set, const struct engine *e)
{
	for (unsigned i = 0; i < e->n_guards; i++)
		add(out, out_n, "%s%s %lld of %lld %s", i > 0 ? ", " : "",
			guard_kind_name(set->def[i].kind),
			(long long)e->guard[i].step_bad, (long long)e->guard[i].step_n,
			bad_word(&set->def[i]));
	if (e->n_guards > 0)
		add(out, out_n, " in %.1f s", (double)e->elapsed_ms / 1000);
}

static void add_doubt(
	char *out, size_t out_n, const struct guard_set *set, const struct engine *e)
{
	const struct guard *g = &e->guard[e->reason_guard];
	const char *name = guard_kind_name(set->def[e->reason_guard].kind);

	if (e->reason == BECAUSE_TOO_LITTLE_TRAFFIC)
		add(out, out_n, "%s: too little traffic, %.0f of %llu requests needed",
			name, g->effective_n, (unsigned long long)g->need);
	else if (e->reason == BECAUSE_TOO_CLOSE)
		add(out, out_n, "%s: too close to its limit, %lld of %lld %s", name,
			(long long)g->step_bad, (long long)g->step_n,
			bad_word(&set->def[e->reason_guard]));
	else
		add(out, out_n, "the evidence has not settled");
}

static unsigned strongest(const struct engine *e)
{
	unsigned best = 0;

	for (unsigned i = 1; i < e->n_guards; i++) {
		if (guard_evidence(&e->guard[i]) > guard_evidence(&e->guard[best]))
			best = i;
	}
	return best;
}

void evidence_sentence(
	char *out, size_t out_n, const struct guard_set *set, const struct engine *e)
{
	const bool fired = e->verdict == VERDICT_BREACH;
	const unsigned i = fired ? e->reason_guard : strongest(e);

	out[0] = '\0';
	if (fired && e->reason == BECAUSE_FLOOR)
		add_floor(out, out_n, e);
	else if (e->n_guards == 0)
		return;
	else if (e->verdict == VERDICT_PASS)
		add_pass(out, out_n, set, e);
	else if (e->verdict == VERDICT_INCONCLUSIVE)
		add_doubt(out, out_n, set, e);
	else
		add_harm(out, out_n, &set->def[i], &e->guard[i]);
}
