/*
 * Reading requests: the few headers that an origin must understand, and the body.
 * Everything else passes unseen; a test reads it through /headers.
 */
#include "origin.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX = 64 * 1024 * 1024 };

bool text_is(struct text t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

bool text_starts(struct text t, const char *s)
{
	return t.n >= strlen(s) && memcmp(t.p, s, strlen(s)) == 0;
}

/* The value of the header line if it is the one named, else NULL. */
static const char *value_of(const char *line, size_t n, const char *name)
{
	size_t len = strlen(name);

	if (n <= len || line[len] != ':' || strncasecmp(line, name, len) != 0)
		return NULL;
	line += len + 1;
	return line + strspn(line, " \t");
}

static void read_header(struct request *r, const char *line, size_t n)
{
	const char *v;

	if ((v = value_of(line, n, "content-length")) != NULL)
		r->length = strtoull(v, NULL, 10);
	else if ((v = value_of(line, n, "transfer-encoding")) != NULL)
		r->chunked = true;
	else if ((v = value_of(line, n, "connection")) != NULL)
		r->close = strncasecmp(v, "close", 5) == 0;
	else if ((v = value_of(line, n, "expect")) != NULL)
		r->expect = strncasecmp(v, "100-continue", 12) == 0;
}

static bool read_request_line(struct request *r, const char *line, size_t n)
{
	const char *end = line + n;
	const char *target = memchr(line, ' ', n);

	if (target == NULL)
		return false;
	r->method = (struct text){ .p = line, .n = (size_t)(target - line) };
	target++;
	const char *after = memchr(target, ' ', (size_t)(end - target));
	if (after == NULL)
		return false;
	const char *query = memchr(target, '?', (size_t)(after - target));
	const char *path_end = query != NULL ? query : after;
	r->path = (struct text){ .p = target, .n = (size_t)(path_end - target) };
	if (query != NULL)
		r->query = (struct text){ .p = query + 1,
			.n = (size_t)(after - query - 1) };
	r->is_head = text_is(r->method, "HEAD");
	r->close = end - after >= 9 && memcmp(after + 1, "HTTP/1.0", 8) == 0;
	return true;
}

bool request_parse(struct request *r, const char *p, size_t n)
{
	const char *end = p + n;
	const char *eol = memchr(p, '\n', n);

	*r = (struct request){ .head = { .p = p, .n = n } };
	if (eol == NULL || !read_request_line(r, p, (size_t)(eol - p)))
		return false;
	for (p = eol + 1; p < end; p = eol + 1) {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (eol == NULL)
			break;
		if (strchr("CcTtEe", *p) != NULL)
			read_header(r, p, (size_t)(eol - p));
	}
	return true;
}

bool request_expects_body(const struct request *r)
{
	return r->chunked || r->length > 0;
}

static void keep(struct conn *c, const char *p, size_t n)
{
	if (c->kept_n + n > KEPT_MAX)
		return;
	if (c->kept_n + n > c->kept_cap) {
		size_t cap = 2 * (c->kept_n + n);
		char *more = realloc(c->kept, cap);

		if (more == NULL)
			return;
		c->kept = more;
		c->kept_cap = cap;
	}
	memcpy(c->kept + c->kept_n, p, n);
	c->kept_n += n;
}

static void take_data(struct conn *c, const char *p, size_t n)
{
	c->body_bytes += n;
	c->port->count.body_bytes += n;
	if (c->sha != NULL)
		EVP_DigestUpdate(c->sha, p, n);
	if (c->kept != NULL)
		keep(c, p, n);
	if (c->reply.body == BODY_ECHO)
		send_echo(c, p, n);
}

/* How much of the counted bytes is there to take; takes it. */
static size_t take_counted(struct conn *c, const char *p, size_t n)
{
	size_t take = n < c->req.length ? n : (size_t)c->req.length;

	take_data(c, p, take);
	c->req.length -= take;
	return take;
}

static void note_trailer(struct conn *c, const char *line, size_t n)
{
	size_t have = strlen(c->trailers);

	while (n > 0 && isspace((unsigned char)line[n - 1]))
		n--;
	if (have + n + 3 > sizeof(c->trailers))
		return;
	snprintf(c->trailers + have, sizeof(c->trailers) - have, "%s%.*s",
		have > 0 ? "; " : "", (int)n, line);
}

/* One line of the framing: a size, the end of data, or a trailer. */
static bool take_line(struct conn *c, const char *line, size_t n)
{
	bool empty = n == 0 || (n == 1 && line[0] == '\r');

	if (c->chunk == CHUNK_DATA_END) {
		c->chunk = CHUNK_SIZE;
		return empty;
	}
	if (c->chunk == CHUNK_TRAILER) {
		if (empty)
			c->body_done = true;
		else
			note_trailer(c, line, n);
		return true;
	}
	if (!isxdigit((unsigned char)line[0]))
		return false;
	c->req.length = strtoull(line, NULL, 16);
	c->chunk = c->req.length > 0 ? CHUNK_DATA : CHUNK_TRAILER;
	return true;
}

/* How much was taken of p; SIZE_MAX: this is no chunked body. */
static size_t take_chunked(struct conn *c, const char *p, size_t n)
{
	if (c->chunk == CHUNK_DATA) {
		size_t took = take_counted(c, p, n);

		if (c->req.length == 0)
			c->chunk = CHUNK_DATA_END;
		return took;
	}
	const char *eol = memchr(p, '\n', n);
	if (eol == NULL)
		return n > 4096 ? SIZE_MAX : 0;
	if (!take_line(c, p, (size_t)(eol - p)))
		return SIZE_MAX;
	return (size_t)(eol - p) + 1;
}

/* An echo stops taking while its client does not read. */
static bool has_room(const struct conn *c)
{
	return c->reply.body != BODY_ECHO || c->out_n - c->out_sent < OUT_BYTES;
}

bool request_eat_body(struct conn *c)
{
	size_t used = 0;

	while (!c->body_done && used < c->in_n && has_room(c)) {
		size_t left = c->in_n - used;
		size_t took = c->req.chunked ? take_chunked(c, c->in + used, left)
					     : take_counted(c, c->in + used, left);

		if (took == SIZE_MAX)
			return false;
		if (took == 0 && !c->body_done)
			break;
		used += took;
		if (!c->req.chunked && c->req.length == 0)
			c->body_done = true;
	}
	memmove(c->in, c->in + used, c->in_n - used);
	c->in_n -= used;
	return true;
}
