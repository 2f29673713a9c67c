/*
 * Streams and their owners. What a stream's owner was given and has not passed on counts
 * against the connection's window; when the owner leaves, that is given back, or the
 * connection would lose it for ever.
 */
#include <nghttp2/nghttp2.h>

#include "http_priv.h"

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream *s = slab_take(&h->shared->streams);

	if (s == NULL)
		return NULL;
	*s = (struct h2_stream){ .id = id };
	list_push(&h->streams, &s->link);
	h->n_streams++;
	return s;
}

void h2_stream_free(struct h2 *h, struct h2_stream *s)
{
	list_remove(&s->link);
	h->n_streams--;
	buf_release(h->shared->bufs, &s->text);
	slab_give(&h->shared->streams, s);
}

struct h2_stream *h2_stream_find(struct h2 *h, int32_t id)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(h->ng, id);

	if (s != NULL || h->server)
		return s;
	/* nghttp2 opens a request's stream when it is sent, and knows it from then. */
	LIST_EACH (&h->streams, it, after) {
		s = LIST_ENTRY(it, struct h2_stream, link);
		if (s->id == id)
			return s;
	}
	return NULL;
}

void h2_stream_return(struct h2 *h, struct h2_stream *s)
{
	if (s->unconsumed > 0)
		(void)nghttp2_session_consume_connection(h->ng, s->unconsumed);
	s->unconsumed = 0;
}

void h2_stream_reset(struct h2 *h, struct h2_stream *s, uint32_t code)
{
	if (s->reset)
		return;
	s->reset = true;
	/* Without memory for the frame the session ends by itself soon. */
	(void)nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, s->id, code);
}

static void linger_ping(int32_t id, uint8_t out[static H2_PING_BYTES])
{
	static const uint8_t ours[H2_PING_BYTES] = { 'e', 'a', 'r', 'l' };

	memcpy(out, ours, sizeof(ours));
	memcpy(out + sizeof(ours) - sizeof(id), &id, sizeof(id));
}

/* The rest of the request is not wanted. The reset follows when the client has answered a
 * PING behind our END_STREAM: where both come at once there are clients (curl before
 * 8.2) that see only the reset, and lose the answer. Until then the stream's window
 * stays shut, and what comes is dropped. */
static void linger(struct h2 *h, struct h2_stream *s)
{
	uint8_t ping[H2_PING_BYTES];

	if (s->lingers)
		return;
	s->lingers = true;
	linger_ping(s->id, ping);
	if (nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, ping) != 0)
		h2_stream_reset(h, s, H2_NO_ERROR);
}

void h2_stream_finish(struct h2 *h, struct h2_stream *s)
{
	if (h->server && s->owner == NULL && s->ended && !s->peer_ended)
		linger(h, s);
}

void h2_stream_pinged(struct h2 *h, const uint8_t ping[static H2_PING_BYTES])
{
	uint8_t wanted[H2_PING_BYTES];
	struct h2_stream *s;
	int32_t id;

	memcpy(&id, ping + H2_PING_BYTES - sizeof(id), sizeof(id));
	linger_ping(id, wanted);
	if (memcmp(ping, wanted, sizeof(wanted)) != 0)
		return;
	s = nghttp2_session_get_stream_user_data(h->ng, id);
	if (s != NULL && s->lingers && !s->peer_ended)
		h2_stream_reset(h, s, H2_NO_ERROR);
}

/* --- the owner's calls ---------------------------------------------------- */

static struct h2_stream *leave(struct h2 *h, int32_t id)
{
	struct h2_stream *s = h2_stream_find(h, id);

	if (s == NULL || s->reset)
		return NULL;
	s->owner = NULL;
	h2_stream_return(h, s);
	return s;
}

void h2_reset(struct h2 *h, int32_t stream, enum h2_code code)
{
	struct h2_stream *s = leave(h, stream);

	if (s == NULL)
		return;
	s->ours = true;
	h2_stream_reset(h, s, code);
}

void h2_forget(struct h2 *h, int32_t stream)
{
	struct h2_stream *s = leave(h, stream);

	if (s == NULL)
		return;
	s->ours = true;
	if (!h->server)
		h2_stream_reset(h, s, H2_CANCEL);
	else if (!s->responded || (s->has_body && !s->has_own && !s->pulled))
		h2_stream_reset(h, s, H2_INTERNAL_ERROR);
	else
		h2_stream_finish(h, s);
}

void h2_consumed(struct h2 *h, int32_t stream, size_t n)
{
	struct h2_stream *s = h2_stream_find(h, stream);

	if (s == NULL)
		return;
	if (n > s->unconsumed)
		n = s->unconsumed;
	s->unconsumed -= (uint32_t)n;
	if (n > 0)
		(void)nghttp2_session_consume(h->ng, stream, n);
}

void h2_resume(struct h2 *h, int32_t stream)
{
	/* It is no error that nothing waits. */
	(void)nghttp2_session_resume_data(h->ng, stream);
}
