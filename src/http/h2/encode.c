/*
 * Heads of ours as pairs of name and value. nghttp2 copies the pairs and puts names in
 * lower case; fields that concern one connection do not go on (RFC 9113, 8.2.2).
 */
#include <nghttp2/nghttp2.h>

#include "http_priv.h"

/* :method, :scheme, :path, :authority, :protocol, te, content-length */
enum { OURS_MAX = 8, EDITS_MAX = 128, TRAILERS_MAX = 64 };
enum { STATUS_DIGITS = 3, OWN_FIELDS = 80, OWN_HEAD_MAX = 16384 };

#define CONNECTION_FIELDS                                                      \
	(http_bit(HTTP_N_CONNECTION) | http_bit(HTTP_N_KEEP_ALIVE) |           \
		http_bit(HTTP_N_PROXY_CONNECTION) | http_bit(HTTP_N_UPGRADE) | \
		http_bit(HTTP_N_TRANSFER_ENCODING) | http_bit(HTTP_N_TE) |     \
		http_bit(HTTP_N_HTTP2_SETTINGS) | http_bit(HTTP_N_HOST) |      \
		http_bit(HTTP_N_CONTENT_LENGTH))

struct pairs {
	size_t n;
	nghttp2_nv nv[HTTP_MAX_FIELDS + EDITS_MAX + OURS_MAX];
	char decimal[H1_DECIMAL_MAX]; /* of content-length */
};

static void add(struct pairs *p, struct span name, struct span value, uint8_t flags)
{
	nghttp2_nv *nv = &p->nv[p->n++];

	nv->name = (uint8_t *)name.p; /* only read */
	nv->value = (uint8_t *)value.p;
	nv->namelen = name.n;
	nv->valuelen = value.n;
	nv->flags = flags;
}

