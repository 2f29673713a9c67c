/*
 * Heads as HTTP/2 brings them (RFC 9113, 8). nghttp2 has checked names, values, order,
 * what a connection-specific field is, and that nothing is there twice that may not be.
 * Here stands what it leaves: the target, the host, limits, and what an HTTP/1 hop
 * reads in fields, which are the rules of h1/rules.c.
 *
 * Fields are laid down as lines of HTTP/1, so that they go upstream in one copy.
 */
#include <assert.h>

#include "http_priv.h"

/* So many times the limit of a header block are still read, because it must be decoded
 * to the end for the connection to live on; what is behind that is a bomb. */
enum { BOMB = 4, BOMB_MIN = 1 << 18 };
enum { FIELD_OVERHEAD = 32, LINE_EXTRA = 4 };

bool h2_head_start(struct h2 *h)
{
	struct h2_head *c = h->head;

	if (c == NULL) {
		c = slab_take(&h->shared->heads);
		if (c == NULL)
			return false;
		c->text = c->cookie = (struct buf){ .data = NULL };
	}
	c->text.head = c->text.tail = 0;
	c->cookie.head = c->cookie.tail = 0;
	c->counted = 0;
	c->why = HTTP_FINE;
	c->scheme = c->protocol = (struct http_text){ .n = 0 };
	c->head = (struct http_head){
		.fields = c->fields,
		.max_fields = HTTP_MAX_FIELDS,
		.minor = 1,
		.keep_alive = true,
		.is_text = true,
	};
	h->head = c;
	return true;
}

void h2_head_end(struct h2 *h)
{
	if (h->head == NULL)
		return;
	buf_release(h->shared->bufs, &h->head->text);
	buf_release(h->shared->bufs, &h->head->cookie);
	slab_give(&h->shared->heads, h->head);
	h->head = NULL;
}

static void refuse(struct h2_head *c, enum http_bad why)
{
	if (c->why == HTTP_FINE)
		c->why = why;
}

static struct http_text put(struct h2_head *c, struct span s)
{
	struct http_text t = { .at = c->text.tail, .n = (uint32_t)s.n };

	buf_add_span(&c->text, s);
	return t;
}

static void take_target(struct h2 *h, struct h2_head *c, struct span value)
{
	if (value.n > h->limits.target_bytes)
		refuse(c, HTTP_TARGET_TOO_LONG);
	else
		c->head.target = put(c, value);
}

static void take_status(struct h2_head *c, struct span value)
{
	uint64_t status;

	if (value.n != 3 || !span_u64(value, &status) || status < 100 || status > 599)
		refuse(c, HTTP_BAD_STATUS_LINE);
	else
		c->head.status = (uint16_t)status;
}

static void take_pseudo(
	struct h2 *h, struct h2_head *c, struct span name, struct span value)
{
	if (span_eq(name, SPAN(":method"))) {
		if (value.n > HTTP_METHOD_BYTES_MAX)
			refuse(c, HTTP_METHOD_TOO_LONG);
		c->head.method_text = put(c, value);
		c->head.method = http_method_of(value);
	} else if (span_eq(name, SPAN(":path"))) {
		take_target(h, c, value);
	} else if (span_eq(name, SPAN(":authority"))) {
		c->head.host = put(c, value);
	} else if (span_eq(name, SPAN(":scheme"))) {
		c->scheme = put(c, value);
	} else if (span_eq(name, SPAN(":protocol"))) {
		c->protocol = put(c, value);
	} else if (span_eq(name, SPAN(":status"))) {
		take_status(c, value);
	} else {
		refuse(c, HTTP_BAD_FIELD);
	}
}

/* The room has been made. */
static void take_field(struct h2_head *c, struct span name, struct span value)
{
	struct http_field *f = &c->head.fields[c->head.n_fields++];
	char *begin = buf_tail(&c->text), *w = h1_put(begin, name);

	*w++ = ':';
	*w++ = ' ';
	w = h1_put(w, value);
	*w++ = '\r';
	*w++ = '\n';
	f->name = c->text.tail;
	f->name_n = (uint16_t)name.n;
	f->value = f->name + f->name_n + 2u;
	f->value_n = (uint32_t)value.n;
	f->dropped = false;
	f->id = (uint8_t)http_name_of(name);
	c->text.tail += (uint32_t)(w - begin);
}

