/*
 * A migration: the split's state of each data thread, what the guards judge by, and
 * the counters. The word with weight and latch is in the live file.
 */
#include "sluice/pool/migration.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "pool_priv.h"

struct migration *migration_new(const char *name, struct registry *r)
{
	struct migration *m = mem_zero(sizeof(*m));

	snprintf(m->name, sizeof(m->name), "%s", name);
	list_init(&m->link);
	m->live = r->live;
	m->word = live_find(r->live, name, true);
	assert(m->word != NULL); /* config bounds the number of migrations */
	m->total[SIDE_LEGACY] = mem_zero(sizeof(struct hist_total));
	m->total[SIDE_NEW] = mem_zero(sizeof(struct hist_total));
	m->n_cells = r->threads;
	m->cell = mem_zero(r->threads * sizeof(struct migration_cell));
	for (unsigned i = 0; i < r->threads; i++) {
		struct migration_cell *c = &m->cell[i];

		split_init(&c->split, i, r->threads);
		split_init(&c->spill, i, r->threads);
		split_init(&c->overflow, i, r->threads);
		budget_init(&c->rescue, r->threads);
		c->hist[SIDE_LEGACY] = hist_new();
		c->hist[SIDE_NEW] = hist_new();
	}
	return m;
}

void migration_free(struct migration *m)
{
	for (unsigned i = 0; i < m->n_cells; i++) {
		hist_free(m->cell[i].hist[SIDE_LEGACY]);
		hist_free(m->cell[i].hist[SIDE_NEW]);
	}
	free(m->total[SIDE_LEGACY]);
	free(m->total[SIDE_NEW]);
	free(m->cell);
	free(m);
}

const char *migration_name(const struct migration *m)
{
	return m->name;
}

struct live_word *migration_word(const struct migration *m)
{
	return m->word;
}

uint32_t migration_effective_ppm(const struct migration *m)
{
	return live_effective_ppm(m->live, m->word);
}

bool migration_is_latched(const struct migration *m)
{
	return live_load(m->word).latch != LIVE_OPEN ||
	       live_cutback_wanted(m->live) != live_cutback_done(m->live);
}

bool migration_is_hard(const struct migration *m)
{
	return atomic_load_explicit(&m->hard, memory_order_relaxed);
}

void migration_set_hard(struct migration *m, bool hard)
{
	atomic_store_explicit(&m->hard, hard, memory_order_relaxed);
}

struct bucket *migration_upgrades(struct migration *m)
{
	return &m->upgrades;
}

struct bucket *migration_leaving(struct migration *m)
{
	return &m->leaving;
}

bool migration_split(struct migration *m, unsigned thread)
{
	return split_next(&m->cell[thread].split, migration_effective_ppm(m));
}

bool migration_spills(
	struct migration *m, unsigned thread, uint32_t usable, uint32_t total)
{
	assert(usable <= total);
	if (usable == total)
		return total == 0;
	return split_next(&m->cell[thread].spill,
		PPM - (uint32_t)((uint64_t)usable * PPM / total));
}

/* Legacy has 1 - w of the requests; so many of these may go to new that new has what
 * it was proven to bear. A latch forbids all of it. */
bool migration_overflows(struct migration *m, unsigned thread)
{
	uint32_t now_ppm = migration_effective_ppm(m);
	uint32_t may_ppm = atomic_load_explicit(&m->passed_ppm, memory_order_relaxed);

	if (now_ppm == 0 || now_ppm >= PPM || may_ppm <= now_ppm)
		return false;
	return split_next(&m->cell[thread].overflow,
		(uint32_t)((uint64_t)(may_ppm - now_ppm) * PPM / (PPM - now_ppm)));
}

void migration_note_request(struct migration *m, unsigned thread, uint32_t ppm)
{
	budget_earn(&m->cell[thread].rescue, ppm);
}

bool migration_may_rescue(struct migration *m, unsigned thread, uint64_t now_ns)
{
	return budget_spend(&m->cell[thread].rescue, now_ns);
}

struct mark migration_mark(const struct migration *m, enum side side)
{
	return (struct mark){
		.run = atomic_load_explicit(&m->run, memory_order_relaxed),
		.slow_us = atomic_load_explicit(&m->slow_us, memory_order_relaxed),
		.ratio_slow_us =
			atomic_load_explicit(&m->ratio_us[side], memory_order_relaxed),
	};
}

void migration_add(struct migration *m, unsigned thread, enum side side,
	enum side_count c, uint64_t n)
{
	count_add(&m->cell[thread].v[side][c], n);
}

void migration_add_marked(struct migration *m, unsigned thread, enum side side,
	enum side_count c, const struct mark *mark)
{
	if (mark->run == atomic_load_explicit(&m->run, memory_order_relaxed))
		count_add(&m->cell[thread].v[side][c], 1);
}

void migration_outcome(
	struct migration *m, unsigned thread, enum side side, enum outcome o)
{
	count_add(&m->cell[thread].outcome[side][o], 1);
}

void migration_latency(
	struct migration *m, unsigned thread, enum side side, uint64_t us)
{
	hist_record(m->cell[thread].hist[side], us);
}

void migration_sum(const struct migration *m, struct migration_counts *out)
{
	*out = (struct migration_counts){ 0 };
	for (unsigned i = 0; i < m->n_cells; i++) {
		const struct migration_cell *c = &m->cell[i];

		for (unsigned s = 0; s < N_SIDES; s++) {
			/* Backwards: the bad ones before all, see count_add. */
			for (unsigned k = N_SIDE_COUNTS; k-- > 0;)
				out->v[s][k] += count_read(&c->v[s][k]);
			for (unsigned k = 0; k < N_OUTCOMES; k++)
				out->outcome[s][k] += count_read(&c->outcome[s][k]);
		}
	}
}

void migration_add_hist(
	const struct migration *m, enum side side, struct hist_view *sum)
{
	for (unsigned i = 0; i < m->n_cells; i++)
		hist_add(sum, m->cell[i].hist[side]);
}

const struct hist_total *migration_hist_total(struct migration *m, enum side side)
{
	struct hist_view now = { .count = { 0 } };

	migration_add_hist(m, side, &now);
	hist_total_look(m->total[side], &now);
	return m->total[side];
}

uint32_t migration_run(const struct migration *m)
{
	return atomic_load_explicit(&m->run, memory_order_relaxed);
}

void migration_set_run(struct migration *m, uint32_t run)
{
	atomic_store_explicit(&m->run, run, memory_order_relaxed);
}

void migration_set_slow_us(struct migration *m, uint64_t us)
{
	atomic_store_explicit(&m->slow_us, us, memory_order_relaxed);
}

void migration_set_ratio_us(struct migration *m, uint64_t legacy_us, uint64_t new_us)
{
	atomic_store_explicit(
		&m->ratio_us[SIDE_LEGACY], legacy_us, memory_order_relaxed);
	atomic_store_explicit(&m->ratio_us[SIDE_NEW], new_us, memory_order_relaxed);
}

void migration_set_passed_ppm(struct migration *m, uint32_t ppm)
{
	atomic_store_explicit(&m->passed_ppm, ppm, memory_order_relaxed);
}

void migration_set_seen_new(struct migration *m, bool seen)
{
	atomic_store_explicit(&m->seen_new, seen, memory_order_relaxed);
}

bool migration_seen_new(const struct migration *m)
{
	return atomic_load_explicit(&m->seen_new, memory_order_relaxed);
}
