/*
 * The ends of a tunnel: a connection of its own, or one stream of an HTTP/2 connection, a
 * client's or to a server, with the exchange that it began as.
 */
#include <string.h>

#include "tunnel/tunnel_priv.h"

enum { STREAM_STAGE_MAX = 65536 };

static ssize_t conn_read(struct tunnel_end *e, void *p, size_t n)
{
	return net_read(e->conn, p, n);
}

static ssize_t conn_write(struct tunnel_end *e, struct span s)
{
	struct iovec iov = { .iov_base = (void *)s.p, .iov_len = s.n };
	ssize_t put = net_write(e->conn, &iov, 1);

	if (put != NET_BROKEN && (put < 0 || (size_t)put < s.n))
		net_conn_want_write(e->conn);
	return put;
}

static void conn_want(struct tunnel_end *e, bool on)
{
	net_conn_want_read(e->conn, on);
}

static void conn_shut(struct tunnel_end *e)
{
	net_conn_shut(e->conn);
}

/* Whoever lingers flushes. */
static bool conn_is_flushed(const struct tunnel_end *e)
{
	(void)e;
	return true;
}

const struct tunnel_ops tunnel_conn = {
	.read = conn_read,
	.write = conn_write,
	.want = conn_want,
	.shut = conn_shut,
	.is_flushed = conn_is_flushed,
};

static struct buf_pool *bufs(const struct tunnel_end *e)
{
	return net_loop_bufs(e->exchange->thread->loop);
}

static ssize_t take(struct tunnel_end *e, struct buf *in, void *p, size_t n)
{
	if (n > buf_len(in))
		n = buf_len(in);
	memcpy(p, buf_head(in), n);
	buf_drop(in, n);
	if (buf_len(in) == 0)
		buf_release(bufs(e), in);
	return (ssize_t)n;
}

/* As much of it as there is room for; 0: there is none. NET_BROKEN: no memory. */
static ssize_t put(struct tunnel_end *e, struct stage *out, struct span s)
{
	size_t staged = stage_size(out);

	if (staged >= STREAM_STAGE_MAX)
		return 0;
	if (s.n > STREAM_STAGE_MAX - staged)
		s.n = STREAM_STAGE_MAX - staged;
	return stage_data(bufs(e), out, s, false) ? (ssize_t)s.n : NET_BROKEN;
}

/* --- of a client's connection -------------------------------------------------------- */

static ssize_t stream_read(struct tunnel_end *e, void *p, size_t n)
{
	struct buf *in = &e->exchange->in->bytes;

	if (e->exchange->stream == 0)
		return NET_BROKEN;
	if (buf_len(in) == 0)
		return e->exchange->in->eof ? NET_EOF : NET_AGAIN;
	return take(e, in, p, n);
}

/* It is told when the session has taken some of it. */
static ssize_t stream_write(struct tunnel_end *e, struct span s)
{
	struct exchange *r = e->exchange;
	ssize_t n;

	if (r->stream == 0)
		return NET_BROKEN;
	n = put(e, &r->down, s);
	if (n <= 0)
		return n == 0 ? NET_AGAIN : n;
	return r->from->send(r) == SENT_BROKEN ? NET_BROKEN : n;
}

static void stream_want(struct tunnel_end *e, bool on)
{
	(void)on; /* the window is opened by what was read */
	if (stage_is_empty(&e->exchange->down))
		buf_release(bufs(e), &e->exchange->down.bytes);
}

static void stream_shut(struct tunnel_end *e)
{
	e->exchange->to_client = HALF_DONE;
	(void)e->exchange->from->send(e->exchange);
}

static bool stream_is_flushed(const struct tunnel_end *e)
{
	return e->exchange->down_ended || e->exchange->stream == 0;
}

const struct tunnel_ops tunnel_stream = {
	.read = stream_read,
	.write = stream_write,
	.want = stream_want,
	.shut = stream_shut,
	.is_flushed = stream_is_flushed,
};

/* --- of one to a server ---------------------------------------------------------------- */

static ssize_t up_read(struct tunnel_end *e, void *p, size_t n)
{
	struct exchange *r = e->exchange;

	if (buf_len(&r->up_in) > 0)
		return take(e, &r->up_in, p, n);
	if (r->h2.ended)
		return NET_EOF;
	return r->h2.stream == 0 ? NET_BROKEN : NET_AGAIN;
}

/* A server that has said all may not want to hear more (RFC 9113, 8.1). */
static ssize_t up_write(struct tunnel_end *e, struct span s)
{
	struct exchange *r = e->exchange;
	bool moved = false;
	ssize_t n;

	if (r->h2.stream == 0)
		return r->h2.ended ? (ssize_t)s.n : NET_BROKEN;
	n = put(e, &r->up, s);
	if (n <= 0)
		return n == 0 ? NET_AGAIN : n;
	return r->to->send(r, &moved) == SENT_BROKEN ? NET_BROKEN : n;
}

static void up_want(struct tunnel_end *e, bool on)
{
	(void)on;
	if (stage_is_empty(&e->exchange->up))
		buf_release(bufs(e), &e->exchange->up.bytes);
}

static void up_shut(struct tunnel_end *e)
{
	bool moved = false;

	e->exchange->h2.shut = true;
	(void)e->exchange->to->send(e->exchange, &moved);
}

static bool up_is_flushed(const struct tunnel_end *e)
{
	return e->exchange->h2.pulled || e->exchange->h2.stream == 0;
}

const struct tunnel_ops tunnel_stream_up = {
	.read = up_read,
	.write = up_write,
	.want = up_want,
	.shut = up_shut,
	.is_flushed = up_is_flushed,
};