/* Crumbs of a cookie are one field (RFC 9113, 8.2.3), and count as one: in HTTP/1 the same
 * cookie is one line. */
static void take_crumb(struct h2 *h, struct h2_head *c, struct span value)
{
	struct span between = buf_len(&c->cookie) > 0 ? SPAN("; ") : SPAN("cookie: ");

	if (!buf_reserve(
		    h->shared->bufs, &c->cookie, between.n + value.n + LINE_EXTRA)) {
		refuse(c, HTTP_HEAD_TOO_LARGE);
		return;
	}
	buf_add_span(&c->cookie, between);
	buf_add_span(&c->cookie, value);
}

static bool is_crumb(const struct h2_head *c, struct span name)
{
	return buf_len(&c->cookie) > 0 && span_eq(name, SPAN("cookie"));
}

/* The head is too large, or has too many fields: the rest is read and dropped. */
static bool is_too_much(struct h2 *h, struct h2_head *c, struct span name)
{
	bool one_more = !is_crumb(c, name);
	size_t n = c->head.n_fields + (buf_len(&c->cookie) > 0 ? 1u : 0u);

	if (one_more && n == h->limits.field_count)
		refuse(c, HTTP_TOO_MANY_FIELDS);
	else if (c->counted > h->limits.header_bytes || name.n > UINT16_MAX)
		refuse(c, HTTP_HEAD_TOO_LARGE);
	else
		return false;
	return true;
}

bool h2_head_take(struct h2 *h, struct span name, struct span value)
{
	struct h2_head *c = h->head;
	uint64_t bomb = (uint64_t)h->limits.header_bytes * BOMB;

	c->counted +=
		is_crumb(c, name) ? value.n + 2 : name.n + value.n + FIELD_OVERHEAD;
	if (c->counted > bomb && c->counted > BOMB_MIN) {
		h2_flooded(h, H2_FLOOD_HEADERS);
		return false;
	}
	if (is_too_much(h, c, name))
		return true;
	if (span_eq(name, SPAN("cookie")))
		take_crumb(h, c, value);
	else if (!buf_reserve(h->shared->bufs, &c->text, name.n + value.n + LINE_EXTRA))
		refuse(c, HTTP_HEAD_TOO_LARGE);
	else if (name.n > 0 && name.p[0] == ':')
		take_pseudo(h, c, name, value);
	else
		take_field(c, name, value);
	return true;
}

/* --- what it means -------------------------------------------------------- */

/* The cookie becomes the last field. */
static void put_cookie(struct buf_pool *bufs, struct h2_head *c)
{
	size_t n = buf_len(&c->cookie);
	uint32_t name_n = (uint32_t)SPAN("cookie").n;

	if (n == 0)
		return;
	if (!buf_reserve(bufs, &c->text, n + LINE_EXTRA)) {
		refuse(c, HTTP_HEAD_TOO_LARGE);
		return;
	}
	c->head.fields[c->head.n_fields++] = (struct http_field){
		.name = c->text.tail,
		.name_n = (uint16_t)name_n,
		.value = c->text.tail + name_n + 2,
		.value_n = (uint32_t)n - name_n - 2,
		.id = HTTP_N_COOKIE,
	};
	put(c, (struct span){ .p = buf_head(&c->cookie), .n = n });
	put(c, SPAN("\r\n"));
}

static bool is_target(struct http_head *head)
{
	struct span t = http_text(head, head->target);
	const char *end = t.p + t.n, *at = http_scan_target(t.p, end);

	head->path = (struct http_text){
		.at = head->target.at,
		.n = (uint32_t)(at - t.p),
	};
	while (at < end && *at == '?')
		at = http_scan_target(at + 1, end);
	if (t.n == 0 || at < end)
		return false;
	return t.p[0] == '/' || (span_eq(t, SPAN("*")) && head->method == HTTP_OPTIONS);
}

