/* What the files of the room share: bytes, hosts, and the parts of the h1 parser. */
#ifndef SLUICE_HTTP_PRIV_H
#define SLUICE_HTTP_PRIV_H

#include "sluice/base/list.h"
#include "sluice/http/edit.h"
#include "sluice/http/h2.h"

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

/* A set of names has a bit for each. */
static inline uint64_t http_bit(enum http_name id)
{
	return UINT64_C(1) << id;
}

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

static inline enum h1_turn h1_refuse(struct h1_parser *p, enum http_bad why)
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
	struct h1_parser *p, struct h1_cursor *c, enum http_bad why)
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

/* --- h2 sessions ---------------------------------------------------------- */

/* nghttp2's memory: objects of a few sizes, each kept for the next taker. */
enum { H2_SIZES = 8 };

struct h2_shared {
	struct buf_pool *bufs;
	struct slab size[H2_SIZES];
	struct slab sessions, streams, heads;
	struct nghttp2_session_callbacks *callbacks;
	struct nghttp2_option *options;
};

/* A bucket of what a peer may do for nothing; the clock is asked when it is empty. */
struct h2_bucket {
	uint32_t left;
	uint64_t since_ms;
};

enum { H2_FRAME_HEAD = 9, H2_MAGIC = 24, H2_RECENT = 64, H2_PING_BYTES = 8 };

/* Reads the heads of frames as they pass, before nghttp2 does (h2/flood.c). */
struct h2_watch {
	unsigned char head[H2_FRAME_HEAD];
	uint8_t head_n;
	uint8_t continuations; /* of the header block under way */
	bool in_block;         /* one is */
	uint32_t skip;         /* of the payload, or of the client's magic */
	const char *fed; /* of what is being received: nghttp2 has it up to here */
	uint32_t last;   /* the highest stream so far */
	uint32_t gap_from, gap_to; /* ids that it left out at last */
	/* Streams that we reset lately: what was on its way may still come. Of those up
	 * to forgotten we do not know any more. */
	uint32_t recent[H2_RECENT], n_recent, forgotten;
	struct h2_bucket bucket[H2_N_FLOODS];
};

enum { HTTP_METHOD_BYTES_MAX = 64 }; /* the longest registered one has 17 */

/* A header block as it comes in: lines of text, so that HTTP/1 can copy them. */
struct h2_head {
	struct buf text;
	struct buf cookie; /* its crumbs, joined as they come */
	uint64_t counted;  /* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
	enum http_bad why;
	struct http_text scheme, protocol;
	struct http_head head;
	struct http_field fields[HTTP_MAX_FIELDS];
};

struct h2_stream {
	struct link link; /* in h2->streams */
	void *owner;
	int32_t id;
	uint32_t unconsumed; /* given to the owner, and not yet passed on */
	struct buf text;     /* our own answer's body, or the trailers to be sent */
	enum http_method method;
	bool is_tunnel;
	bool has_head;   /* the peer's final head has come */
	bool peer_ended; /* its END_STREAM has come */
	bool responded;  /* server: the final head is on its way */
	bool has_body;   /* there is something to pull */
	bool has_own;    /* text is the body */
	bool has_trailers;
	bool pulled;  /* all of the body has been */
	bool ended;   /* our END_STREAM was sent */
	bool reset;   /* RST_STREAM is on its way: nothing more happens */
	bool ours;    /* it was our wish */
	bool lingers; /* answered before its end: a reset is to follow */
};

struct h2 {
	struct nghttp2_session *ng;
	struct h2_shared *shared;
	const struct h2_events *events;
	void *arg;
	struct h2_limits limits;
	struct link streams;
	size_t n_streams;
	struct h2_head *head; /* the header block under way, or NULL */
	struct buf *out;      /* during h2_write */
	size_t out_start;     /* buf_len(out) then */
	size_t out_end;       /* it should not pass this */
	struct h2_watch watch;
	uint32_t code;       /* the session is to end for this */
	enum h2_flood flood; /* H2_N_FLOODS: it was none */
	uint8_t drain;       /* GOAWAYs of ours: none, the notice, the last */
	bool server;
	bool known;  /* the peer's SETTINGS have come */
	bool broken; /* nothing more is taken in */
	bool dead;   /* nothing more can be said */
};

/* Each file of the codec names its callbacks to nghttp2. */
void h2_receive_callbacks(struct nghttp2_session_callbacks *c);
void h2_send_callbacks(struct nghttp2_session_callbacks *c);
/* Queues a final head, and the body behind it as the owner or s->text gives it. nv: n of
 * nghttp2's pairs. Returns the stream's id, or below 0. */
int32_t h2_send_message(
	struct h2 *h, struct h2_stream *s, const void *nv, size_t n) MUST_USE;
int h2_shared_open(struct h2 *h) MUST_USE; /* h->ng; 0 or -1 */

/* Ends the session for code: a GOAWAY is queued, owners hear of it. */
void h2_break(struct h2 *h, uint32_t code);
void h2_drain(struct h2 *h);
extern const uint8_t h2_drain_ping[H2_PING_BYTES];

void h2_watch_start(struct h2 *h);
/* Looks at all of in, and feeds it to nghttp2 but for what makes h->code. */
void h2_watch_in(struct h2 *h, struct span in);
void h2_watch_reset(struct h2 *h, uint32_t id); /* we sent RST_STREAM */
void h2_feed(struct h2 *h, const char *end);
void h2_flooded(struct h2 *h, enum h2_flood kind);
/* Takes one out of a bucket; when there is none, h->code and h->flood are set. */
void h2_spend(struct h2 *h, enum h2_flood kind);
void h2_refund(struct h2 *h, enum h2_flood kind, uint32_t n);

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id);
void h2_stream_free(struct h2 *h, struct h2_stream *s);
struct h2_stream *h2_stream_find(struct h2 *h, int32_t id); /* NULL: it is over */
void h2_stream_reset(struct h2 *h, struct h2_stream *s, uint32_t code);
/* What its owner has not passed on is no longer held against the peer. */
void h2_stream_return(struct h2 *h, struct h2_stream *s);
/* Our half is sent; nobody waits for the rest of the peer's. */
void h2_stream_finish(struct h2 *h, struct h2_stream *s);
/* A PING of ours was answered. */
void h2_stream_pinged(struct h2 *h, const uint8_t ping[static H2_PING_BYTES]);

bool h2_head_start(struct h2 *h);
void h2_head_end(struct h2 *h);
/* False: no honest peer sends that much; h->code. */
bool h2_head_take(struct h2 *h, struct span name, struct span value);
/* Each returns why it is refused. */
enum http_bad h2_head_request(struct h2 *h, struct h2_stream *s, bool ended);
enum http_bad h2_head_response(struct h2 *h, struct h2_stream *s, bool ended);
enum http_bad h2_head_trailers(struct h2 *h);

/* Queues the trailers that wait in s->text. */
int h2_queue_trailers(struct h2 *h, struct h2_stream *s) MUST_USE;

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
