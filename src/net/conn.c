/*
 * A connection. conn.c dispatches its events by state, and serves the one that lasts,
 * CONN_OPEN; the other files are the other states: header.c (CONN_HEADER), connect.c
 * (CONN_CONNECTING, CONN_HANDSHAKE) and linger.c (CONN_LINGER).
 *
 * Read interest stays armed while the owner does not take it back, and a write is
 * tried before the connection waits to be writable: a kept-alive connection that is
 * answered at once costs one recv and one send a request, and no epoll_ctl. libev
 * changes epoll's mask only when it differs at the next poll.
 */
#include "sluice/net/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net_priv.h"

struct net_conn *conn_new(struct net_loop *l, int fd, const struct sockaddr *peer)
{
	struct net_conn *c = slab_take(&l->conns);

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof(*c) + l->user_bytes);
	c->loop = l;
	ev_io_init(&c->io, conn_on_io, fd, 0);
	c->peer.any.sa_family = AF_UNIX;
	if (peer != NULL && peer->sa_family == AF_INET)
		memcpy(&c->peer, peer, sizeof(c->peer.in4));
	else if (peer != NULL && peer->sa_family == AF_INET6)
		memcpy(&c->peer, peer, sizeof(c->peer.in6));
	return c;
}

void conn_wait(struct net_conn *c, int events)
{
	ev_io_stop(c->loop->ev, &c->io);
	if (events == 0)
		return;
	ev_io_modify(&c->io, events);
	ev_io_start(c->loop->ev, &c->io);
}

static bool takes_input(const struct net_conn *c)
{
	return c->want_read && !fair_is_deferred(c);
}

/* What an open connection has to wait for. */
static int wanted(const struct net_conn *c)
{
	int events = takes_input(c) ? EV_READ : 0;

	if (c->want_write || c->out_n > 0)
		events |= EV_WRITE;
	return events;
}

/* Bytes that TLS has already read from the socket: epoll will not announce them. */
static void tell_more(struct net_conn *c)
{
	if (c->more && takes_input(c) && c->state == CONN_OPEN)
		ev_feed_event(c->loop->ev, &c->io, EV_READ);
}

