/*
 * Heads as they go on. Room is reserved once for all that could be written, then bytes
 * are only copied; lines that follow each other unchanged are copied in one piece.
 */
#include <assert.h>

#include "http_priv.h"

/* Names, blanks and numbers of all the lines that are ours, Via and Forwarded too. */
enum { OUR_LINES_MAX = 512, LINE_EXTRA = 4 };

/* Fields that are ours to write. */
#define REQUEST_SKIPS                                              \
	(http_bit(HTTP_N_HOST) | http_bit(HTTP_N_CONTENT_LENGTH) | \
		http_bit(HTTP_N_X_FORWARDED_FOR) | http_bit(HTTP_N_X_REQUEST_ID))
/* What says who the client is, which it may not say itself. */
#define UNTRUSTED_SKIPS                                                           \
	(http_bit(HTTP_N_X_FORWARDED_PROTO) | http_bit(HTTP_N_X_FORWARDED_HOST) | \
		http_bit(HTTP_N_FORWARDED))

static size_t room_for(const struct http_head *h)
{
	size_t room = OUR_LINES_MAX + h->host.n;

	/* A line of text grows by the blank that is missing behind its colon. */
	if (h->is_text)
		return room + h->bytes + h->n_fields;
	room += h->method_text.n + h->target.n + h->reason.n;
	for (size_t i = 0; i < h->n_fields; i++)
		room += h->fields[i].name_n + h->fields[i].value_n + LINE_EXTRA;
	return room;
}

static char *put_line(char *w, struct span name, struct span value)
{
	w = h1_put(w, name);
	w = h1_put(w, SPAN(": "));
	w = h1_put(w, value);
	return h1_put(w, SPAN("\r\n"));
}

char *h1_put_decimal(char *w, uint64_t n)
{
	char digits[H1_DECIMAL_MAX];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return h1_put(w, (struct span){ .p = digits + at, .n = sizeof digits - at });
}

static char *put_text(char *w, const struct http_head *h, uint32_t from, uint32_t to)
{
	return h1_put(w, (struct span){ .p = h->base + from, .n = to - from });
}

/* The line is "Name: value\r\n", and can be copied as it stands. */
static bool is_line(const struct http_head *h, const struct http_field *f)
{
	return h->is_text && f->value == f->name + f->name_n + 2u &&
	       h->base[f->value - 1] == ' ' && h->base[f->value + f->value_n] == '\r';
}

/* skips: a bit for each name that is not to be written. */
static char *put_fields(char *w, const struct http_head *h, uint64_t skips)
{
	uint32_t from = 0, to = 0; /* lines that stand in one piece, not yet copied */

	for (const struct http_field *f = h->fields; f < h->fields + h->n_fields; f++) {
		if (f->dropped || (skips >> f->id & 1) != 0)
			continue;
		if (!is_line(h, f)) {
			w = put_text(w, h, from, to);
			w = put_line(w, http_field_name(h, f), http_field_value(h, f));
			from = to = 0;
			continue;
		}
		if (f->name != to) {
			w = put_text(w, h, from, to);
			from = f->name;
		}
		to = f->value + f->value_n + 2;
	}
	return put_text(w, h, from, to);
}

static char *put_length(char *w, uint64_t length)
{
	w = h1_put(w, SPAN("Content-Length: "));
	w = h1_put_decimal(w, length);
	return h1_put(w, SPAN("\r\n"));
}

static char *put_framing(char *w, enum http_framing framing, uint64_t length)
{
	switch (framing) {
	case HTTP_LENGTH:
		return put_length(w, length);
	case HTTP_CHUNKED:
		return h1_put(w, SPAN("Transfer-Encoding: chunked\r\n"));
	case HTTP_NO_BODY:
	case HTTP_UNTIL_CLOSE:
		break;
	}
	return w;
}

/* The field that the parser dropped, but that goes on with a 101. */
static char *put_switched(char *w, const struct http_head *h)
{
	for (const struct http_field *f = h->fields; f < h->fields + h->n_fields; f++)
		if (f->id == HTTP_N_UPGRADE)
			w = put_line(w, SPAN("Upgrade"), http_field_value(h, f));
	return h1_put(w, SPAN("Connection: upgrade\r\n"));
}

/* One more hop, behind those that came (RFC 9110, 7.6.3). */
static char *put_via(
	char *w, const struct http_head *h, bool from_h2, struct span pseudonym)
{
	if (from_h2)
		w = h1_put(w, SPAN("Via: 2 "));
	else
		w = h->minor == 0 ? h1_put(w, SPAN("Via: 1.0 "))
				  : h1_put(w, SPAN("Via: 1.1 "));
	w = h1_put(w, pseudonym);
	return h1_put(w, SPAN("\r\n"));
}

