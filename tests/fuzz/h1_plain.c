/* Heads, by the ABNF. */
#include "h1_plain.h"

/* --- characters and lines (RFC 5234, RFC 9110 5.5 and 5.6) ------------------ */

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool is_tchar(char c)
{
	return is_alpha(c) || is_digit(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

bool plain_is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_tchar(s.p[i]))
			return false;
	return s.n > 0;
}

bool plain_is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c != '\t' && (c < 0x20 || c == 0x7f))
			return false;
	}
	return true;
}

static struct span part(struct span s, size_t from, size_t to)
{
	return (struct span){ .p = s.p + from, .n = to - from };
}

bool plain_line(struct span *rest, struct span *line)
{
	for (size_t i = 0; i + 1 < rest->n; i++) {
		if (rest->p[i] != '\r' || rest->p[i + 1] != '\n')
			continue;
		*line = part(*rest, 0, i);
		*rest = part(*rest, i + 2, rest->n);
		return true;
	}
	return false;
}

/* field-line = field-name ":" OWS field-value OWS; in a response with OWS before the
 * colon, which is taken out (RFC 9112, 5.1) */
bool plain_field_line(struct span line, bool response, struct plain_field *f)
{
	size_t colon = 0;

	while (colon < line.n && line.p[colon] != ':')
		colon++;
	if (colon == line.n)
		return false;
	f->name = part(line, 0, colon);
	while (response && f->name.n > 0 && is_one_of(f->name.p[f->name.n - 1], " \t"))
		f->name.n--;
	f->value = span_trim(part(line, colon + 1, line.n));
	return plain_is_token(f->name) && plain_is_value(f->value);
}

/* --- lists ------------------------------------------------------------------ */

static bool next_item(struct span *rest, struct span *item)
{
	while (rest->p != NULL) {
		*item = span_trim(span_cut(rest, ','));
		if (item->n > 0)
			return true;
	}
	return false;
}

static const struct plain_field *find(
	const struct plain_head *h, const char *name, size_t *n)
{
	const struct plain_field *found = NULL;

	*n = 0;
	for (size_t i = h->n_fields; i-- > 0;)
		if (span_ieq(h->fields[i].name, span_of(name))) {
			found = &h->fields[i];
			++*n;
		}
	return found;
}

static bool has_option(const struct plain_head *h, const char *option)
{
	for (size_t i = 0; i < h->n_fields; i++) {
		struct span rest = h->fields[i].value, item;

		while (span_ieq(h->fields[i].name, SPAN("Connection")) &&
			next_item(&rest, &item))
			if (span_ieq(item, span_of(option)))
				return true;
	}
	return false;
}

/* --- host ------------------------------------------------------------------- */

static bool is_port(struct span s)
{
	unsigned long port = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]) || i == 5)
			return false;
		port = port * 10 + (unsigned long)(s.p[i] - '0');
	}
	return s.n > 0 && port < 65536;
}

static bool is_host(struct span s)
{
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '[') {
		while (n < s.n && s.p[n] != ']')
			n++;
		for (size_t i = 1; i < n; i++)
			if (!is_one_of(s.p[i], "0123456789abcdefABCDEF:."))
				return false;
		if (n < 3 || n == s.n)
			return false;
		n++;
	} else {
		while (n < s.n && s.p[n] != ':')
			n++;
		for (size_t i = 0; i < n; i++)
			if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) &&
				!is_one_of(s.p[i], "-._~"))
				return false;
		if (n == 0 || s.p[0] == '.')
			return false;
	}
	if (n > 255)
		return false;
	return n == s.n || (s.p[n] == ':' && is_port(part(s, n + 1, s.n)));
}

/* --- start lines ------------------------------------------------------------ */

static bool is_version(struct span s, unsigned *minor)
{
	*minor = s.n == 8 && s.p[7] == '1';
	return span_eq(s, SPAN("HTTP/1.0")) || span_eq(s, SPAN("HTTP/1.1"));
}

