/*
 * One client: connect, handshake, then request after request. step() is the only
 * place where a client moves on; it runs until the socket has nothing more to give.
 *
 * A latency begins when the request was due, not when it was sent: a server that
 * stalls is not excused from the requests it kept waiting.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#include "sluice/base/hist.h"

enum { BLOCK = 256 * 1024, HEAD_MAX = 8192 };

/* How much ahead of its moment a request may go: a tick and a sum differ by less. */
static const double slack_s = 20e-6, after_failure_s = 0.01;

enum state { IDLE, CONNECTING, HANDSHAKE, SENDING, READING };

struct client {
	struct wire wire;
	struct ev_io io;
	struct ev_timer again;
	enum state state;
	struct text request;
	double due_at;
	unsigned done;
	uint64_t sent;
	char *head; /* of an answer, as it comes; only while it comes */
	size_t head_n;
	bool in_body, last;
	bool is_granted; /* this request is one of those that were asked for */
	bool is_tunnel;  /* messages instead of requests */
	uint64_t body_left;
};

static struct client *clients;
static char block[BLOCK];

static void forget_answer(struct client *c)
{
	free(c->head);
	c->head = NULL;
	c->state = IDLE;
	c->sent = c->head_n = 0;
	c->in_body = false;
}

static void hang_up(struct client *c, bool keep)
{
	if (c->wire.fd != -1)
		ev_io_stop(loop, &c->io);
	wire_close(&c->wire, keep);
	c->is_tunnel = c->last = false;
}

static enum progress begin(struct client *c)
{
	bool is_warming = !tally.counting && c->done < plan.warm;

	if (!is_warming && !c->is_granted && !count_grant())
		return REST;
	c->is_granted = plan.is_exact && tally.counting;
	if (c->wire.fd != -1) {
		c->state = SENDING;
		return MORE;
	}
	c->state = CONNECTING;
	enum progress p = wire_dial(&c->wire);
	if (p != FAILED)
		ev_io_set(&c->io, c->wire.fd, EV_READ);
	return p;
}

static enum progress shake_hands(struct client *c)
{
	enum progress p = wire_shake_hands(&c->wire);

	if (p == MORE) {
		tally.connects += tally.counting;
		c->state = SENDING;
	}
	return p;
}

static enum progress send_request(struct client *c)
{
	struct text out = c->is_tunnel ? plan.message : c->request;
	uint64_t total = out.n + plan.upload;
	size_t done = 0;

	while (c->sent < total) {
		bool in_head = c->sent < out.n;
		uint64_t left = (in_head ? out.n : total) - c->sent;
		const char *from = in_head ? out.p + c->sent : block;
		size_t piece = left < BLOCK / 4 ? (size_t)left : BLOCK / 4;
		enum progress p = wire_put(&c->wire, from, piece, &done);

		if (p != MORE)
			return p;
		c->sent += done;
		tally.bytes_out += tally.counting ? done : 0;
	}
	c->state = READING;
	c->in_body = c->is_tunnel;
	c->body_left = plan.echo_n;
	return MORE;
}

static bool read_tunnel_head(struct client *c)
{
	c->body_left = 0;
	c->in_body = true;
	return strncmp(c->head + 9, "101", 3) == 0;
}

