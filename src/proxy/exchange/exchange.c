/*
 * The life of a request: head, route, connect, relay, finish.
 *
 * The happy path
 *   head     the client's bytes become a checked head; its deadline is client_header
 *   admit    only what wants to become a tunnel: it waits for its turn
 *   route    host and path name a migration or a pool, the split names a side,
 *            balancing a server
 *   connect  a kept connection, or a new one
 *   relay    the request goes up and the response comes down, each at its own pace
 *   finish   both connections are kept or closed, or become a tunnel (tunnel.c);
 *            everything is counted
 *   tunnel   of a stream of HTTP/2 alone: the exchange stays as its end
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

#include "tunnel/tunnel_priv.h"

/* More steps than this in one run, and it is a loop: no exchange needs a tenth. */
enum { STEPS_A_RUN = 1000 };

static const struct {
	const char *name;
	enum verdict (*run)(struct exchange *);
} steps[] = {
	[EX_HEAD] = { "head", exchange_step_head },
	[EX_ADMIT] = { "admit", exchange_step_admit },
	[EX_ROUTE] = { "route", exchange_step_route },
	[EX_CONNECT] = { "connect", exchange_step_connect },
	[EX_RELAY] = { "relay", exchange_step_relay },
	[EX_FINISH] = { "finish", exchange_step_finish },
	[EX_TUNNEL] = { "tunnel", exchange_step_tunnel },
};

/* What a step may last. Relay sets its own, by whose move it is. */
static uint32_t limit_ms(const struct exchange *r, enum step s)
{
	const struct config_timeouts *t = &r->use->snapshot->config->timeouts;

	switch (s) {
	case EX_HEAD:
		return t->client_header_ms;
	case EX_ADMIT:
	case EX_ROUTE:
	case EX_CONNECT:
		return t->connect_ms;
	case EX_RELAY:
		return t->response_head_ms;
	case EX_FINISH: /* never waits */
	case EX_TUNNEL: /* has a timer of its own */
		break;
	}
	return 0;
}

enum verdict exchange_go(struct exchange *r, enum step next)
{
	r->step = next;
	r->expired = false;
	r->awaited = next == EX_RELAY ? AWAIT_RESPONSE : AWAIT_NOBODY;
	r->moved = false;
	r->deadline_ms = grpc_limit_ms(r, limit_ms(r, next));
	return AGAIN;
}

static void close_stuck(struct exchange *r)
{
	log_error("exchange is stuck", "id=%.*s step=%s", (int)r->record.id_n,
		r->record.id, steps[r->step].name);
	thread_count(r->thread, STAT_STUCK, 1);
	attempt_end(r, OUTCOME_LOCAL);
	(void)exchange_leave(r, LEAVE_BROKEN); /* nobody runs it any more */
}

/* Before a wait. Only now the deadline is set: most steps pass without one. An event
 * that nobody can use now would come back at every turn: what was not read is asked for
 * again when there is room. */
static void settle(struct exchange *r)
{
	if (r->deadline_ms != 0)
		net_timer_set(&r->deadline, r->deadline_ms);
	r->deadline_ms = 0;
	if (r->tunnel == NULL || r->from->raw) /* else its connection is the tunnel's */
		r->from->settle(r);
	if (r->to != NULL)
		r->to->settle(r);
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

struct exchange *exchange_new(struct client *c)
{
	struct thread *t = c->thread;
	struct exchange *r = slab_take(&t->exchanges);

	if (r == NULL) {
		thread_count(t, STAT_LIMIT_MEMORY, 1);
		return NULL;
	}
	clear(r);
	thread_trim_later(t);
	r->client = c;
	r->thread = t;
	r->use = t->current;
	r->use->users++;
	list_init(&r->awaiting);
	list_init(&r->upgrading);
	list_init(&r->grouped);
	list_init(&r->mux.link);
	list_init(&r->mux.ready);
	net_timer_init(&r->deadline, t->loop, on_deadline, r);
	r->head.fields = r->fields;
	r->head.max_fields = HTTP_MAX_FIELDS;
	thread_count(t, STAT_REQUESTS_OPEN, 1);
	(void)exchange_go(r, EX_HEAD);
	return r;
}

static void release_bufs(struct exchange *r)
{
	struct buf_pool *bufs = net_loop_bufs(r->thread->loop);

	/* What was read of the body and did not go up is not the next request. */
	buf_drop(&r->in->bytes, r->up.direct);
	buf_release(bufs, &r->stream_in.bytes);
	buf_release(bufs, &r->in_trailers);
	stage_fini(bufs, &r->up);
	stage_fini(bufs, &r->down);
	buf_release(bufs, &r->edits.plain);
	buf_release(bufs, &r->up_trailers);
	buf_release(bufs, &r->down_trailers);
	buf_release(bufs, &r->up_in);
	buf_release(bufs, &r->up_in_trailers);
}

/* May be called in any state. */
void exchange_end(struct exchange *r)
{
	struct thread *t = r->thread;

	attempt_end(r, OUTCOME_LOCAL); /* nothing, if it has ended already */
	record_write(r, ENDING_CLIENT);
	if (r->tunnel != NULL)
		tunnel_drop(r->tunnel);
	admit_leave(r);
	upstream_close(r);
	net_timer_stop(&r->deadline);
	exchange_stop_waiting(r);
	list_remove(&r->awaiting);
	list_remove(&r->upgrading);
	list_remove(&r->grouped);
	list_remove(&r->mux.link);
	list_remove(&r->mux.ready);
	release_bufs(r);
	thread_release_use(t, r->use);
	if (r->client->exchange == r)
		r->client->exchange = NULL;
	thread_count(t, STAT_REQUESTS_OPEN, -1);
	slab_give(&t->exchanges, r);
}

enum verdict exchange_leave(struct exchange *r, enum leaving how)
{
	const struct client_side *from = r->from;
	struct client *c = r->client;
	int32_t stream = r->stream;
	bool keep = r->keep_alive && r->to_upstream == HALF_DONE;

	exchange_end(r);
	from->leave(c, stream, how, keep);
	return OVER;
}

void exchange_abandon(struct exchange *r)
{
	/* Of one that waits for its turn no attempt tells. */
	if (r->step == EX_ADMIT || r->step == EX_ROUTE)
		thread_count(r->thread, STAT_CLIENT_GONE, 1);
	attempt_end(r, OUTCOME_CLIENT_GONE);
	(void)exchange_leave(r, LEAVE_BROKEN); /* it is not running */
}

void exchange_cut(struct exchange *r)
{
	record_write(r, ENDING_BROKEN);
	attempt_end(r, OUTCOME_LOCAL);
	(void)exchange_leave(r, LEAVE_BROKEN); /* it is not running */
}

static enum outcome outcome_of(const struct exchange *r)
{
	if (attempt_got_bad_status(r))
		return OUTCOME_STATUS;
	return grpc_failed(r) ? OUTCOME_GRPC : OUTCOME_OK;
}

enum verdict exchange_step_finish(struct exchange *r)
{
	if (r->switched)
		return tunnel_begin(r);
	record_write(r, ENDING_WHOLE);
	if (r->to != NULL)
		r->to->keep(r);
	attempt_end(r, outcome_of(r));
	return exchange_leave(r, LEAVE_DONE);
}
