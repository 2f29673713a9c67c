/*
 * One guard: how much evidence there is that new breaks its limit, and that it keeps
 * it. docs/guard.md is the rule; sections (GUARD 4) are its.
 *
 * Harm: a bank of four sequential tests, each against one size of excess. A bad
 * request raises the bars, a good one lowers them, so that a rate exactly at the limit
 * drifts nowhere; no bar falls below 0, so good history is no credit. Promotion: three
 * tests the other way round, begun anew at each step.
 *
 * The order of every floating-point operation is part of the rule: the vectors compare
 * to 1e-9 after thousands of ticks.
 */
#include "sluice/shift/guard.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "shift_priv.h"

/* How many times the limit's odds each test looks for. */
static const double harm_odds[GUARD_HARM_BANK] = { 1.25, 2.0, 5.0, 50.0 };
static const double promote_odds[GUARD_PROMOTE_BANK] = { 0.8, 0.5, 0.1 };

enum { BIN_N1, BIN_K1, BIN_N0, BIN_K0, BIN_DT };

/* What a tick (absolute guard) or a bin (relative guard) says. */
struct sample {
	int64_t bad, trials; /* K and N of the formula */
	double weight;       /* under 1 where the cap on requests a second bites */
	int64_t new_bad, new_n, dt_ms;
};

struct guard_params guard_defaults(void)
{
	return (struct guard_params){
		.p0 = 0.01,
		.rho = 1.5,
		.p_min = 0.005,
		.h = log(1e7),
		.cap_rps = 100.0,
		.alpha_promote = 0.05,
		.dwell_ms = 3000,
		.min_bad = 5,
		.bin_min = 4,
	};
}

static bool within(double x, double lo, double hi)
{
	return x >= lo && x <= hi; /* never of a NaN */
}

const char *guard_check(const struct guard_params *p)
{
	if (!within(p->p0, 1e-6, 0.5))
		return "p0";
	if (!within(p->rho, 0.1, 100.0))
		return "rho";
	if (!within(p->p_min, 1e-6, 0.5))
		return "p_min";
	if (!within(p->h, 1.0, 100.0))
		return "h";
	if (!(p->cap_rps > 0.0) || !isfinite(p->cap_rps))
		return "cap_rps";
	if (!(p->alpha_promote > 0.0 && p->alpha_promote < 1.0) ||
		!isfinite(1.0 / p->alpha_promote))
		return "alpha_promote";
	if (p->bin_min < 1)
		return "bin_min";
	return NULL;
}

/* GUARD 1, the only formula: K bad of N, in nats, from ln(r) and log1p(q(r - 1)). */
static double llr(int64_t bad, int64_t trials, double ln_odds, double l1p)
{
	return (double)bad * ln_odds - (double)trials * l1p;
}

static double log_mean_exp(const double *x, size_t n)
{
	double most = x[0], sum = 0.0;

	for (size_t i = 1; i < n; i++)
		most = x[i] > most ? x[i] : most;
	for (size_t i = 0; i < n; i++)
		sum += exp(x[i] - most);
	return most + log(sum / (double)n);
}

/* --- harm --------------------------------------------------------------------- */

static void check_fired(struct guard *g)
{
	for (unsigned j = 0; j < GUARD_HARM_BANK; j++) {
		if (g->s[j] < g->p.h || g->age_ms[j] < g->p.dwell_ms ||
			g->bad[j] < g->p.min_bad)
			continue;
		/* Many times next to nothing is still next to nothing. */
		if (g->p.relative && (double)g->bad[j] < g->p.p_min * (double)g->n[j])
			continue;
		g->fired = true;
	}
}

static void add_harm(struct guard *g, const struct sample *m, const double *l1p)
{
	for (unsigned j = 0; j < GUARD_HARM_BANK; j++) {
		double sum = g->s[j] +
			     m->weight * llr(m->bad, m->trials, g->ln_harm[j], l1p[j]);

		if (sum <= 0.0) {
			g->s[j] = 0.0;
			g->age_ms[j] = g->bad[j] = g->n[j] = 0;
			continue;
		}
		g->s[j] = sum < g->p.h ? sum : g->p.h;
		g->age_ms[j] = add_capped(g->age_ms[j], m->dt_ms);
		g->bad[j] = add_capped(g->bad[j], m->new_bad);
		g->n[j] = add_capped(g->n[j], m->new_n);
	}
	check_fired(g);
}

