/*
 * http/message - a request or response head, as both codecs give it and the
 * exchange uses it, and what a proxy must do to one before it goes on (RFC 9110).
 *
 * A head owns no text: fields are offsets from base, so that the buffer may move
 * (the owner then sets base anew). Texts are as received: names keep their case,
 * values have no blanks around them. The codec has checked all of it.
 */
#ifndef SLUICE_HTTP_MESSAGE_H
#define SLUICE_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/base/span.h"

struct http_edit;

enum { HTTP_MAX_FIELDS = 256 };

enum http_method {
	HTTP_OTHER, /* a token we do not know: forwarded, never repeated */
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_PATCH,
	HTTP_CONNECT,
	HTTP_TRACE,
};

/* Names that mean something to a proxy. */
enum http_name {
	HTTP_N_OTHER,
	HTTP_N_HOST,
	HTTP_N_CONTENT_LENGTH,
	HTTP_N_TRANSFER_ENCODING,
	HTTP_N_CONNECTION,
	HTTP_N_KEEP_ALIVE,
	HTTP_N_PROXY_CONNECTION,
	HTTP_N_PROXY_AUTHENTICATE,
	HTTP_N_PROXY_AUTHORIZATION,
	HTTP_N_TE,
	HTTP_N_TRAILER,
	HTTP_N_UPGRADE,
	HTTP_N_HTTP2_SETTINGS,
	HTTP_N_EXPECT,
	HTTP_N_MAX_FORWARDS,
	HTTP_N_X_FORWARDED_FOR,
	HTTP_N_X_FORWARDED_PROTO,
	HTTP_N_X_FORWARDED_HOST,
	HTTP_N_X_REQUEST_ID,
	HTTP_N_IDEMPOTENCY_KEY,
	HTTP_N_CONTENT_TYPE,
	HTTP_N_COOKIE,
	HTTP_N_FORWARDED,
	HTTP_N_DATE,
	HTTP_N_ACCEPT,
	HTTP_N_PROXY, /* no such field exists, but CGI would see HTTP_PROXY (httpoxy) */
	HTTP_N_NAMES,
};

struct http_field {
	uint32_t name, value; /* offsets from the head's base */
	uint32_t value_n;
	uint16_t name_n;
	uint8_t id;   /* enum http_name */
	bool dropped; /* hop-by-hop, or nominated by Connection: never forwarded */
};

struct http_text {
	uint32_t at, n;
};

enum http_framing {
	HTTP_NO_BODY,
	HTTP_LENGTH, /* length bytes; a length of 0 that was written out is this */
	HTTP_CHUNKED,
	HTTP_UNTIL_CLOSE, /* responses only */
};

struct http_head {
	const char *base;
	struct http_field *fields; /* the owner's memory, max_fields of them */
	uint16_t max_fields, n_fields;
	uint8_t minor;   /* of HTTP/1.x: 0 or 1 */
	bool keep_alive; /* the peer wants to go on after this message */
	bool expect_continue;
	bool upgrade; /* Connection: upgrade with an Upgrade field */
	bool tunnel; /* asks for a WebSocket: Upgrade: websocket, or extended CONNECT */
	bool te_trailers; /* TE: trailers was sent */
	bool is_text; /* base has lines of HTTP/1.1, which are copied as they stand */
	enum http_framing framing;
	uint64_t length;
	uint32_t bytes; /* of the whole head, its blank line included */
	/* requests */
	enum http_method method;
	struct http_text method_text;
	struct http_text target; /* as forwarded: "/path?query", or "*" of OPTIONS */
	struct http_text path;   /* of target, without the query: what routes compare */
	struct http_text host; /* from the absolute-form target, else Host; with port */
	/* responses */
	uint16_t status;
	struct http_text reason;
};

/* What a response gets on its way; empty: nothing. */
struct http_added {
	struct span via;  /* "1.1 pseudonym" in HTTP/2, the pseudonym in HTTP/1 */
	struct span date; /* of an answer that has none (RFC 9110, 6.6.1) */
	/* Fields of operators, in HTTP/2; first gives nothing that last has. May be
	 * NULL. What they take away is dropped already. */
	const struct http_edit *first, *last;
};

/* Why a head or body was refused; a table gives text and status of each. */
enum http_bad {
	HTTP_FINE,
	HTTP_BAD_START_LINE,
	HTTP_BAD_METHOD,      /* CONNECT, TRACE: 405 */
	HTTP_METHOD_TOO_LONG, /* 501 */
	HTTP_BAD_TARGET,
	HTTP_BAD_VERSION, /* not 1.0 or 1.1: 505 */
	HTTP_BAD_FIELD,   /* name, value, obs-fold, a bare CR or LF, NUL */
	HTTP_BAD_HOST,    /* missing, several, invalid */
	HTTP_BAD_LENGTH,  /* not one decimal number that fits */
	HTTP_BAD_CODING, /* a Transfer-Encoding that exists, and we do not speak: 501 */
	HTTP_BAD_FRAMING, /* one that is garbled, twice, in HTTP/1.0, or with a length */
	HTTP_BAD_CHUNK,
	HTTP_BAD_EXPECT,  /* 417 */
	HTTP_BAD_UPGRADE, /* no list of protocols; one that is not wanted is ignored */
	HTTP_TARGET_TOO_LONG, /* 414 */
	HTTP_HEAD_TOO_LARGE,  /* in bytes: 431 */
	HTTP_TOO_MANY_FIELDS, /* 431 */
	HTTP_BAD_STATUS_LINE,
	HTTP_N_BAD,
};

const char *http_bad_text(enum http_bad why); /* one clear sentence for the client */
unsigned http_bad_status(
	enum http_bad why); /* requests: 400, 405, 414, 417, 431, 501, 505 */
const char *http_bad_name(enum http_bad why); /* a label for metrics: "start_line" */

static inline struct span http_text(const struct http_head *h, struct http_text t)
{
	return (struct span){ .p = h->base + t.at, .n = t.n };
}

enum http_name http_name_of(struct span name);
enum http_method http_method_of(struct span method);

struct span http_field_name(const struct http_head *h, const struct http_field *f);
struct span http_field_value(const struct http_head *h, const struct http_field *f);
/* The first one with this id that is not dropped; NULL when there is none. */
const struct http_field *http_find(const struct http_head *h, enum http_name id);

const char *http_status_text(unsigned status); /* "Bad Gateway"; "Unknown" */
const char *http_method_text(enum http_method m);
/* GET, HEAD, OPTIONS: may be repeated though bytes were sent (S25). */
bool http_is_safe(enum http_method m);
/* Whether a response to method with this status can have a body (RFC 9112, 6.3). */
bool http_may_have_body(enum http_method m, unsigned status);
/* Fields that a trailer section must not carry on (RFC 9110, 6.5.1). */
bool http_trailer_allowed(struct span name);

/* host without its port and a last dot, lower case, in out (no NUL behind it); false
 * when it does not fit. */
bool http_host_name(struct span host, char *out, size_t out_n, size_t *n);

#endif
