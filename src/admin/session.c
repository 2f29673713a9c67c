/*
 * One connection of an operator, a script or a scraper, as a step machine:
 *
 *	head -> body -> answer -> (wait) -> send -> head ...
 *
 * Ways to fail: the peer leaves (closed at once), it is slow (408, or closed while it
 * was silent or did not read), it sends what is no HTTP (400..431), or too long a body
 * (413); the journal does not answer in time (504). A body that is late, too long or
 * garbled is the api's to judge: a cutback takes effect without one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/buf.h"
#include "sluice/base/mem.h"
#include "sluice/http/h1.h"

#include "admin_priv.h"

enum {
	MAX_HEAD = 16384,
	MAX_TARGET = 4096,
	MAX_FIELDS = 64,
	MAX_BODY = 65536,
	READ_AHEAD = 4096,
};

enum step { ADMIN_HEAD, ADMIN_BODY, ADMIN_ANSWER, ADMIN_WAIT, ADMIN_SEND };

enum verdict {
	AGAIN, /* the step changed, or bytes came: run the step now */
	WAIT,  /* nothing to do before the next event */
	OVER,  /* closed and freed */
};

struct session {
	struct link link; /* in places.sessions */
	struct places *places;
	struct door *door;
	struct net_conn *conn;
	struct net_timer deadline;
	enum step step;
	bool running, late;
	/* the request */
	struct buf in;
	struct h1_parser parser;
	struct http_head head;
	struct http_field fields[MAX_FIELDS];
	struct h1_body decoder;
	struct text target, body;
	struct fault fault; /* of body */
	struct outgoing out;
};

static const uint32_t step_ms[] = {
	[ADMIN_HEAD] = 60000,
	[ADMIN_BODY] = 10000,
	[ADMIN_ANSWER] = 10000,
	[ADMIN_WAIT] = 10000,
	[ADMIN_SEND] = 30000,
};

static enum verdict go(struct session *s, enum step next)
{
	s->step = next;
	s->late = false;
	net_timer_set(&s->deadline, step_ms[next]);
	return AGAIN;
}

static struct buf_pool *bufs(struct session *s)
{
	return net_loop_bufs(s->door->loop);
}

static struct span received(const struct session *s)
{
	size_t n = buf_len(&s->in);

	return (struct span){ .p = n > 0 ? buf_head(&s->in) : "", .n = n };
}

static void forget_request(struct session *s)
{
	s->head = (struct http_head){ .fields = s->fields, .max_fields = MAX_FIELDS };
	h1_request_start(&s->parser, &s->head,
		(struct h1_limits){ .head_bytes = MAX_HEAD,
			.field_count = MAX_FIELDS,
			.target_bytes = MAX_TARGET });
	s->target.n = s->body.n = 0;
	s->fault = (struct fault){ .status = 0 };
	outgoing_reset(&s->out);
}

/* --- closing ----------------------------------------------------------------- */

static void release(struct session *s)
{
	net_timer_stop(&s->deadline);
	list_remove(&s->link);
	s->places->n--;
	s->door->api->connections--;
	buf_release(bufs(s), &s->in);
	outgoing_fini(&s->out);
	text_fini(&s->target);
	text_fini(&s->body);
	free(s);
}

static enum verdict over(struct session *s, void (*close)(struct net_conn *c))
{
	close(s->conn);
	release(s);
	return OVER;
}

/* What follows on this connection cannot be understood: answer, then close. */
static enum verdict refuse(
	struct session *s, unsigned status, const char *hint, const char *text)
{
	s->out.keep = false;
	s->door->api->requests++;
	s->door->api->refused_requests++;
	answer_error(&s->out.answer, status, hint, "%s", text);
	return go(s, ADMIN_SEND);
}

/* --- the request -------------------------------------------------------------- */

/* The request is understood and its body is not: what follows on this connection
 * cannot be told apart from the rest of it. */
static enum verdict spoil(
	struct session *s, unsigned status, const char *hint, const char *text)
{
	s->out.keep = false;
	s->fault = (struct fault){ .status = status, .hint = hint, .text = text };
	return go(s, ADMIN_ANSWER);
}

static enum verdict too_long(struct session *s)
{
	s->body.n = s->body.n < MAX_BODY ? s->body.n : MAX_BODY;
	return spoil(s, 413, "a change is a small JSON object",
		"the body is longer than 64 KiB");
}