/* --- requests ------------------------------------------------------------- */

/* All that came, in order, with the peer's own address behind it. */
static char *put_forwarded_for(
	char *w, const struct http_head *h, const struct h1_forward *forward)
{
	w = h1_put(w, SPAN("X-Forwarded-For: "));
	for (size_t i = 0; forward->trusted && i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];

		if (f->id != HTTP_N_X_FORWARDED_FOR || f->dropped || f->value_n == 0)
			continue;
		w = h1_put(w, http_field_value(h, f));
		w = h1_put(w, SPAN(", "));
	}
	w = h1_put(w, forward->client_ip);
	return h1_put(w, SPAN("\r\n"));
}

static char *put_quoted(char *w, struct span before, struct span s, struct span behind)
{
	w = h1_put(w, before);
	w = h1_put(w, s);
	return h1_put(w, behind);
}

/* RFC 7239, 6: colons and brackets want quotes; who has no address is unknown. */
static char *put_node(char *w, struct span ip)
{
	if (ip.n > 0 && memchr(ip.p, ':', ip.n) != NULL)
		return put_quoted(w, SPAN("\"["), ip, SPAN("]\""));
	if (ip.n > 0 && ip.p[0] >= '0' && ip.p[0] <= '9')
		return h1_put(w, ip);
	return h1_put(w, SPAN("unknown"));
}

/* All that came from a trusted peer, in order, with our own element behind it. */
static char *put_forwarded_element(
	char *w, const struct http_head *h, const struct h1_forward *forward)
{
	struct span host = http_text(h, h->host);

	w = h1_put(w, SPAN("Forwarded: "));
	for (size_t i = 0; forward->trusted && i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];

		if (f->id != HTTP_N_FORWARDED || f->dropped || f->value_n == 0)
			continue;
		w = h1_put(w, http_field_value(h, f));
		w = h1_put(w, SPAN(", "));
	}
	w = h1_put(w, SPAN("for="));
	w = put_node(w, forward->client_ip);
	if (host.n > 0 && http_is_token(host))
		w = put_quoted(w, SPAN(";host="), host, SPAN(""));
	else if (host.n > 0)
		w = put_quoted(w, SPAN(";host=\""), host, SPAN("\""));
	return forward->tls ? h1_put(w, SPAN(";proto=https\r\n"))
			    : h1_put(w, SPAN(";proto=http\r\n"));
}

/* By option: kept out of the way of those who have not asked for it. */
__attribute__((noinline)) static char *put_hop(
	char *w, const struct http_head *h, const struct h1_forward *f)
{
	if (f->forwarded)
		w = put_forwarded_element(w, h, f);
	return f->via.n > 0 ? put_via(w, h, f->from_h2, f->via) : w;
}

static bool is_told(
	const struct http_head *h, const struct h1_forward *f, enum http_name name)
{
	return f->trusted && http_find(h, name) != NULL;
}

static char *put_forwarded(
	char *w, const struct http_head *h, const struct h1_forward *f)
{
	w = put_forwarded_for(w, h, f);
	if (!is_told(h, f, HTTP_N_X_FORWARDED_PROTO))
		w = f->tls ? h1_put(w, SPAN("X-Forwarded-Proto: https\r\n"))
			   : h1_put(w, SPAN("X-Forwarded-Proto: http\r\n"));
	if (h->host.n > 0 && !is_told(h, f, HTTP_N_X_FORWARDED_HOST))
		w = put_line(w, SPAN("X-Forwarded-Host"), http_text(h, h->host));
	if (f->request_id.n > 0)
		w = put_line(w, SPAN("X-Request-Id"), f->request_id);
	return w;
}

/* One hop less (RFC 9110, 7.6.2); at 0 the exchange may have answered itself. */
static char *put_max_forwards(char *w, const struct http_head *h)
{
	const struct http_field *f = http_find(h, HTTP_N_MAX_FORWARDS);
	uint64_t hops;

	if (f == NULL || !span_u64(http_field_value(h, f), &hops))
		return w;
	w = h1_put(w, SPAN("Max-Forwards: "));
	w = h1_put_decimal(w, hops == 0 ? 0 : hops - 1);
	return h1_put(w, SPAN("\r\n"));
}

static char *put_request_connection(
	char *w, const struct http_head *h, const struct h1_forward *f)
{
	if (f->upgrade && h->upgrade) /* whatever else the client would take */
		return h1_put(w, SPAN("Upgrade: websocket\r\nConnection: upgrade\r\n"));
	/* RFC 9110, 10.1.4: TE is for the next hop, and says so. */
	if (h->te_trailers && f->keep_alive)
		return h1_put(w, SPAN("TE: trailers\r\nConnection: TE\r\n"));
	if (h->te_trailers)
		return h1_put(w, SPAN("TE: trailers\r\nConnection: TE, close\r\n"));
	return f->keep_alive ? w : h1_put(w, SPAN("Connection: close\r\n"));
}

