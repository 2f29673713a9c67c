/*
 * What goes out. Bytes of a body are asked for when a frame is about to carry them, and
 * are copied once, by their owner, into the buffer that is sent.
 */
#include <nghttp2/nghttp2.h>

#include "http_priv.h"

/* No frame of a body is made for less room than this, unless there is nothing else. */
enum { FRAME_MIN = 1024 };

/* --- frames --------------------------------------------------------------- */

static bool is_full(const struct h2 *h, size_t n)
{
	size_t len = buf_len(h->out);

	return (len > h->out_start && len + n > h->out_end) || len + n > BUF_LARGE;
}

static ssize_t on_send(
	nghttp2_session *ng, const uint8_t *data, size_t n, int flags, void *arg)
{
	struct h2 *h = arg;

	(void)ng, (void)flags;
	if (is_full(h, n))
		return NGHTTP2_ERR_WOULDBLOCK;
	if (!buf_reserve(h->shared->bufs, h->out, n))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	buf_add(h->out, data, n);
	return (ssize_t)n;
}

/* How much of a body the next frame may have; 0: there is no room in this write. */
static size_t room_for_data(const struct h2 *h, size_t max)
{
	size_t len = buf_len(h->out) + H2_FRAME_HEAD;
	size_t room = len < h->out_end ? h->out_end - len : 0;

	if (room < FRAME_MIN && buf_len(h->out) > h->out_start)
		return 0;
	if (room < FRAME_MIN)
		room = FRAME_MIN;
	if (room < max)
		max = room;
	if (len >= BUF_LARGE)
		return 0;
	return max < BUF_LARGE - len ? max : BUF_LARGE - len;
}

static size_t pull(struct h2 *h, struct h2_stream *s, size_t max, bool *end)
{
	size_t n = buf_len(&s->text);

	if (!s->has_own)
		return h->events->on_pull(s->owner, max, end);
	*end = n <= max;
	return n < max ? n : max;
}

static ssize_t on_read(nghttp2_session *ng, int32_t id, uint8_t *unused, size_t max,
	uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = source->ptr;
	bool last = false;

	(void)ng, (void)id, (void)unused;
	if (s->reset || (s->owner == NULL && !s->has_own))
		return NGHTTP2_ERR_DEFERRED;
	max = room_for_data(h, max);
	if (max == 0)
		return NGHTTP2_ERR_PAUSE;

	size_t n = pull(h, s, max, &last);
	if (s->reset || (n == 0 && !last))
		return NGHTTP2_ERR_DEFERRED;
	if (!buf_reserve(h->shared->bufs, h->out, n + H2_FRAME_HEAD))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	*flags = NGHTTP2_DATA_FLAG_NO_COPY;
	if (last) {
		s->pulled = true;
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	}
	if (last && s->has_trailers && h2_queue_trailers(h, s) == 0)
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return (ssize_t)n;
}

static int on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head,
	size_t n, nghttp2_data_source *source, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = source->ptr;

	(void)ng, (void)frame;
	buf_add(h->out, head, H2_FRAME_HEAD);
	if (s->has_own) {
		buf_add(h->out, buf_head(&s->text), n);
		buf_drop(&s->text, n);
	} else if (n > 0) {
		h->events->on_take(s->owner, buf_tail(h->out), n);
		h->out->tail += (uint32_t)n;
	}
	return 0;
}

/* Bytes that were worth sending make up for the window updates that let them go; and so
 * do few bytes, if there were no more to send: gRPC updates windows for each message,
 * and many small ones may share a frame. A window that lets go only a few bytes is the
 * peer's doing. */
static void account(struct h2 *h, const nghttp2_frame *frame)
{
	enum { WORTH_IT = 512, MESSAGE_MIN = 5, UPDATES = 2 };

	if (frame->hd.type != NGHTTP2_DATA)
		return;
	if (frame->hd.length >= WORTH_IT ||
		nghttp2_session_get_stream_remote_window_size(
			h->ng, frame->hd.stream_id) >= WORTH_IT)
		h2_refund(h, H2_FLOOD_CONTROL,
			UPDATES * (1 + (uint32_t)frame->hd.length / MESSAGE_MIN));
}

static int on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s;

	switch (frame->hd.type) {
	case NGHTTP2_RST_STREAM:
		h2_watch_reset(h, (uint32_t)frame->hd.stream_id);
		break;
	case NGHTTP2_GOAWAY:
		if (frame->goaway.error_code != NGHTTP2_NO_ERROR &&
			h->code == H2_NO_ERROR)
			h->code = frame->goaway.error_code;
		break;
	case NGHTTP2_DATA:
	case NGHTTP2_HEADERS:
		account(h, frame);
		if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
			break;
		s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
		if (s == NULL)
			break;
		s->ended = true;
		h2_stream_finish(h, s);
		break;
	default:
		break;
	}
	return 0;
}

/* A head larger than nghttp2 sends; without it nothing can follow. A request's stream
 * nghttp2 closes itself. */
static int on_not_sent(
	nghttp2_session *ng, const nghttp2_frame *frame, int why, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s;

	(void)why;
	if (frame->hd.type != NGHTTP2_HEADERS ||
		frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		return 0;
	s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
	if (s == NULL)
		return 0;
	s->ours = true;
	h2_stream_reset(h, s, H2_INTERNAL_ERROR);
	return 0;
}

void h2_send_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_send_callback(c, on_send);
	nghttp2_session_callbacks_set_send_data_callback(c, on_send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_not_sent);
}

bool h2_write(struct h2 *h, struct buf *out, size_t max)
{
	h->out = out;
	h->out_start = buf_len(out);
	h->out_end = h->out_start + max;

	int rv = nghttp2_session_send(h->ng);
	if (rv == 0 && h->code != H2_NO_ERROR && !h->broken) {
		h2_break(h, h->code);
		rv = nghttp2_session_send(h->ng);
	}
	h->out = NULL;
	if (rv == 0)
		return true;
	h2_break(h, H2_INTERNAL_ERROR);
	h->dead = true;
	return false;
}

/* --- messages ------------------------------------------------------------- */

int32_t h2_send_message(struct h2 *h, struct h2_stream *s, const void *nv, size_t n)
{
	nghttp2_data_provider body = { .source.ptr = s, .read_callback = on_read };
	const nghttp2_data_provider *given = s->has_body ? &body : NULL;

	if (!h->server)
		return nghttp2_submit_request(h->ng, NULL, nv, n, given, s);
	s->responded = true;
	return nghttp2_submit_response(h->ng, s->id, nv, n, given) == 0 ? s->id : -1;
}
