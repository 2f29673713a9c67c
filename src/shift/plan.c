/*
 * The plan: what a tick's verdict means for a migration, in the order in which it
 * matters. A breach is heard first and nothing holds it; an advance needs a verdict
 * and that nothing forbids it.
 *
 * The weight is worked out from the state, so that the two cannot disagree.
 */
#include "sluice/shift/plan.h"

#include "sluice/base/units.h"

struct shift_state shift_first(const struct shift_plan *p, uint32_t file_ppm)
{
	return (struct shift_state){
		.phase = p->n_steps > 0 ? SHIFT_IDLE : SHIFT_MANUAL,
		.person_ppm = file_ppm,
	};
}

bool shift_is_latched(enum shift_phase p)
{
	return p == SHIFT_REVERTED || p == SHIFT_CUTBACK;
}

static bool has_step(const struct shift_state *s, const struct shift_plan *p)
{
	return s->step < p->n_steps;
}

uint32_t shift_new_ppm(const struct shift_state *s, const struct shift_plan *p)
{
	switch (s->phase) {
	case SHIFT_IDLE:
	case SHIFT_MANUAL:
		return s->person_ppm;
	case SHIFT_RUNNING:
	case SHIFT_WAITING:
	case SHIFT_PAUSED:
		return has_step(s, p) ? p->step[s->step].new_ppm : 0;
	case SHIFT_DONE:
		/* A plan that left the file after its end takes nothing back. */
		return has_step(s, p) ? p->step[s->step].new_ppm : PPM;
	case SHIFT_REVERTED:
	case SHIFT_CUTBACK:
	case SHIFT_N_PHASES:
		break;
	}
	return 0;
}

static struct shift_change stay(const struct shift_state *s, enum shift_reason reason)
{
	return (struct shift_change){ .next = *s, .reason = reason };
}

/* What passed its step before says nothing about new any more, so it goes as well. */
static struct shift_change revert(enum shift_reason reason)
{
	return (struct shift_change){
		.changed = true,
		.next = { .phase = SHIFT_REVERTED },
		.reason = reason,
	};
}

/* The next step, or the end of the plan. */
static struct shift_change advance(const struct shift_state *s,
	const struct shift_plan *p, enum shift_reason reason)
{
	struct shift_change c = { .changed = true, .next = *s, .reason = reason };

	c.next.timed_out = false;
	if (s->step + 1 < p->n_steps)
		c.next.step++;
	else
		c.next.phase = SHIFT_DONE;
	return c;
}

static struct shift_change pass(const struct shift_state *s, const struct shift_plan *p)
{
	const uint32_t ppm = shift_new_ppm(s, p);
	bool last = s->step + 1 == p->n_steps;
	struct shift_change c = advance(s, p, last ? WHY_LAST_PASSED : WHY_PASSED);

	if (ppm > c.next.passed_ppm)
		c.next.passed_ppm = ppm;
	return c;
}

/* A step that waits for ever says so once. */
static struct shift_change tell_time_out(const struct shift_state *s)
{
	struct shift_change c = stay(s, WHY_TIMED_OUT);

	if (s->timed_out)
		return stay(s, WHY_NOTHING);
	c.changed = true;
	c.next.timed_out = true;
	return c;
}

static struct shift_change time_out(
	const struct shift_state *s, const struct shift_plan *p, enum shift_reason held)
{
	switch (p->on_timeout) {
	case ON_TIMEOUT_REVERT:
		return revert(WHY_TIMED_OUT_REVERT);
	case ON_TIMEOUT_ADVANCE:
		if (held != WHY_NOTHING)
			return stay(s, held);
		return advance(s, p, WHY_TIMED_OUT_ADVANCE);
	case ON_TIMEOUT_HOLD:
		break;
	}
	return tell_time_out(s);
}

static bool has_breached(const struct engine *e)
{
	return e->verdict == VERDICT_BREACH;
}

static enum shift_reason breach_reason(const struct engine *e)
{
	return e->reason == BECAUSE_FLOOR ? WHY_FLOOR : WHY_BREACH;
}

static bool is_in_a_step(const struct shift_state *s, const struct shift_plan *p)
{
	return s->phase == SHIFT_RUNNING && has_step(s, p);
}

struct shift_change shift_decide(const struct shift_state *s,
	const struct shift_plan *p, const struct engine *e, enum shift_reason held)
{
	if (shift_new_ppm(s, p) > 0 && has_breached(e))
		return revert(breach_reason(e));
	if (!is_in_a_step(s, p))
		return stay(s, WHY_NOTHING);
	if (e->verdict == VERDICT_INCONCLUSIVE)
		return time_out(s, p, held);
	if (e->verdict != VERDICT_PASS)
		return stay(s, WHY_NOTHING);
	if (held != WHY_NOTHING)
		return stay(s, held);
	return pass(s, p);
}
