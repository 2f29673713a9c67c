/*
 * What passes through a tunnel: read from one end, counted, written to the other; cut at
 * the end of a frame when it is to leave.
 */
#include "sluice/base/digest.h"

#include "tunnel/tunnel_priv.h"

enum {
	READ_MAX = 65536,
	RUN_MAX = 1 << 20, /* then the other connections of the loop have their turn */
};

static struct buf_pool *bufs(const struct tunnel *t)
{
	return net_loop_bufs(t->thread->loop);
}

static void count_passed(
	struct tunnel *t, unsigned from, size_t bytes, unsigned messages)
{
	bool in = from == END_CLIENT;

	server_note_passed(t->server, t->thread->index, in, bytes, messages);
	tunnel_count(t, in ? COUNT_TUNNEL_BYTES_IN : COUNT_TUNNEL_BYTES_OUT, bytes);
	if (messages > 0)
		tunnel_count(t, in ? COUNT_MESSAGES_IN : COUNT_MESSAGES_OUT, messages);
}

/* Behind what this end has said, the other gets our close frame; nothing after it. */
bool tunnel_say_close(struct tunnel *t, unsigned from)
{
	struct tunnel_end *e = &t->end[from];
	uint8_t mask[4];
	char frame[WS_CLOSE_MAX];
	size_t n;

	if (e->muted)
		return true;
	e->muted = true;
	if (e->scan.closed || e->ended)
		return true; /* there was one, or nothing can follow */
	digest_random(mask, sizeof(mask));
	n = from == END_CLIENT ? ws_close(frame, WS_GOING_AWAY, mask)
			       : ws_close(frame, t->leaving, NULL);
	if (!buf_reserve(bufs(t), &e->rest, n))
		return false;
	buf_add(&e->rest, frame, n);
	return true;
}

/* What has just been read, and is all that waits: counted, and (leaving) cut at the end
 * of a frame. */
bool tunnel_look(struct tunnel *t, unsigned from)
{
	struct tunnel_end *e = &t->end[from];
	struct span in = { .p = buf_head(&e->rest), .n = buf_len(&e->rest) };
	unsigned messages = 0;
	size_t used = in.n;

	if (e->muted) {
		(void)ws_scan(&e->scan, in);
		buf_drop(&e->rest, in.n);
		return true;
	}
	if (t->leaving == 0 || t->timer_is_jitter)
		messages = ws_scan(&e->scan, in);
	else
		used = ws_scan_frame(&e->scan, in, &messages);
	count_passed(t, from, used, messages);
	if (t->leaving == 0 || t->timer_is_jitter || !ws_is_between(&e->scan))
		return true;
	e->rest.tail -= (uint32_t)(in.n - used);
	(void)ws_scan(&e->scan, (struct span){ .p = in.p + used, .n = in.n - used });
	return tunnel_say_close(t, from);
}

/* False: the other end is broken. */
static bool flush(struct tunnel_end *from, struct tunnel_end *to)
{
	struct span s = { .p = buf_head(&from->rest), .n = buf_len(&from->rest) };
	ssize_t put;

	if (s.n == 0)
		return true;
	if (to->shut) {
		buf_drop(&from->rest, s.n);
		return true;
	}
	put = to->ops->write(to, s);
	if (put > 0)
		buf_drop(&from->rest, (size_t)put);
	return put != NET_BROKEN;
}

/* More where more came. */
static size_t room_after(size_t run)
{
	if (run == 0)
		return BUF_SMALL;
	return run < BUF_MEDIUM ? BUF_MEDIUM : READ_MAX;
}

/* A connection tells of more by itself, its end too; a stream has told of all it has. */
static bool may_have_more(const struct tunnel_end *e, ssize_t got)
{
	return got == (ssize_t)buf_room(&e->rest) || (e->exchange != NULL && got > 0);
}

/* What is to be read from one end, and is taken by the other. The end that is broken, or
 * N_ENDS. */
unsigned tunnel_pass(struct tunnel *t, unsigned from)
{
	struct tunnel_end *e = &t->end[from], *to = &t->end[!from];
	size_t run = 0;

	if (!flush(e, to))
		return !from;
	while (e->readable && !e->ended && buf_len(&e->rest) == 0) {
		ssize_t got;

		if (run > RUN_MAX || !buf_reserve(bufs(t), &e->rest, room_after(run)))
			break; /* if more is there, it is told again */
		got = e->ops->read(e, buf_tail(&e->rest), buf_room(&e->rest));
		if (got == NET_BROKEN)
			return from;
		e->readable = may_have_more(e, got);
		e->ended = got == NET_EOF;
		if (got <= 0)
			break;
		e->rest.tail += (uint32_t)got;
		run += (size_t)got;
		if (!tunnel_look(t, from) || !flush(e, to))
			return !from;
	}
	e->readable = false;
	if (buf_len(&e->rest) == 0)
		buf_release(bufs(t), &e->rest);
	return N_ENDS;
}

static void shut(struct tunnel_end *e)
{
	if (!e->shut)
		e->ops->shut(e);
	e->shut = true;
}

static bool has_said_all(const struct tunnel_end *e)
{
	return e->ended || e->scan.closed;
}

/* Nothing is to come any more: both have said that they close, when we asked them to, or
 * by themselves and one has closed (RFC 6455, 7.1.1: the other one waits for that). */
static bool is_closed(const struct tunnel *t)
{
	const struct tunnel_end *c = &t->end[END_CLIENT], *u = &t->end[END_UPSTREAM];

	if (c->scan.closed && u->scan.closed && (c->ended || u->ended))
		return true;
	return t->leaving != 0 && c->muted && u->muted && has_said_all(c) &&
	       has_said_all(u);
}

bool tunnel_is_over(struct tunnel *t)
{
	struct tunnel_end *c = &t->end[END_CLIENT], *u = &t->end[END_UPSTREAM];
	bool closed = is_closed(t);

	if ((c->ended || closed) && buf_len(&c->rest) == 0)
		shut(u);
	if ((u->ended || closed) && buf_len(&u->rest) == 0)
		shut(c);
	return c->shut && u->shut && c->ops->is_flushed(c) && u->ops->is_flushed(u);
}
