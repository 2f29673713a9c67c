/*
 * The pivot of the relative latency guard: a value that follows legacy's p95, so that
 * "slow" means the same for both pools at the same moment (GUARD 6).
 *
 * It moves by at most 5 % a tick and need only be near: its error costs power, never
 * validity, because both pools are measured against the same value.
 */
#include "sluice/shift/guard.h"

#include <math.h>

#include "shift_priv.h"

static const double unknown_ms = 400.0, highest_ms = 60000.0;
static const double pace = 0.05, full_pace_n = 100.0;

void pivot_init(
	struct pivot *v, double q0_ms, double quantile, double rho, double t_min_ms)
{
	*v = (struct pivot){
		.t = 1.0 - quantile,
		.rho = rho,
		.lo = log(t_min_ms / rho),
		.hi = log(highest_ms),
	};
	v->ln_q = clamp_real(log(q0_ms > 0.0 ? q0_ms : unknown_ms), v->lo, v->hi);
}

void pivot_tick(struct pivot *v, int64_t n0, int64_t k0)
{
	if (n0 <= 0)
		return;

	double share = (double)n0 / full_pace_n;
	double pull = clamp_real(((double)k0 / (double)n0 - v->t) / v->t, -1.0, 1.0);

	share = share < 1.0 ? share : 1.0;
	v->ln_q = clamp_real(v->ln_q + pace * share * pull, v->lo, v->hi);
}

double pivot_legacy_ms(const struct pivot *v)
{
	return exp(v->ln_q);
}

double pivot_new_ms(const struct pivot *v)
{
	return v->rho * exp(v->ln_q);
}
