/*
 * http/h1 - the HTTP/1.1 codec (RFC 9112): bytes in, messages out; no sockets.
 *
 * Strict: what two readers could understand differently is refused, never
 * repaired. Incremental at every byte: call again with the same bytes and more
 * behind them. Bounded: limits are checked before memory is used. Nothing here
 * allocates.
 */
#ifndef SLUICE_HTTP_H1_H
#define SLUICE_HTTP_H1_H

#include "sluice/base/buf.h"
#include "sluice/http/message.h"

enum h1_result { H1_MORE, H1_DONE, H1_BAD };

struct h1_limits {
	uint32_t head_bytes, field_count, target_bytes; /* field_count <= max_fields */
};

/* --- heads -------------------------------------------------------------- */

struct h1_parser {     /* private to the codec, but for why */
	uint64_t seen; /* a bit for each enum http_name that has come */
	enum http_bad why;
	struct h1_limits limits;
	uint32_t at, line; /* scanned up to; start of the element under way */
	uint32_t query;    /* where the target's query begins, 0: it has none */
	uint32_t colon;    /* behind the name under way */
	uint8_t state, empty_lines, options, nominated;
	bool response;
};

/* head->fields and max_fields are set by the caller. For a response method is the
 * request's, and framing comes out as it really is (HEAD, 204, 304 included). One
 * or two empty lines before a request line are skipped (RFC 9112, 2.2). */
void h1_request_start(
	struct h1_parser *p, struct http_head *head, struct h1_limits limits);
void h1_response_start(struct h1_parser *p, struct http_head *head,
	enum http_method method, struct h1_limits limits);

/* in: all bytes since the start, at one place or moved. H1_DONE: head is filled and
 * base set to in.p; head->bytes of in were used. H1_BAD: p->why. */
enum h1_result h1_parse(struct h1_parser *p, struct http_head *head, struct span in);

/* --- bodies --------------------------------------------------------------- */

struct h1_body { /* private to the codec, but for why and framing */
	enum http_bad why;
	enum http_framing framing;
	uint64_t left;
	uint32_t extra_bytes; /* of extensions or trailers so far */
	uint32_t scanned;     /* of a trailer line that is not yet whole */
	uint8_t state, digits;
};

enum h1_piece { H1_NOTHING, H1_DATA, H1_TRAILER };

void h1_body_start(struct h1_body *b, enum http_framing framing, uint64_t length);
/* Takes *used bytes off the front of in; piece says what they gave: data to pass on,
 * or one whole trailer line without its CRLF, checked and allowed to go on (others are
 * skipped). H1_DONE: the body ended with these bytes (with or without a piece).
 * H1_MORE: call again with what is behind *used; when *used is 0, with more bytes.
 * HTTP_UNTIL_CLOSE never ends by itself. Bounds: 4 KiB of chunk extensions and 8 KiB of
 * trailers a body. */
enum h1_result h1_body_next(struct h1_body *b, struct span in, size_t *used,
	enum h1_piece *piece, struct span *data);
bool h1_body_is_done(const struct h1_body *b);

enum { H1_CHUNK_HEAD_MAX = 18 };
/* "1a2b\r\n"; returns its length. The data's own CRLF is the caller's. */
size_t h1_chunk_head(char out[static H1_CHUNK_HEAD_MAX], size_t n);

/* --- writing ------------------------------------------------------------- */

struct h1_forward {                              /* how a request goes upstream */
	struct span client_ip, request_id, host; /* host: what goes into Host */
	bool tls;     /* the client spoke TLS: X-Forwarded-Proto */
	bool trusted; /* the peer's X-Forwarded-* and X-Request-Id count, else replaced
		       */
	bool keep_alive; /* false: Connection: close */
	bool upgrade;    /* let the Upgrade through */
	bool forwarded;  /* a Forwarded (RFC 7239) beside X-Forwarded-* */
	bool from_h2;    /* the client spoke HTTP/2, for Via */
	struct span via; /* our pseudonym, a token; empty: no Via of ours */
};

struct h1_answer {                 /* how a response goes to the client */
	uint8_t client_minor;      /* of the request */
	enum http_framing framing; /* as sent to the client */
	bool keep_alive;           /* else Connection: close is written */
	bool interim;              /* 1xx: no framing, no connection fields but 101's */
	bool from_h2;              /* the server spoke HTTP/2, for Via */
	struct http_added added;
};

/* The head as it goes on, appended to out: hop-by-hop fields dropped, framing
 * written anew, X-Forwarded-* and X-Request-Id set. -1: no room. */
int h1_write_request(struct buf_pool *pool, struct buf *out, const struct http_head *h,
	const struct h1_forward *f) MUST_USE;
int h1_write_response(struct buf_pool *pool, struct buf *out, const struct http_head *h,
	const struct h1_answer *a) MUST_USE;

struct http_own { /* what sluice answers itself */
	unsigned status;
	const char *text;   /* a sentence; NULL: the status' own */
	const char *events; /* all of a text/event-stream, instead; NULL: none */
	struct span request_id;
	bool keep_alive, head_only;
	unsigned retry_after_s;       /* 0: no such field */
	struct span location;         /* redirects; empty: none */
	struct span date;             /* empty: none */
	const struct http_edit *edit; /* of an operator; NULL: none */
};
/* A status below 200 is its line alone: "HTTP/1.1 100 Continue". */
int h1_write_own(
	struct buf_pool *pool, struct buf *out, const struct http_own *o) MUST_USE;

#endif
