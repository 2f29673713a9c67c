/*
 * http/h2 - HTTP/2 sessions (RFC 9113) on nghttp2: bytes in, messages out; no sockets.
 *
 * One session is one connection: its server, or its client. Events come from inside
 * h2_receive and h2_write only; in them every call is allowed but h2_receive, h2_write
 * and h2_free. A stream belongs to an owner, a pointer of the caller's, until on_reset
 * said that it is over or h2_forget took the owner away. Nothing is read ahead of the
 * owner: the peer's window opens again by h2_consumed, and nothing is kept for sending:
 * bytes are asked for when the window lets them go.
 *
 * Strict: nghttp2 enforces RFC 9113, 8; on top of it stands what an HTTP/1 hop depends on
 * (h2_head). What only an attacker sends in numbers is counted, and ends the session.
 */
#ifndef SLUICE_HTTP_H2_H
#define SLUICE_HTTP_H2_H

#include "sluice/base/buf.h"
#include "sluice/http/h1.h"
#include "sluice/http/message.h"

enum h2_code { /* RFC 9113, 7 */
	H2_NO_ERROR = 0,
	H2_PROTOCOL_ERROR = 1,
	H2_INTERNAL_ERROR = 2,
	H2_REFUSED_STREAM = 7, /* nothing was done: may be repeated */
	H2_CANCEL = 8,
	H2_ENHANCE_YOUR_CALM = 11,
};

/* What a session was ended for; each is counted by the caller. */
enum h2_flood {
	H2_FLOOD_RESETS,  /* streams opened and reset at once (CVE-2023-44487) */
	H2_FLOOD_HEADERS, /* a header block without end or bound (CVE-2024-27316) */
	H2_FLOOD_CONTROL, /* PING, SETTINGS, PRIORITY, RST and what else wants an answer */
	H2_FLOOD_EMPTY, /* frames that bring nothing */
	H2_N_FLOODS,
};

/* What a data thread's sessions share: options, callbacks, memory. */
struct h2_shared;
struct h2_shared *h2_shared_new(struct buf_pool *bufs);
void h2_shared_free(struct h2_shared *s); /* after its sessions */
/* Frees what it keeps for others and nobody needed since the last time: the bytes. */
size_t h2_shared_trim(struct h2_shared *s);

struct h2;

struct h2_events {
	/* Server: a request's head is whole. Texts and fields of head are valid for the
	 * call. head->framing: HTTP_NO_BODY (the stream has ended), HTTP_LENGTH (0 if
	 * that was written out), or HTTP_CHUNKED for a body of unknown length. Extended
	 * CONNECT comes as a GET with head->tunnel and HTTP_NO_BODY; what on_data gives
	 * then is the tunnel's. Returns the stream's owner; NULL refuses it
	 * (H2_REFUSED_STREAM), unless h2_answer has answered it. */
	void *(*on_request)(void *arg, int32_t stream, const struct http_head *head);
	/* Server: a request that breaks a rule (why) or a limit; answer it by
	 * h2_answer, or not at all: then it is reset. It has no owner. What RFC 9113
	 * calls malformed was reset already (HTTP_BAD_FIELD): h2_answer says -1. */
	void (*on_refused)(void *arg, int32_t stream, enum http_bad why);
	/* Server: one stream more than limits.streams. It is refused (H2_REFUSED_STREAM);
	 * of a peer that has acknowledged the limit, the session ends. */
	void (*on_crowded)(void *arg);
	/* Client: a response's head; status below 200: more will come. Framing as
	 * above, and HTTP_NO_BODY for what can have none (HEAD, 204, 304) and for the
	 * 2xx that opens a tunnel. */
	void (*on_response)(void *owner, const struct http_head *head);
	void (*on_data)(void *owner, struct span data); /* to be kept or used now */
	/* The trailer fields, those that may go on (http_trailer_allowed). */
	void (*on_trailers)(void *owner, const struct http_head *trailers);
	/* The peer's half is over; after head, data and trailers. Always said, also
	 * behind a head without a body. */
	void (*on_end)(void *owner);
	/* The stream is over, not by h2_reset: reset by the peer or for what the peer
	 * sent, or the session broke. The owner is forgotten. H2_REFUSED_STREAM: the
	 * peer did nothing with it. H2_NO_ERROR after on_end: it wants no more of our
	 * body. */
	void (*on_reset)(void *owner, uint32_t code);
	/* Both halves are over and all is sent; the owner is forgotten. */
	void (*on_closed)(void *owner);
	/* How many bytes of body could be sent now, at most max. *end: these are the
	 * last, trailers (h2_trailers) may follow. 0 without end: wait for h2_resume. */
	size_t (*on_pull)(void *owner, size_t max, bool *end);
	/* Copies the next n bytes to out: n is what on_pull has just said. */
	void (*on_take)(void *owner, char *out, size_t n);
	/* GOAWAY came: no new streams here. Streams it does not cover were reset. */
	void (*on_goaway)(void *arg);
	void (*on_flood)(void *arg, enum h2_flood kind); /* h2_receive will return -1 */
};

