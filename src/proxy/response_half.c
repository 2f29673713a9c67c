/*
 * Relay, upstream to client: interim heads, the final head, then the body as it comes.
 *
 * Nothing of an error that may still be rescued is shown to the client. After the final
 * head has been staged the response has begun: from then on only a broken connection
 * can say that something went wrong.
 */
#include "proxy_priv.h"

enum {
	COPY_MAX = 8192, /* smaller pieces join what is staged: one record, one send */
	STAGE_MAX = 65536, /* more than this is sent before more is taken */
	READ_SMALL = 8192,
	READ_BULK = 65536,
	RUN_MAX = 1 << 20, /* then the other connections of the loop have their turn */
	MAX_INTERIMS = 16,
};

enum taken { TAKEN, HUNGRY, FAILED, RESCUE };

static struct buf_pool *bufs(const struct exchange *r)
{
	return net_loop_bufs(r->thread->loop);
}

/* --- heads
 * ------------------------------------------------------------------------------ */

static void start_parser(struct exchange *r)
{
	struct h1_limits limits = {
		.head_bytes = r->use->snapshot->config->limits.header_bytes,
		.field_count = r->use->snapshot->config->limits.header_count,
		.target_bytes = 0
	};

	r->response.fields = r->fields;
	r->response.max_fields = HTTP_MAX_FIELDS;
	h1_response_start(&r->parser, &r->response, r->head.method, limits);
	r->response_parsing = true;
}

static enum taken stage_interim(struct exchange *r)
{
	struct h1_answer a = { .client_minor = r->head.minor, .interim = true };

	/* 101 was never asked for: Upgrade does not go up. */
	if (r->response.status == 101 || ++r->interims > MAX_INTERIMS)
		return FAILED;
	if (r->head.minor > 0 &&
		h1_write_response(bufs(r), &r->down.bytes, &r->response, &a) != 0)
		return FAILED;
	buf_drop(&r->up_in, r->response.bytes);
	r->response_parsing = false;
	attempt_pause(r, request_awaits_client(r)); /* it was told to go on */
	return TAKEN;
}

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

/* A body whose silence is an error (S23): not a stream of events. */
static bool is_promised(const struct exchange *r)
{
	const struct http_field *f = http_find(&r->response, HTTP_N_CONTENT_TYPE);
	struct span type =
		f != NULL ? http_field_value(&r->response, f) : (struct span){ .n = 0 };

	if (r->response.framing == HTTP_LENGTH)
		return true;
	if (r->response.framing != HTTP_CHUNKED)
		return false;
	type = span_trim(span_cut(&type, ';'));
	return !span_ieq(type, SPAN("text/event-stream")) &&
	       !span_starts(type, SPAN("application/grpc"));
}

static void count_status(struct exchange *r)
{
	enum side_count c = COUNT_STATUS_5XX;

	if (r->migration == NULL)
		return;
	if (r->status < 500)
		c = (enum side_count)(COUNT_STATUS_1XX + r->status / 100 - 1);
	migration_add(r->migration, r->thread->index, r->side, c, 1);
}

static enum taken stage_final(struct exchange *r)
{
	struct h1_answer a = { .client_minor = r->head.minor };

	r->down_framing = framing_down(r);
	r->keep_alive = r->keep_alive && r->to_upstream == HALF_DONE &&
			r->down_framing != HTTP_UNTIL_CLOSE && !r->thread->draining;
	a.framing = r->down_framing;
	a.keep_alive = r->keep_alive;
	if (h1_write_response(bufs(r), &r->down.bytes, &r->response, &a) != 0)
		return FAILED;
	r->promised = is_promised(r);
	r->response_begun = true;
	r->to_client = HALF_BODY;
	buf_drop(&r->up_in, r->response.bytes);
	if (h1_body_is_done(&r->response_body))
		r->to_client = HALF_DONE;
	return TAKEN;
}

static enum taken final_head(struct exchange *r)
{
	attempt_first_byte(r);
	r->status = r->response.status;
	count_status(r);
	r->upstream_keep =
		r->response.keep_alive && r->response.framing != HTTP_UNTIL_CLOSE;
	h1_body_start(&r->response_body, r->response.framing, r->response.length);
	if (attempt_is_bad_status(r->status) && rescue_response(r)) {
		buf_drop(&r->up_in, r->response.bytes);
		return RESCUE;
	}
	return stage_final(r);
}

static enum taken take_head(struct exchange *r)
{
	struct span in = { .p = buf_head(&r->up_in), .n = buf_len(&r->up_in) };

	if (in.n == 0)
		return HUNGRY;
	if (!r->response_parsing)
		start_parser(r);
	switch (h1_parse(&r->parser, &r->response, in)) {
	case H1_MORE:
		return HUNGRY;
	case H1_BAD:
		return FAILED;
	case H1_DONE:
		break;
	}
	return r->response.status < 200 ? stage_interim(r) : final_head(r);
}

/* --- body
 * -------------------------------------------------------------------------------- */

