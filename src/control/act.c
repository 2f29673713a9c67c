/*
 * act - the only place where a migration's state changes, and the order of effect
 * and record (S3): what lowers new, and what a person wants, takes effect first; a
 * plan's rise is committed first and takes effect on the acknowledgement, if nothing
 * else has happened to the migration by then.
 */
#include "sluice/base/log.h"
#include "sluice/proxy.h"

#include "control_priv.h"

static bool is_another_step(const struct shift_state *a, const struct shift_state *b)
{
	return a->phase != b->phase || a->step != b->step;
}

/* The store comes before everything else: from here on every data thread obeys, and
 * kill -9 does not undo it. */
static void take_effect(struct control *c, struct track *t,
	const struct shift_state *next, bool new_run)
{
	const struct shift_state was = t->m.state;
	const uint32_t was_ppm = track_new_ppm(t);
	const struct shift_plan file = memory_file_plan(t->config);

	t->m.state = *next;
	live_store(t->word, memory_live(&t->m));
	migration_set_passed_ppm(t->live, next->passed_ppm);
	t->plan_pending = memory_adopt_plan(&t->m, &file);
	if (new_run)
		track_new_run(t);
	else if (is_another_step(&was, next) || was_ppm != track_new_ppm(t))
		track_new_step(t);
	proxy_nudge(c->proxy);
}

static struct before as_it_is(const struct track *t)
{
	return (struct before){
		.m = t->m, .engine = t->engine, .ppm = track_new_ppm(t)
	};
}

void act_do(struct control *c, struct track *t, const struct act *a)
{
	const struct before was = as_it_is(t);
	struct memory after = t->m;

	after.state = a->next;
	after.generation = ++t->m.generation;
	t->rise.waits = a->waits && memory_new_ppm(&after) > was.ppm;
	if (t->rise.waits) {
		t->rise.next = a->next;
		t->rise.new_run = a->new_run;
		t->rise.generation = after.generation;
		t->rise.seq = record(c, t, a, &was, &after);
		return;
	}
	take_effect(c, t, &a->next, a->new_run);
	(void)record(c, t, a, &was, &t->m);
}

/* What is kept of a migration whose rise waits is the state after it: the journal has
 * that already. */
struct memory act_to_keep(const struct track *t)
{
	struct memory m = t->m;

	if (t->rise.waits)
		m.state = t->rise.next;
	return m;
}

void act_tell(struct control *c, struct track *t, const struct act *a)
{
	const struct before was = as_it_is(t);
	struct memory after = act_to_keep(t);

	(void)record(c, t, a, &was, &after);
}

void act_committed(struct control *c, uint64_t seq)
{
	for (size_t i = 0; i < c->n_tracks; i++) {
		struct track *t = c->tracks[i];
		struct rise *r = &t->rise;

		if (!r->waits || r->seq > seq)
			continue;
		r->waits = false;
		if (r->generation != t->m.generation)
			continue;
		take_effect(c, t, &r->next, r->new_run);
		log_debug("rise is recorded and in force",
			"migration=%s generation=%llu", track_name(t),
			(unsigned long long)r->generation);
	}
}
