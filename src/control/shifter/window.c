/*
 * window - what both pools of a migration did over the last ten seconds.
 *
 * Counters and histograms only grow, so a window is the difference of now and a base.
 * There are two bases, five seconds apart: the older one is between five and ten
 * seconds old, and exactly ten when it is dropped; that is when the window goes to
 * the journal. A migration without traffic has no window and costs a comparison.
 */
#include <stdlib.h>

#include "sluice/base/mem.h"

#include "control_priv.h"

enum { TURN_MS = 5000, SPARE_MS = 100 };

struct base {
	uint64_t at_ms;
	struct migration_counts counts;
	struct hist_view hist[N_SIDES];
};

struct window {
	struct base older, newer;
	unsigned turns;
};

static void take_base(struct track *t, struct base *b, uint64_t now_ms)
{
	*b = (struct base){ .at_ms = now_ms };
	migration_sum(t->live, &b->counts);
	for (unsigned s = 0; s < N_SIDES; s++)
		migration_add_hist(t->live, (enum side)s, &b->hist[s]);
}

static uint64_t attempts(const struct migration_counts *c)
{
	return c->v[SIDE_LEGACY][COUNT_ATTEMPTS] + c->v[SIDE_NEW][COUNT_ATTEMPTS];
}

static void view_counts(struct window_side *out, const struct migration_counts *now,
	const struct migration_counts *then, enum side s)
{
	out->requests = guards_delta(now, then, s, COUNT_REQUESTS);
	out->user_errors = guards_delta(now, then, s, COUNT_USER_ERRORS);
	out->attempts = guards_delta(now, then, s, COUNT_ATTEMPTS);
	out->errors = guards_delta(now, then, s, COUNT_ERRORS);
	for (unsigned i = 0; i < 5; i++)
		out->status[i] = guards_delta(
			now, then, s, (enum side_count)(COUNT_STATUS_1XX + i));
	for (unsigned i = 0; i < N_OUTCOMES; i++)
		out->outcome[i] = now->outcome[s][i] - then->outcome[s][i];
}

static void view_hist(struct window_side *out, struct track *t,
	const struct hist_view *then, enum side s)
{
	struct hist_view now = { .count = { 0 } };

	migration_add_hist(t->live, s, &now);
	hist_since(&now, then);
	out->samples = hist_count(&now);
	out->p50_us = hist_quantile(&now, 500);
	out->p95_us = hist_quantile(&now, 950);
	out->p99_us = hist_quantile(&now, 990);
}

/* The first window begins at zero: what is counted then came within the last second. */
static struct window *begin(uint64_t now_ms)
{
	struct window *w = mem_zero(sizeof(*w));

	w->older.at_ms = w->newer.at_ms = now_ms - 1000;
	return w;
}

void window_look(struct track *t, uint64_t now_ms)
{
	struct migration_counts now;

	migration_sum(t->live, &now);
	t->view = (struct window_view){ .ms = 2 * TURN_MS };
	if (!t->window && attempts(&now) == 0)
		return;
	if (!t->window)
		t->window = begin(now_ms);
	const struct base *b = &t->window->older;

	t->view.ms = (uint32_t)(now_ms > b->at_ms ? now_ms - b->at_ms : 1);
	for (unsigned s = 0; s < N_SIDES; s++) {
		view_counts(&t->view.side[s], &now, &b->counts, (enum side)s);
		view_hist(&t->view.side[s], t, &b->hist[s], (enum side)s);
	}
	t->view.spilled = guards_delta(&now, &b->counts, SIDE_NEW, COUNT_SPILL);
	t->view.rescued = guards_delta(&now, &b->counts, SIDE_NEW, COUNT_RESCUED);
}

bool window_second(struct track *t, uint64_t now_ms)
{
	bool whole = false;

	if (!t->window && attempts(&t->seen) == 0)
		return false;
	if (!t->window)
		t->window = begin(now_ms);
	struct window *w = t->window;

	/* Nothing since the older base: an empty window, and nothing to look up. */
	if (attempts(&t->seen) == attempts(&w->older.counts)) {
		w->older.at_ms = w->newer.at_ms = now_ms;
		t->view = (struct window_view){ .ms = 2 * TURN_MS };
		return false;
	}
	window_look(t, now_ms);
	if (now_ms - w->newer.at_ms + SPARE_MS < TURN_MS)
		return false;
	whole = ++w->turns % 2 == 0;
	w->older = w->newer;
	take_base(t, &w->newer, now_ms);
	return whole;
}

void window_free(struct window *w)
{
	free(w);
}
