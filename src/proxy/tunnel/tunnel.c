/*
 * A tunnel: what two connections are after a 101. Bytes are passed as they come, both
 * ways, until both ends have ended.
 *
 * The happy path
 *   open     an exchange gives its two connections away; where one is a stream of
 *            HTTP/2, it stays as what the stream belongs to
 *   pass     read from one end, write to the other at once: one call each a message.
 *            What the other does not take waits here, and nothing more is read before
 *            it is gone. Idle, a tunnel is this struct and has no buffer
 *   end      one end has ended: the other is told behind its last byte. Both have: over
 *
 * The ways to fail
 *   a reset of one end resets the other. Of the upstream's, within its first seconds and
 *   without a close frame, it is an error of the pool (S23). Silence: closed after
 *   tunnel_idle (once an end has ended: stream_idle)
 *
 * The way to leave (tunnel_drain.c decides who and when)
 *   at the end of a frame both ends get a close frame of ours; what still comes is
 *   dropped; over when both have said theirs, or after a second.
 */
#include <assert.h>

#include "tunnel/tunnel_priv.h"

enum {
	ANSWER_MS = 1000, /* for their close frames */
	FRAME_MS = 5000,  /* for the next byte of a frame that we wait for */
};

/* An end sooner than this may be abnormal. */
static const uint64_t early_ns = UINT64_C(5) * 1000 * 1000 * 1000;

static_assert(sizeof(struct tunnel) <= 400, "what an idle tunnel costs");

static struct buf_pool *bufs(const struct tunnel *t)
{
	return net_loop_bufs(t->thread->loop);
}

void tunnel_count(const struct tunnel *t, enum side_count c, uint64_t n)
{
	if (t->migration != NULL)
		migration_add(t->migration, t->thread->index, t->side, c, n);
}

/* --- the end of it ---------------------------------------------------------------- */

/* An end of the upstream's that nobody has announced. */
static void judge_upstream(struct tunnel *t)
{
	struct mark mark = { .run = t->run };
	uint64_t age_ns = net_loop_now_ns(t->thread->loop) - t->begun_ns;

	if (t->judged || t->migration == NULL)
		return;
	t->judged = true;
	if (age_ns > early_ns || t->leaving != 0 || t->end[END_CLIENT].ended ||
		t->end[END_CLIENT].scan.closed || t->end[END_UPSTREAM].scan.closed)
		return;
	tunnel_count(t, COUNT_TUNNELS_BROKEN, 1);
	attempt_count_late_error(t->migration, t->thread->index, t->side, &mark);
}

static void release(struct tunnel *t)
{
	struct thread *thread = t->thread;

	net_timer_stop(&t->timer);
	list_remove(&t->link);
	buf_release(bufs(t), &t->end[END_CLIENT].rest);
	buf_release(bufs(t), &t->end[END_UPSTREAM].rest);
	tunnel_count(t, COUNT_TUNNELS_OPEN, (uint64_t)-1);
	server_note_tunnel(t->server, thread->index, -1);
	thread_count(thread, STAT_TUNNELS_OPEN, -1);
	server_release(t->server, thread->index);
	thread_release_use(thread, t->use);
	slab_give(&thread->tunnels, t);
}

static void close_upstream(struct net_conn *c, enum leaving how)
{
	if (how == LEAVE_BROKEN)
		net_conn_abort(c);
	else if (net_conn_is_flushed(c))
		net_conn_close(c);
	else
		net_conn_linger(c);
}

static enum verdict finish(struct tunnel *t, enum leaving how)
{
	struct exchange *r = t->exchange;
	struct client *c = t->client;

	if (t->end[END_UPSTREAM].conn != NULL)
		close_upstream(t->end[END_UPSTREAM].conn, how);
	release(t);
	if (r != NULL) {
		r->tunnel = NULL;
		/* A stream whose own half is not over: only a reset ends it now. */
		return exchange_leave(
			r, r->from->raw && !r->down_ended ? LEAVE_BROKEN : how);
	}
	c->tunnel = NULL;
	if (how == LEAVE_BROKEN)
		client_abort(c);
	else
		client_linger(c);
	return OVER;
}

void tunnel_drop(struct tunnel *t)
{
	if (t->end[END_UPSTREAM].conn != NULL)
		net_conn_abort(t->end[END_UPSTREAM].conn);
	if (t->exchange != NULL)
		t->exchange->tunnel = NULL;
	else
		t->client->tunnel = NULL;
	release(t);
}