/* The name is a literal, in lower case. */
static void add_ours(struct pairs *p, struct span name, struct span value)
{
	add(p, name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

static void add_length(struct pairs *p, uint64_t length)
{
	char *end = h1_put_decimal(p->decimal, length);

	add_ours(p, SPAN("content-length"),
		(struct span){ .p = p->decimal, .n = (size_t)(end - p->decimal) });
}

/* Of a WebSocket's handshake: it proves nothing over HTTP/2 (RFC 8441, 5). */
static bool is_handshake(struct span name)
{
	return span_ieq(name, SPAN("sec-websocket-key")) ||
	       span_ieq(name, SPAN("sec-websocket-accept"));
}

static void add_fields(struct pairs *p, const struct http_head *h, bool is_tunnel)
{
	for (const struct http_field *f = h->fields; f < h->fields + h->n_fields; f++) {
		struct span name = http_field_name(h, f);

		if (f->dropped || (CONNECTION_FIELDS >> f->id & 1) != 0)
			continue;
		if (is_tunnel && is_handshake(name))
			continue;
		add(p, name, http_field_value(h, f), NGHTTP2_NV_FLAG_NONE);
	}
}

/* --- responses ------------------------------------------------------------ */

/* Of what has no body the length is that of what GET would have given (RFC 9110, 8.6);
 * a 204 has none. */
static void add_response_length(
	struct pairs *p, const struct http_head *h, const struct h2_stream *s)
{
	const struct http_field *length = NULL;

	if (s->is_tunnel && h->status < 300)
		return;
	if (h->framing == HTTP_LENGTH)
		add_length(p, h->length);
	else if (h->framing == HTTP_NO_BODY && h->status != 204)
		length = http_find(h, HTTP_N_CONTENT_LENGTH);
	if (length != NULL)
		add_ours(p, SPAN("content-length"), http_field_value(h, length));
}

/* An HTTP/1 hop switches protocols where this one says that all is well. */
static unsigned status_of(const struct http_head *h, const struct h2_stream *s)
{
	return s->is_tunnel && h->status == 101 ? 200 : h->status;
}

static void add_edit(
	struct pairs *p, const struct http_edit *e, const struct http_edit *last)
{
	size_t at = 0, most = p->n + EDITS_MAX / 2;
	struct span name, value;

	while (p->n < most && http_edit_next(e, &at, &name, &value)) {
		if (last == NULL || !http_edit_has(last, name))
			add(p, name, value, NGHTTP2_NV_FLAG_NONE);
	}
}

static void add_added(struct pairs *p, const struct http_added *a)
{
	if (a->first != NULL)
		add_edit(p, a->first, a->last);
	if (a->last != NULL)
		add_edit(p, a->last, NULL);
	if (a->via.n > 0)
		add_ours(p, SPAN("via"), a->via);
	if (a->date.n > 0)
		add_ours(p, SPAN("date"), a->date);
}

static int respond(struct h2 *h, struct h2_stream *s, const struct http_head *head,
	const struct http_added *added)
{
	unsigned status = status_of(head, s);
	char digits[STATUS_DIGITS] = {
		(char)('0' + status / 100 % 10),
		(char)('0' + status / 10 % 10),
		(char)('0' + status % 10),
	};
	struct pairs p;

	p.n = 0;
	add_ours(&p, SPAN(":status"), (struct span){ .p = digits, .n = STATUS_DIGITS });
	add_fields(&p, head, s->is_tunnel);
	if (added != NULL)
		add_added(&p, added);
	if (status < 200)
		return nghttp2_submit_headers(h->ng, NGHTTP2_FLAG_NONE, s->id, NULL,
			       p.nv, p.n, NULL) == 0
			       ? 0
			       : -1;
	add_response_length(&p, head, s);
	return h2_send_message(h, s, p.nv, p.n) < 0 ? -1 : 0;
}

static struct h2_stream *unanswered(struct h2 *h, int32_t id)
{
	struct h2_stream *s = h->broken ? NULL : h2_stream_find(h, id);

	return s == NULL || s->reset || s->responded ? NULL : s;
}

int h2_respond(struct h2 *h, int32_t stream, const struct http_head *head,
	bool has_body, const struct http_added *added)
{
	struct h2_stream *s = unanswered(h, stream);

	if (s == NULL || (head->status == 101 && !s->is_tunnel))
		return -1;
	if (status_of(head, s) >= 200)
		s->has_body = has_body;
	return respond(h, s, head, added);
}

/* Written once, as HTTP/1 says it, and read back. */
static int respond_own(struct h2 *h, struct h2_stream *s, struct buf *text)
{
	struct h1_limits limits = { .head_bytes = OWN_HEAD_MAX,
		.field_count = OWN_FIELDS };
	struct http_field fields[OWN_FIELDS];
	struct http_head head = { .fields = fields, .max_fields = OWN_FIELDS };
	struct h1_parser parser;

	h1_response_start(&parser, &head, s->method, limits);
	if (h1_parse(&parser, &head,
		    (struct span){ .p = buf_head(text), .n = buf_len(text) }) !=
		H1_DONE)
		return -1;
	if (head.status >= 200) {
		s->text = *text;
		*text = (struct buf){ .data = NULL };
		buf_drop(&s->text, head.bytes);
		s->has_body = s->has_own = buf_len(&s->text) > 0;
	}
	return respond(h, s, &head, NULL);
}

int h2_answer(struct h2 *h, int32_t stream, const struct http_own *own)
{
	struct h2_stream *s = unanswered(h, stream);
	struct http_own mine = *own;
	struct buf text = { .data = NULL };

	if (s == NULL)
		return -1;
	mine.head_only |= s->method == HTTP_HEAD;
	if (h1_write_own(h->shared->bufs, &text, &mine) != 0)
		return -1;

	int rv = respond_own(h, s, &text);
	buf_release(h->shared->bufs, &text);
	return rv;
}

/* --- requests ------------------------------------------------------------- */

static void add_pseudo(struct pairs *p, const struct h2_request *r)
{
	const struct http_head *h = r->head;

	add_ours(p, SPAN(":method"),
		r->websocket ? SPAN("CONNECT") : http_text(h, h->method_text));
	if (r->websocket)
		add_ours(p, SPAN(":protocol"), SPAN("websocket"));
	add_ours(p, SPAN(":scheme"), r->https ? SPAN("https") : SPAN("http"));
	add_ours(p, SPAN(":authority"), http_text(h, h->host));
	add_ours(p, SPAN(":path"), http_text(h, h->target));
}

int32_t h2_submit(struct h2 *h, const struct h2_request *r)
{
	struct pairs p;

	if (h->broken || h->drain != 0)
		return -1;

	struct h2_stream *s = h2_stream_new(h, 0);
	if (s == NULL)
		return -1;
	s->owner = r->owner;
	s->method = r->websocket ? HTTP_CONNECT : r->head->method;
	s->is_tunnel = r->websocket;
	s->has_body = r->has_body || r->websocket;
	p.n = 0;
	add_pseudo(&p, r);
	add_fields(&p, r->head, r->websocket);
	if (r->head->te_trailers)
		add_ours(&p, SPAN("te"), SPAN("trailers"));
	if (r->head->framing == HTTP_LENGTH && !r->websocket)
		add_length(&p, r->head->length);
	s->id = h2_send_message(h, s, p.nv, p.n);
	if (s->id < 0) {
		h2_stream_free(h, s);
		return -1;
	}
	return s->id;
}

/* --- trailers ------------------------------------------------------------- */

int h2_trailers(struct h2 *h, int32_t stream, struct span lines)
{
	struct h2_stream *s = h2_stream_find(h, stream);

	if (s == NULL || s->reset || !s->has_body || s->has_own || s->pulled ||
		!buf_reserve(h->shared->bufs, &s->text, lines.n + 2))
		return -1;
	buf_add_span(&s->text, lines);
	buf_add_span(&s->text, SPAN("\r\n"));
	s->has_trailers = true;
	return 0;
}

static void add_trailer(struct pairs *p, struct span line)
{
	struct span name = span_cut(&line, ':');
	struct span value = span_trim(line);

	if (line.p != NULL && http_is_token(name) && http_trailer_allowed(name) &&
		http_scan_value(value.p, value.p + value.n) == value.p + value.n)
		add(p, name, value, NGHTTP2_NV_FLAG_NONE);
}

int h2_queue_trailers(struct h2 *h, struct h2_stream *s)
{
	struct span rest = { .p = buf_head(&s->text), .n = buf_len(&s->text) };
	struct pairs p;

	p.n = 0;
	while (rest.p != NULL && p.n < TRAILERS_MAX) {
		struct span line = span_cut(&rest, '\n');

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		add_trailer(&p, line);
	}
	if (p.n == 0)
		return -1;
	return nghttp2_submit_trailer(h->ng, s->id, p.nv, p.n) == 0 ? 0 : -1;
}
