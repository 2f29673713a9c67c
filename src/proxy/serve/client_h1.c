/*
 * The client's side of an exchange, in HTTP/1: its bytes are the connection's, and one
 * request follows the other.
 */
#include "exchange/exchange_priv.h"

enum {
	FIRST_READ = 4096,
	READ_SMALL = 8192,
	READ_BULK = 65536,
	PIPELINE_BYTES = 4096, /* of next requests, read while this one is under way */
	DROP_BYTES = 256, /* of a body at once: less than that is not worth its event */
};

static struct buf_pool *bufs(const struct exchange *r)
{
	return net_loop_bufs(r->thread->loop);
}

/* --- the head ------------------------------------------------------------------------
 */

static void start_parser(struct exchange *r)
{
	const struct config_limits *l = &r->use->snapshot->config->limits;
	struct h1_limits limits = { .head_bytes = l->header_bytes,
		.field_count = l->header_count,
		.target_bytes = l->uri_bytes };

	h1_request_start(&r->parser, &r->head, limits);
	r->record.begun_ns = net_loop_now_ns(r->thread->loop);
}

/* Nothing of a request came, or not all, and no more will. */
static enum verdict give_up(struct exchange *r)
{
	if (buf_len(&r->in->bytes) > 0)
		thread_count(r->thread, STAT_CLIENT_GONE, 1);
	return exchange_leave(r, LEAVE_QUIET);
}

/* An event that brought nothing: no request has begun. */
static enum verdict give_up_idle(struct exchange *r)
{
	exchange_end(r);
	return OVER;
}

static enum verdict read_head(struct exchange *r)
{
	struct inlet *in = r->in;
	ssize_t got;

	if (r->record.begun_ns == 0)
		start_parser(r);
	for (;;) {
		if (buf_len(&in->bytes) > 0) {
			struct span bytes = { .p = buf_head(&in->bytes),
				.n = buf_len(&in->bytes) };

			switch (h1_parse(&r->parser, &r->head, bytes)) {
			case H1_DONE:
				net_conn_set_slow(r->client->conn, false);
				return head_is_whole(r);
			case H1_BAD:
				return head_is_bad(r, r->parser.why);
			case H1_MORE:
				break;
			}
		}
		if (r->expired && buf_len(&in->bytes) > 0) {
			thread_count(r->thread, STAT_TIMEOUT_HEADER, 1);
			return head_is_refused(
				r, 408, "the request head did not come in time");
		}
		if (in->eof || r->expired)
			return give_up(r);
		if (!in->readable) {
			net_conn_set_slow(r->client->conn, true);
			return WAIT;
		}
		got = client_read(r->client, FIRST_READ);
		if (got == NET_BROKEN)
			return give_up(r);
		if (got == NET_AGAIN && in->readable) {
			thread_count(r->thread, STAT_LIMIT_MEMORY, 1);
			return head_is_refused(
				r, 503, "out of memory for this request");
		}
		if (got == NET_AGAIN && buf_len(&in->bytes) == 0)
			return give_up_idle(r);
	}
}

void client_h1_begin(struct client *c)
{
	struct exchange *r = exchange_new(c);

	if (r == NULL) {
		client_close(c);
		return;
	}
	r->from = &client_h1;
	r->in = &c->in;
	r->tally = &r->own_tally;
	c->exchange = r;
	exchange_run(r);
}

/* --- what comes after it -------------------------------------------------------------
 */

static enum flow read_body(struct exchange *r, enum outcome *why)
{
	struct inlet *in = r->in;
	bool bulk = in->bytes.cap > BUF_SMALL && r->request_body.left > READ_BULK;
	ssize_t got;

	if (!in->readable)
		return FLOW_WAIT;
	got = client_read(r->client, bulk ? READ_BULK : READ_SMALL);
	if (got > 0) {
		net_conn_set_slow(r->client->conn, got < DROP_BYTES);
		return FLOW_END;
	}
	*why = OUTCOME_LOCAL;
	if (got == NET_AGAIN)
		return in->readable ? FLOW_FAILED : FLOW_WAIT;
	*why = OUTCOME_CLIENT_GONE; /* in the middle of its request */
	return FLOW_FAILED;
}

