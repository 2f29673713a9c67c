/*
 * What fields mean to a proxy: where the body ends, whom the request is for, and what
 * concerns this connection alone. Two fields that could be read as two answers are
 * refused: that is how requests are smuggled.
 */
#include "http_priv.h"

/* So many options in Connection are nothing but work for us. */
enum { NOMINATED_MAX = 32 };

static bool refuse(struct h1_parser *p, enum http_bad why)
{
	p->why = why;
	return false;
}

static bool has_come(const struct h1_parser *p, enum http_name id)
{
	return (p->seen & http_bit(id)) != 0;
}

static bool note_host(struct h1_parser *p, struct http_head *head, struct http_field *f)
{
	struct span value = http_field_value(head, f);

	if (has_come(p, HTTP_N_HOST))
		return refuse(p, HTTP_BAD_HOST);
	/* A target in absolute form has named it already. RFC 9112, 3.2.2 would let us
	 * overwrite Host; whoever sends two means to be understood in two ways. */
	if (head->host.n > 0)
		return span_ieq(value, http_text(head, head->host)) ||
		       refuse(p, HTTP_BAD_HOST);
	head->host = (struct http_text){ .at = f->value, .n = f->value_n };
	return true;
}

/* Of a response that has none whatever its fields say (RFC 9112, 6.3). */
static bool has_no_body(const struct h1_parser *p, const struct http_head *head)
{
	return p->response && !http_may_have_body(head->method, head->status);
}

/* Where there is no body the length is hearsay: that of what GET would have given
 * (RFC 9110, 8.6). What is no length, or a second one, stays here. */
static void note_hearsay(
	const struct h1_parser *p, struct http_head *head, struct http_field *f)
{
	uint64_t length = 0;

	f->dropped = has_come(p, HTTP_N_CONTENT_LENGTH) ||
		     has_come(p, HTTP_N_TRANSFER_ENCODING) ||
		     !span_u64(http_field_value(head, f), &length) ||
		     length > INT64_MAX;
	if (!f->dropped)
		head->length = length;
}

static bool note_length(
	struct h1_parser *p, struct http_head *head, struct http_field *f)
{
	if (has_no_body(p, head)) {
		note_hearsay(p, head, f);
		return true;
	}
	if (has_come(p, HTTP_N_CONTENT_LENGTH) ||
		!span_u64(http_field_value(head, f), &head->length) ||
		head->length > INT64_MAX)
		return refuse(p, HTTP_BAD_LENGTH);
	return true;
}

/* Codings that exist, and chunked behind them: it is plain where the body ends, but we
 * would have to pass on what we can't name. */
static bool is_known_coding(struct span list)
{
	static const char *const known[] = { "gzip", "x-gzip", "deflate", "compress",
		"x-compress" };
	struct span item = SPAN("");

	while (http_next_item(&list, &item)) {
		size_t i = 0, n = sizeof known / sizeof known[0];

		while (i < n && !span_ieq(item, span_of(known[i])))
			i++;
		if (i == n)
			break;
	}
	return list.p == NULL && span_ieq(item, SPAN("chunked"));
}

static bool note_coding(
	struct h1_parser *p, struct http_head *head, struct http_field *f)
{
	struct span value = http_field_value(head, f);

	f->dropped = true;
	if (has_no_body(p, head))
		return true;
	if (has_come(p, HTTP_N_TRANSFER_ENCODING) || head->minor == 0)
		return refuse(p, HTTP_BAD_FRAMING);
	if (!http_is(value, SPAN("chunked")))
		return refuse(
			p, is_known_coding(value) ? HTTP_BAD_CODING : HTTP_BAD_FRAMING);
	return true;
}

static bool note_option(struct h1_parser *p, struct span option)
{
	if (http_is(option, SPAN("close")))
		p->options |= H1_CLOSE;
	else if (http_is(option, SPAN("keep-alive")))
		p->options |= H1_KEEP_ALIVE;
	else if (http_is(option, SPAN("upgrade")))
		p->options |= H1_UPGRADE;
	else if (!http_is_token(option))
		return p->response || refuse(p, HTTP_BAD_FIELD);
	else if (++p->nominated > NOMINATED_MAX)
		return refuse(p, HTTP_HEAD_TOO_LARGE);
	return true;
}

static bool note_connection(
	struct h1_parser *p, struct http_head *head, struct http_field *f)
{
	struct span rest = http_field_value(head, f);
	struct span option;

	f->dropped = true;
	if (http_is(rest, SPAN("keep-alive"))) /* as nearly all are */
		return note_option(p, rest);
	while (http_next_item(&rest, &option))
		if (!note_option(p, option))
			return false;
	return true;
}

/* A protocol is name or name/version. */
static bool note_upgrade(
	struct h1_parser *p, struct http_head *head, struct http_field *f)
{
	struct span rest = http_field_value(head, f);
	struct span item;

	f->dropped = true;
	while (!p->response && http_next_item(&rest, &item)) {
		bool has_version = memchr(item.p, '/', item.n) != NULL;
		struct span name = span_cut(&item, '/');

		if (!http_is_token(name) || (has_version && !http_is_token(item)))
			return refuse(p, HTTP_BAD_UPGRADE);
	}
	return true;
}

static bool note_expect(
	struct h1_parser *p, struct http_head *head, struct http_field *f)
{
	if (p->response)
		return true;
	head->expect_continue = true;
	return http_is(http_field_value(head, f), SPAN("100-continue")) ||
	       refuse(p, HTTP_BAD_EXPECT);
}

