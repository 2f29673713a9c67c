/*
 * The upstream side of an exchange, in HTTP/2: a stream of a session that it shares.
 *
 * The session tells of what comes while it reads, and asks for bytes while it writes:
 * that is noted here, and the exchange runs when the session is done with it. What a
 * server refused, by a reset or by leaving before it, was not sent at all: while it can
 * be held, the request is held until the response comes (S25).
 *
 * A tunnel is asked for by extended CONNECT (RFC 8441). To the rest of us it is an
 * upgrade all the same: its 2xx is read as the 101 that an HTTP/1 server would say.
 */
#include <string.h>

#include "sluice/base/log.h"

#include "tunnel/tunnel_priv.h"
#include "upstream/upstream_priv.h"

/* The lines of a 101 that the server did not write. */
enum { SWITCH_MAX = 200 };

static struct buf_pool *bufs(const struct exchange *r)
{
	return net_loop_bufs(r->thread->loop);
}

static void run_later(struct exchange *r)
{
	if (list_empty(&r->h2.run))
		list_push(&r->h2.session->runs, &r->h2.run);
}

/* Nothing more comes, and that was not its end. */
static void lose(struct exchange *r, enum outcome why)
{
	if (!r->h2.ended && r->h2.lost == OUTCOME_OK)
		r->h2.lost = why;
	r->h2.stream = 0;
	run_later(r);
}

static void no_memory(struct exchange *r)
{
	thread_count(r->thread, STAT_LIMIT_MEMORY, 1);
	h2_reset(r->h2.session->h2, r->h2.stream, H2_CANCEL);
	lose(r, OUTCOME_LOCAL);
}

/* --- connecting ------------------------------------------------------------------- */

static bool open_stream(struct exchange *r)
{
	memset(&r->h2, 0, sizeof(r->h2));
	list_init(&r->h2.link);
	list_init(&r->h2.run);
	return upstream_join(r);
}

static enum outcome connect_outcome(const struct exchange *r)
{
	return r->h2.lost;
}

bool upstream_h2_takes_tunnels(const struct exchange *r)
{
	return h2_peer_allows_websocket(r->h2.session->h2);
}

/* --- the request ------------------------------------------------------------------ */

/* The head that was written for HTTP/1, read back; the request's fields are not needed
 * any more, and the response's not yet. */
static bool read_back(struct exchange *r, struct http_head *head)
{
	struct span text = { .p = buf_head(&r->up.bytes), .n = r->up_head_n };
	struct h1_limits limits = { .head_bytes = r->up_head_n,
		.field_count = HTTP_MAX_FIELDS,
		.target_bytes = r->up_head_n };

	*head = (struct http_head){ .fields = r->fields,
		.max_fields = HTTP_MAX_FIELDS };
	h1_request_start(&r->parser, head, limits);
	return h1_parse(&r->parser, head, text) == H1_DONE;
}

/* What is staged is the last of it. */
static bool all_is_staged(const struct exchange *r)
{
	return r->upgrade != UPGRADE_NONE ? r->h2.shut : r->to_upstream == HALF_DONE;
}

static bool has_body(const struct exchange *r)
{
	return !all_is_staged(r) || !stage_is_empty(&r->up) ||
	       buf_len(&r->up_trailers) > 0;
}

static bool begin(struct exchange *r)
{
	struct upstream_session *s = r->h2.session;
	struct http_head head;
	struct h2_request request = {
		.head = &head,
		.https = net_conn_has_tls(s->conn),
		.owner = r,
		.websocket = r->upgrade != UPGRADE_NONE,
	};
	int32_t stream;

	if (r->up_framing == HTTP_CHUNKED && !stage_reframe(r, HTTP_UNTIL_CLOSE))
		return false;
	if (!read_back(r, &head))
		return false;
	/* The head goes another way; its bytes stay, for another attempt. */
	stage_consume(&r->up, &r->in->bytes, r->up_head_n);
	request.has_body = has_body(r);
	stream = h2_submit(s->h2, &request);
	if (stream < 0)
		return false;
	r->h2.stream = stream;
	r->h2.pulled = !request.has_body;
	net_task_later(&s->task);
	return true;
}

static enum sent send_up(struct exchange *r, bool *moved)
{
	(void)moved; /* told when it moves */
	if (r->h2.pulled)
		return SENT_ALL;
	if (r->h2.stream == 0)
		return SENT_BROKEN;
	if (stage_is_empty(&r->up) && !all_is_staged(r))
		return SENT_ALL;
	h2_resume(r->h2.session->h2, r->h2.stream);
	net_task_later(&r->h2.session->task);
	return stage_is_empty(&r->up) ? SENT_ALL : SENT_SOME;
}