static bool absolute_form(struct plain_head *h)
{
	struct span scheme = part(h->target, 0, h->target.n < 7 ? h->target.n : 7);
	struct span rest;

	if (span_ieq(scheme, SPAN("http://")))
		rest = part(h->target, 7, h->target.n);
	else if (h->target.n >= 8 && span_ieq(part(h->target, 0, 8), SPAN("https://")))
		rest = part(h->target, 8, h->target.n);
	else
		return false;

	size_t n = 0;
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	h->host = part(rest, 0, n);
	h->target = part(rest, n, rest.n);
	if (h->target.n == 0) {
		h->target = SPAN("/");
		return n > 0 && !span_eq(h->method, SPAN("OPTIONS"));
	}
	return n > 0 && h->target.p[0] == '/';
}

static bool is_target(struct plain_head *h)
{
	if (h->target.n == 0 || h->target.n > PLAIN_MAX_TARGET)
		return false;
	for (size_t i = 0; i < h->target.n; i++) {
		unsigned char c = (unsigned char)h->target.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '#')
			return false;
	}
	if (span_eq(h->target, SPAN("*")))
		return span_eq(h->method, SPAN("OPTIONS"));
	return h->target.p[0] == '/' || absolute_form(h);
}

/* request-line = method SP request-target SP HTTP-version */
static bool request_line(struct span line, struct plain_head *h)
{
	h->method = span_cut(&line, ' ');
	if (line.p == NULL)
		return false;
	h->target = span_cut(&line, ' ');
	return line.p != NULL && plain_is_token(h->method) && h->method.n <= 64 &&
	       is_version(line, &h->minor) && !span_eq(h->method, SPAN("CONNECT")) &&
	       !span_eq(h->method, SPAN("TRACE")) && is_target(h);
}

/* status-line = HTTP-version SP status-code [ SP reason-phrase ] */
static bool status_line(struct span line, struct plain_head *h)
{
	if (line.n < 12 || !is_version(part(line, 0, 8), &h->minor) || line.p[8] != ' ')
		return false;
	for (size_t i = 9; i < 12; i++) {
		if (!is_digit(line.p[i]))
			return false;
		h->status = h->status * 10 + (unsigned)(line.p[i] - '0');
	}
	if (h->status < 100 || h->status > 599)
		return false;
	return line.n == 12 ||
	       (line.p[12] == ' ' && plain_is_value(part(line, 13, line.n)));
}

/* --- what fields mean ------------------------------------------------------- */

static bool read_length(struct span s, uint64_t *length)
{
	*length = 0;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t digit = (uint64_t)(unsigned char)s.p[i] - '0';

		if (!is_digit(s.p[i]) || *length > (INT64_MAX - digit) / 10)
			return false;
		*length = *length * 10 + digit;
	}
	return s.n > 0;
}

/* Where there is no body a length is only told, if it is one. */
static void told_length(
	struct plain_head *h, const struct plain_field *length, bool is_coded)
{
	if (is_coded || length == NULL || !read_length(length->value, &h->length))
		h->length = 0;
	h->framing = HTTP_NO_BODY;
}

static bool body_framing(struct plain_head *h, bool response)
{
	size_t n_lengths, n_codings;
	const struct plain_field *length = find(h, "Content-Length", &n_lengths);
	const struct plain_field *coding = find(h, "Transfer-Encoding", &n_codings);

	if (n_lengths + n_codings > 1)
		return false;
	if (length != NULL && !read_length(length->value, &h->length))
		return false;
	if (coding != NULL &&
		(!span_ieq(coding->value, SPAN("chunked")) || h->minor == 0))
		return false;
	if (coding != NULL)
		h->framing = HTTP_CHUNKED;
	else if (length != NULL)
		h->framing = HTTP_LENGTH;
	else
		h->framing = response ? HTTP_UNTIL_CLOSE : HTTP_NO_BODY;
	return true;
}

static bool framing(struct plain_head *h, bool response, bool has_no_body)
{
	size_t n, n_codings;
	const struct plain_field *length = find(h, "Content-Length", &n);

	(void)find(h, "Transfer-Encoding", &n_codings);
	if (has_no_body)
		told_length(h, length, n_codings > 0);
	else if (!body_framing(h, response))
		return false;
	h->keep_alive = h->framing != HTTP_UNTIL_CLOSE && !has_option(h, "close") &&
			(h->minor == 1 || has_option(h, "keep-alive"));
	return true;
}

