/*
 * One connection: reads requests, lets reply.c choose the answer, does to it what
 * the settings say, sends it, goes on with the next. conn_advance is the only
 * place where a connection moves on; every callback ends there.
 *
 * READ_HEAD -> READ_BODY -> WAIT -> SEND (<-> PAUSE) -> READ_HEAD
 * Ways off that path: STALLED (silent until the client leaves), close, reset.
 */
#include "origin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void listen_for(struct conn *c)
{
	int want = 0;

	if (!c->eof && c->in_n < IN_BYTES)
		want |= EV_READ;
	if (c->is_full)
		want |= EV_WRITE;
	if (want == (c->io.events & (EV_READ | EV_WRITE)) && ev_is_active(&c->io))
		return;
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->fd, want);
	if (want != 0)
		ev_io_start(loop, &c->io);
}

static void forget_request(struct conn *c)
{
	if (c->counted)
		c->port->count.in_flight--;
	c->counted = false;
	EVP_MD_CTX_free(c->sha);
	c->sha = NULL;
	free(c->reply.text);
	free(c->kept);
	c->kept = NULL;
	c->kept_n = c->kept_cap = 0;
	c->reply = (struct reply){ .status = 0 };
}

void conn_close(struct conn *c)
{
	if (c->counted && c->eof)
		c->port->count.gone++;
	forget_request(c);
	ev_io_stop(loop, &c->io);
	ev_timer_stop(loop, &c->timer);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		c->port->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->port->open--;
	close(c->fd);
	free(c->out);
	free(c);
}

void conn_reset(struct conn *c)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	conn_close(c);
}

void conn_sleep(struct conn *c, uint64_t ms)
{
	ev_timer_stop(loop, &c->timer);
	ev_timer_set(&c->timer, (double)ms / 1000, 0);
	ev_timer_start(loop, &c->timer);
}

static void note_failure(struct conn *c)
{
	c->port->count.failed++;
	if (c->port->count.first_failed == 0)
		c->port->count.first_failed = ev_time();
}

static void begin_request(struct conn *c)
{
	struct counts *count = &c->port->count;

	c->set = c->port->set;
	settings_apply(&c->set, c->req.query, NULL);
	c->is_health = text_is(c->req.path, "/api/health");
	c->answered = c->plain = c->garbage = c->paused = false;
	c->body_done = !request_expects_body(&c->req);
	c->chunk = CHUNK_SIZE;
	c->body_bytes = 0;
	c->trailers[0] = '\0';
	if (c->port->is_control)
		return;
	if (c->is_health) {
		count->health_checks++;
		return;
	}
	count->requests++;
	c->counted = true;
	if (++count->in_flight > count->max_in_flight)
		count->max_in_flight = count->in_flight;
}

static bool head_is_whole(struct conn *c)
{
	const char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);

	if (end == NULL)
		return false;
	c->in_used = (size_t)(end + 4 - c->in);
	return true;
}

static void drop_used(struct conn *c)
{
	memmove(c->in, c->in + c->in_used, c->in_n - c->in_used);
	c->in_n -= c->in_used;
	c->in_used = 0;
}

/* False: the connection is over. */
static bool read_head(struct conn *c)
{
	if (!request_parse(&c->req, c->in, c->in_used)) {
		conn_close(c);
		return false;
	}
	ev_timer_stop(loop, &c->timer);
	begin_request(c);
	reply_choose(c);
	drop_used(c);
	if (c->req.expect && !c->set.no_continue && !c->reply.early) {
		send_text(c, "HTTP/1.1 100 Continue\r\n\r\n");
		send_flush(c);
	}
	c->state = READ_BODY;
	if (c->set.read_delay_ms != 0 && !c->body_done)
		conn_sleep(c, c->set.read_delay_ms);
	return true;
}

/* What the settings do to an answer that is due. False: the connection is over. */
static bool misbehave(struct conn *c)
{
	if (chance(c->set.reset_percent)) {
		note_failure(c);
		conn_reset(c);
		return false;
	}
	if (chance(c->set.fail_percent)) {
		note_failure(c);
		c->reply.status = c->set.status != 0 ? (unsigned)c->set.status : 503;
	}
	if (chance(c->set.garbage_percent)) {
		note_failure(c);
		c->garbage = true;
		c->reply.stop_at = 0;
	}
	uint64_t stalls = c->set.stall_percent != 0 ? c->set.stall_percent : 100;
	if (c->set.stall != STALL_NO && !chance(stalls))
		c->set.stall = STALL_NO;
	if (c->set.stall != STALL_NO || c->set.truncate != TRUNCATE_NO) {
		note_failure(c);
		c->reply.stop_at = c->reply.length / 2;
	}
	return true;
}

