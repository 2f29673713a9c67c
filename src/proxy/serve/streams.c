/*
 * An HTTP/2 connection of a client: its session, its streams, its bytes.
 *
 * Each stream with a request is an exchange. What comes for one is noted while the
 * session reads, and the exchange runs when the session has read all: nothing runs
 * inside the codec. Frames are written at the end of the loop's turn, as many as the
 * connection takes.
 *
 * An idle connection is this struct and the session; buffers are there only while bytes
 * are on their way.
 */
#include <stdlib.h>
#include <string.h>

#include "exchange/exchange_priv.h"
#include "serve/read_budget_priv.h"

enum {
	STREAM_WINDOW = 65535,
	WRITE_BYTES = 65536, /* of frames at once */
	TURN_US = 1000,      /* of reading, and of what it makes run */
	LEAST_BYTES = 512,
	DEAR_BYTES =
		1024, /* who has no more than that in TURN_US comes after the others */
	GOAWAY_MS = 1000, /* for what is on its way when the first GOAWAY leaves */
};

struct streams {
	struct client *client;
	struct h2 *session;
	struct buf out;
	struct net_task flush;
	struct link exchanges, ready;
	struct tally tally;
	unsigned goaways;
	struct read_budget read;
	bool broken; /* nothing that comes is read any more */
	bool stuck;  /* the timer runs since what is left to be sent is not taken */
};

struct h2 *streams_session(struct streams *s)
{
	return s->session;
}

void streams_flush_later(struct streams *s)
{
	net_task_later(&s->flush);
}

static void is_ready(struct streams *s, struct exchange *r)
{
	if (list_empty(&r->mux.ready))
		list_push(&s->ready, &r->mux.ready);
}

/* --- what the session tells ----------------------------------------------------------
 */

/* The head's text becomes the first bytes of what came. */
static bool take_head(struct exchange *r, const struct http_head *head)
{
	struct http_field *fields = r->fields;

	if (!buf_reserve(net_loop_bufs(r->thread->loop), &r->in->bytes, head->bytes))
		return false;
	buf_add(&r->in->bytes, head->base, head->bytes);
	memcpy(fields, head->fields, head->n_fields * sizeof(*fields));
	r->head = *head;
	r->head.base = buf_head(&r->in->bytes);
	r->head.fields = fields;
	return true;
}

static void *on_request(void *arg, int32_t stream, const struct http_head *head)
{
	struct streams *s = arg;
	struct exchange *r = exchange_new(s->client);

	if (r == NULL)
		return NULL;
	r->from = &client_h2;
	r->in = &r->stream_in;
	r->tally = &s->tally;
	r->stream = stream;
	r->record.begun_ns = net_loop_now_ns(r->thread->loop);
	if (!take_head(r, head)) {
		thread_count(r->thread, STAT_LIMIT_MEMORY, 1);
		exchange_end(r);
		return NULL;
	}
	r->in->eof = head->framing == HTTP_NO_BODY && !head->tunnel;
	list_push(&s->exchanges, &r->mux.link);
	is_ready(s, r);
	if (s->goaways == 0) { /* else the second one is due */
		net_timer_stop(&s->client->timer);
		s->stuck = false;
	}
	return r;
}

static void on_refused(void *arg, int32_t stream, enum http_bad why)
{
	struct streams *s = arg;
	struct http_own own = { .status = http_bad_status(why),
		.text = http_bad_text(why) };

	head_count_bad(s->client->thread, why);
	answer_count(s->client->thread, own.status);
	if (h2_answer(s->session, stream, &own) != 0)
		h2_reset(s->session, stream, H2_INTERNAL_ERROR);
}

static void on_crowded(void *arg)
{
	const struct streams *s = arg;

	thread_count(s->client->thread, STAT_LIMIT_STREAMS, 1);
}

/* No memory for what it must have. */
static void give_up(struct streams *s, struct exchange *r)
{
	thread_count(r->thread, STAT_LIMIT_MEMORY, 1);
	attempt_end(r, OUTCOME_LOCAL);
	h2_reset(s->session, r->stream, H2_INTERNAL_ERROR);
	r->stream = 0;
	r->mux.gone = true;
	is_ready(s, r);
}

static void on_data(void *owner, struct span data)
{
	struct exchange *r = owner;
	struct streams *s = r->client->streams;

	if (buf_reserve(net_loop_bufs(r->thread->loop), &r->in->bytes, data.n)) {
		/* The bytes may have moved, and the head with them. */
		if (!r->head_dropped)
			r->head.base = buf_head(&r->in->bytes);
		buf_add_span(&r->in->bytes, data);
		r->mux.came += data.n;
		is_ready(s, r);
	} else {
		give_up(s, r);
	}
}

