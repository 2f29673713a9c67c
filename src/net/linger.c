/*
 * The last moments of a connection that has nobody any more: what was written is
 * sent, our side is shut, and what the peer still sends is dropped for a while.
 *
 * Closing at once with unread bytes in the socket makes the kernel send a reset, and a
 * reset can destroy the answer before the peer has read it (RFC 9112, 9.6).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "sluice/net/conn.h"

#include "net_priv.h"

/* How long the peer may take to read what was written, after each sign that it
 * does; and how long and how much is dropped after our side was shut. */
enum { FLUSH_MS = 30000, LINGER_MS = 2000, LINGER_BYTES = 1 << 20 };

/* What a connection has in its last moments alone. */
struct parting {
	struct net_timer timer;
	uint32_t dropped; /* bytes so far */
};

static void on_linger_due(void *arg)
{
	net_conn_close(arg);
}

/* False: the connection is at its end. */
static bool drop_input(struct net_conn *c)
{
	char bytes[16384];
	ssize_t got;

	do {
		got = recv(c->io.fd, bytes, sizeof(bytes), 0);
	} while (got == -1 && errno == EINTR);
	if (got == -1)
		return errno == EAGAIN;
	c->parting->dropped += (uint32_t)got;
	return got > 0 && c->parting->dropped < LINGER_BYTES;
}

/* All is with the kernel: nothing more will come from us. */
static void shut(struct net_conn *c)
{
	(void)shutdown(c->io.fd, SHUT_WR);
	net_timer_set(&c->parting->timer, LINGER_MS);
	conn_wait(c, EV_READ);
}

void net_conn_shut(struct net_conn *c)
{
	assert(c->state == CONN_OPEN);
	if (c->ssl != NULL)
		tls_shut(c);
	else if (c->out_n == 0)
		(void)shutdown(c->io.fd, SHUT_WR);
}

void conn_on_linger(struct net_conn *c, int revents)
{
	if (revents & EV_WRITE) {
		int left = conn_flush(c);

		if (left == NET_BROKEN) {
			net_conn_close(c);
			return;
		}
		net_timer_set(&c->parting->timer, FLUSH_MS);
		if (left == 0)
			shut(c);
	}
	if (!(revents & EV_READ) || drop_input(c))
		return;
	/* A peer that has said its last word may still read ours. */
	if (c->out_n > 0)
		conn_wait(c, EV_WRITE);
	else
		net_conn_close(c);
}

static void begin(struct net_conn *c, struct parting *p)
{
	if (c->accepted)
		free(c->told_local);
	c->parting = p;
	c->state = CONN_LINGER;
	list_push(&c->loop->lingering, &c->link);
	p->dropped = 0;
	net_timer_init(&p->timer, c->loop, on_linger_due, c);
	net_timer_set(&p->timer, FLUSH_MS);
}

/* The connection is as it was when it had an owner, and has none. */
void linger_end(struct net_conn *c)
{
	net_timer_stop(&c->parting->timer);
	list_remove(&c->link);
	free(c->parting);
	c->parting = NULL;
	c->told_local = NULL;
}

void net_conn_linger(struct net_conn *c)
{
	struct parting *p = c->state == CONN_OPEN ? malloc(sizeof(*p)) : NULL;

	if (p == NULL) {
		net_conn_close(c);
		return;
	}
	tls_detach(c, true); /* the goodbye joins what waits in out */
	begin(c, p);
	if (c->out_n > 0)
		conn_wait(c, EV_READ | EV_WRITE);
	else
		shut(c);
}

void linger_end_all(struct net_loop *l)
{
	LIST_EACH (&l->lingering, it, next)
		net_conn_close(LIST_ENTRY(it, struct net_conn, link));
}
