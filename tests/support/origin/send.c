/*
 * Writing answers. Small ones leave in one write; big ones go from the static
 * pattern to the socket without a copy. A piece at a time if trickled.
 */
#include "origin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PATTERN_BYTES = 16 * PATTERN_PERIOD, SMALL = 16 * 1024 };

static char pattern[PATTERN_BYTES];

void send_pattern_init(void)
{
	for (size_t i = 0; i < sizeof(pattern); i++) {
		size_t at = i % PATTERN_PERIOD;

		pattern[i] = (char)(unsigned char)(at * 31 + (at >> 8));
	}
}

void send_append(struct conn *c, const void *p, size_t n)
{
	if (c->out_n + n > c->out_cap) {
		size_t cap = c->out_n + n + 1024;
		char *more = realloc(c->out, cap);

		if (more == NULL)
			abort();
		c->out = more;
		c->out_cap = cap;
	}
	memcpy(c->out + c->out_n, p, n);
	c->out_n += n;
}

void send_text(struct conn *c, const char *s)
{
	send_append(c, s, strlen(s));
}

/* True: all that was waiting is out. The error shows at the next read. */
bool send_flush(struct conn *c)
{
	while (c->out_sent < c->out_n) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_n - c->out_sent,
			MSG_NOSIGNAL);

		if (n == -1) {
			c->broken = errno != EAGAIN;
			return false;
		}
		c->out_sent += (size_t)n;
	}
	c->out_n = c->out_sent = 0;
	return true;
}

static bool has_no_body(const struct conn *c)
{
	return c->req.is_head || c->reply.status == 204 || c->reply.status == 304;
}

static void append_head(struct conn *c)
{
	const struct reply *r = &c->reply;
	char head[2048];
	char framing[64] = "";

	if (r->chunked)
		snprintf(framing, sizeof(framing), "Transfer-Encoding: chunked\r\n");
	else if (r->status != 204 && r->status != 304)
		snprintf(framing, sizeof(framing), "Content-Length: %llu\r\n",
			(unsigned long long)r->length);
	int n = snprintf(head, sizeof(head),
		"HTTP/1.1 %u %s\r\nX-Server: %s\r\nX-Port: %u\r\nContent-Type: %s\r\n"
		"%s%s%s%s\r\n",
		r->status, r->status < 400 ? "OK" : "Error", c->port->name,
		c->port->number, r->type, framing,
		r->trailers ? "Trailer: X-Trailer\r\n" : "",
		r->extra != NULL ? r->extra : "",
		c->set.close || c->req.close ? "Connection: close\r\n" : "");
	send_append(c, head, (size_t)n);
}

/* Keeps the answer for the next who asks, if it is one that may be kept. */
static void keep_canned(struct conn *c)
{
	struct port *p = c->port;

	if (p->is_control || !c->plain || p->canned != NULL || c->out_n > SMALL)
		return;
	p->canned = malloc(c->out_n);
	if (p->canned == NULL)
		return;
	memcpy(p->canned, c->out, c->out_n);
	p->canned_n = c->out_n;
}

static size_t next_piece(const struct conn *c)
{
	const struct reply *r = &c->reply;
	uint64_t left = (r->stop_at < r->length ? r->stop_at : r->length) - r->sent;
	uint64_t most = PATTERN_BYTES - r->sent % PATTERN_PERIOD;

	if (r->chunked)
		most = c->set.chunk_bytes != 0 ? c->set.chunk_bytes : 8192;
	if (c->set.trickle_ms != 0)
		most = c->set.trickle_bytes != 0 ? c->set.trickle_bytes : 1;
	if (most > PATTERN_BYTES - PATTERN_PERIOD)
		most = PATTERN_BYTES - PATTERN_PERIOD;
	return (size_t)(left < most ? left : most);
}

static const char *piece_at(const struct conn *c)
{
	if (c->reply.body == BODY_TEXT)
		return c->reply.text + c->reply.sent;
	return pattern + c->reply.sent % PATTERN_PERIOD;
}