static bool put_trailer(struct exchange *r, struct span line)
{
	return stage_keep_line(bufs(r), &r->up_trailers, line);
}

static bool put_end(struct exchange *r)
{
	(void)r; /* seen when the last bytes are asked for */
	return true;
}

static size_t on_pull(void *owner, size_t max, bool *end)
{
	struct exchange *r = owner;
	struct span lines = { .p = buf_head(&r->up_trailers),
		.n = buf_len(&r->up_trailers) };
	size_t n = stage_size(&r->up);

	*end = n <= max && all_is_staged(r);
	if (!*end)
		return n < max ? n : max;
	if (lines.n > 0 && h2_trailers(r->h2.session->h2, r->h2.stream, lines) != 0) {
		no_memory(r);
		*end = false;
		return 0;
	}
	r->h2.pulled = true;
	return n;
}

static void on_take(void *owner, char *out, size_t n)
{
	struct exchange *r = owner;

	stage_copy(&r->up, &r->in->bytes, out, n);
	stage_consume(&r->up, &r->in->bytes, n);
	r->upstream_sent |= !r->up.keep; /* it is gone, wherever it is */
	r->moved = true;
	run_later(r);
}

/* --- the response ----------------------------------------------------------------- */

void upstream_h2_lost(struct exchange *r)
{
	bool begun = r->h2.head_came || r->to_client != HALF_HEAD;

	lose(r, begun ? OUTCOME_TRUNCATED : OUTCOME_RESET);
}

/* An interim head that was not taken yet is passed on now, or never. False: r has left
 * its stream over it. */
static bool make_way(struct exchange *r)
{
	struct upstream_session *s = r->h2.session;
	bool stays;

	if (!r->h2.head_came)
		return true;
	list_remove(&r->h2.run);
	s->running = r;
	exchange_run(r);
	stays = s->running == r;
	s->running = NULL;
	if (stays && r->h2.head_came)
		buf_drop(&r->up_in, r->response.bytes);
	return stays;
}

static void on_response(void *owner, const struct http_head *head)
{
	struct exchange *r = owner;

	if (!make_way(r))
		return;
	if (!buf_reserve(bufs(r), &r->up_in, head->bytes)) {
		no_memory(r);
		return;
	}
	buf_add(&r->up_in, head->base, head->bytes);
	memcpy(r->fields, head->fields, head->n_fields * sizeof(r->fields[0]));
	r->response = *head;
	r->response.fields = r->fields;
	r->h2.head_came = true;
	run_later(r);
}

/* The fields of r->response as lines behind the first ones of a 101; and what is of the
 * tunnel already. Its own accept key, if it sent one, proves nothing (RFC 8441, 5). */
static bool write_switch(struct exchange *r, struct buf *out)
{
	const struct http_head *h = &r->response;
	struct span rest = { .p = buf_head(&r->up_in) + h->bytes,
		.n = buf_len(&r->up_in) - h->bytes };
	char accept[WS_ACCEPT_SIZE];

	if (!buf_reserve(bufs(r), out, SWITCH_MAX + 2 * (size_t)h->bytes + rest.n))
		return false;
	ws_accept((struct span){ .p = r->ws_key, .n = WS_KEY_SIZE }, accept);
	buf_add_span(out, SPAN("HTTP/1.1 101 Switching Protocols\r\n"
			       "Upgrade: websocket\r\nConnection: upgrade\r\n"
			       "Sec-WebSocket-Accept: "));
	buf_add(out, accept, sizeof(accept));
	buf_add_span(out, SPAN("\r\n"));
	for (const struct http_field *f = h->fields; f < h->fields + h->n_fields; f++) {
		if (f->dropped ||
			span_ieq(http_field_name(h, f), SPAN("Sec-WebSocket-Accept")))
			continue;
		buf_add_span(out, http_field_name(h, f));
		buf_add_span(out, SPAN(": "));
		buf_add_span(out, http_field_value(h, f));
		buf_add_span(out, SPAN("\r\n"));
	}
	buf_add_span(out, SPAN("\r\n"));
	buf_add_span(out, rest);
	return true;
}

static enum taken take_switch(struct exchange *r, enum outcome *why)
{
	struct buf text = { .data = NULL };
	struct h1_limits limits = { .field_count = HTTP_MAX_FIELDS };