/* --- moving on ------------------------------------------------------------------- */

static uint32_t patience_ms(const struct tunnel *t)
{
	const struct config_timeouts *o = &t->use->snapshot->config->timeouts;
	bool half = t->end[END_CLIENT].shut || t->end[END_UPSTREAM].shut;

	if (t->leaving != 0)
		return FRAME_MS;
	return half && o->stream_idle_ms < o->tunnel_idle_ms ? o->stream_idle_ms
							     : o->tunnel_idle_ms;
}

static void settle(struct tunnel *t)
{
	for (unsigned i = 0; i < N_ENDS; i++) {
		struct tunnel_end *e = &t->end[i];

		e->ops->want(e, !e->ended && buf_len(&e->rest) == 0);
		e->muted |= e->ended && t->leaving != 0;
	}
	if (t->timer_is_jitter || t->timer_is_last)
		return;
	t->timer_is_last = t->leaving != 0 && t->end[END_CLIENT].muted &&
			   t->end[END_UPSTREAM].muted;
	net_timer_set(&t->timer, t->timer_is_last ? ANSWER_MS : patience_ms(t));
}

static enum verdict run(struct tunnel *t)
{
	unsigned broken = tunnel_pass(t, END_CLIENT);

	if (broken == N_ENDS)
		broken = tunnel_pass(t, END_UPSTREAM);
	if (broken == END_UPSTREAM || t->end[END_UPSTREAM].ended)
		judge_upstream(t);
	if (broken != N_ENDS)
		return finish(t, LEAVE_BROKEN);
	if (tunnel_is_over(t))
		return finish(t, LEAVE_DONE);
	settle(t);
	return WAIT;
}

/* --- events ------------------------------------------------------------------------ */

/* A stream's tunnel moves in its exchange, for which there is one door. */
static void wake(struct tunnel *t)
{
	if (t->exchange != NULL)
		exchange_run(t->exchange);
	else
		(void)run(t);
}

static void on_client(void *arg, unsigned events)
{
	struct tunnel *t = arg;

	t->end[END_CLIENT].readable |= (events & NET_READ) != 0;
	wake(t);
}

static void on_upstream(void *arg, unsigned events)
{
	struct tunnel *t = arg;

	t->end[END_UPSTREAM].readable |= (events & NET_READ) != 0;
	wake(t);
}

/* A stream tells of all it has; of a client's connection its owner has noted it. */
static void note_readable(struct tunnel *t, struct exchange *r)
{
	if (t->end[END_CLIENT].exchange != NULL || r->in->readable)
		t->end[END_CLIENT].readable = true;
	if (t->end[END_CLIENT].exchange == NULL)
		r->in->readable = false;
	if (t->end[END_UPSTREAM].exchange != NULL)
		t->end[END_UPSTREAM].readable = true;
}

enum verdict exchange_step_tunnel(struct exchange *r)
{
	struct tunnel *t = r->tunnel;

	note_readable(t, r);
	if (t->expired)
		return finish(t, LEAVE_DONE);
	return run(t);
}

static void end_now(struct tunnel *t)
{
	t->expired = true;
	if (t->exchange != NULL)
		exchange_run(t->exchange);
	else
		(void)finish(t, LEAVE_DONE);
}

static void on_due(void *arg)
{
	struct tunnel *t = arg;

	if (t->timer_is_jitter) {
		t->timer_is_jitter = false;
		tunnel_leave(t, (enum ws_code)t->leaving);
		return;
	}
	if (t->leaving == 0)
		thread_count(t->thread, STAT_TIMEOUT_TUNNEL, 1);
	end_now(t);
}

void tunnel_leave(struct tunnel *t, enum ws_code code)
{
	t->leaving = (uint16_t)code;
	if (t->end[END_CLIENT].ended || t->end[END_UPSTREAM].ended) {
		end_now(t); /* nobody is left to be asked */
		return;
	}
	for (unsigned i = 0; i < N_ENDS; i++) {
		if (ws_is_between(&t->end[i].scan) && !tunnel_say_close(t, i)) {
			tunnel_cut(t);
			return;
		}
	}
	wake(t);
}

void tunnel_leave_in(struct tunnel *t, enum ws_code code, uint32_t ms)
{
	t->leaving = (uint16_t)code;
	t->timer_is_jitter = true;
	net_timer_set(&t->timer, ms);
}