/* Puts the watcher into the state that the connection is in. */
void conn_arm(struct net_conn *c)
{
	int events = wanted(c);

	if (c->state != CONN_OPEN)
		return;
	if (ev_is_active(&c->io) && (c->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	conn_wait(c, events);
	tell_more(c); /* the wait forgot what was fed before it */
}

void conn_report(struct net_conn *c, unsigned events)
{
	if (events != 0 && c->owner.on_event != NULL)
		c->owner.on_event(c->owner.arg, events);
}

void conn_fail(struct net_conn *c, enum net_failure why)
{
	ev_io_stop(c->loop->ev, &c->io);
	c->state = CONN_FAILED;
	c->failure = (uint8_t)why;
	conn_report(c, NET_FAILED);
}

static ssize_t send_some(struct net_conn *c, const char *p, size_t n)
{
	ssize_t put;

	do {
		put = send(c->io.fd, p, n, MSG_NOSIGNAL);
	} while (put == -1 && errno == EINTR);
	if (put == -1)
		return errno == EAGAIN ? NET_AGAIN : NET_BROKEN;
	return put;
}

int conn_flush(struct net_conn *c)
{
	while (c->out_n > 0) {
		ssize_t put = send_some(c, c->out + c->out_at, c->out_n);

		if (put < 0)
			return (int)put;
		c->out_at += (uint32_t)put;
		c->out_n -= (uint32_t)put;
	}
	free(c->out);
	c->out = NULL;
	c->out_at = 0;
	return 0;
}

/* The kernel has room again. */
static unsigned on_writable(struct net_conn *c)
{
	bool kept = c->out_n > 0;
	int left = kept ? conn_flush(c) : 0;
	unsigned events = 0;

	if (left == NET_AGAIN)
		return 0;
	if (left == NET_BROKEN) {
		free(c->out);
		c->out = NULL;
		c->out_n = 0;
	}
	if (kept)
		events |= NET_DRAINED;
	if (c->want_write || left == NET_BROKEN)
		events |= NET_WRITE; /* the next write tells what is broken */
	c->want_write = false;
	conn_arm(c);
	return events;
}

static void on_open_io(struct net_conn *c, int revents)
{
	unsigned events = revents & EV_WRITE ? on_writable(c) : 0;

	if ((revents & EV_READ) && c->want_read) {
		if (fair_defers(c))
			conn_arm(c);
		else
			events |= NET_READ;
	}
	conn_report(c, events);
}

void conn_resume(struct net_conn *c)
{
	switch ((enum conn_state)c->state) {
	case CONN_HEADER:
		conn_wait(c, EV_READ);
		conn_on_header(c);
		return;
	case CONN_HANDSHAKE:
		conn_step_handshake(c);
		return;
	case CONN_OPEN:
		conn_arm(c);
		if (c->want_read)
			conn_report(c, NET_READ);
		return;
	case CONN_CLOSED:
		loop_defer_free(c);
		return;
	case CONN_CONNECTING:
	case CONN_FAILED:
	case CONN_LINGER:
		return;
	}
}

void conn_on_io(struct ev_loop *ev, ev_io *w, int revents)
{
	struct net_conn *c = (struct net_conn *)w;

	switch ((enum conn_state)c->state) {
	case CONN_HEADER:
		if (fair_defers(c))
			ev_io_stop(ev, w);
		else
			conn_on_header(c);
		return;
	case CONN_HANDSHAKE:
		if (fair_defers(c))
			ev_io_stop(ev, w);
		else
			conn_step_handshake(c);
		return;
	case CONN_CONNECTING:
		conn_step_open(c, revents);
		return;
	case CONN_OPEN:
		on_open_io(c, revents);
		return;
	case CONN_LINGER:
		conn_on_linger(c, revents);
		return;
	case CONN_FAILED:
		conn_report(c, NET_FAILED);
		return;
	case CONN_CLOSED:
		return;
	}
}

static ssize_t plain_read(struct net_conn *c, void *p, size_t n)
{
	ssize_t got;

	do {
		got = recv(c->io.fd, p, n, 0);
	} while (got == -1 && errno == EINTR);
	if (got == -1)
		return errno == EAGAIN ? NET_AGAIN : NET_BROKEN;
	return got;
}

/* What came together with a PROXY header. */
static ssize_t early_read(struct net_conn *c, void *p, size_t n)
{
	if (n > c->prefetched_n)
		n = c->prefetched_n;
	memcpy(p, c->prefetched, n);
	c->prefetched_n -= (uint32_t)n;
	memmove(c->prefetched, c->prefetched + n, c->prefetched_n);
	c->more = c->prefetched_n > 0;
	if (!c->more) {
		free(c->prefetched);
		c->prefetched = NULL;
	}
	tell_more(c);
	return (ssize_t)n;
}

ssize_t net_read(struct net_conn *c, void *p, size_t n)
{
	ssize_t got;

	assert(c->state == CONN_OPEN && n > 0);
	if (c->ssl == NULL)
		return c->prefetched_n == 0 ? plain_read(c, p, n) : early_read(c, p, n);
	got = tls_read(c, p, n);
	tell_more(c);
	return got;
}

static ssize_t plain_write(struct net_conn *c, const struct iovec *iov, int n_iov)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)n_iov };
	ssize_t put;

	do {
		put = sendmsg(c->io.fd, &msg, MSG_NOSIGNAL);
	} while (put == -1 && errno == EINTR);
	if (put == -1)
		return errno == EAGAIN ? NET_AGAIN : NET_BROKEN;
	return put;
}

ssize_t net_write(struct net_conn *c, const struct iovec *iov, int n_iov)
{
	assert(c->state == CONN_OPEN && n_iov > 0);
	if (c->out_n > 0)
		return NET_AGAIN;
	if (c->ssl == NULL)
		return plain_write(c, iov, n_iov);
	return tls_write(c, iov, n_iov);
}

size_t net_conn_room(struct net_conn *c)
{
	assert(c->state == CONN_OPEN);
	if (c->out_n > 0)
		return 0;
	return c->ssl != NULL ? tls_room(c) : SIZE_MAX;
}

void net_conn_own(struct net_conn *c, struct net_owner owner)
{
	assert(c->state < CONN_LINGER);
	c->owner = owner;
}

void net_conn_set_slow(struct net_conn *c, bool slow)
{
	if (c->state != CONN_OPEN || slow == (fair_of(c) == FAIR_LATE))
		return;
	fair_set(c, slow ? FAIR_LATE : c->accepted ? FAIR_NORMAL : FAIR_SERVER);
	tell_more(c); /* the change forgot what was fed before it */
}

void *net_conn_user(struct net_conn *c)
{
	return c->user;
}

struct net_loop *net_conn_loop(const struct net_conn *c)
{
	return c->loop;
}

