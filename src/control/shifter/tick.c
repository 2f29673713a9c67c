/*
 * tick - ten times a second: sum each migration's counters, ask its engine, and do
 * what the plan makes of the verdict.
 *
 * When sluice itself stood still, what it saw says little about anybody else: for that
 * tick and two seconds more, latency is not judged and nothing advances. Errors are
 * still counted: the cap and the dwell bound what one late tick can say, and a pool
 * that is down must not profit from our trouble (S30, S31).
 */
#include <stdio.h>
#include <string.h>

#include "sluice/base/log.h"
#include "sluice/base/reserve.h"
#include "sluice/proxy.h"

#include "control_priv.h"

enum { GAP_MS = 2000, TAINT_MS = 2000, LAG_TICKS = 300 };

/* --- time ---------------------------------------------------------------- */

static void note_lag(struct control *c, int64_t dt_ms)
{
	uint64_t lag_us = dt_ms > TICK_MS ? (uint64_t)(dt_ms - TICK_MS) * 1000 : 0;

	if (c->ticks % LAG_TICKS == 0) {
		c->lag_us[1] = c->lag_us[0];
		c->lag_us[0] = 0;
	}
	if (lag_us > c->lag_us[0])
		c->lag_us[0] = lag_us;
}

static struct beat read_clocks(struct control *c)
{
	const uint64_t now = c->io.mono_ms(c->io.arg);
	const uint64_t boot = c->io.boot_ms(c->io.arg);
	const bool first = c->tick_ms == 0;
	const int64_t dt = first ? TICK_MS : (int64_t)(now - c->tick_ms);
	const int64_t gap = first ? TICK_MS : (int64_t)(boot - c->boot_ms);

	c->tick_ms = now;
	c->boot_ms = boot;
	note_lag(c, dt);
	if (gap > GAP_MS) {
		c->taint_until_ms = now + TAINT_MS;
		log_warn("sluice stood still, latency is not judged for a while",
			"gap_ms=%lld", (long long)gap);
	}
	return (struct beat){
		.now_ms = now, .dt_ms = dt, .tainted = now < c->taint_until_ms
	};
}

static void follow_journal(struct control *c, uint64_t now_ms)
{
	journal_get_status(c->journal, &c->journal_status);
	if (c->journal_status.forward != JOURNAL_AWAY)
		c->away_since_ms = 0;
	else if (c->away_since_ms == 0)
		c->away_since_ms = now_ms;
}

/* --- the engine ---------------------------------------------------------- */

static bool is_of_latency(enum guard_kind k)
{
	return k == GUARD_P95_LATENCY || k == GUARD_P95_RATIO;
}

static void drop_latency(const struct track *t, struct sample *s)
{
	for (unsigned i = 0; i < t->guards.n; i++) {
		if (is_of_latency(t->guards.def[i].kind))
			s->counts[i] = (struct guard_counts){ .n1 = 0 };
	}
}

static void take_sample(struct track *t, const struct beat *b, struct sample *s)
{
	struct migration_counts now;

	migration_sum(t->live, &now);
	s->before = t->engine;
	s->dt_ms = b->dt_ms;
	s->ok = (int64_t)guards_delta(&now, &t->seen, SIDE_NEW, GUARD_OK);
	s->failed = (int64_t)guards_delta(&now, &t->seen, SIDE_NEW, GUARD_CF);
	s->held = t->held;
	guards_count(&t->guards, &now, &t->seen, s->counts);
	if (b->tainted)
		drop_latency(t, s);
	t->seen = now;
}

static void move_pivot(struct track *t, const struct sample *s)
{
	for (unsigned i = 0; i < t->guards.n; i++) {
		if (t->guards.def[i].kind != GUARD_P95_RATIO || s->counts[i].n0 == 0)
			continue;
		pivot_tick(&t->pivot, s->counts[i].n0, s->counts[i].k0);
		track_publish_pivot(t);
	}
}

static double evidence_now(const struct track *t)
{
	double most = 0;

	for (unsigned i = 0; i < t->engine.n_guards; i++) {
		double e = guard_evidence(&t->engine.guard[i]);

		most = e > most ? e : most;
	}
	return most;
}

/* When what is held against new now began. */
static void note_bad(const struct control *c, struct track *t)
{
	if (t->engine.run == 0 && evidence_now(t) <= 0)
		t->bad_since_us = 0;
	else if (t->bad_since_us == 0)
		t->bad_since_us = c->io.wall_us(c->io.arg) - TICK_MS * UINT64_C(1000);
}

static void note_floor(struct track *t, uint64_t now_ms)
{
	if (t->engine.run == 0)
		t->floor_since_ms = 0;
	else if (t->floor_since_ms == 0)
		t->floor_since_ms = now_ms;
}

/* --- what it means ------------------------------------------------------- */

/* "nothing on new answers right: 24 failed attempts in a row over 3 ticks, none good (the
 * first one 0.3 s ago)" */
static void reason_of(const struct control *c, const struct track *t,
	enum shift_reason why, char out[static REASON_SIZE])
{
	char grounds[320], since[48] = "";