/* Without a request evidence stands, but an excess grows older. */
static void let_time_pass(struct guard *g, int64_t dt_ms)
{
	for (unsigned j = 0; j < GUARD_HARM_BANK; j++) {
		if (g->s[j] > 0.0)
			g->age_ms[j] = add_capped(g->age_ms[j], dt_ms);
	}
	check_fired(g);
}

/* --- promotion ---------------------------------------------------------------- */

static void add_promotion(
	struct guard *g, double *sums, const struct sample *m, const double *l1p)
{
	for (unsigned i = 0; i < GUARD_PROMOTE_BANK; i++)
		sums[i] += m->weight * llr(m->bad, m->trials, g->ln_promote[i], l1p[i]);
}

static size_t promote_count(bool relative)
{
	return relative ? 2 * GUARD_PROMOTE_BANK : GUARD_PROMOTE_BANK;
}

double guard_promote_log(const struct guard *g)
{
	return log_mean_exp(g->promote, promote_count(g->p.relative));
}

/* --- ticks -------------------------------------------------------------------- */

/* No tick weighs more than cap_rps requests a second: a hiccup of a busy second must
 * not speak for everyone (GUARD 4). */
static double weight_of(const struct guard *g, int64_t dt_ms, int64_t n)
{
	double w = g->p.cap_rps * ((double)dt_ms / 1000.0) / (double)n;

	return w < 1.0 ? w : 1.0;
}

static void tick_absolute(struct guard *g, int64_t dt_ms, const struct guard_counts *c)
{
	if (c->n1 == 0) {
		let_time_pass(g, dt_ms);
		return;
	}

	const struct sample m = {
		.bad = c->k1,
		.trials = c->n1,
		.weight = weight_of(g, dt_ms, c->n1),
		.new_bad = c->k1,
		.new_n = c->n1,
		.dt_ms = dt_ms,
	};

	g->effective_n += m.weight * (double)c->n1;
	add_harm(g, &m, g->l1p_harm);
	add_promotion(g, g->promote, &m, g->l1p_promote);
}

/* Half of a relative guard's proof: that new's rate is below p_min, whatever legacy
 * does (GUARD 8). It sits behind the half from ratios. */
static void prove_small(struct guard *g, int64_t dt_ms, const struct guard_counts *c)
{
	if (c->n1 == 0)
		return;

	const struct sample m = {
		.bad = c->k1,
		.trials = c->n1,
		.weight = weight_of(g, dt_ms, c->n1),
	};

	g->effective_n += m.weight * (double)c->n1;
	add_promotion(g, g->promote + GUARD_PROMOTE_BANK, &m, g->l1p_promote);
}

/* GUARD 5: of the bad requests of both pools, what share came from new? Its null
 * probability follows from how the traffic of this bin was shared. */
static void close_bin(struct guard *g)
{
	const int64_t *bin = g->bin;
	const double n1 = (double)bin[BIN_N1], n0 = (double)bin[BIN_N0];
	const double q = g->p.rho * n1 / (g->p.rho * n1 + n0);
	const struct sample m = {
		.bad = bin[BIN_K1],
		.trials = add_capped(bin[BIN_K1], bin[BIN_K0]),
		.weight = weight_of(g, bin[BIN_DT], bin[BIN_N1]),
		.new_bad = bin[BIN_K1],
		.new_n = bin[BIN_N1],
		.dt_ms = bin[BIN_DT],
	};
	double harm[GUARD_HARM_BANK], promote[GUARD_PROMOTE_BANK];

	for (unsigned j = 0; j < GUARD_HARM_BANK; j++)
		harm[j] = log1p(q * (harm_odds[j] - 1.0));
	for (unsigned i = 0; i < GUARD_PROMOTE_BANK; i++)
		promote[i] = log1p(q * (promote_odds[i] - 1.0));
	add_harm(g, &m, harm);
	add_promotion(g, g->promote, &m, promote);
	memset(g->bin, 0, sizeof(g->bin));
}

static void tick_relative(struct guard *g, int64_t dt_ms, const struct guard_counts *c)
{
	prove_small(g, dt_ms, c);
	g->bin[BIN_N1] = add_capped(g->bin[BIN_N1], c->n1);
	g->bin[BIN_K1] = add_capped(g->bin[BIN_K1], c->k1);
	g->bin[BIN_N0] = add_capped(g->bin[BIN_N0], c->n0);
	g->bin[BIN_K0] = add_capped(g->bin[BIN_K0], c->k0);
	g->bin[BIN_DT] = add_capped(g->bin[BIN_DT], dt_ms);
	if (g->bin[BIN_N1] >= g->p.bin_min && g->bin[BIN_N0] >= g->p.bin_min)
		close_bin(g);
}

