/*
 * The body of a request that waits to be sent again, framed anew: an attempt in HTTP/1
 * may be followed by one in HTTP/2, where a body of unknown length has no chunks.
 */
#include "exchange/exchange_priv.h"

static struct buf_pool *bufs(const struct exchange *r)
{
	return net_loop_bufs(r->thread->loop);
}

static struct span staged_body(const struct exchange *r)
{
	return (struct span){ .p = buf_head(&r->up.bytes) + r->up_head_n,
		.n = buf_len(&r->up.bytes) - r->up_head_n };
}

/* Chunks to bytes; trailers become lines. */
static bool decode(struct exchange *r, struct stage *out)
{
	struct span in = staged_body(r), data;
	struct h1_body body;
	enum h1_piece piece;
	size_t used = 1;

	h1_body_start(&body, HTTP_CHUNKED, 0);
	while (in.n > 0 && used > 0) {
		if (h1_body_next(&body, in, &used, &piece, &data) == H1_BAD)
			return false;
		if (piece == H1_DATA && !stage_data(bufs(r), out, data, false))
			return false;
		if (piece == H1_TRAILER &&
			!stage_keep_line(bufs(r), &r->up_trailers, data))
			return false;
		in.p += used;
		in.n -= used;
	}
	r->up_trailers_begun = false;
	return true;
}

/* Bytes to one chunk, and the end if it is known. */
static bool encode(struct exchange *r, struct stage *out)
{
	struct span body = staged_body(r);
	struct span lines = { .p = buf_head(&r->up_trailers),
		.n = buf_len(&r->up_trailers) };

	r->up_trailers_begun = false;
	if (body.n > 0 && !stage_data(bufs(r), out, body, true))
		return false;
	if (r->to_upstream != HALF_DONE)
		return true;
	while (lines.n > 0) {
		if (!stage_trailer(
			    bufs(r), out, stage_line(&lines), &r->up_trailers_begun))
			return false;
	}
	buf_release(bufs(r), &r->up_trailers);
	return stage_last(bufs(r), out, &r->up_trailers_begun);
}

bool stage_reframe(struct exchange *r, enum http_framing framing)
{
	struct stage out = { .keep = r->up.keep };
	struct span head = { .p = buf_head(&r->up.bytes), .n = r->up_head_n };

	if (!stage_data(bufs(r), &out, head, false) ||
		!(framing == HTTP_CHUNKED ? encode(r, &out) : decode(r, &out))) {
		stage_fini(bufs(r), &out);
		return false;
	}
	buf_release(bufs(r), &r->up.bytes);
	r->up.bytes = out.bytes;
	r->up_framing = framing;
	return true;
}