/* Whoever has begun a request must end its head soon. */
static void first_bytes(struct session *s)
{
	net_timer_set(&s->deadline, step_ms[ADMIN_BODY]);
}

static enum verdict receive(struct session *s)
{
	bool first = s->step == ADMIN_HEAD && buf_len(&s->in) == 0;

	if (!buf_reserve(bufs(s), &s->in, READ_AHEAD))
		return refuse(s, 503, "try again", "no memory for the request");

	ssize_t n = net_read(s->conn, buf_tail(&s->in), buf_room(&s->in));
	if (n == NET_EOF || n == NET_BROKEN)
		return over(s, net_conn_close);
	if (n == NET_AGAIN)
		return WAIT;
	s->in.tail += (uint32_t)n;
	if (first)
		first_bytes(s);
	return AGAIN;
}

static enum verdict head_done(struct session *s)
{
	struct span target = http_text(&s->head, s->head.target);
	struct span ok = SPAN("HTTP/1.1 100 Continue\r\n\r\n");
	struct iovec iov = { .iov_base = (void *)ok.p, .iov_len = ok.n };

	s->out.keep = s->head.keep_alive && s->head.minor >= 1;
	text_add(&s->target, target.p, target.n);
	s->out.minor = s->head.minor;
	s->out.head_only = s->head.method == HTTP_HEAD;
	h1_body_start(&s->decoder, s->head.framing, s->head.length);
	buf_drop(&s->in, s->head.bytes);
	s->head.base = NULL; /* its texts are gone with the bytes */
	if (s->head.framing == HTTP_LENGTH && s->head.length > MAX_BODY)
		return too_long(s);
	if (s->head.expect_continue && s->head.framing != HTTP_NO_BODY &&
		buf_len(&s->in) == 0 && net_write(s->conn, &iov, 1) != (ssize_t)ok.n)
		return over(s, net_conn_close);
	return go(s, ADMIN_BODY);
}

static enum verdict step_head(struct session *s)
{
	if (s->late && buf_len(&s->in) == 0)
		return over(s, net_conn_close);
	if (s->late)
		return refuse(s, 408, "send the request at once",
			"the request head did not come within 10 s");
	if (buf_len(&s->in) == 0)
		return receive(s);
	switch (h1_parse(&s->parser, &s->head, received(s))) {
	case H1_MORE:
		return receive(s);
	case H1_BAD:
		return refuse(s, http_bad_status(s->parser.why),
			"this socket speaks HTTP/1.1", http_bad_text(s->parser.why));
	case H1_DONE:
		break;
	}
	return head_done(s);
}

static enum verdict step_body(struct session *s)
{
	enum h1_piece piece = H1_NOTHING;
	struct span data = { .n = 0 };
	size_t used = 0;

	if (s->late)
		return spoil(s, 408, "send the body at once",
			"the request body did not come within 10 s");
	if (h1_body_is_done(&s->decoder))
		return go(s, ADMIN_ANSWER);

	enum h1_result r = h1_body_next(&s->decoder, received(s), &used, &piece, &data);
	if (piece == H1_DATA)
		text_add(&s->body, data.p, data.n);
	buf_drop(&s->in, used);
	if (s->body.n > MAX_BODY)
		return too_long(s);
	switch (r) {
	case H1_MORE:
		return used > 0 ? AGAIN : receive(s);
	case H1_BAD:
		return spoil(s, http_bad_status(s->decoder.why),
			"this socket speaks HTTP/1.1", http_bad_text(s->decoder.why));
	case H1_DONE:
		break;
	}
	return go(s, ADMIN_ANSWER);
}

/* --- the answer --------------------------------------------------------------- */

static void session_run(struct session *s);

static void on_page(void *arg, struct page *page, const struct err *err)
{
	struct session *s = arg;

	s->out.answer.ticket = NULL;
	s->out.answer.page = page;
	if (page == NULL)
		answer_error(&s->out.answer, 503, "the log of sluice says more",
			"the journal cannot be read: %s", err->text);
	session_run(s);
}

static enum verdict step_answer(struct session *s)
{
	struct call c = {
		.method = s->head.method,
		.fault = s->fault,
		.target = { .p = s->target.p, .n = s->target.n },
		.body = { .p = s->body.n > 0 ? s->body.p : "", .n = s->body.n },
		.read_only = s->door->read_only,
		.uid = net_conn_peer_uid(s->conn),
	};