static void append_chunk(struct conn *c, const char *p, size_t n)
{
	char size[24];
	int size_n = snprintf(size, sizeof(size), "%zx\r\n", n);

	send_append(c, size, (size_t)size_n);
	send_append(c, p, n);
	send_append(c, "\r\n", 2);
}

void send_echo(struct conn *c, const char *p, size_t n)
{
	if (n > 0)
		append_chunk(c, p, n);
	c->reply.length += n;
	c->reply.sent += n;
}

static void append_event(struct conn *c)
{
	char event[64];
	int n = snprintf(event, sizeof(event), "id: %llu\ndata: tick\n\n",
		(unsigned long long)c->reply.sent);

	append_chunk(c, event, (size_t)n);
	c->reply.sent++;
}

static void append_piece(struct conn *c)
{
	size_t n = next_piece(c);

	if (c->reply.body == BODY_EVENTS) {
		append_event(c);
		return;
	}
	if (c->reply.chunked)
		append_chunk(c, piece_at(c), n);
	else
		send_append(c, piece_at(c), n);
	c->reply.sent += n;
}

static bool is_whole(const struct conn *c)
{
	if (c->reply.body == BODY_CANNED || has_no_body(c))
		return true;
	if (c->reply.body == BODY_ECHO)
		return c->body_done;
	return c->reply.sent == c->reply.length;
}

static void append_end(struct conn *c)
{
	if (c->reply.chunked && !has_no_body(c))
		send_text(c, c->reply.trailers ? "0\r\nX-Trailer: done\r\n\r\n"
					       : "0\r\n\r\n");
	c->reply.chunked = false;
}

void send_begin(struct conn *c)
{
	if (c->reply.body == BODY_CANNED) {
		send_append(c, c->port->canned, c->port->canned_n);
		return;
	}
	if (c->garbage) {
		send_text(c, "HTTP/1.1 2xx what is this\r\n\r\n");
		return;
	}
	if (c->set.hints)
		send_text(c, "HTTP/1.1 103 Early Hints\r\n"
			     "Link: </style.css>; rel=preload\r\n\r\n");
	append_head(c);
	bool small = c->reply.length <= SMALL && c->set.trickle_ms == 0 &&
		     c->reply.stop_at == UINT64_MAX;
	if (!small || c->reply.body == BODY_EVENTS || c->reply.body == BODY_ECHO)
		return;
	while (!is_whole(c))
		append_piece(c);
	append_end(c);
	keep_canned(c);
}

/* Big bodies with a length skip the copy. False: the socket is full. */
static bool send_straight(struct conn *c)
{
	size_t want = next_piece(c);
	ssize_t n = send(c->fd, piece_at(c), want, MSG_NOSIGNAL);

	if (n == -1) {
		c->broken = errno != EAGAIN;
		return false;
	}
	c->reply.sent += (uint64_t)n;
	return (size_t)n == want;
}

static bool is_at_stop(const struct conn *c)
{
	return c->reply.sent >= c->reply.stop_at;
}

static enum sent stopped(const struct conn *c)
{
	return c->set.stall != STALL_NO ? SENT_STALL : SENT_TRUNCATED;
}

enum sent send_more(struct conn *c)
{
	/* 4 MiB a turn at most: other connections want their turn too. */
	for (int i = 0; i < 64; i++) {
		if (!send_flush(c))
			return c->broken ? SENT_FAILED : SENT_SOME;
		if (is_at_stop(c))
			return stopped(c);
		if (is_whole(c)) {
			bool ended = !c->reply.chunked;

			append_end(c);
			if (ended || has_no_body(c))
				return SENT_ALL;
			continue;
		}
		if (c->reply.body == BODY_ECHO)
			return SENT_WAITING;
		if (c->set.trickle_ms != 0 && c->paused) {
			c->paused = false;
			return SENT_PAUSE;
		}
		c->paused = true;
		if (!c->reply.chunked && c->set.trickle_ms == 0) {
			if (!send_straight(c))
				return c->broken ? SENT_FAILED : SENT_SOME;
		} else {
			append_piece(c);
		}
	}
	return SENT_SOME;
}