static struct guard_counts sane(const struct guard_counts *c)
{
	struct guard_counts out = {
		.n1 = c->n1 > 0 ? c->n1 : 0,
		.n0 = c->n0 > 0 ? c->n0 : 0,
	};

	out.k1 = clamp_int(c->k1, 0, out.n1);
	out.k0 = clamp_int(c->k0, 0, out.n0);
	return out;
}

void guard_tick(struct guard *g, int64_t dt_ms, const struct guard_counts *counts)
{
	const struct guard_counts c = sane(counts);

	g->step_n = add_capped(g->step_n, c.n1);
	g->step_bad = add_capped(g->step_bad, c.k1);
	if (g->p.relative)
		tick_relative(g, dt_ms, &c);
	else
		tick_absolute(g, dt_ms, &c);
	if (!g->proven && guard_promote_log(g) >= g->proof)
		g->proven = true;
}

/* --- beginning ---------------------------------------------------------------- */

void guard_reset_promotion(struct guard *g)
{
	memset(g->promote, 0, sizeof(g->promote));
	g->proven = false;
	g->effective_n = 0.0;
	g->step_n = g->step_bad = 0;
}

void guard_reset(struct guard *g)
{
	memset(g->s, 0, sizeof(g->s));
	memset(g->age_ms, 0, sizeof(g->age_ms));
	memset(g->bad, 0, sizeof(g->bad));
	memset(g->n, 0, sizeof(g->n));
	memset(g->bin, 0, sizeof(g->bin));
	g->fired = false;
	guard_reset_promotion(g);
}

/* The limit whose keeping is proven by good requests alone. */
static double promote_limit(const struct guard_params *p)
{
	return p->relative ? p->p_min : p->p0;
}

void guard_init(struct guard *g, const struct guard_params *p)
{
	assert(guard_check(p) == NULL);

	*g = (struct guard){
		.p = *p,
		.proof = log(1.0 / p->alpha_promote),
		.need = guard_need(p),
	};
	for (unsigned j = 0; j < GUARD_HARM_BANK; j++) {
		g->ln_harm[j] = log(harm_odds[j]);
		g->l1p_harm[j] = log1p(p->p0 * (harm_odds[j] - 1.0));
	}
	for (unsigned i = 0; i < GUARD_PROMOTE_BANK; i++) {
		g->ln_promote[i] = log(promote_odds[i]);
		g->l1p_promote[i] = log1p(promote_limit(p) * (promote_odds[i] - 1.0));
	}
}

static bool would_prove(const struct guard_params *p, uint64_t n)
{
	double sums[2 * GUARD_PROMOTE_BANK] = { 0.0 };

	for (unsigned i = 0; i < GUARD_PROMOTE_BANK; i++)
		sums[i] =
			-(double)n * log1p(promote_limit(p) * (promote_odds[i] - 1.0));
	return log_mean_exp(sums, promote_count(p->relative)) >=
	       log(1.0 / p->alpha_promote);
}

uint64_t guard_need(const struct guard_params *p)
{
	uint64_t too_few = 0, enough = 1;

	while (!would_prove(p, enough)) {
		too_few = enough;
		enough *= 2;
	}
	while (enough - too_few > 1) {
		uint64_t middle = (too_few + enough) / 2;

		if (would_prove(p, middle))
			enough = middle;
		else
			too_few = middle;
	}
	return enough;
}

/* --- what people see ---------------------------------------------------------- */

unsigned guard_leader(const struct guard *g)
{
	unsigned leader = 0;

	for (unsigned j = 1; j < GUARD_HARM_BANK; j++) {
		if (g->s[j] > g->s[leader])
			leader = j;
	}
	return leader;
}

double guard_evidence(const struct guard *g)
{
	return g->s[guard_leader(g)] / g->p.h;
}

unsigned guard_bar_percent(const struct guard *g)
{
	double percent = floor(100.0 * guard_evidence(g));

	if (g->fired)
		return 100;
	return percent < 99.0 ? (unsigned)percent : 99;
}

double guard_promote(const struct guard *g)
{
	return clamp_real(guard_promote_log(g) / g->proof, 0.0, 1.0);
}
