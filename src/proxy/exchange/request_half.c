/*
 * Relay, client to upstream: the head that was staged, then the body as it comes.
 *
 * A body with a length goes up from the buffer it was read into; a chunked one is
 * decoded, checked and framed anew. While another attempt is possible, what goes up is
 * kept, up to rescue.max_body.
 */
#include "exchange/exchange_priv.h"

enum {
	COPY_MAX = 4096,   /* smaller pieces join what is staged */
	STAGE_MAX = 65536, /* more than this is sent before more is taken */
	HOLD_WITHOUT_RESCUE = 65536,
	FRAMING_MAX = H1_CHUNK_HEAD_MAX + 8, /* of a chunk, a trailer or the end */
};

static size_t hold_max(const struct exchange *r)
{
	return r->migration != NULL ? r->migration_config->rescue_max_body
				    : HOLD_WITHOUT_RESCUE;
}

/* What was sent will not be needed again. */
static void keep_no_more(struct exchange *r)
{
	r->up.keep = false;
	r->upstream_sent |= r->up.sent > 0;
	buf_drop(&r->up.bytes, r->up.sent);
	r->up.sent = 0;
}

/* more: bytes that are about to be staged, which must still fit behind what is kept. */
static void review_keeping(struct exchange *r, size_t more)
{
	if (!r->up.keep)
		return;
	if (r->record.bytes_in > hold_max(r) ||
		buf_len(&r->up.bytes) + more + FRAMING_MAX > BUF_LARGE)
		r->held_too_much = true;
	if (r->response_begun || r->held_too_much ||
		(r->upstream_sent && !r->repeatable && !r->to->may_refuse))
		keep_no_more(r);
}

static enum flow refuse(struct exchange *r, unsigned status, const char *text)
{
	r->refusal = status;
	r->refusal_text = text;
	return FLOW_FAILED;
}

static enum flow too_large(struct exchange *r)
{
	thread_count(r->thread, STAT_LIMIT_BODY, 1);
	return refuse(r, 413, "the request body is larger than allowed");
}

static enum flow no_memory(struct exchange *r)
{
	thread_count(r->thread, STAT_LIMIT_MEMORY, 1);
	return refuse(r, 503, "out of memory for this request");
}

/* What is sent from where it is needs no room behind what is staged. */
static bool goes_direct(const struct exchange *r)
{
	return r->up_framing == HTTP_LENGTH && r->request_body.framing == HTTP_LENGTH &&
	       !r->up.keep;
}

/* Stages a piece, or marks it to be sent from where it is. */
static bool put_data(struct exchange *r, struct span data, size_t used)
{
	struct buf *in = &r->in->bytes;
	bool chunked = r->up_framing == HTTP_CHUNKED;

	if (!chunked && !r->up.keep && data.n > COPY_MAX && used == data.n) {
		r->up.direct = data.n;
		return true;
	}
	if (!stage_data(net_loop_bufs(r->thread->loop), &r->up, data, chunked))
		return false;
	buf_drop(in, used);
	return true;
}

static bool put_piece(
	struct exchange *r, enum h1_piece piece, struct span data, size_t used)
{
	if (piece == H1_DATA) {
		r->record.bytes_in += data.n;
		r->tally->came += data.n;
	}
	review_keeping(r, data.n);
	switch (piece) {
	case H1_DATA:
		return put_data(r, data, used);
	case H1_TRAILER:
		if (!r->to->put_trailer(r, data))
			return false;
		break;
	case H1_NOTHING:
		break;
	}
	buf_drop(&r->in->bytes, used);
	return true;
}

static bool put_end(struct exchange *r)
{
	struct span lines = { .p = buf_head(&r->in_trailers),
		.n = buf_len(&r->in_trailers) };

	while (lines.n > 0) {
		if (!r->to->put_trailer(r, stage_line(&lines)))
			return false;
	}
	r->to_upstream = HALF_DONE;
	return r->to->put_end(r);
}

/* Takes what is in the client's buffer. FLOW_WAIT: all that can be used was. */
static enum flow take_body(struct exchange *r)
{
	uint64_t max = r->use->snapshot->config->limits.body_bytes;
	struct buf *in = &r->in->bytes;

	while (buf_len(in) > 0 && r->to_upstream != HALF_DONE && r->up.direct == 0 &&
		buf_len(&r->up.bytes) - r->up.sent < STAGE_MAX) {
		struct span bytes = stage_piece(in, goes_direct(r)), data;
		enum h1_piece piece;
		size_t used;
		enum h1_result result =
			h1_body_next(&r->request_body, bytes, &used, &piece, &data);

		if (result == H1_BAD)
			return refuse(r, 400, http_bad_text(r->request_body.why));
		if (!put_piece(r, piece, data, used) ||
			(result == H1_DONE && !put_end(r)))
			return no_memory(r);
		if (max > 0 && r->record.bytes_in > max)
			return too_large(r);
		if (used == 0)
			break;
	}
	return FLOW_WAIT;
}

/* FLOW_END: bytes came, or the end of what has no length. */
static enum flow read_body(struct exchange *r, enum outcome *why)
{
	enum flow flow = r->from->read_body(r, why);

	if (flow == FLOW_FAILED && *why == OUTCOME_LOCAL)
		return no_memory(r);
	if (flow == FLOW_END && r->in->eof && !put_end(r))
		return no_memory(r);
	return flow;
}

/* The upstream reads no more; it may have answered before that. */
static enum flow upstream_deaf(struct exchange *r)
{
	r->upstream_deaf = true;
	return FLOW_WAIT;
}

static enum flow pump(struct exchange *r, enum outcome *why)
{
	struct buf *in = &r->in->bytes;
	size_t before;
	enum flow flow;

	for (;;) {
		bool sent = false;

		switch (r->to->send(r, &sent)) {
		case SENT_BROKEN:
			return upstream_deaf(r);
		case SENT_SOME:
		case SENT_ALL:
			break;
		}
		r->moved |= sent;
		r->upstream_sent |= sent;
		review_keeping(r, 0);
		if (!stage_is_empty(&r->up))
			return FLOW_WAIT;
		if (r->to_upstream == HALF_DONE)
			return FLOW_END;
		r->to_upstream = HALF_BODY;
		before = buf_len(in);
		flow = take_body(r);
		if (flow == FLOW_FAILED)
			return flow;
		if (!stage_is_empty(&r->up) || r->to_upstream == HALF_DONE ||
			buf_len(in) != before)
			continue;
		flow = read_body(r, why);
		if (flow != FLOW_END)
			return flow;
	}
}

/* The client waits too: for the 100 that it was promised (RFC 9110, 10.1.1). */
static bool awaits_continue(const struct exchange *r)
{
	return r->head.expect_continue && r->interims == 0 && r->record.bytes_in == 0;
}

bool request_half_awaits_client(const struct exchange *r)
{
	return r->to_upstream != HALF_DONE && stage_is_empty(&r->up) &&
	       !r->upstream_deaf && !awaits_continue(r);
}

enum flow request_half(struct exchange *r, enum outcome *why)
{
	enum flow flow;

	if (r->upstream_deaf)
		return FLOW_WAIT;
	flow = pump(r, why);
	attempt_pause(r, request_half_awaits_client(r));
	return flow;
}
