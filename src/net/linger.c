/*
 * The last moments of a connection that its owner has left: what was written is sent,
 * our side is shut, and what the peer still sends is read and dropped.
 *
 * Closing with unread bytes in the socket makes the kernel send a reset, and so does
 * what comes afterwards; a reset destroys an answer that the peer has not read yet (RFC
 * 9112, 9.6), and many clients read none before their whole request is sent. So how
 * much is dropped is for the peer to say. What bounds it is time: struct net_linger in
 * all, and a few seconds for a peer that sends less than a client in earnest would.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/units.h"
#include "sluice/net/conn.h"

#include "net_priv.h"

/* How long the peer may take to read what was written, after each sign that it
 * does; how often its rate is looked at, and how many bad looks are one too many. */
enum { FLUSH_MS = 30000, LOOK_MS = 1000, BAD_LOOKS = 5 };
enum { DROP_BYTES = 65536 };
/* What bounds a brief linger. */
enum { BRIEF_MS = 2000, BRIEF_BYTES = 1 << 20 };

/* What a connection has in its last moments alone. */
struct parting {
	struct net_timer timer;
	uint64_t until_ns; /* 0: there is still something to send */
	uint64_t
		dropped; /* bytes since the last good look; of a brief linger, in all */
	uint32_t looks;  /* since then */
	bool brief;
};

/* The peer keeps to the rate; less than a byte a look is none. */
static bool is_in_earnest(const struct net_linger *bounds, struct parting *p)
{
	uint64_t least = (uint64_t)bounds->rate * LOOK_MS / 1000 * ++p->looks;

	if (p->dropped > 0 && p->dropped >= least) {
		p->dropped = 0;
		p->looks = 0;
	}
	return p->looks < BAD_LOOKS;
}

static void look_again(struct net_conn *c)
{
	uint32_t ms = c->loop->linger.ms;

	net_timer_set(&c->parting->timer, ms < LOOK_MS ? ms : LOOK_MS);
}

static void on_linger_due(void *arg)
{
	struct net_conn *c = arg;
	struct parting *p = c->parting;

	if (p->until_ns == 0 || c->loop->now_ns >= p->until_ns || p->brief ||
		!is_in_earnest(&c->loop->linger, p))
		net_conn_close(c);
	else
		look_again(c);
}

/* False: the connection is at its end. TCP drops the bytes where they are (tcp(7),
 * MSG_TRUNC); the buffer is for unix sockets. */
static bool drop_input(struct net_conn *c)
{
	char bytes[DROP_BYTES];
	ssize_t got;

	do {
		got = recv(c->io.fd, bytes, sizeof(bytes), MSG_TRUNC);
	} while (got == -1 && errno == EINTR);
	if (got == -1)
		return errno == EAGAIN;
	c->parting->dropped += (uint64_t)got;
	return got > 0 && !(c->parting->brief && c->parting->dropped > BRIEF_BYTES);
}

/* All is with the kernel: nothing more will come from us. */
static void shut(struct net_conn *c)
{
	struct parting *p = c->parting;

	(void)shutdown(c->io.fd, SHUT_WR);
	p->until_ns = c->loop->now_ns + (uint64_t)c->loop->linger.ms * NS_PER_MS;
	p->dropped = 0;
	if (p->brief)
		net_timer_set(&p->timer, BRIEF_MS);
	else
		look_again(c);
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

/* Room for one more: a flood of connections that linger costs the one that has
 * lingered longest its place, and no other connection anything. */
static void make_room(struct net_loop *l)
{
	if (l->n_lingering < l->linger.most)
		return;
	net_conn_close(LIST_ENTRY(l->lingering.next, struct net_conn, link));
}

static void begin(struct net_conn *c, struct parting *p, bool brief)
{
	if (c->accepted)
		free(c->told_local);
	make_room(c->loop);
	*p = (struct parting){ .brief = brief };
	c->parting = p;
	c->state = CONN_LINGER;
	list_push(&c->loop->lingering, &c->link);
	c->loop->n_lingering++;
	net_timer_init(&p->timer, c->loop, on_linger_due, c);
	net_timer_set(&p->timer, FLUSH_MS);
}

/* The connection is as it was when it had an owner, and has none. */
void linger_end(struct net_conn *c)
{
	net_timer_stop(&c->parting->timer);
	list_remove(&c->link);
	c->loop->n_lingering--;
	free(c->parting);
	c->parting = NULL;
	c->told_local = NULL;
}

static void linger(struct net_conn *c, bool brief)
{
	struct parting *p = c->state == CONN_OPEN ? mem_try(sizeof(*p)) : NULL;

	if (p == NULL) {
		net_conn_close(c);
		return;
	}
	tls_detach(c, true); /* the goodbye joins what waits in out */
	begin(c, p, brief);
	if (c->out_n > 0)
		conn_wait(c, EV_READ | EV_WRITE);
	else
		shut(c);
}

void net_conn_linger(struct net_conn *c)
{
	linger(c, false);
}

void net_conn_linger_briefly(struct net_conn *c)
{
	linger(c, true);
}

void net_conn_farewell(struct net_conn *c, struct span text)
{
	assert(c->state == CONN_FAILED && text.n > 0);
	tls_detach(c, false);
	free(c->out);
	c->out = mem_try(text.n);
	if (c->out == NULL) {
		c->out_n = 0;
		net_conn_close(c);
		return;
	}
	memcpy(c->out, text.p, text.n);
	c->out_at = 0;
	c->out_n = (uint32_t)text.n;
	c->state = CONN_OPEN;
	net_conn_linger(c);
}

void net_loop_linger(struct net_loop *l, const struct net_linger *bounds)
{
	assert(bounds->ms > 0 && bounds->most > 0);
	l->linger = *bounds;
}

void linger_end_all(struct net_loop *l)
{
	LIST_EACH (&l->lingering, it, next)
		net_conn_close(LIST_ENTRY(it, struct net_conn, link));
}