static void on_trailers(void *owner, const struct http_head *trailers)
{
	struct exchange *r = owner;

	/* Without memory a trailer is lost, which it may be (RFC 9110, 6.5). */
	(void)stage_keep_fields(
		net_loop_bufs(r->thread->loop), &r->in_trailers, trailers);
}

static void on_end(void *owner)
{
	struct exchange *r = owner;

	r->in->eof = true;
	is_ready(r->client->streams, r);
}

static void on_reset(void *owner, uint32_t code)
{
	struct exchange *r = owner;

	(void)code;
	r->stream = 0;
	r->mux.gone = true;
	is_ready(r->client->streams, r);
}

static void on_closed(void *owner)
{
	struct exchange *r = owner;

	r->stream = 0;
	is_ready(r->client->streams, r);
}

static size_t on_pull(void *owner, size_t max, bool *end)
{
	struct exchange *r = owner;
	struct streams *s = r->client->streams;
	struct span lines = { .p = buf_head(&r->down_trailers),
		.n = buf_len(&r->down_trailers) };
	size_t n = stage_size(&r->down);

	*end = n <= max && r->to_client == HALF_DONE;
	if (!*end)
		return n < max ? n : max;
	if (lines.n > 0 && h2_trailers(s->session, r->stream, lines) != 0) {
		*end = false;
		give_up(s, r);
		return 0;
	}
	r->down_ended = true;
	is_ready(s, r);
	return n;
}

static void on_take(void *owner, char *out, size_t n)
{
	struct exchange *r = owner;

	stage_copy(&r->down, &r->up_in, out, n);
	stage_consume(&r->down, &r->up_in, n);
	r->tally->went += n;
	r->moved = true;
	is_ready(r->client->streams, r);
}

static void on_goaway(void *arg)
{
	(void)arg; /* it opens no more streams, and that is all */
}

static void on_flood(void *arg, enum h2_flood kind)
{
	struct streams *s = arg;

	thread_count(s->client->thread,
		(enum stats_item)(STAT_H2_FLOOD_RESETS + (int)kind), 1);
}

static const struct h2_events events = {
	.on_request = on_request,
	.on_refused = on_refused,
	.on_crowded = on_crowded,
	.on_data = on_data,
	.on_trailers = on_trailers,
	.on_end = on_end,
	.on_reset = on_reset,
	.on_closed = on_closed,
	.on_pull = on_pull,
	.on_take = on_take,
	.on_goaway = on_goaway,
	.on_flood = on_flood,
};

/* --- bytes ------------------------------------------------------------------------ */

static void run_ready(struct streams *s)
{
	struct link now;

	list_init(&now);
	list_take(&now, &s->ready);
	while (!list_empty(&now)) {
		struct exchange *r = LIST_ENTRY(now.next, struct exchange, mux.ready);

		list_remove(&r->mux.ready);
		if (r->mux.gone)
			exchange_abandon(r);
		else
			exchange_run(r);
	}
}

/* Nobody is there: without another word. */
static void lost(struct client *c)
{
	LIST_EACH (&c->streams->exchanges, it, next)
		exchange_abandon(LIST_ENTRY(it, struct exchange, mux.link));
	client_close(c);
}

void streams_receive(struct client *c, struct span bytes)
{
	struct streams *s = c->streams;

	if (h2_receive(s->session, bytes) != 0) {
		s->broken = true;
		net_conn_want_read(c->conn, false);
	}
	run_ready(s);
	streams_flush_later(s);
}

static void read_frames(struct client *c)
{
	struct read_budget *budget = &c->streams->read;
	char *in = c->thread->received;
	ssize_t got;

	read_budget_begin(budget);
	do {
		if (c->streams->broken)
			return;
		got = net_read(c->conn, in, budget->ask);
		if (got == NET_AGAIN)
			break;
		if (got <= 0) {
			lost(c);
			return;
		}
		streams_receive(c, (struct span){ .p = in, .n = (size_t)got });
	} while (read_budget_goes_on(budget, (size_t)got));
	net_conn_set_slow(c->conn, read_budget_is_dear(budget));
}

/* Without an exchange nobody else watches over the connection: it is idle, or its client
 * does not take what is left for it, an answer's end or our last words. */
static void watch(struct streams *s)
{
	struct client *c = s->client;
	const struct config_timeouts *t = &thread_config(c->thread)->timeouts;

	if (!list_empty(&s->exchanges) || net_timer_is_set(&c->timer))
		return;
	s->stuck = buf_len(&s->out) > 0 || h2_open_streams(s->session) > 0;
	if (s->stuck)
		net_timer_set(&c->timer, t->stream_idle_ms);
	else
		net_timer_set(
			&c->timer, s->goaways > 0 ? GOAWAY_MS : t->client_idle_ms);
}

