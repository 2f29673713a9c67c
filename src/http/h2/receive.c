/*
 * What comes in: nghttp2's callbacks become the owner's events. An owner may do away
 * with its stream in any of them, so it is asked for anew each time.
 */
#include <nghttp2/nghttp2.h>

#include "http_priv.h"

/* Answers and resets that a peer made us queue, and does not read. */
enum { QUEUE_MAX = 1000 };

static bool ends_stream(const nghttp2_frame *frame)
{
	return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

static struct span span_at(const uint8_t *p, size_t n)
{
	return (struct span){ .p = (const char *)p, .n = n };
}

/* --- header blocks -------------------------------------------------------- */

/* Streams take turns, whatever their client wishes (RFC 9218, 10): by default the oldest
 * would be served to its end first. */
static void take_turns(struct h2 *h, int32_t id)
{
	static const nghttp2_extpri fair = { .urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY,
		.inc = 1 };

	(void)nghttp2_session_change_extpri_stream_priority(h->ng, id, &fair, 1);
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	int32_t id = frame->hd.stream_id;

	if (h->code != H2_NO_ERROR)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		struct h2_stream *s = h2_stream_new(h, id);

		if (s == NULL)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		(void)nghttp2_session_set_stream_user_data(ng, id, s);
		take_turns(h, id);
	}
	return h2_head_start(h) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame,
	const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n,
	uint8_t flags, void *arg)
{
	struct h2 *h = arg;

	(void)ng, (void)flags;
	if (frame->hd.type != NGHTTP2_HEADERS || h->head == NULL)
		return 0;
	return h2_head_take(h, span_at(name, name_n), span_at(value, value_n))
		       ? 0
		       : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* nghttp2 would leave the field out; who sends it means something by it. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame,
	const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n,
	uint8_t flags, void *arg)
{
	(void)ng, (void)frame, (void)name, (void)name_n, (void)value, (void)value_n;
	(void)flags, (void)arg;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A request that nghttp2 takes no record of: it is one too many. */
static bool is_crowded(const struct h2 *h, const nghttp2_frame *frame)
{
	return h->server && frame->hd.type == NGHTTP2_HEADERS &&
	       frame->headers.cat == NGHTTP2_HCAT_REQUEST &&
	       h->n_streams >= h->limits.streams;
}

/* nghttp2 has reset the stream already. */
static int on_invalid_frame(
	nghttp2_session *ng, const nghttp2_frame *frame, int why, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s =
		nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

	(void)why;
	/* It has no record; what follows it is no error. */
	if (s == NULL)
		h2_watch_reset(h, (uint32_t)frame->hd.stream_id);
	if (s == NULL && is_crowded(h, frame))
		h->events->on_crowded(h->arg);
	if (s == NULL || s->reset)
		return 0;
	s->reset = true;
	if (h->server && frame->hd.type == NGHTTP2_HEADERS && !s->has_head)
		h->events->on_refused(h->arg, s->id, HTTP_BAD_FIELD);
	return 0;
}

/* --- heads ---------------------------------------------------------------- */

static void end(struct h2 *h, struct h2_stream *s)
{
	s->peer_ended = true;
	if (s->owner != NULL)
		h->events->on_end(s->owner);
}

static void give_refused(struct h2 *h, struct h2_stream *s, enum http_bad why)
{
	h->events->on_refused(h->arg, s->id, why);
	if (!s->responded)
		h2_stream_reset(h, s, H2_PROTOCOL_ERROR);
}

static void give_request(struct h2 *h, struct h2_stream *s, bool ended)
{
	enum http_bad why = h2_head_request(h, s, ended);

	s->has_head = true;
	s->peer_ended = ended; /* so that an answer at once ends the stream */
	if (why != HTTP_FINE) {
		give_refused(h, s, why);
		return;
	}

	void *owner = h->events->on_request(h->arg, s->id, &h->head->head);
	if (s->reset || s->ours)
		return;
	s->owner = owner;
	if (owner == NULL && !s->responded) {
		s->ours = true;
		h2_stream_reset(h, s, H2_REFUSED_STREAM);
	}
}

static void give_response(struct h2 *h, struct h2_stream *s, bool ended)
{
	enum http_bad why = h2_head_response(h, s, ended);

	if (why != HTTP_FINE) {
		h2_stream_reset(h, s, H2_PROTOCOL_ERROR);
		return;
	}
	s->has_head = h->head->head.status >= 200;
	if (s->owner != NULL)
		h->events->on_response(s->owner, &h->head->head);
}

static void give_trailers(struct h2 *h, struct h2_stream *s)
{
	if (h2_head_trailers(h) != HTTP_FINE)
		h2_stream_reset(h, s, H2_PROTOCOL_ERROR);
	else if (s->owner != NULL && h->head->head.n_fields > 0)
		h->events->on_trailers(s->owner, &h->head->head);
}

static void give_head(struct h2 *h, struct h2_stream *s, const nghttp2_frame *frame)
{
	bool ended = ends_stream(frame);

	if (s->has_head)
		give_trailers(h, s);
	else if (h->server)
		give_request(h, s, ended);
	else
		give_response(h, s, ended);
	if (ended && !s->reset)
		end(h, s);
}

/* --- frames --------------------------------------------------------------- */

static void take_data(struct h2 *h, struct h2_stream *s, const nghttp2_frame *frame)
{
	if (ends_stream(frame))
		end(h, s);
	else if (frame->hd.length > 0 && frame->hd.length == frame->data.padlen)
		h2_spend(h, H2_FLOOD_EMPTY);
}

static void take_ping(struct h2 *h, const nghttp2_ping *ping)
{
	if ((ping->hd.flags & NGHTTP2_FLAG_ACK) == 0 || !h->server)
		return;
	if (memcmp(ping->opaque_data, h2_drain_ping, sizeof h2_drain_ping) == 0)
		h2_drain(h);
	else
		h2_stream_pinged(h, ping->opaque_data);
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
		if (s != NULL && !s->reset && h->head != NULL)
			give_head(h, s, frame);
		break;
	case NGHTTP2_DATA:
		s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
		if (s != NULL && !s->reset)
			take_data(h, s, frame);
		break;
	case NGHTTP2_SETTINGS:
		h->known |= (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0;
		break;
	case NGHTTP2_PING:
		take_ping(h, &frame->ping);
		break;
	case NGHTTP2_GOAWAY:
		h->events->on_goaway(h->arg);
		break;
	default:
		break;
	}
	return 0;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id,
	const uint8_t *data, size_t n, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(ng, id);

	(void)flags;
	if (s == NULL || s->owner == NULL || s->reset) {
		/* Dropped; its stream's own window stays shut. */
		(void)nghttp2_session_consume_connection(ng, n);
		return 0;
	}
	s->unconsumed += (uint32_t)n;
	h->events->on_data(s->owner, span_at(data, n));
	return 0;
}

/* A stream that ends without a response has cost more than it brought, also when it was
 * nghttp2 that had to reset it for what the client sent (CVE-2025-8671). */
static void account(struct h2 *h, const struct h2_stream *s)
{
	if (!h->server)
		return;
	if (s->ended)
		h2_refund(h, H2_FLOOD_RESETS, 1);
	else if (!s->ours && !h->broken)
		h2_spend(h, H2_FLOOD_RESETS);
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(ng, id);

	if (s == NULL)
		return 0;

	void *owner = s->owner;
	bool is_whole = s->ended && s->peer_ended;

	(void)nghttp2_session_set_stream_user_data(ng, id, NULL);
	account(h, s);
	h2_stream_return(h, s);
	h2_stream_free(h, s);
	if (owner != NULL && is_whole)
		h->events->on_closed(owner);
	else if (owner != NULL)
		h->events->on_reset(owner, code);
	return 0;
}

void h2_receive_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
		c, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
}

