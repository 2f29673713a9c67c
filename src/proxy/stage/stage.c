/*
 * Bytes on their way out: what was written for the receiver (heads, chunk framing,
 * small bodies), then a run that is sent from the very buffer it was read into.
 *
 * What was sent is kept while another attempt may need it again.
 */
#include <string.h>
#include <sys/uio.h>

#include "exchange/exchange_priv.h"

/* With its framing a piece fits behind what may be staged already. */
enum { PIECE_MAX = 57344 };

struct span stage_piece(const struct buf *source, bool whole)
{
	size_t n = buf_len(source);

	return (struct span){ .p = buf_head(source),
		.n = whole || n < PIECE_MAX ? n : PIECE_MAX };
}

struct span stage_line(struct span *lines)
{
	const char *end = memchr(lines->p, '\r', lines->n);
	size_t n = end != NULL ? (size_t)(end - lines->p) : lines->n;
	struct span line = { .p = lines->p, .n = n };
	size_t used = n + 2 < lines->n ? n + 2 : lines->n;

	lines->p += used;
	lines->n -= used;
	return line;
}

static size_t unsent(const struct stage *s)
{
	return buf_len(&s->bytes) - s->sent;
}

bool stage_is_empty(const struct stage *s)
{
	return unsent(s) == 0 && s->direct == 0;
}

void stage_consume(struct stage *s, struct buf *source, size_t n)
{
	size_t own = unsent(s) < n ? unsent(s) : n;

	s->sent += (uint32_t)own;
	if (!s->keep) {
		buf_drop(&s->bytes, s->sent);
		s->sent = 0;
	}
	if (n > own) {
		buf_drop(source, n - own);
		s->direct -= n - own;
	}
}

enum sent stage_send(
	struct stage *s, struct net_conn *c, struct buf *source, bool *moved)
{
	while (!stage_is_empty(s)) {
		struct iovec iov[2];
		int n = 0;
		ssize_t put;

		if (unsent(s) > 0)
			iov[n++] = (struct iovec){ .iov_base = buf_head(&s->bytes) +
							       s->sent,
				.iov_len = unsent(s) };
		if (s->direct > 0)
			iov[n++] = (struct iovec){ .iov_base = buf_head(source),
				.iov_len = s->direct };
		put = net_write(c, iov, n);
		if (put == NET_BROKEN)
			return SENT_BROKEN;
		if (put == NET_AGAIN) {
			net_conn_want_write(c);
			return SENT_SOME;
		}
		stage_consume(s, source, (size_t)put);
		*moved = true;
	}
	return SENT_ALL;
}

bool stage_data(struct buf_pool *pool, struct stage *s, struct span data, bool chunked)
{
	char head[H1_CHUNK_HEAD_MAX];
	size_t head_n = chunked ? h1_chunk_head(head, data.n) : 0;

	if (!buf_reserve(pool, &s->bytes, data.n + head_n + 2))
		return false;
	buf_add(&s->bytes, head, head_n);
	buf_add_span(&s->bytes, data);
	if (chunked)
		buf_add(&s->bytes, "\r\n", 2);
	return true;
}

/* The last chunk comes before the first trailer. */
bool stage_trailer(
	struct buf_pool *pool, struct stage *s, struct span line, bool *begun)
{
	if (!buf_reserve(pool, &s->bytes, line.n + 5))
		return false;
	if (!*begun)
		buf_add(&s->bytes, "0\r\n", 3);
	*begun = true;
	buf_add_span(&s->bytes, line);
	buf_add(&s->bytes, "\r\n", 2);
	return true;
}

bool stage_last(struct buf_pool *pool, struct stage *s, bool *begun)
{
	if (!buf_reserve(pool, &s->bytes, 5))
		return false;
	if (!*begun)
		buf_add(&s->bytes, "0\r\n", 3);
	*begun = true;
	buf_add(&s->bytes, "\r\n", 2);
	return true;
}

bool stage_keep_line(struct buf_pool *pool, struct buf *lines, struct span line)
{
	if (!buf_reserve(pool, lines, line.n + 2))
		return false;
	buf_add_span(lines, line);
	buf_add(lines, "\r\n", 2);
	return true;
}

bool stage_keep_fields(
	struct buf_pool *pool, struct buf *lines, const struct http_head *trailers)
{
	for (size_t i = 0; i < trailers->n_fields; i++) {
		struct span name = http_field_name(trailers, &trailers->fields[i]);
		struct span value = http_field_value(trailers, &trailers->fields[i]);

		if (!buf_reserve(pool, lines, name.n + value.n + 4))
			return false;
		buf_add_span(lines, name);
		buf_add(lines, ": ", 2);
		buf_add_span(lines, value);
		buf_add(lines, "\r\n", 2);
	}
	return true;
}

size_t stage_size(const struct stage *s)
{
	return unsent(s) + s->direct;
}

void stage_copy(const struct stage *s, const struct buf *source, char *out, size_t n)
{
	size_t own = unsent(s) < n ? unsent(s) : n;

	if (own > 0)
		memcpy(out, buf_head(&s->bytes) + s->sent, own);
	if (n > own)
		memcpy(out + own, buf_head(source), n - own);
}

void stage_fini(struct buf_pool *pool, struct stage *s)
{
	buf_release(pool, &s->bytes);
	s->sent = 0;
	s->direct = 0;
}
