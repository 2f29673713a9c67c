/*
 * Relay, upstream to client: interim heads, the final head, then the body as it comes.
 *
 * Nothing of an error that may still be rescued is shown to the client. After the final
 * head has been staged the response has begun: from then on only a broken connection
 * can say that something went wrong.
 */
#include "tunnel/tunnel_priv.h"

enum {
	COPY_MAX = 8192, /* smaller pieces join what is staged: one record, one send */
	STAGE_MAX = 65536, /* more than this is sent before more is taken */
	MAX_INTERIMS = 16,
};

static struct buf_pool *bufs(const struct exchange *r)
{
	return net_loop_bufs(r->thread->loop);
}

/* --- heads
 * ------------------------------------------------------------------------------ */

static void count_status(struct exchange *r)
{
	enum side_count c = COUNT_STATUS_5XX;

	if (r->migration == NULL)
		return;
	if (r->record.status < 500)
		c = (enum side_count)(COUNT_STATUS_1XX + r->record.status / 100 - 1);
	migration_add(r->migration, r->thread->index, r->side, c, 1);
}

struct span response_half_date(const struct exchange *r)
{
	if (http_find(&r->response, HTTP_N_DATE) != NULL)
		return (struct span){ .n = 0 };
	return answer_date(r->thread);
}

/* The last word of HTTP here. */
static enum taken stage_switch(struct exchange *r, enum outcome *why)
{
	if (!upgrade_is_accepted(r))
		return FAILED;
	attempt_first_byte(r);
	r->record.status = r->response.status;
	count_status(r);
	*why = OUTCOME_LOCAL;
	if (!r->from->put_head(r, true))
		return FAILED;
	buf_drop(&r->up_in, r->response.bytes);
	r->response_begun = true;
	r->to_client = HALF_BODY;
	r->switched = true;
	return TAKEN;
}

static enum taken stage_interim(struct exchange *r, enum outcome *why)
{
	if (r->response.status == 101)
		return stage_switch(r, why);
	if (++r->interims > MAX_INTERIMS)
		return FAILED;
	*why = OUTCOME_LOCAL;
	if (!r->from->put_head(r, true))
		return FAILED;
	buf_drop(&r->up_in, r->response.bytes);
	attempt_pause(r, request_half_awaits_client(r)); /* it was told to go on */
	return TAKEN;
}

static struct span media_type(const struct exchange *r)
{
	const struct http_field *f = http_find(&r->response, HTTP_N_CONTENT_TYPE);
	struct span type =
		f != NULL ? http_field_value(&r->response, f) : (struct span){ .n = 0 };

	return span_trim(span_cut(&type, ';'));
}

/* Whether silence of its body is an error (S23): not of a stream of events. Streams
 * are remembered, as they may last for ever. */
static void note_kind(struct exchange *r)
{
	struct span type;
	bool is_grpc;

	r->promised = r->response.framing == HTTP_LENGTH;
	if (r->promised || r->response.framing == HTTP_NO_BODY)
		return;
	type = media_type(r);
	is_grpc = span_starts(type, SPAN("application/grpc"));
	r->is_events = span_ieq(type, SPAN("text/event-stream"));
	r->promised = r->response.framing == HTTP_CHUNKED && !r->is_events && !is_grpc;
	if (r->is_events || (is_grpc && r->migration != NULL))
		stream_join(r);
}

static enum taken stage_final(struct exchange *r, enum outcome *why)
{
	*why = OUTCOME_LOCAL;
	if (!r->from->put_head(r, false))
		return FAILED;
	note_kind(r);
	r->response_begun = true;
	r->to_client = HALF_BODY;
	buf_drop(&r->up_in, r->response.bytes);
	if (!h1_body_is_done(&r->response_body))
		return TAKEN;
	r->to_client = HALF_DONE;
	return r->from->put_end(r) ? TAKEN : FAILED;
}

static enum http_framing body_framing(const struct exchange *r)
{
	if (r->to->raw && r->response.framing != HTTP_NO_BODY)
		return HTTP_UNTIL_CLOSE;
	return r->response.framing;
}

static enum taken final_head(struct exchange *r, enum outcome *why)
{
	attempt_first_byte(r);
	r->record.status = r->response.status;
	count_status(r);
	if (r->grpc)
		grpc_note_head(r);
	/* Who answers before the request is there may close, or take its rest for the
	 * next one. */
	r->upstream_keep = r->response.keep_alive &&
			   r->response.framing != HTTP_UNTIL_CLOSE &&
			   r->to_upstream == HALF_DONE && stage_is_empty(&r->up);
	h1_body_start(&r->response_body, body_framing(r), r->response.length);
	if (attempt_got_bad_status(r) && retry_may_rescue(r)) {
		buf_drop(&r->up_in, r->response.bytes);
		return RESCUE;
	}
	return stage_final(r, why);
}