static bool is_scheme(struct span s)
{
	return span_ieq(s, SPAN("https")) || span_ieq(s, SPAN("http"));
}

/* RFC 8441: to the rest of us a WebSocket is a GET that wants more. */
static bool become_tunnel(struct h2_head *c)
{
	struct http_head *head = &c->head;

	if (!span_ieq(http_text(head, c->protocol), SPAN("websocket")) ||
		head->method != HTTP_CONNECT)
		return false;
	head->tunnel = true;
	head->method = HTTP_GET;
	head->method_text = c->scheme; /* its place; "http" is longer than "GET" */
	memcpy(c->text.data + c->scheme.at, "GET", 3);
	head->method_text.n = 3;
	return true;
}

static enum http_bad judge_pseudo(struct h2_head *c)
{
	struct http_head *head = &c->head;

	if (head->method == HTTP_TRACE ||
		(head->method == HTTP_CONNECT && c->protocol.n == 0))
		return HTTP_BAD_METHOD;
	if (!is_scheme(http_text(head, c->scheme)) || !is_target(head))
		return HTTP_BAD_TARGET;
	if (c->protocol.n > 0 && !become_tunnel(c))
		return HTTP_BAD_METHOD;
	return HTTP_FINE;
}

/* The rules of h1/rules.c, as if these fields had come that way: :authority as the host
 * of an absolute form, a body of unknown length as chunks. */
static enum http_bad apply_rules(struct h2_head *c, bool response, bool ended)
{
	struct http_head *head = &c->head;
	struct h1_parser p = { .response = response };

	for (size_t i = 0; i < head->n_fields; i++)
		if (head->fields[i].id != HTTP_N_OTHER &&
			!h1_note_field(&p, head, &head->fields[i]))
			return p.why == HTTP_FINE ? HTTP_BAD_FIELD : p.why;
	if (head->host.n > 0)
		p.seen |= http_bit(HTTP_N_HOST);
	if (!ended && (p.seen & http_bit(HTTP_N_CONTENT_LENGTH)) == 0)
		p.seen |= http_bit(HTTP_N_TRANSFER_ENCODING);
	if (!h1_conclude(&p, head))
		return p.why;
	head->keep_alive = true;
	if (ended && head->framing != HTTP_LENGTH)
		head->framing = HTTP_NO_BODY;
	return HTTP_FINE;
}

static enum http_bad judge_request(struct h2_head *c, bool ended)
{
	enum http_bad why = judge_pseudo(c);

	if (why == HTTP_FINE)
		why = apply_rules(c, false, ended);
	if (why != HTTP_FINE || !c->head.tunnel)
		return why;
	if (c->head.framing == HTTP_LENGTH || ended)
		return HTTP_BAD_FRAMING;
	c->head.framing = HTTP_NO_BODY; /* what comes now is not of the message */
	c->head.expect_continue = false;
	return HTTP_FINE;
}

static void settle(struct h2_head *c)
{
	c->head.base = c->text.data;
	c->head.bytes = c->text.tail;
}

enum http_bad h2_head_request(struct h2 *h, struct h2_stream *s, bool ended)
{
	struct h2_head *c = h->head;

	put_cookie(h->shared->bufs, c);
	settle(c);
	if (c->why == HTTP_FINE)
		c->why = judge_request(c, ended);
	s->method = c->head.tunnel ? HTTP_CONNECT : c->head.method;
	s->is_tunnel = c->head.tunnel;
	return c->why;
}

enum http_bad h2_head_response(struct h2 *h, struct h2_stream *s, bool ended)
{
	struct h2_head *c = h->head;

	settle(c);
	c->head.method = s->method;
	if (c->why == HTTP_FINE)
		c->why = apply_rules(c, true, ended);
	return c->why;
}

enum http_bad h2_head_trailers(struct h2 *h)
{
	struct h2_head *c = h->head;
	struct http_head *head = &c->head;
	size_t n = 0;

	settle(c);
	for (size_t i = 0; i < head->n_fields; i++)
		if (http_trailer_allowed(http_field_name(head, &head->fields[i])))
			head->fields[n++] = head->fields[i];
	head->n_fields = (uint16_t)n;
	return c->why;
}
