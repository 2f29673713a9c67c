/*
 * The life of a request: head, route, connect, relay, finish.
 *
 * The happy path
 *   head     the client's bytes become a checked head; its deadline is client_header
 *   route    host and path name a migration or a pool, the split names a side,
 *            balancing a server
 *   connect  a kept connection, or a new one
 *   relay    the request goes up and the response comes down, each at its own pace
 *   finish   both connections are kept or closed, everything is counted
 *
 * The ways to fail
 *   head     bad bytes: 400 and the like; too slow: 408; the client leaves: nothing
 *   route    no route: 404; no server: the exchange waits as long as a connect may
 *            take, then 503
 *   connect  refused, reset, too slow: another server, or legacy, or 502 and 504
 *   relay    before the client saw a byte: as connect, if the request may be repeated
 *            (retry.c); after it: the client's connection is reset, so that nobody
 *            takes half an answer for a whole one; the client leaves: the attempt is
 *            dropped
 *   any      a cutback: at the next choice of a server, and when a connect completes
 *
 * exchange_run is the one door to the steps, and go the one place where the step
 * changes.
 */
#include <assert.h>
#include <string.h>

#include "sluice/base/log.h"

#include "proxy_priv.h"

/* More steps than this in one run, and it is a loop: no exchange needs a tenth. */
enum { STEPS_A_RUN = 1000 };

static const struct {
	const char *name;
	enum verdict (*run)(struct exchange *);
} steps[] = {
	[EX_HEAD] = { "head", step_head },
	[EX_ROUTE] = { "route", step_route },
	[EX_CONNECT] = { "connect", step_connect },
	[EX_RELAY] = { "relay", step_relay },
	[EX_FINISH] = { "finish", step_finish },
};

/* What a step may last. Relay sets its own, by whose move it is. */
static uint32_t limit_ms(const struct exchange *r, enum step s)
{
	const struct config_timeouts *t = &r->use->snapshot->config->timeouts;

	switch (s) {
	case EX_HEAD:
		return t->client_header_ms;
	case EX_ROUTE:
	case EX_CONNECT:
		return t->connect_ms;
	case EX_RELAY:
		return t->response_head_ms;
	case EX_FINISH: /* never waits */
		break;
	}
	return 0;
}

enum verdict go(struct exchange *r, enum step next)
{
	r->step = next;
	r->expired = false;
	r->awaited = next == EX_RELAY ? AWAIT_RESPONSE : AWAIT_NOBODY;
	r->moved = false;
	r->deadline_ms = limit_ms(r, next);
	return AGAIN;
}

static void close_stuck(struct exchange *r)
{
	struct client *c = r->client;

	log_error("exchange is stuck", "id=%.*s step=%s", (int)r->id_n, r->id,
		steps[r->step].name);
	thread_count(r->thread, STAT_STUCK, 1);
	attempt_end(r, OUTCOME_LOCAL);
	exchange_end(r);
	client_abort(c);
}

/* Before a wait. Only now the deadline is set: most steps pass without one. An event
 * that nobody can use now would come back at every turn: what was not read is asked for
 * again when there is room. */
static void settle(struct exchange *r)
{
	struct client *c = r->client;

	if (r->deadline_ms != 0)
		net_timer_set(&r->deadline, r->deadline_ms);
	r->deadline_ms = 0;
	net_conn_want_read(c->conn, !c->readable && !c->eof);
	if (r->upstream != NULL && r->upstream_ready)
		net_conn_want_read(
			r->upstream, !r->upstream_readable && !r->upstream_eof);
}

void exchange_run(struct exchange *r)
{
	struct client *c = r->client;
	enum verdict v = AGAIN;
	unsigned n = 0;

	assert(!r->running); /* a step never re-enters its own request */
	r->running = true;
	while (v == AGAIN && ++n < STEPS_A_RUN)
		v = steps[r->step].run(r);
	if (v == WAIT) {
		settle(r);
		r->running = false;
		return;
	}
	if (v == AGAIN)
		close_stuck(r);
	if (c->conn != NULL)
		client_next(c);
}

static void on_deadline(void *arg)
{
	struct exchange *r = arg;

	r->expired = true;
	exchange_run(r);
}

/* All but the fields, which the parser fills. */
static void clear(struct exchange *r)
{
	memset(r, 0, offsetof(struct exchange, fields));
}

void exchange_begin(struct client *c)
{
	struct thread *t = c->thread;
	struct exchange *r = slab_take(&t->exchanges);

	if (r == NULL) {
		thread_count(t, STAT_LIMIT_MEMORY, 1);
		client_close(c);
		return;
	}
	clear(r);
	r->client = c;
	r->thread = t;
	r->use = t->current;
	r->use->users++;
	list_init(&r->link);
	net_timer_init(&r->deadline, t->loop, on_deadline, r);
	r->head.fields = r->fields;
	r->head.max_fields = HTTP_MAX_FIELDS;
	c->exchange = r;
	thread_count(t, STAT_REQUESTS_OPEN, 1);
	exchange_run((go(r, EX_HEAD), r));
}

/* Gives everything back but the client; may be called in any state. */
void exchange_end(struct exchange *r)
{
	struct thread *t = r->thread;
	struct buf_pool *bufs = net_loop_bufs(t->loop);

	attempt_end(r, OUTCOME_LOCAL); /* nothing, if it has ended already */
	upstream_close(r);
	net_timer_stop(&r->deadline);
	list_remove(&r->link);
	/* What was read of the body and did not go up is not the next request. */
	buf_drop(&r->client->in, r->up.direct);
	stage_fini(bufs, &r->up);
	stage_fini(bufs, &r->down);
	buf_release(bufs, &r->up_in);
	thread_release_use(t, r->use);
	r->client->exchange = NULL;
	thread_count(t, STAT_REQUESTS_OPEN, -1);
	slab_give(&t->exchanges, r);
}

static bool upstream_is_reusable(const struct exchange *r)
{
	return r->upstream != NULL && r->upstream_keep && r->to_upstream == HALF_DONE &&
	       stage_is_empty(&r->up) && !r->upstream_failed && !r->upstream_eof &&
	       !r->upstream_readable && buf_len(&r->up_in) == 0 &&
	       net_conn_is_flushed(r->upstream);
}

void exchange_count_user(const struct exchange *r, bool broken)
{
	if (r->migration == NULL)
		return;
	migration_add(r->migration, r->thread->index, r->side, COUNT_REQUESTS, 1);
	if (r->status >= 500 || broken)
		migration_add(
			r->migration, r->thread->index, r->side, COUNT_USER_ERRORS, 1);
	migration_add(
		r->migration, r->thread->index, r->side, COUNT_BYTES_IN, r->body_bytes);
	migration_add(r->migration, r->thread->index, r->side, COUNT_BYTES_OUT,
		r->sent_bytes);
}

enum verdict step_finish(struct exchange *r)
{
	struct client *c = r->client;
	const struct config *config = r->use->snapshot->config;
	bool keep = r->keep_alive && r->to_upstream == HALF_DONE;

	exchange_count_user(r, false);
	if (upstream_is_reusable(r)) {
		struct net_conn *up = r->upstream;

		r->upstream = NULL;
		server_take_back(r->server, r->thread->index, &up,
			pool_config(r->pool)->keepalive,
			config->timeouts.upstream_idle_ms);
	}
	attempt_end(r, attempt_is_bad_status(r->status) ? OUTCOME_STATUS : OUTCOME_OK);
	exchange_end(r);
	c->served = true;
	if (!keep || (c->eof && buf_len(&c->in) == 0))
		client_linger(c);
	return OVER;
}