void net_conn_want_read(struct net_conn *c, bool on)
{
	c->want_read = on;
	conn_arm(c);
	tell_more(c);
}

void net_conn_want_write(struct net_conn *c)
{
	c->want_write = true;
	conn_arm(c);
}

bool net_conn_is_flushed(const struct net_conn *c)
{
	return c->out_n == 0;
}

bool net_conn_is_quiet(const struct net_conn *c)
{
	char byte;
	ssize_t got;

	do {
		got = recv(c->io.fd, &byte, 1, MSG_PEEK);
	} while (got == -1 && errno == EINTR);
	return got == -1 && errno == EAGAIN;
}

size_t net_conn_unread(const struct net_conn *c)
{
	int queued = 0;

	if (ioctl(c->io.fd, SIOCOUTQ, &queued) == -1)
		return c->out_n;
	return c->out_n + (size_t)queued;
}

bool net_conn_is_open(const struct net_conn *c)
{
	return c->state == CONN_OPEN;
}

enum net_failure net_conn_failure(const struct net_conn *c)
{
	return (enum net_failure)c->failure;
}

const struct sockaddr *net_conn_peer(const struct net_conn *c)
{
	return &c->peer.any;
}

void net_conn_local(const struct net_conn *c, union net_address *out)
{
	socklen_t len = sizeof(*out);

	memset(out, 0, sizeof(*out));
	out->any.sa_family = AF_UNIX;
	if (c->accepted && c->told_local != NULL)
		*out = *c->told_local;
	else
		(void)getsockname(c->io.fd, &out->any, &len); /* else: no address */
}

void net_conn_local_text(const struct net_conn *c, char *out, size_t out_n)
{
	union net_address sa;
	char ip[INET6_ADDRSTRLEN];

	out[0] = '\0';
	net_conn_local(c, &sa);
	if (sa.any.sa_family == AF_INET &&
		inet_ntop(AF_INET, &sa.in4.sin_addr, ip, sizeof(ip)) != NULL)
		(void)snprintf(out, out_n, "%s:%u", ip, ntohs(sa.in4.sin_port));
	if (sa.any.sa_family == AF_INET6 &&
		inet_ntop(AF_INET6, &sa.in6.sin6_addr, ip, sizeof(ip)) != NULL)
		(void)snprintf(out, out_n, "[%s]:%u", ip, ntohs(sa.in6.sin6_port));
}

unsigned net_conn_admission(const struct net_conn *c)
{
	return c->admission;
}

bool net_conn_has_tls(const struct net_conn *c)
{
	return c->tls != NULL;
}

struct span net_conn_alpn(const struct net_conn *c)
{
	const unsigned char *name = NULL;
	unsigned n = 0;

	if (c->ssl != NULL)
		SSL_get0_alpn_selected(c->ssl, &name, &n);
	return (struct span){ .p = (const char *)name, .n = n };
}

int net_conn_peer_uid(const struct net_conn *c)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (c->peer.any.sa_family != AF_UNIX ||
		getsockopt(c->io.fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1)
		return -1;
	return (int)who.uid;
}

bool net_conn_peer_in_group(const struct net_conn *c, gid_t group)
{
	gid_t groups[256]; /* a process in more of them is judged by its first */
	struct ucred who;
	socklen_t who_len = sizeof(who), len = sizeof(groups);

	if (c->peer.any.sa_family != AF_UNIX ||
		getsockopt(c->io.fd, SOL_SOCKET, SO_PEERCRED, &who, &who_len) == -1)
		return false;
	if (who.gid == group)
		return true;
	if (getsockopt(c->io.fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == -1)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

static void close_now(struct net_conn *c, bool goodbye)
{
	assert(c->state != CONN_CLOSED);
	ev_io_stop(c->loop->ev, &c->io);
	if (c->state == CONN_LINGER)
		linger_end(c);
	tls_detach(c, goodbye);
	net_tls_unref(c->tls); /* whose turn had not come */
	free(c->out);
	free(c->prefetched);
	if (c->accepted)
		free(c->told_local);
	close(c->io.fd);
	loop_count(c->loop, c->accepted, -1);
	if (fair_is_deferred(c))
		c->state = CONN_CLOSED; /* its memory goes when it leaves the queue */
	else
		loop_defer_free(c);
}

void net_conn_close(struct net_conn *c)
{
	close_now(c, c->state == CONN_OPEN && c->out_n == 0);
}

void net_conn_abort(struct net_conn *c)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close_now(c, false);
}