/* False: the connection is over. */
static bool answer_is_due(struct conn *c)
{
	uint64_t delay = c->is_health ? c->set.health_delay_ms : c->set.delay_ms;
	bool silent = c->is_health && c->set.health == HEALTH_STALL;

	if (!c->is_health && !c->port->is_control) {
		if (!misbehave(c))
			return false;
		delay += draw(c->set.jitter_ms);
		silent = c->set.stall == STALL_HEAD;
	}
	c->state = silent ? STALLED : WAIT;
	if (!silent && delay != 0) {
		conn_sleep(c, delay);
		return true;
	}
	if (!silent) {
		c->state = SEND;
		send_begin(c);
	}
	return true;
}

/* After an answer. False: the connection is over. */
static bool next_request(struct conn *c)
{
	if (!c->body_done && c->set.close) {
		conn_close(c);
		return false;
	}
	c->answered = true;
	if (!c->body_done) {
		c->state = READ_BODY;
		return true;
	}
	forget_request(c);
	if (c->req.close || c->set.close || (c->eof && c->in_n == 0)) {
		conn_close(c);
		return false;
	}
	c->state = READ_HEAD;
	if (c->set.close_idle_ms != 0 && c->in_n == 0)
		conn_sleep(c, c->set.close_idle_ms);
	return true;
}

/* False: wait, or the connection is over. */
static bool after_send(struct conn *c, enum sent sent)
{
	c->is_full = sent == SENT_SOME;
	switch (sent) {
	case SENT_ALL:
		return next_request(c);
	case SENT_SOME:
	case SENT_WAITING:
		return false;
	case SENT_PAUSE:
		c->state = PAUSE;
		conn_sleep(c, c->set.trickle_ms);
		return false;
	case SENT_STALL:
		c->state = STALLED;
		return false;
	case SENT_TRUNCATED:
		if (c->set.truncate == TRUNCATE_RESET)
			conn_reset(c);
		else
			conn_close(c);
		return false;
	case SENT_FAILED:
		c->eof = true;
		conn_close(c);
		return false;
	}
	return false;
}

/* False: wait for more of the body, or the connection is over. */
static bool read_body(struct conn *c)
{
	/* An early answer's head comes before the echo of the first byte. */
	bool first = c->reply.early && !c->answered;

	if (!first && !request_eat_body(c)) {
		conn_close(c);
		return false;
	}
	if (c->answered)
		return c->body_done && next_request(c);
	if (!c->body_done && !first)
		return false;
	reply_complete(c);
	return answer_is_due(c);
}

/* One turn. False: nothing more to do now, or c is gone. */
static bool turn(struct conn *c)
{
	switch (c->state) {
	case READ_HEAD:
		return head_is_whole(c) && read_head(c);
	case READ_BODY:
		if (ev_is_active(&c->timer))
			return false;
		return read_body(c);
	case SEND:
		if (c->reply.body == BODY_ECHO && !c->body_done)
			request_eat_body(c);
		return after_send(c, send_more(c));
	case WAIT:
	case PAUSE:
	case STALLED:
		return false;
	}
	return false;
}

static bool is_lost(const struct conn *c)
{
	return c->eof && c->state != SEND && c->state != PAUSE;
}

void conn_advance(struct conn *c)
{
	struct port *p = c->port;
	size_t open = p->open;

	while (turn(c))
		;
	if (p->open < open)
		return; /* c closed itself; a turn closes no other connection */
	if (is_lost(c)) {
		conn_close(c);
		return;
	}
	listen_for(c);
}

static void on_timer(struct ev_loop *l, struct ev_timer *w, int events)
{
	struct conn *c = w->data;

	(void)l;
	(void)events;
	if (c->state == READ_HEAD) {
		conn_close(c); /* idle for close_idle_ms */
		return;
	}
	if (c->state == WAIT)
		send_begin(c);
	if (c->state == WAIT || c->state == PAUSE)
		c->state = SEND;
	conn_advance(c);
}

static void on_io(struct ev_loop *l, struct ev_io *w, int events)
{
	struct conn *c = w->data;

	(void)l;
	if ((events & EV_READ) != 0 && c->in_n < IN_BYTES) {
		ssize_t n = recv(c->fd, c->in + c->in_n, IN_BYTES - c->in_n, 0);

		if (n > 0)
			c->in_n += (size_t)n;
		else if (n == 0 || errno != EAGAIN)
			c->eof = true;
	}
	conn_advance(c);
}

void conn_open(struct port *p, int fd)
{
	struct conn *c = malloc(sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	/* Not the input buffer: its pages stay untouched until they are needed. */
	memset(c, 0, offsetof(struct conn, in));
	c->port = p;
	c->fd = fd;
	c->next = p->conns;
	if (c->next != NULL)
		c->next->prev = c;
	p->conns = c;
	p->open++;
	p->count.connections++;
	ev_io_init(&c->io, on_io, fd, EV_READ);
	c->io.data = c;
	ev_init(&c->timer, on_timer);
	c->timer.data = c;
	ev_io_start(loop, &c->io);
}
