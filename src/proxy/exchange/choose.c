/*
 * Which side, which pool, which server.
 *
 * The split is asked once a request; what changes its answer later is a cutback or
 * revert, read anew at every choice, and the state of the pools:
 *
 *   wanted   its pool                      what happens
 *   new      some of its servers usable    new; the missing part spills (S11)
 *   new      none usable                   legacy; one failure for the floor, once new
 *                                          was up in this run
 *   legacy   usable                        legacy
 *   legacy   none usable, new is proven    new, as far as it has passed (S12)
 *   either   neither pool has a server     the wanted one, whatever checks say (S13)
 *   else                                   wait for a server
 */
#include "exchange/exchange_priv.h"

static struct pool *pool_at(const struct exchange *r, size_t i)
{
	return r->use->snapshot->pool[i];
}

static enum choice pick(struct exchange *r, struct pool *pool, enum side side)
{
	struct pool_wish wish = {
		.thread = r->thread->index,
		.unknown_counts = side == SIDE_LEGACY,
		.has_waited = r->waiter.pool != NULL,
		.fail_open = r->fail_open,
		.n_tried = r->n_tried,
	};
	enum pool_miss miss;

	for (unsigned i = 0; i < r->n_tried; i++)
		wish.tried[i] = r->tried[i];
	r->server = pool_pick(pool, &wish, &miss);
	if (r->server == NULL && miss == POOL_ALL_BUSY)
		r->pool_busy = true;
	if (r->server == NULL) {
		r->wanted = pool;
		return CHOOSE_LATER;
	}
	r->pool = pool;
	r->side = side;
	return CHOSEN;
}

static void count(struct exchange *r, enum side side, enum side_count what)
{
	migration_add(r->migration, r->thread->index, side, what, 1);
}

/* A share of new's requests that new cannot take. */
static void spill(struct exchange *r, bool none_usable)
{
	if (r->spilled)
		return;
	r->spilled = true;
	count(r, SIDE_NEW, COUNT_SPILL);
	if (none_usable && migration_seen_new(r->migration) && !r->failure_told) {
		struct mark mark = migration_mark(r->migration, SIDE_NEW);

		r->failure_told = true;
		migration_add_marked(
			r->migration, r->thread->index, SIDE_NEW, GUARD_CF, &mark);
	}
}

static bool goes_to_new(struct exchange *r, struct pool *pool)
{
	struct pool_capacity has;

	if (!r->wants_new || r->record.rescued ||
		migration_effective_ppm(r->migration) == 0)
		return false;
	has = pool_capacity(pool, false);
	if (has.n_usable > 0 && !migration_seen_new(r->migration))
		migration_set_seen_new(r->migration, true);
	if (r->record.tries > 0 && r->side == SIDE_NEW && has.n_usable > 0)
		return true; /* a retry stays where the split has put it */
	if (r->spilled || has.n_usable == 0 ||
		migration_spills(
			r->migration, r->thread->index, has.usable, has.total)) {
		spill(r, has.n_usable == 0);
		return false;
	}
	return true;
}

/* Legacy has no usable server. */
static enum choice without_legacy(
	struct exchange *r, struct pool *legacy, struct pool *new_)
{
	bool may_new = !r->record.rescued && migration_effective_ppm(r->migration) > 0;

	if (pool_capacity(new_, false).n_usable == 0) {
		r->fail_open = true;
		return r->wants_new && may_new ? pick(r, new_, SIDE_NEW)
					       : pick(r, legacy, SIDE_LEGACY);
	}
	if (!r->overflow_asked) {
		r->overflow_asked = true;
		r->overflows = migration_overflows(r->migration, r->thread->index);
	}
	if (!r->overflows || !may_new)
		return CHOOSE_LATER;
	count(r, SIDE_LEGACY, COUNT_SPILL);
	return pick(r, new_, SIDE_NEW);
}

static enum choice choose_migration(struct exchange *r)
{
	const struct config_migration *c = r->migration_config;
	struct pool *legacy = pool_at(r, c->legacy), *new_ = pool_at(r, c->new_);

	if (!r->chosen) {
		r->wants_new = migration_split(r->migration, r->thread->index);
		migration_note_request(
			r->migration, r->thread->index, c->rescue_budget_ppm);
	}
	if (goes_to_new(r, new_))
		return pick(r, new_, SIDE_NEW);
	if (pick(r, legacy, SIDE_LEGACY) == CHOSEN)
		return CHOSEN;
	return r->pool_busy ? CHOOSE_LATER : without_legacy(r, legacy, new_);
}

enum choice choose_server(struct exchange *r)
{
	enum choice c;

	r->fail_open = false;
	r->pool_busy = false;
	if (r->migration != NULL)
		c = choose_migration(r);
	else
		c = pick(r, r->pool, SIDE_LEGACY);
	if (!r->chosen && r->pool != NULL)
		pool_note_request(r->pool, r->thread->index);
	r->chosen = true;
	return c;
}

/* Chosen for new, and new gets nothing any more. */
bool choose_was_cut_back(const struct exchange *r)
{
	return r->migration != NULL && r->side == SIDE_NEW &&
	       migration_effective_ppm(r->migration) == 0;
}
