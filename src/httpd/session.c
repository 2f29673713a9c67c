/*
 * One connection of an operator, a script or a scraper, as a step machine:
 *
 *	idle -> head -> body -> answer -> (wait) -> send -> idle ...
 *
 * Ways to fail: the peer leaves (closed at once), it is slow (408, or closed while it
 * was silent or did not read), or it sends what is no HTTP (400..431); what is to be
 * answered does not come in time (504). A body that is late, too long or garbled is a
 * fault that the function which answers may overlook.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/buf.h"
#include "sluice/base/mem.h"
#include "sluice/base/step.h"
#include "sluice/http/h1.h"

#include "httpd_priv.h"

enum {
	MAX_HEAD = 16384,
	MAX_TARGET = 4096,
	MAX_FIELDS = 64,
	MAX_BODY = 65536,
	READ_AHEAD = 4096,
	MOST_STEPS = 256, /* a turn: requests sent at once are answered over several */
};

enum session_step {
	SESSION_IDLE,
	SESSION_HEAD,
	SESSION_BODY,
	SESSION_ANSWER,
	SESSION_WAIT,
	SESSION_SEND,
};

struct session {
	struct link link; /* in places.sessions */
	struct httpd_places *places;
	struct httpd_listener *listener;
	struct net_conn *conn;
	struct net_timer deadline;
	struct step_machine machine; /* in enum session_step */
	/* the request */
	struct buf in;
	struct h1_parser parser;
	struct http_head head;
	struct http_field fields[MAX_FIELDS];
	struct h1_body decoder;
	struct text target, body;
	struct httpd_fault fault; /* of body */
	struct response out;
};

static const uint32_t step_ms[] = {
	[SESSION_IDLE] = 60000,
	[SESSION_HEAD] = 10000,
	[SESSION_BODY] = 10000,
	[SESSION_ANSWER] = 10000,
	[SESSION_WAIT] = 10000,
	[SESSION_SEND] = 30000,
};

static enum verdict go(struct session *s, enum session_step next)
{
	return step_go(&s->machine, next, step_ms[next]);
}

static struct buf_pool *bufs(struct session *s)
{
	return net_loop_bufs(s->listener->loop);
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
	s->fault = (struct httpd_fault){ .status = 0 };
	response_reset(&s->out);
}

/* --- closing ----------------------------------------------------------------- */

static void release(struct session *s)
{
	net_timer_stop(&s->deadline);
	list_remove(&s->link);
	s->places->n--;
	s->listener->httpd->connections--;
	buf_release(bufs(s), &s->in);
	response_fini(&s->out);
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
	s->listener->httpd->requests++;
	s->listener->httpd->refused_requests++;
	httpd_answer_error(&s->out.answer, status, hint, "%s", text);
	return go(s, SESSION_SEND);
}

/* --- the request -------------------------------------------------------------- */

/* The request is understood and its body is not: what follows on this connection
 * cannot be told apart from the rest of it. */
static enum verdict spoil(
	struct session *s, unsigned status, const char *hint, const char *text)
{
	s->out.keep = false;
	s->fault = (struct httpd_fault){ .status = status, .hint = hint, .text = text };
	return go(s, SESSION_ANSWER);
}

static enum verdict too_long(struct session *s)
{
	s->body.n = s->body.n < MAX_BODY ? s->body.n : MAX_BODY;
	return spoil(s, 413, "a change is a small JSON object",
		"the body is longer than 64 KiB");
}

static enum verdict receive(struct session *s)
{
	if (!buf_reserve(bufs(s), &s->in, READ_AHEAD))
		return refuse(s, 503, "try again", "no memory for the request");

	ssize_t n = net_read(s->conn, buf_tail(&s->in), buf_room(&s->in));
	if (n == NET_EOF || n == NET_BROKEN)
		return over(s, net_conn_close);
	if (n == NET_AGAIN)
		return WAIT;
	s->in.tail += (uint32_t)n;
	return AGAIN;
}

static enum verdict step_idle(void *object)
{
	struct session *s = object;

	if (buf_len(&s->in) > 0)
		return go(s, SESSION_HEAD);
	return s->machine.expired ? over(s, net_conn_close) : receive(s);
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
	return go(s, SESSION_BODY);
}

static enum verdict exchange_step_head(void *object)
{
	struct session *s = object;

	if (s->machine.expired)
		return refuse(s, 408, "send the request at once",
			"the request head did not come within 10 s");
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

static enum verdict step_body(void *object)
{
	struct session *s = object;
	enum h1_piece piece = H1_NOTHING;
	struct span data = { .n = 0 };
	size_t used = 0;

	if (s->machine.expired)
		return spoil(s, 408, "send the body at once",
			"the request body did not come within 10 s");
	if (h1_body_is_done(&s->decoder))
		return go(s, SESSION_ANSWER);

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
	return go(s, SESSION_ANSWER);
}

/* --- the answer --------------------------------------------------------------- */

static void session_run(struct session *s);

static void on_ready(void *arg, struct body_source *source, const struct err *err)
{
	struct session *s = arg;

	s->out.answer.pending = NULL;
	s->out.answer.source = source;
	if (source == NULL)
		httpd_answer_error(
			&s->out.answer, 503, "the log says more", "%s", err->text);
	session_run(s);
}

static void count(struct httpd *h, const struct httpd_answer *a)
{
	h->requests++;
	h->refused_requests += a->status >= 400;
}

static enum verdict step_answer(void *object)
{
	struct session *s = object;
	struct httpd *h = s->listener->httpd;
	struct httpd_answer *a = &s->out.answer;
	struct httpd_request q = {
		.method = s->head.method,
		.fault = s->fault,
		.target = { .p = s->target.p, .n = s->target.n },
		.body = { .p = s->body.n > 0 ? s->body.p : "", .n = s->body.n },
		.role = s->listener->role,
		.uid = net_conn_peer_uid(s->conn),
	};

