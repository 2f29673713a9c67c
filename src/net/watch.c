/*
 * The small watchers: wake-ups from other threads, descriptors of libraries, and
 * tickers.
 */
#include <stdlib.h>

#include "sluice/net/loop.h"

#include "net_priv.h"

static int ev_priority_of(enum net_priority p)
{
	switch (p) {
	case NET_LAST:
		return EV_MINPRI;
	case NET_NORMAL:
		return 0;
	case NET_FIRST:
		return EV_MAXPRI - 1; /* after the clock was read */
	}
	return 0;
}

struct net_waker {
	ev_async async;
	struct net_loop *loop;
	void (*on_wake)(void *);
	void *arg;
};

static void on_async(struct ev_loop *ev, ev_async *w, int revents)
{
	struct net_waker *waker = w->data;

	(void)ev;
	(void)revents;
	waker->on_wake(waker->arg);
}

struct net_waker *net_waker_new(struct net_loop *l, void (*on_wake)(void *), void *arg)
{
	struct net_waker *w = mem_zero(sizeof(*w));

	w->loop = l;
	w->on_wake = on_wake;
	w->arg = arg;
	ev_async_init(&w->async, on_async);
	w->async.data = w;
	ev_async_start(l->ev, &w->async);
	return w;
}

void net_waker_priority(struct net_waker *w, enum net_priority p)
{
	ev_async_stop(w->loop->ev, &w->async);
	ev_set_priority(&w->async, ev_priority_of(p));
	ev_async_start(w->loop->ev, &w->async);
}

void net_waker_free(struct net_waker *w)
{
	if (w == NULL)
		return;
	ev_async_stop(w->loop->ev, &w->async);
	free(w);
}

void net_wake(struct net_waker *w)
{
	ev_async_send(w->loop->ev, &w->async);
}

struct net_fd {
	ev_io io;
	struct net_loop *loop;
	void (*on_event)(void *, unsigned);
	void *arg;
};

static void on_fd(struct ev_loop *ev, ev_io *w, int revents)
{
	struct net_fd *f = w->data;

	(void)ev;
	f->on_event(f->arg, (revents & EV_READ ? NET_READ : 0u) |
				    (revents & EV_WRITE ? NET_WRITE : 0u));
}

struct net_fd *net_fd_new(
	struct net_loop *l, int fd, void (*on_event)(void *, unsigned), void *arg)
{
	struct net_fd *f = mem_zero(sizeof(*f));

	f->loop = l;
	f->on_event = on_event;
	f->arg = arg;
	ev_io_init(&f->io, on_fd, fd, 0);
	f->io.data = f;
	return f;
}

void net_fd_want(struct net_fd *f, unsigned events)
{
	int fd = f->io.fd;

	ev_io_stop(f->loop->ev, &f->io);
	ev_io_set(&f->io, fd,
		(events & NET_READ ? EV_READ : 0) |
			(events & NET_WRITE ? EV_WRITE : 0));
	if (events != 0)
		ev_io_start(f->loop->ev, &f->io);
}

void net_fd_free(struct net_fd *f)
{
	if (f == NULL)
		return;
	ev_io_stop(f->loop->ev, &f->io);
	free(f);
}

struct net_ticker {
	ev_timer timer;
	struct net_loop *loop;
	void (*on_tick)(void *);
	void *arg;
};

static void on_ticker(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct net_ticker *t = w->data;

	(void)ev;
	(void)revents;
	t->on_tick(t->arg);
}

struct net_ticker *net_ticker_new(struct net_loop *l, uint32_t ms, enum net_priority p,
	void (*on_tick)(void *), void *arg)
{
	struct net_ticker *t = mem_zero(sizeof(*t));

	t->loop = l;
	t->on_tick = on_tick;
	t->arg = arg;
	ev_now_update(l->ev);
	ev_timer_init(&t->timer, on_ticker, (double)ms / 1e3, (double)ms / 1e3);
	ev_set_priority(&t->timer, ev_priority_of(p));
	t->timer.data = t;
	ev_timer_start(l->ev, &t->timer);
	return t;
}

void net_ticker_free(struct net_ticker *t)
{
	if (t == NULL)
		return;
	ev_timer_stop(t->loop->ev, &t->timer);
	free(t);
}