/* Its next request may come meanwhile, and waits in the buffer. */
static bool read_ahead(struct client *c)
{
	if (!c->in.readable || c->in.eof || buf_len(&c->in.bytes) >= PIPELINE_BYTES)
		return false;
	return client_read(c, PIPELINE_BYTES) == NET_BROKEN;
}

/* Half-closed, a client may still read. How it looks when it does not, a write tells. */
static bool left(struct exchange *r)
{
	if (!r->in->readable || (r->step == EX_RELAY && r->to_upstream != HALF_DONE))
		return false;
	if (read_ahead(r->client))
		return true;
	if (r->in->eof)
		attempt_count_failed_floor(r);
	/* Events have no end that anybody could half-close to wait for. */
	return r->in->eof && r->is_events;
}

/* --- the answer ------------------------------------------------------------------- */

/* How the body goes to the client, whatever way it came. */
static enum http_framing framing_down(const struct exchange *r)
{
	switch (r->response.framing) {
	case HTTP_NO_BODY:
	case HTTP_LENGTH:
		return r->response.framing;
	case HTTP_CHUNKED:
	case HTTP_UNTIL_CLOSE:
		break;
	}
	return r->head.minor > 0 ? HTTP_CHUNKED : HTTP_UNTIL_CLOSE;
}

static bool put_interim(struct exchange *r)
{
	struct h1_answer a = { .client_minor = r->head.minor, .interim = true };

	return r->head.minor == 0 ||
	       h1_write_response(bufs(r), &r->down.bytes, &r->response, &a) == 0;
}

static bool put_head(struct exchange *r, bool interim)
{
	struct h1_answer a = { .client_minor = r->head.minor,
		.from_h2 = r->to == &upstream_h2,
		.added = { .via = span_of(r->use->snapshot->config->headers.via) } };

	if (interim)
		return put_interim(r);
	r->down_framing = framing_down(r);
	r->keep_alive = r->keep_alive && r->to_upstream == HALF_DONE &&
			r->down_framing != HTTP_UNTIL_CLOSE && !r->client->leaving;
	a.framing = r->down_framing;
	a.keep_alive = r->keep_alive;
	a.added.date = response_half_date(r);
	return edit_response(r, &r->down.bytes, &a);
}

static bool put_own(struct exchange *r, const struct http_own *own)
{
	if (h1_write_own(bufs(r), &r->down.bytes, own) != 0)
		return false;
	if (!r->head_dropped && r->head.bytes > 0 && r->to_upstream == HALF_DONE) {
		buf_drop(&r->in->bytes, r->head.bytes);
		r->head_dropped = true;
	}
	return true;
}

static bool put_trailer(struct exchange *r, struct span line)
{
	return r->down_framing != HTTP_CHUNKED ||
	       stage_trailer(bufs(r), &r->down, line, &r->trailers_begun);
}

static bool put_end(struct exchange *r)
{
	return r->down_framing != HTTP_CHUNKED ||
	       stage_last(bufs(r), &r->down, &r->trailers_begun);
}

static size_t room(struct exchange *r)
{
	return net_conn_room(r->client->conn);
}

static enum sent send_down(struct exchange *r)
{
	size_t before = stage_size(&r->down);
	enum sent sent = stage_send(&r->down, r->client->conn, &r->up_in, &r->moved);

	r->tally->went += before - stage_size(&r->down);
	return sent;
}

static size_t unread(const struct exchange *r)
{
	return net_conn_unread(r->client->conn);
}

static void settle(struct exchange *r)
{
	bool reads = !r->in->readable && !r->in->eof;

	net_conn_want_read(r->client->conn, reads);
	if (!reads)
		net_conn_watch_end(r->client->conn);
}

static void leave(struct client *c, int32_t stream, enum leaving how, bool keep)
{
	(void)stream;
	switch (how) {
	case LEAVE_DONE:
		client_served(c, keep);
		break;
	case LEAVE_QUIET:
		client_close(c);
		break;
	case LEAVE_BROKEN:
		client_abort(c);
		break;
	}
}

const struct client_side client_h1 = {
	.read_head = read_head,
	.read_body = read_body,
	.left = left,
	.put_head = put_head,
	.put_own = put_own,
	.put_trailer = put_trailer,
	.put_end = put_end,
	.room = room,
	.unread = unread,
	.send = send_down,
	.settle = settle,
	.leave = leave,
};
