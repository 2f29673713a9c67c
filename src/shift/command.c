/*
 * Commands: what a person may do in which phase. The table at the end is S42 of
 * docs/semantics.md; above it stands one function for each way out of a phase, and
 * one for each way of saying no.
 *
 * The machine never undoes a latch, and of the commands only resume does; it moves
 * nothing. Cutback is never refused.
 */
#include "sluice/shift/plan.h"

#include <assert.h>

#include "sluice/base/units.h"

struct wish {
	const struct shift_state *s;
	const struct shift_plan *p;
	uint32_t new_ppm; /* of a weight */
};

/* --- answers ------------------------------------------------------------------ */

static struct shift_change refuse(const struct wish *w, enum shift_reason reason)
{
	return (struct shift_change){
		.refused = true,
		.next = *w->s,
		.reason = reason,
	};
}

static struct shift_change become(struct shift_state next)
{
	return (struct shift_change){
		.changed = true,
		.next = next,
		.reason = WHY_COMMAND,
	};
}

static struct shift_change already(const struct wish *w)
{
	return (struct shift_change){ .next = *w->s, .reason = WHY_ALREADY };
}

static struct shift_change not_running(const struct wish *w)
{
	return refuse(w, WHY_NOT_RUNNING);
}

static struct shift_change latched(const struct wish *w)
{
	return refuse(w, WHY_LATCHED);
}

static struct shift_change paused(const struct wish *w)
{
	return refuse(w, WHY_PAUSED);
}

static struct shift_change done(const struct wish *w)
{
	return refuse(w, WHY_DONE);
}

/* --- start, pause, resume ------------------------------------------------------ */

static struct shift_change run_step(const struct wish *w, unsigned step)
{
	struct shift_state next = *w->s;

	if (step >= w->p->n_steps)
		return refuse(w, WHY_NO_PLAN);
	next.phase = SHIFT_RUNNING;
	next.step = step;
	next.person_ppm = 0;
	next.timed_out = false;
	return become(next);
}

/* A new run: what an earlier one proved counts for nothing. */
static struct shift_change start(const struct wish *w)
{
	struct shift_change c = run_step(w, 0);

	if (!c.refused)
		c.next.passed_ppm = 0;
	return c;
}

static struct shift_change pause_plan(const struct wish *w)
{
	struct shift_state next = *w->s;

	next.phase = SHIFT_PAUSED;
	return become(next);
}

static struct shift_change resume_paused(const struct wish *w)
{
	return run_step(w, w->s->step);
}

/* S7: where the plan goes on under a person's weight. */
static unsigned nearest_step(const struct shift_plan *p, uint32_t ppm)
{
	unsigned nearest = 0;

	for (unsigned i = 0; i < p->n_steps; i++) {
		uint32_t best = p->step[nearest].new_ppm;
		uint32_t here = p->step[i].new_ppm;

		if (here <= ppm && (best > ppm || here > best))
			nearest = i;
	}
	return nearest;
}

static struct shift_change resume_manual(const struct wish *w)
{
	return run_step(w, nearest_step(w->p, w->s->person_ppm));
}

/* S9: nothing moves by itself after a latch, so the weight begins at 0. */
static struct shift_change clear_latch(const struct wish *w)
{
	(void)w;
	return become((struct shift_state){ .phase = SHIFT_IDLE });
}

/* --- abort, weight, cutback ---------------------------------------------------- */

static struct shift_change end_plan(const struct wish *w)
{
	(void)w;
	return become((struct shift_state){ .phase = SHIFT_IDLE });
}

/* Idle has no plan to end; at 0 it is what abort would leave behind. */
static struct shift_change end_nothing(const struct wish *w)
{
	return w->s->person_ppm == 0 ? already(w) : not_running(w);
}

/* S7: nothing automatic may go above a person's weight, so neither may spill, whose
 * bound is passed_ppm (S12). */
static struct shift_change set_weight(const struct wish *w)
{
	struct shift_state next = *w->s;

