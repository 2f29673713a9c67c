/*
 * Step admit: a request that wants to become a tunnel waits for its turn, first at its
 * listener, then in its migration.
 *
 * Thousands may come back in the same second, when a server or a network has failed them
 * all. So many a second are let in; some wait here, in order; the rest is told to come
 * again. None of that is a pool's failure, and no pool hears of it.
 */
#include "tunnel/tunnel_priv.h"

enum { ADMIT_MS = 10 };

/* What meters the tunnels that begin at one place. */
struct limiter {
	struct bucket *bucket; /* NULL: it stands open */
	const struct config_bucket *config;
};

/* A listener that has left the configuration meters nothing any more. */
static struct limiter limiter_of_listener(const struct exchange *r)
{
	const struct snapshot *s = r->use->snapshot;

	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listener[i].sockets->id == r->client->listener)
			return (struct limiter){ &s->listener[i].sockets->upgrades,
				&s->config->listeners[i].upgrades };
	}
	return (struct limiter){ .bucket = NULL };
}

static struct limiter limiter_of(const struct exchange *r)
{
	if (r->upgrade == UPGRADE_AT_LISTENER)
		return limiter_of_listener(r);
	if (r->upgrade == UPGRADE_AT_MIGRATION && r->migration != NULL)
		return (struct limiter){ migration_upgrades(r->migration),
			&r->migration_config->tunnels.bucket };
	return (struct limiter){ .bucket = NULL };
}

static bool may_pass(const struct exchange *r, struct limiter g)
{
	if (g.bucket == NULL)
		return true;
	if (r->waits_at == NULL && g.config->rate > 0 && bucket_is_awaited(g.bucket))
		return false;
	return bucket_take(g.bucket, g.config, net_loop_now_ns(r->thread->loop));
}

void admit_leave(struct exchange *r)
{
	if (r->waits_at != NULL)
		bucket_leave(r->waits_at);
	r->waits_at = NULL;
}

static enum verdict refuse(struct exchange *r)
{
	list_remove(&r->upgrading);
	admit_leave(r);
	thread_count(r->thread, STAT_LIMIT_UPGRADES, 1);
	return answer(r, 503, "too many tunnels (WebSocket) begin at present");
}

static void run_waiting(void *arg)
{
	struct thread *t = arg;

	LIST_EACH (&t->upgrades, it, next) {
		struct exchange *r = LIST_ENTRY(it, struct exchange, upgrading);
		struct limiter g = limiter_of(r);

		if (bucket_has(g.bucket, g.config, net_loop_now_ns(t->loop)))
			exchange_run(r);
	}
	if (list_empty(&t->upgrades)) {
		net_ticker_free(t->upgrade_ticker);
		t->upgrade_ticker = NULL;
	}
}

static enum verdict wait_for_turn(struct exchange *r, struct limiter g)
{
	struct thread *t = r->thread;

	if (r->waits_at == NULL) {
		if (!bucket_join(g.bucket, g.config))
			return refuse(r);
		r->waits_at = g.bucket;
		list_push(&t->upgrades, &r->upgrading);
	}
	if (t->upgrade_ticker == NULL)
		t->upgrade_ticker =
			net_ticker_new(t->loop, ADMIT_MS, NET_LAST, run_waiting, t);
	return WAIT;
}

/* It has no use for an answer once its own half is closed. */
static bool has_left(struct exchange *r)
{
	return r->from->left(r) || r->in->eof;
}

enum verdict exchange_step_admit(struct exchange *r)
{
	while (r->upgrade != UPGRADE_ADMITTED) {
		struct limiter g = limiter_of(r);

		if (r->waits_at != NULL && has_left(r)) {
			thread_count(r->thread, STAT_CLIENT_GONE, 1);
			return exchange_leave(r, LEAVE_BROKEN);
		}
		if (r->expired)
			return refuse(r);
		if (!may_pass(r, g))
			return wait_for_turn(r, g);
		admit_leave(r);
		list_remove(&r->upgrading);
		r->upgrade++;
	}
	r->record.ready_ns =
		net_loop_now_ns(r->thread->loop); /* our wait is no pool's */
	return exchange_go(r, EX_ROUTE);
}
