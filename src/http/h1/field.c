/*
 * Field lines (RFC 9112, 5). A name, a colon right behind it, a value, CRLF; a line
 * that begins with a blank would continue the one before (obs-fold), and is refused.
 * Blanks before the colon are refused in a request and taken out of a response (5.1):
 * a client that smuggles is a danger, a server that is sloppy is not.
 */
#include "http_priv.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A line without a name ends the head, or is wrong. */
static enum h1_turn take_last_line(struct h1_parser *p, struct h1_cursor *c)
{
	enum h1_turn turn = h1_take_crlf(p, c, HTTP_BAD_FIELD);

	return turn == H1_ON ? H1_WHOLE : turn;
}

static enum h1_turn take_name(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	c->at = http_scan_token(c->at, c->end);
	if (c->at == c->end)
		return H1_STARVED;

	uint32_t n = h1_offset(c, c->at) - p->line;
	const char *colon = c->at;

	if (n == 0)
		return take_last_line(p, c);
	while (p->response && colon < c->end && is_blank(*colon))
		colon++;
	if (colon == c->end)
		return H1_STARVED; /* and begins again behind the name */
	if (*colon != ':')
		return h1_refuse(p, HTTP_BAD_FIELD);
	if (head->n_fields == p->limits.field_count)
		return h1_refuse(p, HTTP_TOO_MANY_FIELDS);
	if (n > UINT16_MAX)
		return h1_refuse(p, HTTP_HEAD_TOO_LARGE);

	p->colon = h1_offset(c, colon);
	c->at = colon + 1;
	p->state = H1_VALUE;
	return H1_ON;
}

/* The line from p->line to end, which is checked and whole; the value without the
 * blanks around it. Member by member: half the instructions of a struct made and
 * copied. */
static void set_field(struct http_field *f, const struct h1_parser *p, const char *base,
	const char *end)
{
	const char *value = base + p->colon + 1;
	struct span name = { .p = base + p->line, .n = p->colon - p->line };

	while (is_blank(name.p[name.n - 1]))
		name.n--;
	while (value < end && is_blank(*value))
		value++;
	while (end > value && is_blank(end[-1]))
		end--;
	f->name = p->line;
	f->name_n = (uint16_t)name.n;
	f->value = (uint32_t)(value - base);
	f->value_n = (uint32_t)(end - value);
	f->dropped = false;
	f->id = (uint8_t)http_name_of(name);
}

static enum h1_turn take_value(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	c->at = http_scan_value(c->at, c->end);

	const char *end = c->at;
	enum h1_turn turn = h1_take_crlf(p, c, HTTP_BAD_FIELD);
	if (turn != H1_ON)
		return turn;

	struct http_field *f = &head->fields[head->n_fields++];
	set_field(f, p, c->base, end);
	p->line = h1_offset(c, c->at);
	p->state = H1_NAME;
	if (f->id != HTTP_N_OTHER && !h1_note_field(p, head, f))
		return H1_REFUSED;
	return H1_ON;
}

enum h1_turn h1_take_fields(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *cursor)
{
	struct h1_cursor here = *cursor, *c = &here; /* kept in registers */
	enum h1_turn turn = H1_ON;

	while (turn == H1_ON) {
		if (p->state == H1_NAME)
			turn = take_name(p, head, c);
		if (turn == H1_ON)
			turn = take_value(p, head, c);
	}
	*cursor = here;
	return turn;
}