/* --- bytes ---------------------------------------------------------------- */

/* What nghttp2 could not go on after; the rest it has answered itself. */
static void judge(struct h2 *h, ssize_t result)
{
	switch (result) {
	case NGHTTP2_ERR_FLOODED:
	case NGHTTP2_ERR_TOO_MANY_SETTINGS:
		h2_flooded(h, H2_FLOOD_CONTROL);
		break;
	case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
		h2_flooded(h, H2_FLOOD_HEADERS);
		break;
	case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
		h->code = H2_PROTOCOL_ERROR;
		break;
	default:
		if (result < 0 && h->code == H2_NO_ERROR)
			h->code = H2_INTERNAL_ERROR;
		break;
	}
	if (nghttp2_session_get_outbound_queue_size(h->ng) >
		QUEUE_MAX + 2 * (size_t)h->limits.streams)
		h2_flooded(h, H2_FLOOD_CONTROL);
}

void h2_feed(struct h2 *h, const char *end)
{
	const uint8_t *at = (const uint8_t *)h->watch.fed;
	size_t n = (size_t)(end - h->watch.fed);

	h->watch.fed = end;
	if (n > 0 && h->code == H2_NO_ERROR)
		judge(h, nghttp2_session_mem_recv(h->ng, at, n));
}

int h2_receive(struct h2 *h, struct span in)
{
	if (h->broken)
		return -1;
	h2_watch_in(h, in);
	if (!h->watch.in_block && h->watch.skip == 0)
		h2_head_end(h);
	if (h->code == H2_NO_ERROR)
		return 0;
	h2_break(h, h->code);
	return -1;
}