static uint64_t request_skips(const struct http_head *h, const struct h1_forward *f)
{
	uint64_t skips = REQUEST_SKIPS;

	if (!f->trusted)
		skips |= UNTRUSTED_SKIPS;
	if (f->forwarded)
		skips |= http_bit(HTTP_N_FORWARDED);
	if (!h->expect_continue)
		skips |= http_bit(HTTP_N_EXPECT);
	if (h->method == HTTP_OPTIONS)
		skips |= http_bit(HTTP_N_MAX_FORWARDS);
	return skips;
}

int h1_write_request(struct buf_pool *pool, struct buf *out, const struct http_head *h,
	const struct h1_forward *f)
{
	/* Address and host may stand there twice: X-Forwarded-*, Forwarded. */
	size_t room = room_for(h) + h->host.n + 2 * f->client_ip.n + f->request_id.n +
		      f->host.n + f->via.n;

	if (!buf_reserve(pool, out, room))
		return -1;

	char *w = buf_tail(out);
	w = h1_put(w, http_text(h, h->method_text));
	w = h1_put(w, SPAN(" "));
	w = h1_put(w, http_text(h, h->target));
	w = h1_put(w, SPAN(" HTTP/1.1\r\n"));
	w = put_line(w, SPAN("Host"), f->host);
	w = put_fields(w, h, request_skips(h, f));
	if (h->method == HTTP_OPTIONS)
		w = put_max_forwards(w, h);
	w = put_forwarded(w, h, f);
	if (f->via.n > 0 || f->forwarded)
		w = put_hop(w, h, f);
	w = put_request_connection(w, h, f);
	w = put_framing(w, h->framing, h->length);
	w = h1_put(w, SPAN("\r\n"));
	assert((size_t)(w - buf_tail(out)) <= room);
	out->tail = (uint32_t)(w - out->data);
	return 0;
}

/* --- responses ------------------------------------------------------------ */

static char *put_status_line(char *w, const struct http_head *h)
{
	struct span reason = h->reason.n > 0 ? http_text(h, h->reason)
					     : span_of(http_status_text(h->status));

	w = h1_put(w, SPAN("HTTP/1.1 "));
	*w++ = (char)('0' + h->status / 100);
	*w++ = (char)('0' + h->status / 10 % 10);
	*w++ = (char)('0' + h->status % 10);
	*w++ = ' ';
	w = h1_put(w, reason);
	return h1_put(w, SPAN("\r\n"));
}

static char *put_response_connection(char *w, const struct h1_answer *a)
{
	if (!a->keep_alive)
		return h1_put(w, SPAN("Connection: close\r\n"));
	return a->client_minor > 0 ? w : h1_put(w, SPAN("Connection: keep-alive\r\n"));
}

/* Of what has no body the length is that of what GET would have given (RFC 9110, 8.6);
 * a 204 has none. */
static char *put_response_framing(
	char *w, const struct http_head *h, const struct h1_answer *a)
{
	const struct http_field *length = NULL;

	if (a->framing == HTTP_NO_BODY && h->status != 204)
		length = http_find(h, HTTP_N_CONTENT_LENGTH);
	if (length != NULL)
		return put_line(w, SPAN("Content-Length"), http_field_value(h, length));
	return put_framing(w, a->framing, h->length);
}

int h1_write_response(struct buf_pool *pool, struct buf *out, const struct http_head *h,
	const struct h1_answer *a)
{
	size_t room = room_for(h) + a->added.via.n + a->added.date.n;

	assert(a->client_minor > 0 || a->framing != HTTP_CHUNKED);
	if (!buf_reserve(pool, out, room))
		return -1;

	char *w = buf_tail(out);
	w = put_status_line(w, h);
	w = put_fields(w, h, http_bit(HTTP_N_CONTENT_LENGTH));
	if (a->added.via.n > 0)
		w = put_via(w, h, a->from_h2, a->added.via);
	if (a->added.date.n > 0)
		w = put_line(w, SPAN("Date"), a->added.date);
	if (!a->interim) {
		w = put_response_connection(w, a);
		w = put_response_framing(w, h, a);
	} else if (h->upgrade) {
		w = put_switched(w, h);
	}
	w = h1_put(w, SPAN("\r\n"));
	assert((size_t)(w - buf_tail(out)) <= room);
	out->tail = (uint32_t)(w - out->data);
	return 0;
}