	evidence_sentence(grounds, sizeof(grounds), &t->guards, &t->engine);
	if (why == WHY_FLOOR && t->floor_since_ms > 0)
		(void)snprintf(since, sizeof(since), " (the first one %.1f s ago)",
			(double)(c->tick_ms - t->floor_since_ms + TICK_MS) / 1000);
	(void)snprintf(out, REASON_SIZE, "%s%s%s%s", shift_reason_text(why),
		grounds[0] ? ": " : "", grounds, since);
}

/* A shift to a pool that is down cannot help, so the weight stays (S13). The evidence
 * begins anew: should legacy come back, new is judged by what it does then. */
static void freeze(struct track *t)
{
	static struct log_gate gate;

	if (log_open_gate(&gate))
		log_error("no revert to a legacy that is down, the weight is frozen",
			"migration=%s repeated=%u", track_name(t), log_held(&gate));
	engine_start(&t->engine);
	track_new_step(t);
}

static bool legacy_is_down(const struct control *c, const struct track *t)
{
	return c->io.capacity(c->io.arg, t->pool[SIDE_LEGACY], true).usable == 0;
}

static void decide(struct control *c, struct track *t, const struct sample *s)
{
	bool breach = t->engine.verdict == VERDICT_BREACH;
	char reason[REASON_SIZE];

	if (t->rise.waits && !breach)
		return;
	struct shift_change change =
		shift_decide(&t->m.state, &t->m.plan, &t->engine, t->held);

	if (!change.changed)
		return;
	if (change.next.phase == SHIFT_REVERTED && legacy_is_down(c, t)) {
		freeze(t);
		return;
	}
	reason_of(c, t, change.reason, reason);
	act_do(c, t,
		&(struct act){
			.action = decision_of_reason(change.reason),
			.actor = { breach ? ACTOR_GUARD : ACTOR_PLAN, NULL },
			.reason = reason,
			.next = change.next,
			.waits = true,
			.sample = s,
		});
}

static void revert_by_outage(struct control *c, struct track *t)
{
	const enum shift_phase p = t->m.state.phase;

	if ((p != SHIFT_RUNNING && p != SHIFT_WAITING) || track_new_ppm(t) == 0 ||
		legacy_is_down(c, t))
		return;
	act_do(c, t,
		&(struct act){
			.action = DECISION_REVERT,
			.actor = { ACTOR_PLAN, NULL },
			.reason = "PostgreSQL is away for longer than journal.grace, "
				  "and on_outage is revert",
			.next = { .phase = SHIFT_REVERTED },
		});
}

static void tell_held(struct track *t, enum shift_reason was)
{
	bool matters = t->m.state.phase == SHIFT_RUNNING;

	if (matters && t->held != was && t->held != WHY_NOTHING)
		log_info("plan is held", "migration=%s reason=%s", track_name(t),
			shift_reason_text(t->held));
}

static void tick_track(struct control *c, struct track *t, const struct beat *b)
{
	const enum shift_reason held_before = t->held;
	struct sample s;

	held_follow(c, t, b);
	t->held = held_reason(c, t, b);
	tell_held(t, held_before);
	take_sample(t, b, &s);
	(void)engine_tick(&t->engine, s.dt_ms, s.ok, s.failed, s.counts);
	move_pivot(t, &s);
	note_floor(t, b->now_ms);
	note_bad(c, t);
	if (held_outage_reverts(c, b->now_ms))
		revert_by_outage(c, t);
	decide(c, t, &s);
}

/* --- slower things ------------------------------------------------------- */

static void keep_sample(struct control *c, const struct track *t)
{
	const struct window_side *l = &t->view.side[SIDE_LEGACY];
	const struct window_side *n = &t->view.side[SIDE_NEW];
	struct journal_sample s = {
		.wall_us = c->io.wall_us(c->io.arg),
		.interval_ms = t->view.ms,
		.new_ppm = track_new_ppm(t),
		.legacy = {
			.requests = l->requests,
			.attempts = l->attempts,
			.errors = l->errors,
			.p50_us = l->p50_us,
			.p95_us = l->p95_us,
			.p99_us = l->p99_us,
		},
		.new_ = {
			.requests = n->requests,
			.attempts = n->attempts,
			.errors = n->errors,
			.p50_us = n->p50_us,
			.p95_us = n->p95_us,
			.p99_us = n->p99_us,
		},
		.spilled = t->view.spilled,
		.rescued = t->view.rescued,
		.evidence = evidence_now(t),
	};

	(void)snprintf(s.migration, sizeof(s.migration), "%s", track_name(t));
	journal_sample(c->journal, &s);
}

/* Once a second for each migration, a tenth of them in each tick. */
static void look_back(struct control *c, const struct beat *b)
{
	for (size_t i = c->ticks % 10; i < c->n_tracks; i += 10) {
		if (window_second(c->tracks[i], b->now_ms))
			keep_sample(c, c->tracks[i]);
	}
}

void tick(void *arg)
{
	struct control *c = arg;
	const struct beat b = read_clocks(c);

	follow_journal(c, b.now_ms);
	for (size_t i = 0; i < c->n_tracks; i++)
		tick_track(c, c->tracks[i], &b);
	look_back(c, &b);
	if (++c->ticks % 10 == 0) {
		proxy_sweep(c->proxy);
		registry_sweep(c->registry);
		reserve_restock();
		control_store_look(c);
	}
}