static bool read_head(struct client *c, const char *end)
{
	const char *length = strcasestr(c->head, "\r\ncontent-length:");
	const char *close = strcasestr(c->head, "\r\nconnection: close");

	if (plan.message_bytes > 0)
		return read_tunnel_head(c);
	if (length == NULL || length > end)
		return false;
	c->body_left = strtoull(length + 17, NULL, 10);
	c->last = close != NULL && close < end;
	if (tally.counting && c->head[9] != '2')
		tally.not_2xx++;
	c->in_body = true;
	return true;
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

/* n bytes of the body, or of the echo, stand in block. */
static bool take_body(struct client *c, size_t n)
{
	if (c->is_tunnel && c->body_left == plan.echo_n && !message_is_echo(block, n))
		return false;
	if (c->is_tunnel && n > c->body_left)
		return false;
	c->body_left -= n < c->body_left ? n : c->body_left;
	return true;
}

/* What comes after a request that ended well or badly. */
static void end_of_request(struct client *c)
{
	if (++c->done == plan.warm)
		count_warm();
	if (c->is_granted)
		count_done();
	c->is_granted = false;
}

static enum progress finish(struct client *c)
{
	double now = ev_time();

	forget_answer(c);
	if (plan.message_bytes > 0 && !c->is_tunnel) {
		c->is_tunnel = true;
		c->due_at = plan.rate > 0 ? c->due_at : now;
		return MORE;
	}
	if (tally.counting) {
		tally.requests++;
		hist_record(tally.latency, (uint64_t)((now - c->due_at) * 1e6));
	}
	end_of_request(c);
	if (plan.once || c->last)
		hang_up(c, plan.resume);
	if (plan.rate == 0) {
		c->due_at = now;
		return MORE;
	}
	c->due_at += plan.connections / plan.rate;
	return c->due_at <= now ? MORE : REST;
}

static enum progress read_answer(struct client *c)
{
	size_t done = 0;

	if (!c->in_body && c->head == NULL && (c->head = malloc(HEAD_MAX)) == NULL)
		abort();
	while (!c->in_body || c->body_left > 0) {
		char *to = c->in_body ? block : c->head + c->head_n;
		size_t room = c->in_body ? BLOCK : HEAD_MAX - 1 - c->head_n;
		enum progress p = wire_take(&c->wire, to, room, &done);

		if (p != MORE)
			return p;
		tally.bytes_in += tally.counting ? done : 0;
		if (!(c->in_body ? take_body(c, done) : take_head(c, done)))
			return FAILED;
	}
	return finish(c);
}

static enum progress step(struct client *c)
{
	switch (c->state) {
	case IDLE:
		return begin(c);
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

/* A failure while it warms up is tried again; one that counts has had its chance. */
static void fail(struct client *c)
{
	tally.failures += tally.counting;
	forget_answer(c);
	hang_up(c, false);
	if (tally.counting)
		end_of_request(c);
	if (plan.rate > 0) {
		c->due_at += plan.connections / plan.rate;
		return;
	}
	c->due_at = ev_now(loop) + after_failure_s;
	ev_timer_set(&c->again, after_failure_s, 0);
	ev_timer_start(loop, &c->again);
}

static void watch(struct client *c, int events)
{
	if (ev_is_active(&c->io) && (c->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->wire.fd, events);
	ev_io_start(loop, &c->io);
}

static void run(struct client *c)
{
	enum progress p = MORE;

	while (p == MORE)
		p = step(c);
	if (p == FAILED)
		fail(c);
	else if (c->wire.fd != -1) /* at rest it is told when it is closed */
		watch(c, p == WANT_WRITE ? EV_WRITE : EV_READ);
}

static void on_io(struct ev_loop *l, struct ev_io *w, int events)
{
	struct client *c = w->data;

	(void)l;
	(void)events;
	if (c->state == IDLE) /* between two requests: it was closed */
		hang_up(c, false);
	else
		run(c);
}

static void on_again(struct ev_loop *l, struct ev_timer *w, int events)
{
	struct client *c = w->data;

	(void)l;
	(void)events;
	if (c->state == IDLE)
		run(c);
}

static void wake(unsigned i)
{
	struct client *c = &clients[i];

	if (c->state == IDLE && c->due_at <= ev_time() + slack_s)
		run(c);
}

void clients_go_on(void)
{
	for (unsigned i = 0; i < plan.connections; i++) {
		if (clients[i].state != IDLE || ev_is_active(&clients[i].again))
			continue;
		clients[i].due_at = ev_time();
		run(&clients[i]);
	}
}

void clients_start_next(void)
{
	static unsigned next = 0;

	if (next == plan.connections)
		return;
	ev_timer_set(&clients[next].again, 0, 0);
	ev_timer_start(loop, &clients[next++].again);
}

void clients_start(void)
{
	double first = plan.rate > 0 ? pace_start(wake) : ev_now(loop);

	clients = calloc(plan.connections, sizeof(*clients));
	if (clients == NULL)
		abort();
	for (unsigned i = 0; i < plan.connections; i++) {
		struct client *c = &clients[i];
		/* Spread over a moment, so that they do not go in step. */
		double spread = 0.1 * i / plan.connections;

		c->wire.fd = -1;
		c->request = plan_request(i);
		ev_init(&c->io, on_io);
		c->io.data = c;
		ev_timer_init(&c->again, on_again, spread, 0);
		c->again.data = c;
		c->due_at = first + (plan.rate > 0 ? i / plan.rate : spread);
		if (plan.rate == 0 && !plan.in_turn)
			ev_timer_start(loop, &c->again);
	}
	if (plan.in_turn)
		clients_start_next();
}