	if (!write_switch(r, &text)) {
		*why = OUTCOME_LOCAL;
		return FAILED;
	}
	buf_release(bufs(r), &r->up_in);
	r->up_in = text;
	limits.head_bytes = (uint32_t)buf_len(&text);
	h1_response_start(&r->parser, &r->response, HTTP_GET, limits);
	return h1_parse(&r->parser, &r->response,
		       (struct span){ .p = buf_head(&text), .n = buf_len(&text) }) ==
			       H1_DONE
		       ? TAKEN
		       : FAILED;
}

static enum taken take_head(struct exchange *r, enum outcome *why)
{
	if (!r->h2.head_came)
		return HUNGRY;
	r->h2.head_came = false;
	r->response.base = buf_head(&r->up_in);
	if (r->upgrade != UPGRADE_NONE && r->response.status / 100 == 2)
		return take_switch(r, why);
	return TAKEN;
}

static void on_data(void *owner, struct span data)
{
	struct exchange *r = owner;

	if (!buf_reserve(bufs(r), &r->up_in, data.n)) {
		no_memory(r);
		return;
	}
	buf_add_span(&r->up_in, data);
	r->h2.came += data.n;
	r->moved = true;
	run_later(r);
}

static void on_trailers(void *owner, const struct http_head *trailers)
{
	struct exchange *r = owner;

	if (!stage_keep_fields(bufs(r), &r->up_in_trailers, trailers))
		no_memory(r);
}

static void on_end(void *owner)
{
	struct exchange *r = owner;

	r->h2.ended = true;
	run_later(r);
}

static void on_closed(void *owner)
{
	struct exchange *r = owner;

	r->h2.stream = 0;
}

/* The server did nothing with the request. If it is about to leave, that is nobody's
 * failure, once; and what went up is as good as unsent if all of it is still here. */
static void refused(struct exchange *r)
{
	r->reused = r->h2.session->leaving && !r->fresh;
	r->upstream_sent = !r->up.keep;
	r->unprocessed = r->up.keep;
}

static void on_reset(void *owner, uint32_t code)
{
	struct exchange *r = owner;

	if (code == H2_REFUSED_STREAM && !r->h2.ended)
		refused(r);
	lose(r, code == H2_PROTOCOL_ERROR ? OUTCOME_MALFORMED : OUTCOME_RESET);
}

static void on_goaway(void *arg)
{
	upstream_session_leave(arg);
}

/* The session ends, for what no honest server does: somebody should know. */
static void on_flood(void *arg, enum h2_flood kind)
{
	static const char *const text[] = { [H2_FLOOD_RESETS] = "resets",
		[H2_FLOOD_HEADERS] = "headers",
		[H2_FLOOD_CONTROL] = "control frames",
		[H2_FLOOD_EMPTY] = "empty frames" };
	const struct upstream_session *s = arg;

	log_warn("server floods its HTTP/2 connection", "pool=%s server=%s with=\"%s\"",
		server_pool_name(s->server), server_address(s->server), text[kind]);
}

const struct h2_events upstream_h2_events = {
	.on_response = on_response,
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

/* What came is in up_in already. */
static enum taken read_up(struct exchange *r, size_t *run, enum outcome *why)
{
	(void)run;
	r->upstream_eof = r->h2.ended;
	if (r->h2.ended)
		return TAKEN;
	*why = r->h2.lost;
	return r->h2.lost != OUTCOME_OK ? FAILED : HUNGRY;
}

/* The server may send as much as was passed on. */
static void settle(struct exchange *r)
{
	uint64_t here = buf_len(&r->up_in), used;

	if (here == 0)
		buf_release(bufs(r), &r->up_in);
	if (r->h2.stream == 0)
		return;
	if (r->h2.head_came)
		here -= r->response.bytes;
	used = r->h2.came - here;
	if (used == r->h2.freed)
		return;
	h2_consumed(r->h2.session->h2, r->h2.stream, used - r->h2.freed);
	r->h2.freed = used;
	net_task_later(&r->h2.session->task);
}

/* A stream that is not over is reset; its session is kept in any case. */
const struct upstream_side upstream_h2 = {
	.raw = true,
	.may_refuse = true,
	.open = open_stream,
	.begin = begin,
	.connect_outcome = connect_outcome,
	.send = send_up,
	.put_trailer = put_trailer,
	.put_end = put_end,
	.take_head = take_head,
	.read = read_up,
	.settle = settle,
	.keep = upstream_part,
	.spare = upstream_part,
	.drop = upstream_part,
	.close = upstream_part,
};
