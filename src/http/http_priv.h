/* What the files of the room share: bytes, hosts, and the parts of the h1 parser. */
#ifndef SLUICE_HTTP_PRIV_H
#define SLUICE_HTTP_PRIV_H

#include "sluice/http/h1.h"

/* --- bytes ---------------------------------------------------------------- */

enum http_byte {
	HTTP_TOKEN = 1, /* tchar (RFC 9110, 5.6.2) */
	HTTP_HOST =
		2, /* unreserved (RFC 3986, 2.3): all that a name or address needs */
};

extern const uint8_t http_byte[256];

static inline bool http_is_token_byte(char c)
{
	return (http_byte[(unsigned char)c] & HTTP_TOKEN) != 0;
}

/* Each returns the first byte of [p, end) that may not stand there, or end. */
const char *http_scan_token(const char *p, const char *end);
const char *http_scan_value(const char *p, const char *end);  /* RFC 9110, 5.5 */
const char *http_scan_target(const char *p, const char *end); /* visible, not # or ? */

bool http_is_token(struct span s);

/* Whether s, of a token's or value's bytes, is wanted but for its case; wanted is of
 * small letters, digits and dashes. */
bool http_is(struct span s, struct span wanted);

/* --- rules for fields that both codecs keep ------------------------------- */

/* reg-name of unreserved bytes, IPv4 or [IPv6], and a port that is one. */
bool http_is_host(struct span s);
/* Marks dropped what the Connection fields name, but for what a client has no say
 * about. */
void http_drop_nominated(struct http_head *head, bool response);
bool http_has_item(struct span list, struct span item);
/* The next item of a comma-separated list that is not empty; false at its end. */
bool http_next_item(struct span *rest, struct span *item);

/* --- the h1 parser -------------------------------------------------------- */

/* What one part of the parser says to h1_parse. */
enum h1_turn {
	H1_ON,      /* p->state is the next part */
	H1_STARVED, /* more bytes are needed */
	H1_REFUSED, /* p->why */
	H1_WHOLE,   /* the head is complete */
};

struct h1_cursor {
	const char *base, *at, *end;
};

enum h1_state {
	H1_START, /* before a request line: empty lines */
	H1_METHOD,
	H1_TARGET,
	H1_VERSION,
	H1_STATUS,
	H1_REASON,
	H1_NAME,
	H1_VALUE,
	H1_LAST,
};

/* Options of a Connection field. */
enum { H1_CLOSE = 1, H1_KEEP_ALIVE = 2, H1_UPGRADE = 4 };

static inline enum h1_turn h1_refuse(struct h1_parser *p, enum h1_bad why)
{
	p->why = why;
	return H1_REFUSED;
}

static inline uint32_t h1_offset(const struct h1_cursor *c, const char *p)
{
	return (uint32_t)(p - c->base);
}

/* A CR without its LF may still get it. */
static inline enum h1_turn h1_take_crlf(
	struct h1_parser *p, struct h1_cursor *c, enum h1_bad why)
{
	size_t n = (size_t)(c->end - c->at);

	if (n > 0 && c->at[0] != '\r')
		return h1_refuse(p, why);
	if (n < 2)
		return H1_STARVED;
	if (c->at[1] != '\n')
		return h1_refuse(p, why);
	c->at += 2;
	return H1_ON;
}

enum h1_turn h1_take_request_line(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c);
enum h1_turn h1_take_status_line(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c);
enum h1_turn h1_take_fields(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c);

/* What a field that has just been read means; false: p->why. */
bool h1_note_field(struct h1_parser *p, struct http_head *head, struct http_field *f);
/* What all the fields mean together; false: p->why. */
bool h1_conclude(struct h1_parser *p, struct http_head *head);

static inline uint32_t h1_bit(enum http_name id)
{
	return UINT32_C(1) << id;
}

/* --- writing -------------------------------------------------------------- */

static inline char *h1_put(char *w, struct span s)
{
	if (s.n > 0)
		memcpy(w, s.p, s.n);
	return w + s.n;
}

enum { H1_DECIMAL_MAX = 20 };
char *h1_put_decimal(char *w, uint64_t n);

#endif
