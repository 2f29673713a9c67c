/*
 * held - what forbids an advance right now. Nothing here forbids a revert. held_follow
 * keeps what the question needs to know of earlier ticks; held_reason only reads.
 */
#include "control_priv.h"

enum { LASTING_SPILL_MS = 3000 };

static bool outage_lasts(const struct control *c, uint64_t now_ms)
{
	return c->away_since_ms > 0 &&
	       now_ms - c->away_since_ms > c->config->journal.grace_ms;
}

bool held_outage_reverts(const struct control *c, uint64_t now_ms)
{
	return c->config->journal.on_outage == CONFIG_OUTAGE_REVERT &&
	       outage_lasts(c, now_ms);
}

static bool journal_holds(const struct control *c, uint64_t now_ms)
{
	return c->journal_status.failing ||
	       (c->config->journal.on_outage != CONFIG_OUTAGE_IGNORE &&
		       outage_lasts(c, now_ms));
}

/* Told by capacity and not by requests, which may be few: new spills exactly while a
 * part of it is not usable (S11). */
static void follow_spill(
	struct track *t, const struct pool_capacity *cap, uint64_t now_ms)
{
	if (track_new_ppm(t) == 0 || cap->usable >= cap->total)
		t->spill_since_ms = 0;
	else if (t->spill_since_ms == 0)
		t->spill_since_ms = now_ms;
}

static bool spill_lasts(const struct track *t, uint64_t now_ms)
{
	return t->spill_since_ms > 0 && now_ms - t->spill_since_ms >= LASTING_SPILL_MS;
}

void held_follow(const struct control *c, struct track *t, const struct beat *b)
{
	const struct pool_capacity new_ =
		c->io.capacity(c->io.arg, t->pool[SIDE_NEW], false);

	follow_spill(t, &new_, b->now_ms);
	if (new_.usable > 0)
		migration_set_seen_new(t->live, true);
}

enum shift_reason held_reason(
	const struct control *c, const struct track *t, const struct beat *b)
{
	const struct pool_capacity new_ =
		c->io.capacity(c->io.arg, t->pool[SIDE_NEW], false);
	const struct pool_capacity legacy =
		c->io.capacity(c->io.arg, t->pool[SIDE_LEGACY], true);

	if (b->tainted)
		return WHY_TAINTED;
	if (journal_holds(c, b->now_ms))
		return WHY_JOURNAL;
	if (legacy.usable == 0)
		return WHY_LEGACY_DOWN;
	if (new_.n_ejected > 0)
		return WHY_EJECTED;
	return spill_lasts(t, b->now_ms) ? WHY_SPILL : WHY_NOTHING;
}
