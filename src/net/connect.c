/*
 * Opening a connection: connect and the TLS handshake, on either side.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/net/conn.h"

#include "net_priv.h"

void conn_opened(struct net_conn *c)
{
	c->state = CONN_OPEN;
	ev_io_stop(c->loop->ev, &c->io);
	if (c->accepted)
		fair_set(c, FAIR_NORMAL);
	conn_arm(c);
	conn_report(c, NET_OPEN);
}

void conn_step_handshake(struct net_conn *c)
{
	int left;

	switch (tls_handshake(c)) {
	case TLS_DONE:
		conn_opened(c);
		return;
	case TLS_WAIT:
		left = conn_flush(c);
		if (left == NET_BROKEN)
			break;
		conn_wait(c, left == NET_AGAIN ? EV_READ | EV_WRITE : EV_READ);
		return;
	case TLS_IS_HTTP:
		conn_fail(c, NET_NOT_TLS);
		return;
	case TLS_FAILED:
		break;
	}
	conn_fail(c, NET_TLS);
}

static enum net_failure failure_of(int error)
{
	switch (error) {
	case ETIMEDOUT:
		return NET_TIMEOUT;
	case ECONNRESET:
	case EPIPE:
		return NET_RESET;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EADDRNOTAVAIL:
		return NET_RESOURCES;
	default:
		return NET_REFUSED;
	}
}

static void open_plain(struct net_conn *c)
{
	if (c->out_n > 0 && conn_flush(c) == NET_BROKEN)
		conn_fail(c, NET_RESET);
	else
		conn_opened(c);
}

/* Writable and nothing to read: it is open. An error would be both. */
static int connect_error(const struct net_conn *c, int revents)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if ((revents & EV_READ) != 0 &&
		getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	return error;
}

void conn_step_open(struct net_conn *c, int revents)
{
	int error;

	if (c->failure != NET_FINE) {
		conn_fail(c, (enum net_failure)c->failure);
		return;
	}
	error = connect_error(c, revents);
	if (error != 0) {
		conn_fail(c, failure_of(error));
		return;
	}
	if (c->ssl == NULL) {
		open_plain(c);
		return;
	}
	c->state = CONN_HANDSHAKE;
	conn_step_handshake(c); /* a prefix leaves together with the ClientHello */
}

/* Begins to connect; what fails at once is reported on the next turn. */
static void begin(struct net_conn *c, const struct sockaddr *sa, socklen_t len)
{
	int on = 1;

	c->state = CONN_CONNECTING;
	if (sa->sa_family != AF_UNIX)
		(void)setsockopt(c->io.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->io.fd, sa, len) == -1 && errno != EINPROGRESS) {
		c->failure = (uint8_t)failure_of(errno);
		ev_feed_event(c->loop->ev, &c->io, EV_WRITE);
		return;
	}
	conn_wait(c, EV_READ | EV_WRITE);
}

static bool keep_prefix(struct net_conn *c, struct span prefix)
{
	if (prefix.n == 0)
		return true;
	c->out = mem_try(prefix.n);
	if (c->out == NULL)
		return false;
	memcpy(c->out, prefix.p, prefix.n);
	c->out_n = (uint32_t)prefix.n;
	return true;
}

struct net_conn *net_connect(struct net_loop *l, const struct sockaddr *sa,
	socklen_t len, const struct net_target *target)
{
	struct net_conn *c;
	int fd;

	if (!net_loop_may_open(l))
		return NULL;
	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return NULL;
	c = conn_new(l, fd, sa);
	if (c == NULL) {
		close(fd);
		return NULL;
	}
	loop_count(l, false, 1);
	c->owner = target->owner;
	fair_set(c, FAIR_SERVER);
	begin(c, sa, len);
	if (!keep_prefix(c, target->prefix) ||
		(target->tls != NULL &&
			tls_attach(c, target->tls, target->server_name) != 0)) {
		net_conn_close(c);
		return NULL;
	}
	return c;
}
