/*
 * Request lines and status lines (RFC 9112, 3 and 4). One blank between the parts,
 * no other: a reader that splits at any white space would see other parts.
 */
#include "http_priv.h"

enum {
	EMPTY_LINES_MAX = 2,
	VERSION_BYTES = 8,
	MAJOR_AT = 5,
	MINOR_AT = 7,
	STATUS_AT = 9,
	REASON_AT = 13
};

static enum h1_turn take_empty_lines(struct h1_parser *p, struct h1_cursor *c)
{
	while (c->at < c->end && *c->at == '\r') {
		if (p->empty_lines == EMPTY_LINES_MAX)
			return h1_refuse(p, HTTP_BAD_START_LINE);

		enum h1_turn turn = h1_take_crlf(p, c, HTTP_BAD_START_LINE);
		if (turn != H1_ON)
			return turn;
		p->empty_lines++;
	}
	if (c->at == c->end)
		return H1_STARVED;
	p->line = h1_offset(c, c->at);
	p->state = H1_METHOD;
	return H1_ON;
}

static enum h1_turn take_method(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	c->at = http_scan_token(c->at, c->end);

	uint32_t n = h1_offset(c, c->at) - p->line;
	if (n > HTTP_METHOD_BYTES_MAX)
		return h1_refuse(p, HTTP_METHOD_TOO_LONG);
	if (c->at == c->end)
		return H1_STARVED;
	if (n == 0 || *c->at != ' ')
		return h1_refuse(p, HTTP_BAD_START_LINE);
	head->method_text = (struct http_text){ .at = p->line, .n = n };
	head->method = http_method_of(http_text(head, head->method_text));
	c->at++;
	p->line = h1_offset(c, c->at);
	p->state = H1_TARGET;
	return H1_ON;
}

/* To the blank behind it; where the query begins is noted on the way. */
static enum h1_turn scan_target(
	struct h1_parser *p, struct h1_cursor *c, const char *end)
{
	c->at = http_scan_target(c->at, end);
	while (c->at < end && *c->at == '?') {
		if (p->query == 0)
			p->query = h1_offset(c, c->at);
		c->at = http_scan_target(c->at + 1, end);
	}
	if (c->at == c->end)
		return H1_STARVED;
	if (*c->at == ' ')
		return H1_ON;
	if (c->at == end)
		return h1_refuse(p, HTTP_TARGET_TOO_LONG);
	/* A line that ends here is HTTP/0.9's. */
	return h1_refuse(p, *c->at == '\r' ? HTTP_BAD_START_LINE : HTTP_BAD_TARGET);
}

