/*
 * One connection of an operator, a script or a scraper, as a step machine:
 *
 *	head -> body -> answer -> (wait) -> send -> head ...
 *
 * Ways to fail: the peer leaves (closed at once), it is slow (408, or closed while it
 * was silent or did not read), it sends what is no HTTP (400..431), or too long a body
 * (413); the journal does not answer in time (504).
 *
 * A long answer is sent as it is made, a slice each turn of the loop; one that is
 * complete before anything was sent has a Content-Length.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/buf.h"
#include "sluice/base/clock.h"
#include "sluice/base/mem.h"
#include "sluice/http/h1.h"

#include "admin_priv.h"

enum {
	MAX_HEAD = 16384,
	MAX_TARGET = 4096,
	MAX_FIELDS = 64,
	MAX_BODY = 65536,
	READ_AHEAD = 4096,
	SLICE_BYTES = 65536,
	SLICE_NS = 2000000,
};

enum step { ADMIN_HEAD, ADMIN_BODY, ADMIN_ANSWER, ADMIN_WAIT, ADMIN_SEND };

enum verdict {
	AGAIN, /* the step changed, or bytes came: run the step now */
	WAIT,  /* nothing to do before the next event */
	OVER,  /* closed and freed */
};

struct session {
	struct link link; /* in door.sessions */
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
	bool keep; /* more requests may follow */
	/* the answer */
	struct answer answer;
	bool head_sent, chunked;
	struct text out_head, out; /* what is on its way, in this order */
	size_t sent;
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
	s->out_head.n = s->out.n = s->sent = 0;
	s->head_sent = s->chunked = false;
	answer_fini(&s->answer);
}

/* --- closing ----------------------------------------------------------------- */

static void release(struct session *s)
{
	net_timer_stop(&s->deadline);
	list_remove(&s->link);
	s->door->n--;
	s->door->api->connections--;
	buf_release(bufs(s), &s->in);
	answer_fini(&s->answer);
	text_fini(&s->target);
	text_fini(&s->body);
	text_fini(&s->out_head);
	text_fini(&s->out);
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
	s->keep = false;
	s->door->api->requests++;
	s->door->api->refused_requests++;
	answer_error(&s->answer, status, hint, "%s", text);
	return go(s, ADMIN_SEND);
}

/* --- the request -------------------------------------------------------------- */

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
	struct iovec iov = { .iov_base = (void *)(uintptr_t)ok.p, .iov_len = ok.n };

	s->keep = s->head.keep_alive && s->head.minor >= 1;
	text_add(&s->target, target.p, target.n);
	h1_body_start(&s->decoder, s->head.framing, s->head.length);
	buf_drop(&s->in, s->head.bytes);
	s->head.base = NULL; /* its texts are gone with the bytes */
	if (s->head.framing == HTTP_LENGTH && s->head.length > MAX_BODY)
		return refuse(s, 413, "a change is a small JSON object",
			"the body is longer than 64 KiB");
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
		return refuse(s, h1_bad_status(s->parser.why),
			"this socket speaks HTTP/1.1", h1_bad_text(s->parser.why));
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
		return refuse(s, 408, "send the body at once",
			"the request body did not come within 10 s");
	if (h1_body_is_done(&s->decoder))
		return go(s, ADMIN_ANSWER);

	enum h1_result r = h1_body_next(&s->decoder, received(s), &used, &piece, &data);
	if (piece == H1_DATA)
		text_add(&s->body, data.p, data.n);
	buf_drop(&s->in, used);
	if (s->body.n > MAX_BODY)
		return refuse(s, 413, "a change is a small JSON object",
			"the body is longer than 64 KiB");
	switch (r) {
	case H1_MORE:
		return used > 0 ? AGAIN : receive(s);
	case H1_BAD:
		return refuse(s, h1_bad_status(s->decoder.why),
			"this socket speaks HTTP/1.1", h1_bad_text(s->decoder.why));
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

	s->answer.ticket = NULL;
	s->answer.page = page;
	if (page == NULL)
		answer_error(&s->answer, 503, "the log of sluice says more",
			"the journal cannot be read: %s", err->text);
	session_run(s);
}

static enum verdict step_answer(struct session *s)
{
	struct call c = {
		.method = s->head.method,
		.target = { .p = s->target.p, .n = s->target.n },
		.body = { .p = s->body.n > 0 ? s->body.p : "", .n = s->body.n },
		.read_only = s->door->read_only,
		.uid = net_conn_peer_uid(s->conn),
	};

	api_answer(s->door->api, &c, &s->answer);
	if (s->answer.ticket == NULL)
		return go(s, ADMIN_SEND);
	ticket_await(s->answer.ticket, on_page, s);
	/* Nothing is read meanwhile, and what is level-triggered would spin. */
	net_conn_want_read(s->conn, false);
	return go(s, ADMIN_WAIT);
}

static enum verdict step_wait(struct session *s)
{
	if (s->answer.ticket == NULL)
		return go(s, ADMIN_SEND);
	if (!s->late)
		return WAIT;
	answer_fini(&s->answer);
	answer_error(&s->answer, 504, "is its disk slow? try again",
		"the journal did not answer within 10 s");
	return go(s, ADMIN_SEND);
}

static void put_head(struct session *s, bool whole)
{
	const struct answer *a = &s->answer;
	struct text *t = &s->out_head;

	s->chunked = !whole && s->head.minor >= 1;
	text_print(t,
		"HTTP/1.1 %u %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\n",
		a->status, http_status_text(a->status), a->type);
	if (a->allow != NULL)
		text_print(t, "Allow: %s\r\n", a->allow);
	if (whole)
		text_print(t, "Content-Length: %zu\r\n", s->out.n);
	if (s->chunked)
		text_put(t, "Transfer-Encoding: chunked\r\n");
	s->keep = s->keep && (whole || s->chunked);
	if (!s->keep)
		text_put(t, "Connection: close\r\n");
	text_put(t, "\r\n");
	s->head_sent = true;
}

