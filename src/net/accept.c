/*
 * Accepting: new connections for one thread from one listening socket.
 *
 * A listener that leaves the configuration may hold handshakes under way and
 * connections nobody accepted yet; closing it would reset them. So it first drops
 * new SYNs in the kernel (the client tries again, elsewhere), gives what is under way
 * some time, accepts until nothing is left, and closes then.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/base/log.h"
#include "sluice/base/units.h"
#include "sluice/net/conn.h"

#include "net_priv.h"

enum {
	ACCEPT_US =
		300, /* of a turn, so that a storm does not starve kept connections */
	PAUSE_MS = 100, /* after running out of descriptors */
	RETIRE_MS = 300,
};

struct net_acceptor {
	ev_io io;
	struct link link; /* in loop's full */
	struct net_loop *loop;
	struct net_accept to;
	struct net_timer pause, retire; /* a pause is one of a retiring listener too */
	struct leaving *leaving;
	void (*on_gone)(void *);
	void *gone_arg;
};

static void on_pause_over(void *arg)
{
	struct net_acceptor *a = arg;

	list_remove(&a->link);
	ev_io_start(a->loop->ev, &a->io);
}

void accept_resume_all(struct net_loop *l)
{
	LIST_EACH (&l->full, it, next) {
		struct net_acceptor *a = LIST_ENTRY(it, struct net_acceptor, link);

		net_timer_stop(&a->pause);
		on_pause_over(a);
	}
}

static void begin(struct net_acceptor *a, struct net_conn *c, struct net_tls *tls)
{
	c->state = CONN_OPEN;
	if (tls == NULL)
		fair_set(c, FAIR_NORMAL);
	if (tls != NULL && tls_attach(c, tls, NULL) != 0) {
		/* Who admitted it has counted it, and must hear of its end. */
		c->state = CONN_FAILED;
		c->failure = NET_RESOURCES;
		ev_feed_event(a->loop->ev, &c->io, EV_READ);
	} else if (tls != NULL) {
		/* The ClientHello has as a rule come with the connection or soon after.
		 */
		c->state = CONN_HANDSHAKE;
		conn_wait(c, EV_READ);
	}
}

/* TLS takes no memory before its turn has come. */
static void begin_with_header(struct net_conn *c, struct net_tls *tls)
{
	c->tls = tls != NULL ? net_tls_ref(tls) : NULL;
	c->state = CONN_HEADER;
	conn_wait(c, EV_READ);
}

void net_acceptor_adopt(
	struct net_acceptor *a, int fd, const struct sockaddr *peer, unsigned admission)
{
	struct net_tls *tls = a->to.tls != NULL ? a->to.tls(a->to.arg) : NULL;
	struct net_conn *c = conn_new(a->loop, fd, peer);

	if (c == NULL) {
		close(fd);
		if (a->to.on_lost != NULL)
			a->to.on_lost(a->to.arg, peer, admission);
		return;
	}
	c->accepted = true;
	fair_set(c, FAIR_LATE);
	loop_count(a->loop, true, 1);
	c->admission = (uint8_t)admission;
	if (admission & NET_ADMIT_PROXIED)
		begin_with_header(c, tls);
	else
		begin(a, c, tls);
	a->to.on_accept(a->to.arg, c);
}

static void take(struct net_acceptor *a, int fd, const struct sockaddr *peer)
{
	unsigned admission =
		a->to.admit != NULL ? a->to.admit(a->to.arg, peer) : NET_ADMIT;

	if (admission == NET_REFUSE) {
		close(fd);
		return;
	}
	if (a->to.elsewhere == NULL || !a->to.elsewhere(a->to.arg, fd, peer, admission))
		net_acceptor_adopt(a, fd, peer, admission);
}

static void pause_for(struct net_acceptor *a, int error)
{
	static struct log_gate gate;

	if (log_open_gate(&gate))
		log_error("cannot accept", "error=%s repeated=%u", strerror(error),
			log_held(&gate));
	ev_io_stop(a->loop->ev, &a->io);
	net_timer_set(&a->pause, PAUSE_MS);
}

/* The queue of the kernel keeps what comes, until a descriptor is free. A retiring
 * listener has no time for that. */
static void wait_for_room(struct net_acceptor *a)
{
	ev_io_stop(a->loop->ev, &a->io);
	list_remove(&a->link);
	list_push(&a->loop->full, &a->link);
	net_timer_set(&a->pause, PAUSE_MS); /* others may be idle by then */
	if (a->to.on_pause != NULL)
		a->to.on_pause(a->to.arg);
}

static bool has_room(struct net_acceptor *a)
{
	if (!loop_is_full(a->loop) || a->on_gone != NULL)
		return true;
	return a->to.make_room != NULL && a->to.make_room(a->to.arg);
}

/* False when the queue is empty or must wait. */
static bool accept_one(struct net_acceptor *a)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNIX };
	socklen_t len = sizeof(peer);
	int fd;

	if (!has_room(a)) {
		wait_for_room(a);
		return false;
	}
	fd = accept4(
		a->io.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		take(a, fd, (struct sockaddr *)&peer);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		pause_for(a, errno);
		return false;
	default: /* that one connection is gone already (accept(2)) */
		return true;
	}
}

static void on_acceptable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct net_acceptor *a = w->data;

	uint64_t until = clock_mono_ns() + ACCEPT_US * NS_PER_US;

	(void)ev;
	(void)revents;
	while (accept_one(a) && clock_mono_ns() < until)
		continue;
}

void net_acceptor_free(struct net_acceptor *a)
{
	if (a == NULL)
		return;
	ev_io_stop(a->loop->ev, &a->io);
	list_remove(&a->link);
	net_timer_stop(&a->pause);
	net_timer_stop(&a->retire);
	close(a->io.fd);
	listen_left(a->leaving);
	free(a);
}

static void on_retired(void *arg)
{
	struct net_acceptor *a = arg;
	void (*on_gone)(void *) = a->on_gone;
	void *gone_arg = a->gone_arg;

	while (accept_one(a))
		continue;
	net_acceptor_free(a);
	on_gone(gone_arg);
}

struct net_acceptor *net_acceptor_new(
	struct net_loop *l, int fd, const struct net_accept *to)
{
	struct net_acceptor *a = mem_zero(sizeof(*a));

	a->loop = l;
	a->to = *to;
	list_init(&a->link);
	net_timer_init(&a->pause, l, on_pause_over, a);
	net_timer_init(&a->retire, l, on_retired, a);
	ev_io_init(&a->io, on_acceptable, fd, EV_READ);
	ev_set_priority(&a->io, EV_MINPRI); /* kept connections first */
	a->io.data = a;
	ev_io_start(l->ev, &a->io);
	return a;
}

/* Drops segments whose flags are SYN without ACK. */
static void drop_syns(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]),
		.filter = code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ==
		-1)
		log_warn("listener closes without a filter", "error=%s",
			strerror(errno));
}

void net_acceptor_retire(struct net_acceptor *a, void (*on_gone)(void *arg), void *arg)
{
	a->on_gone = on_gone;
	a->gone_arg = arg;
	drop_syns(a->io.fd);
	a->leaving = listen_leaves(a->io.fd);
	net_timer_set(&a->retire, RETIRE_MS);
}