void tunnel_cut(struct tunnel *t)
{
	tunnel_count(t, COUNT_TUNNELS_CUT, 1);
	(void)finish(t, LEAVE_BROKEN);
}

/* --- the beginning ----------------------------------------------------------------- */

static struct tunnel *new_tunnel(struct exchange *r)
{
	struct thread *thread = r->thread;
	struct tunnel *t = slab_take(&thread->tunnels);

	if (t == NULL)
		return NULL;
	*t = (struct tunnel){
		.thread = thread,
		.client = r->client,
		.use = r->use,
		.server = r->server,
		.migration = r->migration,
		.side = r->side,
		.run = r->attempt.mark.run,
		.begun_ns = net_loop_now_ns(thread->loop),
	};
	list_init(&t->link);
	net_timer_init(&t->timer, thread->loop, on_due, t);
	t->use->users++;
	server_hold(t->server, thread->index);
	tunnel_count(t, COUNT_TUNNELS, 1);
	tunnel_count(t, COUNT_TUNNELS_OPEN, 1);
	server_note_tunnel(t->server, thread->index, 1);
	thread_count(thread, STAT_TUNNELS, 1);
	thread_count(thread, STAT_TUNNELS_OPEN, 1);
	tunnel_join(t);
	return t;
}

static void take_upstream(struct tunnel *t, struct exchange *r)
{
	struct tunnel_end *e = &t->end[END_UPSTREAM];

	e->ops = &tunnel_conn;
	e->conn = r->upstream;
	e->rest = r->up_in;
	e->readable = r->upstream_readable;
	e->ended = r->upstream_eof;
	r->upstream = NULL;
	r->to = NULL;
	r->up_in = (struct buf){ .data = NULL };
	net_conn_own(e->conn, (struct net_owner){ .on_event = on_upstream, .arg = t });
}

/* Its session goes on telling the exchange. The head is gone; what is staged from now on
 * is the tunnel's. */
static void take_upstream_stream(struct tunnel *t, struct exchange *r)
{
	t->end[END_UPSTREAM].ops = &tunnel_stream_up;
	t->end[END_UPSTREAM].exchange = r;
	stage_fini(bufs(t), &r->up);
	r->up = (struct stage){ .keep = false };
}

static void take_client(struct tunnel *t, struct client *c)
{
	struct tunnel_end *e = &t->end[END_CLIENT];

	e->ops = &tunnel_conn;
	e->conn = c->conn;
	e->rest = c->in.bytes;
	e->readable = c->in.readable;
	e->ended = c->in.eof;
	c->in.bytes = (struct buf){ .data = NULL };
	c->in.readable = false;
}

static void take_client_stream(struct tunnel *t, struct exchange *r)
{
	t->end[END_CLIENT].ops = &tunnel_stream;
	t->end[END_CLIENT].exchange = r;
}

/* It moves in the exchange, which stays. */
static enum verdict stay(struct tunnel *t, struct exchange *r)
{
	t->exchange = r;
	r->tunnel = t;
	r->keep_alive = false;
	net_timer_stop(&r->deadline);
	return exchange_go(r, EX_TUNNEL);
}

/* The exchange is over, and the connection the tunnel's. */
static enum verdict part(struct tunnel *t, struct exchange *r)
{
	struct client *c = r->client;

	exchange_end(r);
	c->tunnel = t;
	net_conn_own(c->conn, (struct net_owner){ .on_event = on_client, .arg = t });
	return OVER;
}

enum verdict tunnel_begin(struct exchange *r)
{
	struct thread *thread = r->thread;
	struct tunnel *t = new_tunnel(r);
	bool streams = r->from->raw || r->to == &upstream_h2;
	enum verdict v;

	record_write(r, ENDING_WHOLE);
	attempt_end(r, OUTCOME_OK);
	if (t == NULL) {
		thread_count(thread, STAT_LIMIT_MEMORY, 1);
		return exchange_leave(r, LEAVE_BROKEN);
	}
	if (r->to == &upstream_h2)
		take_upstream_stream(t, r);
	else
		take_upstream(t, r);
	if (r->from->raw)
		take_client_stream(t, r);
	else
		take_client(t, r->client);
	v = streams ? stay(t, r) : part(t, r);
	/* What came behind the heads; a stream's is read like any other. */
	(void)tunnel_look(t, END_CLIENT);
	(void)tunnel_look(t, END_UPSTREAM);
	if (v == OVER)
		(void)run(t);
	return v;
}
