/*
 * The ends of a tunnel: a connection of its own, or one stream of a client's HTTP/2
 * connection, with the exchange that it began as.
 */
#include <string.h>

#include "tunnel_priv.h"

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

static ssize_t stream_read(struct tunnel_end *e, void *p, size_t n)
{
	struct buf *in = &e->exchange->in->bytes;

	if (e->exchange->stream == 0)
		return NET_BROKEN;
	if (buf_len(in) == 0)
		return e->exchange->in->eof ? NET_EOF : NET_AGAIN;
	if (n > buf_len(in))
		n = buf_len(in);
	memcpy(p, buf_head(in), n);
	buf_drop(in, n);
	if (buf_len(in) == 0)
		buf_release(net_loop_bufs(e->exchange->thread->loop), in);
	return (ssize_t)n;
}

/* It is told when the session has taken some of it. */
static ssize_t stream_write(struct tunnel_end *e, struct span s)
{
	struct exchange *r = e->exchange;
	size_t staged = stage_size(&r->down);

	if (r->stream == 0)
		return NET_BROKEN;
	if (staged >= STREAM_STAGE_MAX)
		return NET_AGAIN;
	if (s.n > STREAM_STAGE_MAX - staged)
		s.n = STREAM_STAGE_MAX - staged;
	if (!stage_data(net_loop_bufs(r->thread->loop), &r->down, s, false))
		return NET_BROKEN;
	return r->from->send(r) == SENT_BROKEN ? NET_BROKEN : (ssize_t)s.n;
}

static void stream_want(struct tunnel_end *e, bool on)
{
	(void)on; /* the window is opened by what was read */
	if (stage_is_empty(&e->exchange->down))
		buf_release(net_loop_bufs(e->exchange->thread->loop),
			&e->exchange->down.bytes);
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