static void note_taken(struct streams *s, size_t n)
{
	buf_drop(&s->out, n);
	if (s->stuck)
		net_timer_stop(&s->client->timer);
	s->stuck = false;
}

/* False: the connection is gone, or takes no more now. */
static bool send_frames(struct streams *s)
{
	struct client *c = s->client;
	struct iovec iov = { .iov_base = buf_head(&s->out),
		.iov_len = buf_len(&s->out) };
	ssize_t put = net_write(c->conn, &iov, 1);

	if (put == NET_BROKEN) {
		lost(c);
		return false;
	}
	if (put > 0)
		note_taken(s, (size_t)put);
	if (buf_len(&s->out) == 0)
		return true;
	net_conn_want_write(c->conn);
	watch(s);
	return false;
}

static void rest(struct streams *s)
{
	struct client *c = s->client;

	buf_release(net_loop_bufs(c->thread->loop), &s->out);
	if (s->broken || h2_is_over(s->session)) {
		/* Answers had their streams: what is left is a goodbye. */
		client_linger_briefly(c);
		return;
	}
	watch(s);
}

static void on_flush(void *arg)
{
	struct streams *s = arg;
	struct client *c = s->client;

	if (!h2_write(s->session, &s->out, WRITE_BYTES)) {
		thread_count(c->thread, STAT_LIMIT_MEMORY, 1);
		lost(c);
		return;
	}
	if (buf_len(&s->out) > 0 && !send_frames(s))
		return;
	run_ready(s);
	if (h2_wants_write(s->session))
		streams_flush_later(s);
	else
		rest(s);
}

void streams_event(struct client *c, unsigned events_)
{
	if (events_ & NET_READ)
		read_frames(c);
	if (c->conn != NULL && (events_ & NET_WRITE))
		streams_flush_later(c->streams);
}

/* --- life ------------------------------------------------------------------------- */

bool streams_begin(struct client *c)
{
	struct thread *t = c->thread;
	const struct config_limits *l = &thread_config(t)->limits;
	const struct h2_limits limits = {
		.streams = l->streams,
		.header_bytes = l->header_bytes,
		.field_count = l->header_count,
		.target_bytes = l->uri_bytes,
		.stream_window = STREAM_WINDOW,
		.connection_window = l->streams * STREAM_WINDOW,
		.websocket = true,
	};
	struct streams *s = mem_try_zero(sizeof(*s));

	if (s != NULL)
		s->session = h2_server_new(t->h2, &limits, &events, s);
	if (s == NULL || s->session == NULL) {
		free(s);
		thread_count(t, STAT_LIMIT_MEMORY, 1);
		return false;
	}
	s->client = c;
	read_budget_init(&s->read);
	list_init(&s->exchanges);
	list_init(&s->ready);
	net_task_init(&s->flush, t->loop, on_flush, s);
	c->streams = s;
	thread_count(t, STAT_H2_CONNECTIONS, 1);
	net_conn_want_read(c->conn, true);
	net_timer_set(&c->timer, thread_config(t)->timeouts.client_header_ms);
	streams_flush_later(s);
	return true;
}

/* No new streams; those on their way when this leaves are still taken. */
void streams_drain(struct client *c)
{
	struct streams *s = c->streams;

	if (s->goaways++ > 0)
		return;
	h2_goaway(s->session);
	net_timer_set(&c->timer, GOAWAY_MS);
	s->stuck = false;
	streams_flush_later(s);
}

/* Idle for too long, a drain's second word is due, or nothing is taken any more. */
void streams_due(struct client *c)
{
	struct streams *s = c->streams;

	if (list_empty(&s->exchanges) && (s->goaways > 1 || s->stuck)) {
		thread_count(c->thread, STAT_TIMEOUT_STREAM, 1);
		lost(c);
		return;
	}
	if (s->goaways == 0)
		thread_count(c->thread, STAT_TIMEOUT_IDLE, 1);
	s->goaways = 2;
	h2_goaway(s->session);
	h2_goaway(s->session);
	streams_flush_later(s);
}

void streams_forget(struct streams *s, int32_t stream, enum leaving how)
{
	streams_flush_later(s);
	if (stream == 0)
		return;
	switch (how) {
	case LEAVE_DONE:
		h2_forget(s->session, stream);
		break;
	case LEAVE_QUIET:
	case LEAVE_BROKEN:
		h2_reset(s->session, stream, H2_INTERNAL_ERROR);
		break;
	}
}

void streams_free(struct client *c)
{
	struct streams *s = c->streams;

	LIST_EACH (&s->exchanges, it, next)
		exchange_end(LIST_ENTRY(it, struct exchange, mux.link));
	net_task_cancel(&s->flush);
	buf_release(net_loop_bufs(c->thread->loop), &s->out);
	h2_free(s->session);
	free(s);
	c->streams = NULL;
}
