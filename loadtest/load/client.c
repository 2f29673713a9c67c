/*
 * One client: connect, handshake, then request after request. step() is the only
 * place where a client moves on; it runs until the socket has nothing more to give.
 *
 * A latency begins when the request was due, not when it was sent: a server that
 * stalls is not excused from the requests it kept waiting.
 */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/hist.h"

enum { BLOCK = 256 * 1024, HEAD_MAX = 8192 };

enum state { IDLE, CONNECTING, HANDSHAKE, SENDING, READING };
enum progress { MORE, WANT_READ, WANT_WRITE, REST, FAILED };

struct client {
	int fd;
	SSL *ssl;
	SSL_SESSION *session;
	struct ev_io io;
	struct ev_timer due;
	enum state state;
	double due_at;
	uint64_t sent;
	char head[HEAD_MAX];
	size_t head_n;
	bool in_body, last;
	uint64_t body_left;
};

static char block[BLOCK];

static void hang_up(struct client *c)
{
	if (c->fd == -1)
		return;
	ev_io_stop(loop, &c->io);
	if (c->ssl != NULL && plan.resume && c->state == IDLE) {
		SSL_SESSION_free(c->session);
		c->session = SSL_get1_session(c->ssl);
	}
	if (c->ssl != NULL) {
		SSL_set_quiet_shutdown(c->ssl, 1);
		SSL_shutdown(c->ssl);
	}
	SSL_free(c->ssl);
	c->ssl = NULL;
	/* No TIME_WAIT, or new connections run out of ports. */
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
		sizeof(struct linger));
	close(c->fd);
	c->fd = -1;
}

static enum progress from_ssl(struct client *c, int result)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return WANT_WRITE;
	default:
		return FAILED;
	}
}

static enum progress put(struct client *c, const char *p, size_t n, size_t *done)
{
	if (c->ssl != NULL) {
		int result = SSL_write_ex(c->ssl, p, n, done);

		return result == 1 ? MORE : from_ssl(c, result);
	}
	ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
	if (sent == -1)
		return errno == EAGAIN ? WANT_WRITE : FAILED;
	*done = (size_t)sent;
	return MORE;
}

static enum progress take(struct client *c, char *p, size_t n, size_t *done)
{
	if (c->ssl != NULL) {
		int result = SSL_read_ex(c->ssl, p, n, done);

		return result == 1 ? MORE : from_ssl(c, result);
	}
	ssize_t got = recv(c->fd, p, n, 0);
	if (got == -1)
		return errno == EAGAIN ? WANT_READ : FAILED;
	*done = (size_t)got;
	return got == 0 ? FAILED : MORE;
}

static enum progress dial(struct client *c)
{
	c->fd = socket(
		plan.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return FAILED;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	ev_io_set(&c->io, c->fd, EV_READ);
	c->state = CONNECTING;
	if (connect(c->fd, (struct sockaddr *)&plan.address, plan.address_len) == -1 &&
		errno != EINPROGRESS)
		return FAILED;
	return WANT_WRITE;
}

static enum progress shake_hands(struct client *c)
{
	if (plan.tls == NULL) {
		c->state = SENDING;
		return MORE;
	}
	if (c->ssl == NULL) {
		c->ssl = SSL_new(plan.tls);
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_tlsext_host_name(c->ssl, plan.host);
		if (c->session != NULL)
			SSL_set_session(c->ssl, c->session);
	}
	int result = SSL_connect(c->ssl);
	if (result != 1)
		return from_ssl(c, result);
	tally.handshakes += tally.counting;
	c->state = SENDING;
	return MORE;
}

static enum progress send_request(struct client *c)
{
	uint64_t total = plan.head_n + plan.upload;
	size_t done = 0;

	while (c->sent < total) {
		bool in_head = c->sent < plan.head_n;
		uint64_t left = (in_head ? plan.head_n : total) - c->sent;
		const char *from = in_head ? plan.head + c->sent : block;
		size_t piece = left < BLOCK / 4 ? (size_t)left : BLOCK / 4;
		enum progress p = put(c, from, piece, &done);

		if (p != MORE)
			return p;
		c->sent += done;
		tally.bytes_out += tally.counting ? done : 0;
	}
	c->state = READING;
	return MORE;
}

static bool read_head(struct client *c, const char *end)
{
	const char *length = strcasestr(c->head, "\r\ncontent-length:");
	const char *close = strcasestr(c->head, "\r\nconnection: close");

	if (length == NULL || length > end)
		return false;
	c->body_left = strtoull(length + 17, NULL, 10);
	c->last = close != NULL && close < end;
	if (tally.counting && c->head[9] != '2')
		tally.not_2xx++;
	c->in_body = true;
	return true;
}

static enum progress finish(struct client *c)
{
	double now = ev_time();