static void put_chunk(struct session *s, bool last)
{
	char size[H1_CHUNK_HEAD_MAX];

	if (s->out.n > 0) {
		text_add(&s->out_head, size, h1_chunk_head(size, s->out.n));
		text_put(&s->out, "\r\n");
	}
	if (last)
		text_put(&s->out, "0\r\n\r\n");
}

/* All sessions together make pages for SLICE_NS a turn: twenty scrapers hold up the
 * guard's tick no longer than one. */
static uint64_t slice_left_ns(struct session *s)
{
	struct api *api = s->door->api;
	uint64_t turn_ns = net_loop_now_ns(s->door->loop);

	if (api->turn_ns != turn_ns) {
		api->turn_ns = turn_ns;
		api->spent_ns = 0;
	}
	return api->spent_ns < SLICE_NS ? SLICE_NS - api->spent_ns : 0;
}

static bool make_page(struct session *s, uint64_t left_ns)
{
	struct page *p = s->answer.page;
	uint64_t start_ns = clock_mono_ns(), now_ns = start_ns;
	bool more = true;

	while (more && s->out.n < SLICE_BYTES && now_ns - start_ns < left_ns) {
		more = p->make(p, &s->out);
		now_ns = clock_mono_ns();
	}
	s->door->api->spent_ns += now_ns - start_ns;
	return more;
}

/* Makes a slice of the body; true when that was the last one. */
static bool make_slice(struct session *s, uint64_t left_ns)
{
	if (s->answer.page == NULL) {
		text_add(&s->out, s->answer.body.p, s->answer.body.n);
		s->answer.body.n = 0;
		return true;
	}
	if (make_page(s, left_ns))
		return false;
	page_free(s->answer.page);
	s->answer.page = NULL;
	return true;
}

/* Frames what the slice made. HEAD is answered with the head alone. */
static void frame(struct session *s, bool last)
{
	bool first = !s->head_sent;

	if (first && s->out.n == 0 && !last)
		return; /* still gathering */
	if (first)
		put_head(s, last);
	if (s->head.method == HTTP_HEAD) {
		s->out.n = 0;
		page_free(s->answer.page);
		s->answer.page = NULL;
	} else if (s->chunked) {
		put_chunk(s, last);
	}
}

static enum verdict all_sent(struct session *s)
{
	if (!s->keep)
		return over(s, net_conn_linger);
	forget_request(s);
	net_conn_want_read(s->conn, true);
	return go(s, ADMIN_HEAD);
}

/* A slice a turn: whoever writes on asks for the next turn first. */
static enum verdict next_slice(struct session *s)
{
	s->out_head.n = s->out.n = s->sent = 0;
	if (s->head_sent && s->answer.page == NULL)
		return all_sent(s);

	uint64_t left_ns = slice_left_ns(s);
	if (left_ns > 0)
		frame(s, make_slice(s, left_ns));
	if (s->out_head.n + s->out.n > 0)
		return AGAIN;
	net_timer_set(&s->deadline, step_ms[ADMIN_SEND]); /* it waits for us */
	net_conn_want_write(s->conn);
	return WAIT;
}

static ssize_t write_rest(struct session *s)
{
	size_t of_head = s->sent < s->out_head.n ? s->out_head.n - s->sent : 0;
	size_t of_body = s->out_head.n + s->out.n - s->sent - of_head;
	struct iovec iov[2];
	int n = 0;

	if (of_head > 0)
		iov[n++] = (struct iovec){ .iov_base = s->out_head.p + s->sent,
			.iov_len = of_head };
	if (of_body > 0)
		iov[n++] = (struct iovec){ .iov_base = s->out.p + s->out.n - of_body,
			.iov_len = of_body };
	return net_write(s->conn, iov, n);
}

static enum verdict step_send(struct session *s)
{
	size_t all = s->out_head.n + s->out.n;

	if (s->late)
		return over(s, net_conn_abort); /* it does not read: no end to see */
	if (s->sent == all)
		return next_slice(s);

	ssize_t n = write_rest(s);
	if (n == NET_BROKEN)
		return over(s, net_conn_close);
	if (n > 0) {
		s->sent += (size_t)n;
		net_timer_set(&s->deadline, step_ms[ADMIN_SEND]);
	}
	if (s->sent == all && s->answer.page == NULL)
		return AGAIN;
	net_conn_want_write(s->conn);
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
	list_push(&s->door->sessions, &s->link);
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

void session_open(struct door *d, struct net_conn *c)
{
	struct session *s = mem_zero(sizeof(*s));

	s->door = d;
	s->conn = c;
	list_init(&s->link);
	list_push(&d->sessions, &s->link);
	d->n++;
	d->api->connections++;
	net_timer_init(&s->deadline, d->loop, on_late, s);
	forget_request(s);
	net_conn_own(c, (struct net_owner){ .on_event = on_event, .arg = s });
	net_conn_want_read(c, true);
	(void)go(s, ADMIN_HEAD);
}

bool session_evict(struct door *d)
{
	LIST_EACH (&d->sessions, it, after) {
		struct session *s = LIST_ENTRY(it, struct session, link);

		if (s->step != ADMIN_HEAD || buf_len(&s->in) > 0)
			continue;
		(void)over(s, net_conn_close);
		return true;
	}
	return false;
}

void session_close_all(struct door *d)
{
	LIST_EACH (&d->sessions, it, after)
		(void)over(LIST_ENTRY(it, struct session, link), net_conn_close);
}