struct h2_limits {
	uint32_t streams;      /* that the peer may have open at once */
	uint32_t header_bytes; /* name + value + 32 each (RFC 9113, 10.5.1) */
	uint32_t field_count;  /* <= HTTP_MAX_FIELDS */
	uint32_t target_bytes;
	uint32_t stream_window, connection_window;
	bool websocket; /* server: SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441) */
};

/* Settings are queued at once: h2_write. NULL: no memory. events must outlive it. */
struct h2 *h2_server_new(struct h2_shared *s, const struct h2_limits *limits,
	const struct h2_events *events, void *arg);
struct h2 *h2_client_new(struct h2_shared *s, const struct h2_limits *limits,
	const struct h2_events *events, void *arg);
/* No event comes any more; owners are the caller's affair. May be NULL. */
void h2_free(struct h2 *h);

/* All of in is taken. -1: the session is broken or done for; write what h2_write still
 * gives (a GOAWAY), then close. Some errors show only when h2_write has written that
 * GOAWAY: ask h2_is_over after it. Either way owners have heard on_reset. */
int h2_receive(struct h2 *h, struct span in) MUST_USE;
/* Appends frames to out, at most about max bytes of them, and no more than BUF_LARGE
 * holds; false: no memory, close. Nothing is appended: nothing is to be sent now, or out
 * is full. */
bool h2_write(struct h2 *h, struct buf *out, size_t max) MUST_USE;
bool h2_wants_write(const struct h2 *h);
/* Neither side will say anything more: close the connection. */
bool h2_is_over(const struct h2 *h);
size_t h2_open_streams(const struct h2 *h);
/* Client: how many requests could begin now by the peer's settings; 0 after GOAWAY. */
size_t h2_room(const struct h2 *h);
/* The peer's SETTINGS have come. */
bool h2_peer_is_known(const struct h2 *h);
/* Client: they allow extended CONNECT. */
bool h2_peer_allows_websocket(const struct h2 *h);

/* --- server ---------------------------------------------------------------- */

/* A head from upstream as it goes to the client: connection fields are dropped, names in
 * lower case, framing by end and Content-Length. status below 200: interim. has_body:
 * on_pull gives it. via: one more such field, if not empty. 101 accepts a tunnel, and
 * is said as 200. -1: the stream is gone or was answered, or no memory. */
int h2_respond(struct h2 *h, int32_t stream, const struct http_head *head,
	bool has_body, const struct http_added *added) MUST_USE;
/* What sluice says itself, whole: head and text. */
int h2_answer(struct h2 *h, int32_t stream, const struct http_own *own) MUST_USE;

/* --- client ---------------------------------------------------------------- */

/* A request: head is as h1_write_request wrote it and h1_parse read it back. Returns the
 * stream, or -1. https: the scheme; websocket: an extended CONNECT. */
struct h2_request {
	const struct http_head *head;
	bool https, has_body, websocket;
	void *owner;
};
int32_t h2_submit(struct h2 *h, const struct h2_request *request) MUST_USE;

/* --- both ------------------------------------------------------------------ */

/* Lines "Name: value" divided by CRLF, sent behind the body; before on_pull says end. */
int h2_trailers(struct h2 *h, int32_t stream, struct span lines) MUST_USE;
/* There is something to pull, or its end. */
void h2_resume(struct h2 *h, int32_t stream);
/* n bytes of on_data were passed on: the peer may send as many more. What is left when a
 * stream ends, is reset or forgotten is given back to the connection by itself; this is
 * then harmless. */
void h2_consumed(struct h2 *h, int32_t stream, size_t n);
/* Ends the stream at once; its owner is forgotten, no event comes. */
void h2_reset(struct h2 *h, int32_t stream, enum h2_code code);
/* The owner is gone. Server: a response that was given whole goes on to its end, what
 * still comes is dropped, and when all is sent an unfinished request is reset with
 * H2_NO_ERROR (RFC 9113, 8.1); without a whole response it is reset with
 * H2_INTERNAL_ERROR. Client: H2_CANCEL. */
void h2_forget(struct h2 *h, int32_t stream);
/* Server: no new streams from now; those that are on their way are still taken (two
 * GOAWAYs, RFC 9113, 6.8: the second follows by itself when the client has seen the
 * first, or at a second call). Client: no new ones of ours. When the last stream has
 * ended h2_is_over. */
void h2_goaway(struct h2 *h);

#endif