static bool note(struct h1_parser *p, struct http_head *head, struct http_field *f)
{
	switch ((enum http_name)f->id) {
	case HTTP_N_HOST:
		return p->response || note_host(p, head, f);
	case HTTP_N_CONTENT_LENGTH:
		return note_length(p, head, f);
	case HTTP_N_TRANSFER_ENCODING:
		return note_coding(p, head, f);
	case HTTP_N_CONNECTION:
		return note_connection(p, head, f);
	case HTTP_N_UPGRADE:
		return note_upgrade(p, head, f);
	case HTTP_N_EXPECT:
		return note_expect(p, head, f);
	case HTTP_N_TE:
		f->dropped = true;
		head->te_trailers |=
			head->minor == 1 &&
			http_has_item(http_field_value(head, f), SPAN("trailers"));
		return true;
	case HTTP_N_KEEP_ALIVE:
	case HTTP_N_PROXY_CONNECTION:
	case HTTP_N_PROXY_AUTHENTICATE:
	case HTTP_N_PROXY_AUTHORIZATION:
	case HTTP_N_HTTP2_SETTINGS:
	case HTTP_N_PROXY:
		f->dropped = true;
		return true;
	case HTTP_N_OTHER:
	case HTTP_N_TRAILER:
	case HTTP_N_MAX_FORWARDS:
	case HTTP_N_X_FORWARDED_FOR:
	case HTTP_N_X_FORWARDED_PROTO:
	case HTTP_N_X_FORWARDED_HOST:
	case HTTP_N_X_REQUEST_ID:
	case HTTP_N_IDEMPOTENCY_KEY:
	case HTTP_N_CONTENT_TYPE:
	case HTTP_N_COOKIE:
	case HTTP_N_DATE:
	case HTTP_N_ACCEPT:
	case HTTP_N_FORWARDED:
	case HTTP_N_NAMES:
		break;
	}
	return true;
}

bool h1_note_field(struct h1_parser *p, struct http_head *head, struct http_field *f)
{
	bool is_good = note(p, head, f);

	p->seen |= http_bit((enum http_name)f->id);
	return is_good;
}

/* RFC 9112, 6.3. */
static void choose_framing(struct h1_parser *p, struct http_head *head)
{
	if (p->response && !http_may_have_body(head->method, head->status))
		head->framing = HTTP_NO_BODY;
	else if (has_come(p, HTTP_N_TRANSFER_ENCODING))
		head->framing = HTTP_CHUNKED;
	else if (has_come(p, HTTP_N_CONTENT_LENGTH))
		head->framing = HTTP_LENGTH;
	else
		head->framing = p->response ? HTTP_UNTIL_CLOSE : HTTP_NO_BODY;
}

/* A WebSocket begins with a GET (RFC 6455, 4.1). */
static bool is_websocket(const struct http_head *head)
{
	const struct http_field *f = head->fields;

	for (; head->method == HTTP_GET && f < head->fields + head->n_fields; f++)
		if (f->id == HTTP_N_UPGRADE &&
			http_has_item(http_field_value(head, f), SPAN("websocket")))
			return true;
	return false;
}

/* HTTP/1.0 never (RFC 9110, 7.8), and not with a body, which would have to end before the
 * new protocol begins. */
static bool may_upgrade(const struct http_head *head)
{
	return head->minor > 0 && head->framing != HTTP_CHUNKED &&
	       (head->framing == HTTP_NO_BODY || head->length == 0);
}

static bool conclude_request(struct h1_parser *p, struct http_head *head)
{
	if (!has_come(p, HTTP_N_HOST) && head->minor == 1)
		return refuse(p, HTTP_BAD_HOST);
	if ((has_come(p, HTTP_N_HOST) || head->host.n > 0) &&
		!http_is_host(http_text(head, head->host)))
		return refuse(p, HTTP_BAD_HOST);
	/* Nothing to wait for, or nobody who would understand the 100. */
	if (head->expect_continue &&
		(head->minor == 0 || head->framing == HTTP_NO_BODY ||
			(head->framing == HTTP_LENGTH && head->length == 0)))
		head->expect_continue = false;
	/* Of all that the client would like, in the order of its liking, a WebSocket is what
	 * there is. h2c is not: it would speak HTTP/2 around our rules. */
	if ((p->options & H1_UPGRADE) != 0 && has_come(p, HTTP_N_UPGRADE))
		head->upgrade = head->tunnel = may_upgrade(head) && is_websocket(head);
	return true;
}

static void conclude_response(struct h1_parser *p, struct http_head *head)
{
	if (head->framing == HTTP_UNTIL_CLOSE)
		head->keep_alive = false;
	head->upgrade = head->status == 101 && (p->options & H1_UPGRADE) != 0 &&
			has_come(p, HTTP_N_UPGRADE);
}

/* Transfer-Encoding overrides them (RFC 9112, 6.3), and they came before it. */
static void drop_lengths(struct http_head *head)
{
	head->length = 0;
	for (size_t i = 0; i < head->n_fields; i++)
		head->fields[i].dropped |= head->fields[i].id == HTTP_N_CONTENT_LENGTH;
}

bool h1_conclude(struct h1_parser *p, struct http_head *head)
{
	if (has_come(p, HTTP_N_TRANSFER_ENCODING) &&
		has_come(p, HTTP_N_CONTENT_LENGTH)) {
		if (!has_no_body(p, head))
			return refuse(p, HTTP_BAD_FRAMING);
		drop_lengths(head);
	}
	choose_framing(p, head);
	head->keep_alive = (p->options & H1_CLOSE) == 0 &&
			   (head->minor == 1 || (p->options & H1_KEEP_ALIVE) != 0);
	if (p->response)
		conclude_response(p, head);
	else if (!conclude_request(p, head))
		return false;
	if (p->nominated > 0)
		http_drop_nominated(head, p->response);
	return true;
}