	if (tally.counting) {
		tally.requests++;
		hist_record(tally.latency, (uint64_t)((now - c->due_at) * 1e6));
	}
	c->state = IDLE;
	c->sent = c->head_n = 0;
	c->in_body = false;
	if (plan.once || c->last)
		hang_up(c);
	if (plan.rate == 0) {
		c->due_at = now;
		return MORE;
	}
	c->due_at += plan.connections / plan.rate;
	return REST;
}

/* n more bytes stand at the end of c->head. False: no answer that it understands. */
static bool take_head(struct client *c, size_t n)
{
	c->head_n += n;
	c->head[c->head_n] = '\0';
	const char *end = strstr(c->head, "\r\n\r\n");
	if (end == NULL)
		return c->head_n + 1 < HEAD_MAX;
	size_t body = c->head_n - (size_t)(end + 4 - c->head);
	if (!read_head(c, end) || body > c->body_left)
		return false;
	c->body_left -= body;
	return true;
}

static enum progress read_answer(struct client *c)
{
	size_t done = 0;

	while (!c->in_body || c->body_left > 0) {
		char *to = c->in_body ? block : c->head + c->head_n;
		size_t room = c->in_body ? BLOCK : HEAD_MAX - 1 - c->head_n;
		enum progress p = take(c, to, room, &done);

		if (p != MORE)
			return p;
		tally.bytes_in += tally.counting ? done : 0;
		if (c->in_body)
			c->body_left -= done < c->body_left ? done : c->body_left;
		else if (!take_head(c, done))
			return FAILED;
	}
	return finish(c);
}

static enum progress step(struct client *c)
{
	switch (c->state) {
	case IDLE:
		if (c->fd == -1)
			return dial(c);
		c->state = SENDING;
		return MORE;
	case CONNECTING:
		c->state = HANDSHAKE;
		return MORE;
	case HANDSHAKE:
		return shake_hands(c);
	case SENDING:
		return send_request(c);
	case READING:
		return read_answer(c);
	}
	return FAILED;
}

static void rest_until(struct client *c, double moment)
{
	double pause = moment - ev_now(loop);

	ev_timer_set(&c->due, pause > 0 ? pause : 0, 0);
	ev_timer_start(loop, &c->due);
}

static void fail(struct client *c)
{
	tally.failures += tally.counting;
	c->state = IDLE;
	c->sent = c->head_n = 0;
	c->in_body = false;
	hang_up(c);
	SSL_SESSION_free(c->session);
	c->session = NULL;
	c->due_at = ev_now(loop) + 0.01;
	rest_until(c, c->due_at);
}

static void watch(struct client *c, int events)
{
	if (ev_is_active(&c->io) && (c->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(loop, &c->io);
}

static void run(struct client *c)
{
	enum progress p = MORE;

	while (p == MORE)
		p = step(c);
	if (p == FAILED)
		fail(c);
	else if (p == REST)
		rest_until(c, c->due_at);
	else
		watch(c, p == WANT_WRITE ? EV_WRITE : EV_READ);
}

static void on_io(struct ev_loop *l, struct ev_io *w, int events)
{
	struct client *c = w->data;

	(void)l;
	(void)events;
	if (c->state == IDLE) /* between two requests of a rate: it was closed */
		hang_up(c);
	else
		run(c);
}

static void on_due(struct ev_loop *l, struct ev_timer *w, int events)
{
	(void)l;
	(void)events;
	run(w->data);
}

void clients_start(void)
{
	for (unsigned i = 0; i < plan.connections; i++) {
		struct client *c = calloc(1, sizeof(*c));

		if (c == NULL)
			abort();
		c->fd = -1;
		ev_init(&c->io, on_io);
		c->io.data = c;
		ev_init(&c->due, on_due);
		c->due.data = c;
		/* Spread over a moment, so that they do not go in step. */
		double spread = plan.rate > 0 ? plan.connections / plan.rate : 0.1;
		c->due_at = ev_now(loop) + spread * i / plan.connections;
		rest_until(c, c->due_at);
	}
}