	h->answer(h->arg, &q, a);
	count(h, a);
	if (a->pending == NULL)
		return go(s, SESSION_SEND);
	a->pending->on_ready = on_ready;
	a->pending->arg = s;
	/* Nothing is read meanwhile, and what is level-triggered would spin. */
	net_conn_want_read(s->conn, false);
	return go(s, SESSION_WAIT);
}

static enum verdict step_wait(void *object)
{
	struct session *s = object;

	if (s->out.answer.pending == NULL)
		return go(s, SESSION_SEND);
	if (!s->machine.expired)
		return WAIT;
	httpd_answer_fini(&s->out.answer);
	httpd_answer_error(&s->out.answer, 504, "is a disk slow? try again",
		"what answers this was not ready within 10 s");
	return go(s, SESSION_SEND);
}

static enum verdict all_sent(struct session *s)
{
	if (!s->out.keep)
		return over(s, net_conn_linger);
	forget_request(s);
	net_conn_want_read(s->conn, true);
	return go(s, SESSION_IDLE);
}

static enum verdict step_send(void *object)
{
	struct session *s = object;
	struct response *r = &s->out;

	if (s->machine.expired)
		return over(s, net_conn_abort); /* it does not read: no end to see */
	if (response_is_over(r))
		return all_sent(s);
	if (response_is_written(r))
		response_make(
			r, s->listener->httpd, net_loop_now_ns(s->listener->loop));
	if (!response_is_written(r) && response_write(r, s->conn) == NET_BROKEN)
		return over(s, net_conn_close);
	if (response_is_over(r))
		return AGAIN;
	/* Time passes for the peer only while it does not read. */
	if (response_has_moved(r))
		(void)go(s, SESSION_SEND);
	net_conn_want_write(s->conn); /* a slice a turn */
	return WAIT;
}

/* --- the machine ---------------------------------------------------------------- */

static const struct step steps[] = {
	[SESSION_IDLE] = { .name = "idle", .run = step_idle },
	[SESSION_HEAD] = { .name = "head", .run = exchange_step_head },
	[SESSION_BODY] = { .name = "body", .run = step_body },
	[SESSION_ANSWER] = { .name = "answer", .run = step_answer },
	[SESSION_WAIT] = { .name = "wait", .run = step_wait },
	[SESSION_SEND] = { .name = "send", .run = step_send },
};

/* The only place where a request moves on; every callback ends here. */
static void session_run(struct session *s)
{
	uint32_t limit_ms;

	list_remove(&s->link);
	list_push(&s->places->sessions, &s->link);
	switch (step_run(&s->machine, s, MOST_STEPS)) {
	case OVER:
		return;
	case AGAIN:
		net_conn_want_write(s->conn); /* goes on in the next turn */
		break;
	case WAIT:
		break;
	}
	if (step_deadline(&s->machine, &limit_ms))
		net_timer_set(&s->deadline, limit_ms);
}

static void on_event(void *arg, unsigned events)
{
	struct session *s = arg;

	/* While an answer is sent nothing is read: level-triggered, it would spin. */
	if ((events & NET_READ) != 0 && s->machine.now == SESSION_SEND)
		net_conn_want_read(s->conn, false);
	session_run(s);
}

static void on_late(void *arg)
{
	struct session *s = arg;

	s->machine.expired = true;
	session_run(s);
}

void session_open(struct httpd_listener *l, struct httpd_places *p, struct net_conn *c)
{
	struct session *s = mem_zero(sizeof(*s));

	s->listener = l;
	s->places = p;
	s->conn = c;
	list_init(&s->link);
	list_push(&p->sessions, &s->link);
	p->n++;
	l->httpd->connections++;
	net_timer_init(&s->deadline, l->loop, on_late, s);
	forget_request(s);
	net_conn_own(c, (struct net_owner){ .on_event = on_event, .arg = s });
	net_conn_want_read(c, true);
	step_init(&s->machine, steps, SESSION_IDLE, step_ms[SESSION_IDLE]);
	net_timer_set(&s->deadline, step_ms[SESSION_IDLE]);
}

/* 0: it may be closed without a loss; else, the higher the greater a loss. */
static unsigned worth(const struct session *s)
{
	switch ((enum session_step)s->machine.now) {
	case SESSION_IDLE:
		return 0;
	case SESSION_HEAD:
	case SESSION_BODY:
		return 1;
	case SESSION_SEND:
		return 2;
	case SESSION_ANSWER:
	case SESSION_WAIT:
		return 3; /* its peer has done all it can */
	}
	return 3;
}

void session_evict(struct httpd *h, struct httpd_places *p)
{
	struct session *least = NULL;

	LIST_EACH (&p->sessions, it, after) {
		struct session *s = LIST_ENTRY(it, struct session, link);

		if (least == NULL || worth(s) < worth(least))
			least = s;
	}
	assert(least != NULL);
	h->refused_connections += worth(least) > 0;
	(void)over(least, net_conn_close);
}

void session_close_all(struct httpd_places *p)
{
	LIST_EACH (&p->sessions, it, after)
		(void)over(LIST_ENTRY(it, struct session, link), net_conn_close);
}