static bool host(struct plain_head *h)
{
	size_t n;
	const struct plain_field *f = find(h, "Host", &n);

	if (n > 1 || (n == 0 && h->minor == 1))
		return false;
	if (n == 0)
		return h->host.n == 0 || is_host(h->host);
	if (h->host.n > 0 && !span_ieq(f->value, h->host))
		return false;
	if (h->host.n == 0)
		h->host = f->value;
	return is_host(h->host);
}

static bool is_protocol(struct span s)
{
	struct span name = span_cut(&s, '/');

	return plain_is_token(name) && (s.p == NULL || plain_is_token(s));
}

/* Connection's options are tokens, and few; Upgrade is a list of protocols; Expect is
 * 100-continue. */
static bool other_fields(const struct plain_head *h)
{
	size_t nominated = 0;

	for (size_t i = 0; i < h->n_fields; i++) {
		const struct plain_field *f = &h->fields[i];
		struct span rest = f->value, item;
		bool is_connection = span_ieq(f->name, SPAN("Connection"));
		bool is_upgrade = span_ieq(f->name, SPAN("Upgrade"));

		if (span_ieq(f->name, SPAN("Expect")) &&
			!span_ieq(f->value, SPAN("100-continue")))
			return false;
		while ((is_connection || is_upgrade) && next_item(&rest, &item)) {
			if (is_connection && !plain_is_token(item))
				return false;
			if (is_upgrade && !is_protocol(item))
				return false;
			nominated += is_connection && !span_ieq(item, SPAN("close")) &&
				     !span_ieq(item, SPAN("keep-alive")) &&
				     !span_ieq(item, SPAN("upgrade"));
		}
	}
	return nominated <= 32;
}

/* A sloppy Connection of a response is forgiven; too many options are not. */
static bool few_options(const struct plain_head *h)
{
	size_t nominated = 0;

	for (size_t i = 0; i < h->n_fields; i++) {
		struct span rest = h->fields[i].value, item;

		while (span_ieq(h->fields[i].name, SPAN("Connection")) &&
			next_item(&rest, &item))
			nominated += plain_is_token(item) &&
				     !span_ieq(item, SPAN("close")) &&
				     !span_ieq(item, SPAN("keep-alive")) &&
				     !span_ieq(item, SPAN("upgrade"));
	}
	return nominated <= 32;
}

/* --- messages --------------------------------------------------------------- */

/* *( field-line CRLF ) CRLF */
static enum plain_verdict field_lines(
	struct span *rest, struct plain_head *h, bool response)
{
	struct span line;

	while (plain_line(rest, &line)) {
		if (line.n == 0)
			return PLAIN_GOOD;
		if (h->n_fields == PLAIN_MAX_FIELDS ||
			!plain_field_line(line, response, &h->fields[h->n_fields]))
			return PLAIN_BAD;
		h->n_fields++;
	}
	return PLAIN_CUT_OFF;
}

enum plain_verdict plain_request(struct span text, struct plain_head *h)
{
	struct span rest = text, line;

	*h = (struct plain_head){ .minor = 0 };
	for (int i = 0; i < 2 && rest.n >= 2 && memcmp(rest.p, "\r\n", 2) == 0; i++)
		rest = part(rest, 2, rest.n);
	if (!plain_line(&rest, &line))
		return PLAIN_CUT_OFF;
	if (!request_line(line, h))
		return PLAIN_BAD;

	enum plain_verdict verdict = field_lines(&rest, h, false);
	h->bytes = text.n - rest.n;
	if (verdict != PLAIN_GOOD)
		return verdict;
	return framing(h, false, false) && host(h) && other_fields(h) ? PLAIN_GOOD
								      : PLAIN_BAD;
}

enum plain_verdict plain_response(struct span text, bool is_head, struct plain_head *h)
{
	struct span rest = text, line;

	*h = (struct plain_head){ .minor = 0 };
	if (!plain_line(&rest, &line))
		return PLAIN_CUT_OFF;
	if (!status_line(line, h))
		return PLAIN_BAD;

	enum plain_verdict verdict = field_lines(&rest, h, true);
	bool has_no_body =
		is_head || h->status < 200 || h->status == 204 || h->status == 304;
	h->bytes = text.n - rest.n;
	if (verdict != PLAIN_GOOD)
		return verdict;
	return framing(h, true, has_no_body) && few_options(h) ? PLAIN_GOOD : PLAIN_BAD;
}
