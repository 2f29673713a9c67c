/*
 * The rest of a response that nobody wants: read and dropped, so that its connection
 * can be kept. Up to 64 KiB and two seconds; what takes more costs less to close.
 */
#include "exchange/exchange_priv.h"

enum { REST_BYTES = 65536, REST_MS = 2000, READ_BYTES = 8192 };

struct drainer {
	struct rest rest;
	struct thread *thread;
	struct link link; /* in the thread's drains */
	struct net_timer timer;
	size_t dropped;
};

size_t drain_bytes(void)
{
	return sizeof(struct drainer);
}

static void stop(struct drainer *d)
{
	list_remove(&d->link);
	net_timer_stop(&d->timer);
	buf_release(net_loop_bufs(d->thread->loop), &d->rest.in);
}

static void give_up(struct drainer *d)
{
	struct net_conn *c = d->rest.conn;

	stop(d);
	thread_release_use(d->thread, d->rest.use);
	net_conn_close(c);
}

/* The connection's own memory holds the drainer: a copy goes on. */
static void keep(struct drainer *d)
{
	struct rest rest = d->rest;
	struct thread *t = d->thread;

	stop(d);
	server_take_back(rest.server, t->index, &rest.conn, &rest.keeping);
	thread_release_use(t, rest.use);
}

/* What is in the buffer: H1_DONE exactly at the end of the body. */
static enum h1_result drop_bytes(struct drainer *d)
{
	struct buf *in = &d->rest.in;
	enum h1_result result = H1_MORE;

	if (h1_body_is_done(&d->rest.body))
		return buf_len(in) == 0 ? H1_DONE : H1_BAD;
	while (buf_len(in) > 0 && result == H1_MORE) {
		struct span bytes = { .p = buf_head(in), .n = buf_len(in) }, data;
		enum h1_piece piece;
		size_t used;

		result = h1_body_next(&d->rest.body, bytes, &used, &piece, &data);
		if (result == H1_BAD)
			return H1_BAD;
		buf_drop(in, used);
		d->dropped += used;
		if (used == 0)
			break;
	}
	if (d->dropped > REST_BYTES || (result == H1_DONE && buf_len(in) > 0))
		return H1_BAD;
	return result;
}

static void on_event(void *arg, unsigned events)
{
	struct drainer *d = arg;
	struct buf *in = &d->rest.in;
	ssize_t got;

	(void)events;
	if (!buf_reserve(net_loop_bufs(d->thread->loop), in, READ_BYTES)) {
		give_up(d);
		return;
	}
	got = net_read(d->rest.conn, buf_tail(in), buf_room(in));
	if (got == NET_AGAIN)
		return;
	if (got <= 0) {
		give_up(d);
		return;
	}
	in->tail += (uint32_t)got;
	switch (drop_bytes(d)) {
	case H1_DONE:
		keep(d);
		return;
	case H1_BAD:
		give_up(d);
		return;
	case H1_MORE:
		return;
	}
}

static void on_due(void *arg)
{
	give_up(arg);
}

void drain_rest(struct thread *t, struct rest *rest)
{
	struct drainer *d = net_conn_user(rest->conn);

	d->rest = *rest;
	d->rest.use->users++;
	d->thread = t;
	d->dropped = 0;
	list_init(&d->link);
	list_push(&t->drains, &d->link);
	net_timer_init(&d->timer, t->loop, on_due, d);
	switch (drop_bytes(d)) {
	case H1_DONE:
		keep(d);
		return;
	case H1_BAD:
		give_up(d);
		return;
	case H1_MORE:
		break;
	}
	net_conn_own(
		d->rest.conn, (struct net_owner){ .on_event = on_event, .arg = d });
	net_timer_set(&d->timer, REST_MS);
	net_conn_want_read(d->rest.conn, true);
}

void drain_stop_all(struct thread *t)
{
	LIST_EACH (&t->drains, it, next)
		give_up(LIST_ENTRY(it, struct drainer, link));
}