static enum taken take_head(struct exchange *r, enum outcome *why)
{
	enum taken t = r->to->take_head(r, why);

	if (t != TAKEN)
		return t;
	if (upgrade_got_confused_2xx(r))
		return FAILED;
	return r->response.status < 200 ? stage_interim(r, why) : final_head(r, why);
}

/* --- body
 * -------------------------------------------------------------------------------- */

static bool put_trailer(struct exchange *r, struct span line)
{
	if (r->grpc)
		grpc_note_trailer(r, line);
	return r->from->put_trailer(r, line);
}

static bool put_piece(
	struct exchange *r, enum h1_piece piece, struct span data, size_t used)
{
	bool chunked = r->down_framing == HTTP_CHUNKED;

	switch (piece) {
	case H1_DATA:
		r->record.bytes_out += data.n;
		if (!chunked && data.n > COPY_MAX && used == data.n) {
			r->down.direct = data.n;
			return true;
		}
		if (!stage_data(bufs(r), &r->down, data, chunked))
			return false;
		break;
	case H1_TRAILER:
		if (!put_trailer(r, data))
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
	struct span lines = { .p = buf_head(&r->up_in_trailers),
		.n = buf_len(&r->up_in_trailers) };

	while (lines.n > 0) {
		if (!put_trailer(r, stage_line(&lines)))
			return false;
	}
	r->to_client = HALF_DONE;
	return r->from->put_end(r);
}

/* What is sent from where it is needs no room behind what is staged. */
static bool goes_direct(const struct exchange *r)
{
	return r->down_framing != HTTP_CHUNKED &&
	       r->response_body.framing != HTTP_CHUNKED;
}

static enum taken take_body(struct exchange *r, enum outcome *why)
{
	bool took = false;

	while (buf_len(&r->up_in) > 0 && r->to_client != HALF_DONE &&
		r->down.direct == 0 && buf_len(&r->down.bytes) < STAGE_MAX) {
		struct span in = stage_piece(&r->up_in, goes_direct(r)), data;
		enum h1_piece piece;
		size_t used;
		enum h1_result result =
			h1_body_next(&r->response_body, in, &used, &piece, &data);

		*why = OUTCOME_MALFORMED;
		if (result == H1_BAD)
			return FAILED;
		*why = OUTCOME_LOCAL;
		if (!put_piece(r, piece, data, used) ||
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

/* The upstream has ended: the end of the body, or too early. */
static enum taken upstream_ended(struct exchange *r, enum outcome *why)
{
	if (r->to_client == HALF_BODY && r->response_body.framing == HTTP_UNTIL_CLOSE) {
		*why = OUTCOME_LOCAL;
		return put_end(r) ? TAKEN : FAILED;
	}
	*why = r->to_client == HALF_HEAD && buf_len(&r->up_in) == 0 ? OUTCOME_RESET
								    : OUTCOME_TRUNCATED;
	return FAILED;
}

static enum taken take(struct exchange *r, size_t *run, enum outcome *why)
{
	enum taken t;

	*why = OUTCOME_MALFORMED;
	t = r->to_client == HALF_HEAD ? take_head(r, why) : take_body(r, why);
	if (t != HUNGRY)
		return t;
	t = r->to->read(r, run, why);
	if (t == TAKEN && r->upstream_eof)
		return upstream_ended(r, why);
	if (t == TAKEN && r->to_client == HALF_BODY)
		r->moved = true;
	return t;
}

/* Between two pieces of a body that has no length. */
static bool end_early(struct exchange *r)
{
	if (!r->ends_now || r->to_client != HALF_BODY || r->down.direct > 0)
		return true;
	r->upstream_keep = false;
	if (r->grpc && buf_len(&r->up_in_trailers) == 0 && !grpc_end(r))
		return false;
	return put_end(r);
}

void response_half_ends_now(struct exchange *r)
{
	if (!r->is_events && !r->grpc) {
		exchange_cut(r);
		return;
	}
	r->ends_now = true;
	exchange_run(r);
}

static bool is_out(const struct exchange *r)
{
	return r->to_client == HALF_DONE || r->switched;
}

enum flow response_half(struct exchange *r, enum outcome *why)
{
	size_t run = 0;

	for (;;) {
		if (!end_early(r)) {
			*why = OUTCOME_LOCAL;
			return FLOW_FAILED;
		}
		switch (r->from->send(r)) {
		case SENT_BROKEN:
			*why = OUTCOME_CLIENT_GONE;
			return FLOW_FAILED;
		case SENT_SOME:
			return FLOW_WAIT;
		case SENT_ALL:
			break;
		}
		if (is_out(r))
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
			if (t == HUNGRY || is_out(r) || r->down.direct > 0 ||
				buf_len(&r->down.bytes) >= STAGE_MAX)
				break;
		}
	}
}