	if (next.phase == SHIFT_MANUAL && next.person_ppm == w->new_ppm)
		return already(w);
	next.phase = SHIFT_MANUAL;
	next.step = 0;
	next.person_ppm = w->new_ppm;
	next.timed_out = false;
	if (next.passed_ppm > w->new_ppm)
		next.passed_ppm = w->new_ppm;
	return become(next);
}

/* A latch refuses rises only. */
static struct shift_change set_latched_weight(const struct wish *w)
{
	return w->new_ppm == 0 ? already(w) : latched(w);
}

static struct shift_change cut_back(const struct wish *w)
{
	(void)w;
	return become((struct shift_state){ .phase = SHIFT_CUTBACK });
}

/* --- S42 ----------------------------------------------------------------------- */

static struct shift_change (*const answers[SHIFT_N_PHASES][COMMAND_N])(
	const struct wish *) = {
	[SHIFT_IDLE] = {
		[COMMAND_START] = start,
		[COMMAND_PAUSE] = not_running,
		[COMMAND_RESUME] = not_running,
		[COMMAND_ABORT] = end_nothing,
		[COMMAND_WEIGHT] = set_weight,
		[COMMAND_CUTBACK] = cut_back,
	},
	[SHIFT_RUNNING] = {
		[COMMAND_START] = already,
		[COMMAND_PAUSE] = pause_plan,
		[COMMAND_RESUME] = already,
		[COMMAND_ABORT] = end_plan,
		[COMMAND_WEIGHT] = set_weight,
		[COMMAND_CUTBACK] = cut_back,
	},
	[SHIFT_WAITING] = {
		[COMMAND_START] = already,
		[COMMAND_PAUSE] = pause_plan,
		[COMMAND_RESUME] = already,
		[COMMAND_ABORT] = end_plan,
		[COMMAND_WEIGHT] = set_weight,
		[COMMAND_CUTBACK] = cut_back,
	},
	[SHIFT_PAUSED] = {
		[COMMAND_START] = paused,
		[COMMAND_PAUSE] = already,
		[COMMAND_RESUME] = resume_paused,
		[COMMAND_ABORT] = end_plan,
		[COMMAND_WEIGHT] = set_weight,
		[COMMAND_CUTBACK] = cut_back,
	},
	[SHIFT_MANUAL] = {
		[COMMAND_START] = start,
		[COMMAND_PAUSE] = not_running,
		[COMMAND_RESUME] = resume_manual,
		[COMMAND_ABORT] = end_plan,
		[COMMAND_WEIGHT] = set_weight,
		[COMMAND_CUTBACK] = cut_back,
	},
	[SHIFT_DONE] = {
		[COMMAND_START] = done,
		[COMMAND_PAUSE] = done,
		[COMMAND_RESUME] = done,
		[COMMAND_ABORT] = done,
		[COMMAND_WEIGHT] = set_weight,
		[COMMAND_CUTBACK] = cut_back,
	},
	[SHIFT_REVERTED] = {
		[COMMAND_START] = latched,
		[COMMAND_PAUSE] = latched,
		[COMMAND_RESUME] = clear_latch,
		[COMMAND_ABORT] = latched,
		[COMMAND_WEIGHT] = set_latched_weight,
		[COMMAND_CUTBACK] = already,
	},
	[SHIFT_CUTBACK] = {
		[COMMAND_START] = latched,
		[COMMAND_PAUSE] = latched,
		[COMMAND_RESUME] = clear_latch,
		[COMMAND_ABORT] = latched,
		[COMMAND_WEIGHT] = set_latched_weight,
		[COMMAND_CUTBACK] = already,
	},
};

struct shift_change shift_command(const struct shift_state *s,
	const struct shift_plan *p, enum shift_command c, uint32_t new_ppm)
{
	assert(s->phase < SHIFT_N_PHASES && c < COMMAND_N && new_ppm <= PPM);

	return answers[s->phase][c](&(struct wish){
		.s = s,
		.p = p,
		.new_ppm = new_ppm,
	});
}