	api_answer(s->door->api, &c, &s->out.answer);
	if (s->out.answer.ticket == NULL)
		return go(s, ADMIN_SEND);
	ticket_await(s->out.answer.ticket, on_page, s);
	/* Nothing is read meanwhile, and what is level-triggered would spin. */
	net_conn_want_read(s->conn, false);
	return go(s, ADMIN_WAIT);
}

static enum verdict step_wait(struct session *s)
{
	if (s->out.answer.ticket == NULL)
		return go(s, ADMIN_SEND);
	if (!s->late)
		return WAIT;
	answer_fini(&s->out.answer);
	answer_error(&s->out.answer, 504, "is its disk slow? try again",
		"the journal did not answer within 10 s");
	return go(s, ADMIN_SEND);
}

static enum verdict all_sent(struct session *s)
{
	if (!s->out.keep)
		return over(s, net_conn_linger);
	forget_request(s);
	net_conn_want_read(s->conn, true);
	return go(s, ADMIN_HEAD);
}

static enum verdict step_send(struct session *s)
{
	struct outgoing *o = &s->out;

	if (s->late)
		return over(s, net_conn_abort); /* it does not read: no end to see */
	if (outgoing_is_over(o))
		return all_sent(s);
	if (outgoing_is_written(o))
		outgoing_make(o, s->door->api, net_loop_now_ns(s->door->loop));
	if (!outgoing_is_written(o) && outgoing_write(o, s->conn) == NET_BROKEN)
		return over(s, net_conn_close);
	if (outgoing_is_over(o))
		return AGAIN;
	/* Time passes for the peer only while it does not read. */
	if (outgoing_has_moved(o))
		net_timer_set(&s->deadline, step_ms[ADMIN_SEND]);
	net_conn_want_write(s->conn); /* a slice a turn */
	return WAIT;
}

/* --- the machine ---------------------------------------------------------------- */

static enum verdict (*const steps[])(struct session *s) = {
	[ADMIN_HEAD] = step_head,
	[ADMIN_BODY] = step_body,
	[ADMIN_ANSWER] = step_answer,
	[ADMIN_WAIT] = step_wait,
	[ADMIN_SEND] = step_send,
};

/* The only place where a request moves on; every callback ends here. */
static void session_run(struct session *s)
{
	enum verdict v = AGAIN;

	assert(!s->running);
	s->running = true;
	list_remove(&s->link);
	list_push(&s->places->sessions, &s->link);
	while (v == AGAIN)
		v = steps[s->step](s);
	if (v == WAIT)
		s->running = false;
}

static void on_event(void *arg, unsigned events)
{
	struct session *s = arg;

	/* While an answer is sent nothing is read: level-triggered, it would spin. */
	if ((events & NET_READ) != 0 && s->step == ADMIN_SEND)
		net_conn_want_read(s->conn, false);
	session_run(s);
}

static void on_late(void *arg)
{
	struct session *s = arg;

	s->late = true;
	session_run(s);
}

void session_open(struct door *d, struct places *p, struct net_conn *c)
{
	struct session *s = mem_zero(sizeof(*s));

	s->door = d;
	s->places = p;
	s->conn = c;
	list_init(&s->link);
	list_push(&p->sessions, &s->link);
	p->n++;
	d->api->connections++;
	net_timer_init(&s->deadline, d->loop, on_late, s);
	forget_request(s);
	net_conn_own(c, (struct net_owner){ .on_event = on_event, .arg = s });
	net_conn_want_read(c, true);
	(void)go(s, ADMIN_HEAD);
}

/* 0: it may be closed without a loss; else, the higher the greater a loss. */
static unsigned worth(const struct session *s)
{
	switch (s->step) {
	case ADMIN_HEAD:
		return buf_len(&s->in) == 0 ? 0 : 1;
	case ADMIN_BODY:
		return 1;
	case ADMIN_SEND:
		return 2;
	case ADMIN_ANSWER:
	case ADMIN_WAIT:
		return 3; /* only the journal keeps it waiting */
	}
	return 3;
}

void session_evict(struct door *d, struct places *p)
{
	struct session *least = NULL;

	LIST_EACH (&p->sessions, it, after) {
		struct session *s = LIST_ENTRY(it, struct session, link);

		if (least == NULL || worth(s) < worth(least))
			least = s;
	}
	assert(least != NULL);
	d->api->refused_connections += worth(least) > 0;
	(void)over(least, net_conn_close);
}

void session_close_all(struct places *p)
{
	LIST_EACH (&p->sessions, it, after)
		(void)over(LIST_ENTRY(it, struct session, link), net_conn_close);
}