static bool put_piece(
	struct exchange *r, enum h1_piece piece, struct span data, size_t used)
{
	bool chunked = r->down_framing == HTTP_CHUNKED;

	switch (piece) {
	case H1_DATA:
		r->sent_bytes += data.n;
		if (!chunked && data.n > COPY_MAX && data.p == buf_head(&r->up_in)) {
			r->down.direct = data.n;
			return true;
		}
		if (!stage_data(bufs(r), &r->down, data, chunked))
			return false;
		break;
	case H1_TRAILER:
		if (chunked &&
			!stage_trailer(bufs(r), &r->down, data, &r->trailers_begun))
			return false;
		break;
	case H1_NOTHING:
		break;
	}
	buf_drop(&r->up_in, used);
	return true;
}

static bool put_end(struct exchange *r)
{
	r->to_client = HALF_DONE;
	return r->down_framing != HTTP_CHUNKED ||
	       stage_last(bufs(r), &r->down, &r->trailers_begun);
}

static enum taken take_body(struct exchange *r)
{
	bool took = false;

	while (buf_len(&r->up_in) > 0 && r->to_client != HALF_DONE &&
		r->down.direct == 0 && buf_len(&r->down.bytes) < STAGE_MAX) {
		struct span in = stage_piece(&r->up_in), data;
		enum h1_piece piece;
		size_t used;
		enum h1_result result =
			h1_body_next(&r->response_body, in, &used, &piece, &data);

		if (result == H1_BAD || !put_piece(r, piece, data, used) ||
			(result == H1_DONE && !put_end(r)))
			return FAILED;
		if (used == 0)
			break;
		took = true;
	}
	return took ? TAKEN : HUNGRY;
}

/* --- the upstream's bytes
 * ---------------------------------------------------------------- */

/* The upstream has closed: the end of the body, or too early. */
static enum taken upstream_ended(struct exchange *r, enum outcome *why)
{
	r->upstream_eof = true;
	if (r->to_client == HALF_BODY && r->response_body.framing == HTTP_UNTIL_CLOSE)
		return put_end(r) ? TAKEN : FAILED;
	*why = r->to_client == HALF_HEAD && buf_len(&r->up_in) == 0 ? OUTCOME_RESET
								    : OUTCOME_TRUNCATED;
	return FAILED;
}

static bool is_bulk(const struct exchange *r)
{
	return r->to_client == HALF_BODY && r->sent_bytes > READ_BULK / 2 &&
	       (r->response_body.framing != HTTP_LENGTH ||
		       r->response_body.left > READ_BULK / 2);
}

/* HUNGRY: nothing is here now. */
static enum taken read_upstream(struct exchange *r, size_t *run, enum outcome *why)
{
	size_t room = is_bulk(r) ? READ_BULK : READ_SMALL;
	ssize_t got;

	if (!r->upstream_readable || *run > RUN_MAX) {
		r->upstream_readable = false; /* if more is there, it is told again */
		return HUNGRY;
	}
	*why = OUTCOME_LOCAL;
	if (!buf_reserve(bufs(r), &r->up_in, room))
		return FAILED;
	room = buf_room(&r->up_in);
	got = net_read(r->upstream, buf_tail(&r->up_in), room);
	r->upstream_readable = got == (ssize_t)room;
	if (got == NET_AGAIN)
		return HUNGRY;
	if (got == NET_EOF)
		return upstream_ended(r, why);
	*why = OUTCOME_RESET;
	if (got == NET_BROKEN)
		return FAILED;
	r->up_in.tail += (uint32_t)got;
	*run += (size_t)got;
	if (r->to_client == HALF_BODY)
		r->moved = true;
	return TAKEN;
}

static enum taken take(struct exchange *r, size_t *run, enum outcome *why)
{
	enum taken t;

	*why = OUTCOME_MALFORMED;
	t = r->to_client == HALF_HEAD ? take_head(r) : take_body(r);
	return t == HUNGRY ? read_upstream(r, run, why) : t;
}

enum flow response_half(struct exchange *r, enum outcome *why)
{
	size_t run = 0;

	for (;;) {
		switch (stage_send(&r->down, r->client->conn, &r->up_in, &r->moved)) {
		case SENT_BROKEN:
			*why = OUTCOME_CLIENT_GONE;
			return FLOW_FAILED;
		case SENT_SOME:
			return FLOW_WAIT;
		case SENT_ALL:
			break;
		}
		if (r->to_client == HALF_DONE)
			return FLOW_END;
		/* As much as there is goes out in one send. */
		for (;;) {
			enum taken t = take(r, &run, why);

			if (t == FAILED)
				return FLOW_FAILED;
			if (t == RESCUE)
				return FLOW_RESCUE;
			if (t == HUNGRY && stage_is_empty(&r->down))
				return FLOW_WAIT;
			if (t == HUNGRY || r->to_client == HALF_DONE ||
				r->down.direct > 0 ||
				buf_len(&r->down.bytes) >= STAGE_MAX)
				break;
		}
	}
}