static enum h1_turn take_target(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	const char *begin = c->base + p->line, *end = c->end;

	if ((size_t)(end - begin) > p->limits.target_bytes)
		end = begin + p->limits.target_bytes;

	enum h1_turn turn = scan_target(p, c, end);
	if (turn != H1_ON)
		return turn;
	head->target = (struct http_text){
		.at = p->line,
		.n = h1_offset(c, c->at) - p->line,
	};
	if (head->target.n == 0)
		return h1_refuse(p, HTTP_BAD_TARGET);
	c->at++;
	p->state = H1_VERSION;
	return H1_ON;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.0" or "HTTP/1.1"; another number in its place is another version. */
static enum h1_turn read_version(
	struct h1_parser *p, struct http_head *head, const struct h1_cursor *c)
{
	static const char wanted[] = "HTTP/1.1";
	size_t n = (size_t)(c->end - c->at), i = 0;

	if (n >= VERSION_BYTES && memcmp(c->at, wanted, VERSION_BYTES) == 0) {
		head->minor = 1;
		return H1_ON;
	}
	while (i < n && c->at[i] == wanted[i])
		i++;
	if (i == n)
		return H1_STARVED;
	if (i == MINOR_AT && c->at[i] == '0')
		return H1_ON;
	if ((i == MAJOR_AT || i == MINOR_AT) && is_digit(c->at[i]))
		return h1_refuse(p, HTTP_BAD_VERSION);
	return h1_refuse(p, p->response ? HTTP_BAD_STATUS_LINE : HTTP_BAD_START_LINE);
}

/* Without a query, which begins at p->query. */
static struct http_text path_of(const struct h1_parser *p, struct http_text target)
{
	return (struct http_text){
		.at = target.at,
		.n = p->query == 0 ? target.n : p->query - target.at,
	};
}

/* http://host/path?query (RFC 9112, 3.2.2) becomes a host, and a target that begins at
 * the path. Without a path there would be nothing in the buffer to forward: refused
 * where there is a query, or an OPTIONS that would have to become "*". */
static bool split_absolute(struct h1_parser *p, struct http_head *head)
{
	struct span t = http_text(head, head->target);
	size_t scheme_n = 7;

	if (t.n >= 8 && span_ieq((struct span){ .p = t.p, .n = 8 }, SPAN("https://")))
		scheme_n = 8;
	else if (t.n < 7 ||
		 !span_ieq((struct span){ .p = t.p, .n = 7 }, SPAN("http://")))
		return false;

	struct span rest = { .p = t.p + scheme_n, .n = t.n - scheme_n };
	const char *slash = memchr(rest.p, '/', path_of(p, head->target).n - scheme_n);
	size_t host_n = slash == NULL ? rest.n : (size_t)(slash - rest.p);
	uint32_t host_at = head->target.at + (uint32_t)scheme_n;

	head->host = (struct http_text){ .at = host_at, .n = (uint32_t)host_n };
	if (slash != NULL) {
		head->target.at = host_at + (uint32_t)host_n;
		head->target.n = (uint32_t)(rest.n - host_n);
		return host_n > 0;
	}
	head->target = (struct http_text){ .at = host_at - 1, .n = 1 };
	return host_n > 0 && p->query == 0 && head->method != HTTP_OPTIONS;
}

/* Which forms a target may have, and with which methods (RFC 9112, 3.2). */
static enum h1_turn judge_request_line(struct h1_parser *p, struct http_head *head)
{
	struct span t = http_text(head, head->target);

	if (head->method == HTTP_CONNECT || head->method == HTTP_TRACE)
		return h1_refuse(p, HTTP_BAD_METHOD);
	if (span_eq(t, SPAN("*"))) {
		if (head->method != HTTP_OPTIONS)
			return h1_refuse(p, HTTP_BAD_TARGET);
	} else if (t.p[0] != '/' && !split_absolute(p, head)) {
		return h1_refuse(p, HTTP_BAD_TARGET);
	}
	head->path = path_of(p, head->target);
	return H1_ON;
}

static enum h1_turn take_version(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	enum h1_turn turn = read_version(p, head, c);
	struct h1_cursor behind = { .at = c->at + VERSION_BYTES, .end = c->end };

	if (turn != H1_ON)
		return turn;
	turn = h1_take_crlf(p, &behind, HTTP_BAD_START_LINE);
	if (turn != H1_ON)
		return turn;
	c->at = behind.at;
	p->line = h1_offset(c, c->at);
	p->state = H1_NAME;
	return judge_request_line(p, head);
}

enum h1_turn h1_take_request_line(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	enum h1_turn turn = H1_ON;

	if (p->state == H1_START)
		turn = take_empty_lines(p, c);
	if (turn == H1_ON && p->state == H1_METHOD)
		turn = take_method(p, head, c);
	if (turn == H1_ON && p->state == H1_TARGET)
		turn = take_target(p, head, c);
	if (turn == H1_ON)
		turn = take_version(p, head, c);
	return turn;
}

/* The blank before an empty reason is often left out; that is not ambiguous. */
static enum h1_turn take_status(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	enum h1_turn turn = read_version(p, head, c);
	const char *at = c->at + STATUS_AT;
	size_t n = (size_t)(c->end - c->at);

	if (turn != H1_ON)
		return turn;
	if (n < REASON_AT && memchr(c->at, '\n', n) == NULL)
		return H1_STARVED;
	if (n < REASON_AT)
		return h1_refuse(p, HTTP_BAD_STATUS_LINE);
	if (at[-1] != ' ' || at[0] < '1' || at[0] > '5' || !is_digit(at[1]) ||
		!is_digit(at[2]) || (at[3] != ' ' && at[3] != '\r'))
		return h1_refuse(p, HTTP_BAD_STATUS_LINE);
	head->status =
		(uint16_t)((at[0] - '0') * 100 + (at[1] - '0') * 10 + at[2] - '0');
	c->at = at[3] == ' ' ? at + 4 : at + 3;
	p->line = h1_offset(c, c->at);
	p->state = H1_REASON;
	return H1_ON;
}

static enum h1_turn take_reason(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	c->at = http_scan_value(c->at, c->end);
	head->reason = (struct http_text){
		.at = p->line,
		.n = h1_offset(c, c->at) - p->line,
	};

	enum h1_turn turn = h1_take_crlf(p, c, HTTP_BAD_STATUS_LINE);
	if (turn != H1_ON)
		return turn;
	p->line = h1_offset(c, c->at);
	p->state = H1_NAME;
	return H1_ON;
}

enum h1_turn h1_take_status_line(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	enum h1_turn turn = H1_ON;

	if (p->state == H1_STATUS)
		turn = take_status(p, head, c);
	if (turn == H1_ON)
		turn = take_reason(p, head, c);
	return turn;
}
