/*
 * proxy/exchange - one request and its response: its two sides, its steps, its attempts.
 * exchange.c is the place to begin.
 */
#ifndef SLUICE_EXCHANGE_PRIV_H
#define SLUICE_EXCHANGE_PRIV_H

#include "sluice/http/h1.h"
#include "sluice/http/ws.h"
#include "sluice/pool/wait.h"

#include "exchange/record_priv.h"
#include "serve/client_priv.h"

/* --- the two sides of an exchange ---------------------------------------------------
 *
 * Each is HTTP/1 or HTTP/2, and the exchange does not know which. */

enum verdict {
	AGAIN, /* the step changed: run the new one now */
	WAIT,  /* nothing to do before the next event */
	OVER,  /* the request is finished and released */
};

/* FLOW_WAIT nothing to do now, FLOW_END the half is done, FLOW_FAILED with why;
 * FLOW_RESCUE: legacy gets the request */
enum flow { FLOW_WAIT, FLOW_END, FLOW_FAILED, FLOW_RESCUE };

enum sent { SENT_ALL, SENT_SOME, SENT_BROKEN };

/* Of the upstream's bytes: something was done, all that came was used, no more can be
 * done, legacy gets the request. */
enum taken { TAKEN, HUNGRY, FAILED, RESCUE };

struct client_side {
	bool raw; /* bodies have no framing of their own: eof ends them */
	/* The head, from what has come: on to route, or an answer, or WAIT. */
	enum verdict (*read_head)(struct exchange *r);
	/* FLOW_END: more of the body is in r->in; an end of r->in (eof) is one too. */
	enum flow (*read_body)(struct exchange *r, enum outcome *why);
	/* While others are to move: whether the client has gone. */
	bool (*left)(struct exchange *r);
	/* r->response as it goes to the client; false: no room. Sets down_framing. */
	bool (*put_head)(struct exchange *r, bool interim);
	bool (*put_own)(struct exchange *r, const struct http_own *own);
	/* A trailer line, without its CRLF; the end of a body that was staged. */
	bool (*put_trailer)(struct exchange *r, struct span line);
	bool (*put_end)(struct exchange *r);
	/* How much of the body it would take now. 0: none, and the exchange is run when
	 * that has changed. */
	size_t (*room)(struct exchange *r);
	/* What is with the kernel, and not with the client; NULL: it can't be said. */
	size_t (*unread)(const struct exchange *r);
	/* What is staged for the client. All is sent when the end is, too. */
	enum sent (*send)(struct exchange *r);
	/* Before a wait: what is to be told of. */
	void (*settle)(struct exchange *r);
	/* The exchange is over and given back. keep: the connection may go on. */
	void (*leave)(struct client *c, int32_t stream, enum leaving how, bool keep);
};

extern const struct client_side client_h1, client_h2;
/* The next request of a connection, which has bytes or an event. */
void client_h1_begin(struct client *c);

struct upstream_side {
	bool raw;
	bool may_refuse; /* what was sent may turn out to be as good as unsent */
	/* A kept connection, or a new one; upstream_ready is set at once or by an event.
	 * False: not even begun. */
	bool (*open)(struct exchange *r);
	/* Ready: the request's head may go. False: it can't (and the attempt fails). */
	bool (*begin)(struct exchange *r);
	/* Why upstream_failed was set while connecting. */
	enum outcome (*connect_outcome)(const struct exchange *r);
	/* What is staged for the upstream. */
	enum sent (*send)(struct exchange *r, bool *moved);
	bool (*put_trailer)(struct exchange *r, struct span line);
	bool (*put_end)(struct exchange *r);
	/* TAKEN: r->response is a whole head, its bytes at the front of up_in. */
	enum taken (*take_head)(struct exchange *r, enum outcome *why);
	/* TAKEN: more bytes are in up_in, or the end is (upstream_eof). */
	enum taken (*read)(struct exchange *r, size_t *run, enum outcome *why);
	void (*settle)(struct exchange *r);
	/* The exchange is done with it: kept for others if that is right. */
	void (*keep)(struct exchange *r);
	/* Nothing was sent, and nothing will be. */
	void (*spare)(struct exchange *r);
	/* The rest of the response is not wanted. */
	void (*drop)(struct exchange *r);
	void (*close)(struct exchange *r);
};

extern const struct upstream_side upstream_h1, upstream_h2;
/* Joined to a session: its server takes tunnels (RFC 8441). */
bool upstream_h2_takes_tunnels(const struct exchange *r);

/* --- exchanges
 * ------------------------------------------------------------------------- */

enum step {
	EX_HEAD,
	EX_ADMIT,
	EX_ROUTE,
	EX_CONNECT,
	EX_RELAY,
	EX_FINISH,
	EX_TUNNEL,
};

/* How far a request for a tunnel has come. */
enum upgrade {
	UPGRADE_NONE,
	UPGRADE_AT_LISTENER,
	UPGRADE_AT_MIGRATION,
	UPGRADE_ADMITTED
};

enum half { HALF_HEAD, HALF_BODY, HALF_DONE };

/* Bytes on their way out: staged ones first, then a run that is sent from where
 * it was read, without a copy. */
struct stage {
	struct buf bytes;
	uint32_t
		sent; /* of bytes; what was sent is kept while it may be needed again */
	size_t direct; /* at the front of the other side's input */
	bool keep;
};

struct attempt {
	bool running;                      /* between choice of a server and its end */
	bool first_byte, slow, ratio_slow; /* counted already */
	bool stalled;                      /* told as an error already (S23) */
	enum side side;
	struct mark mark;
	uint64_t begun_ns, paused_ns, pause_since_ns; /* the age's clock */
};

enum awaited { /* whose move it is while relaying */
	AWAIT_NOBODY,
	AWAIT_CLIENT_BODY,
	AWAIT_RESPONSE,
	AWAIT_STREAM,
	AWAIT_CLIENT_READS,
};

/* Bytes of bodies: from the client, and to it. Those of one HTTP/2 connection share the
 * client's link, and are counted together. */
struct tally {
	uint64_t came, went;
};

/* credit.c */
struct credit {
	uint64_t since_ns; /* the client is waited for; 0: it is not */
	uint64_t spent_ns, bytes;
};
struct credit_terms {
	uint32_t rate, grace_ms;
};
/* waiting: for the client, from now on. bytes: all of them so far. False: it is not worth
 * waiting for any more. */
bool credit_lasts(struct credit *c, const struct credit_terms *t, bool waiting,
	uint64_t bytes, uint64_t now_ns);

struct exchange {
	enum step step;
	struct exchange_record record;
	bool running, expired;
	const struct client_side *from; /* who asks */
	struct client *client;
	struct inlet *in; /* the connection's, or the stream's own */
	struct inlet stream_in;
	struct buf in_trailers; /* lines, of what has no chunks */
	struct tally *tally;    /* the exchange's own, or its connection's */
	struct tally own_tally;
	int32_t stream; /* of HTTP/2: 0 when it is over */
	struct {
		struct link link;     /* in its connection's exchanges */
		struct link ready;    /* in those that something has come for */
		uint64_t came, freed; /* body bytes: received, and told as used */
		bool gone;            /* reset by the client */
	} mux;
	struct thread *thread;
	struct use *use;
	struct link awaiting; /* in the thread's, while an attempt has no answer */
	struct link
		upgrading;   /* in the thread's upgrades, while it waits for its turn */
	struct link grouped; /* an endless answer, in a group of tunnel_drain.c */
	struct net_timer deadline;
	uint32_t deadline_ms; /* to be set before the next wait; 0: as it is */

	/* the request */
	struct h1_parser parser;
	struct http_head head;
	struct h1_body request_body;
	enum upgrade upgrade;
	struct bucket *waits_at; /* it counts among those that wait there */
	char ws_key[WS_KEY_SIZE];
	bool head_dropped; /* its bytes are gone from in; spans are stale */
	bool trusted;      /* the peer is one whose word counts */
	bool repeatable;   /* safe, or has an Idempotency-Key (S25) */
	bool keep_alive;   /* the client connection, after this */
	enum half to_upstream;

	/* where it goes */
	struct migration *migration; /* NULL: a plain pool */
	const struct config_migration *migration_config;
	struct pool *pool;
	struct pool *wanted;       /* had no server just now */
	struct pool_waiter waiter; /* its place in the queue of wanted */
	struct server *server;
	enum side side;
	bool chosen, wants_new, spilled, fail_open, failure_told;
	bool pool_busy, overflow_asked, overflows, queued_told;
	bool held_too_much; /* more of the body went up than is kept for another attempt
			     */
	bool wants_events;  /* GET for text/event-stream */
	bool unprocessed;   /* so its server says, and all of it is here */
	const struct server *tried[4];
	unsigned n_tried;
	struct attempt attempt;

	/* upstream */
	const struct upstream_side *to; /* NULL: nothing is open */
	struct net_conn *upstream;      /* of HTTP/1 */
	struct {
		struct upstream_session *session; /* NULL: none */
		struct link link;     /* among those that wait for one, or in its own */
		struct link run;      /* in its session's */
		int32_t stream;       /* 0: not begun, or over */
		bool head_came;       /* and was not taken yet */
		bool pulled, ended;   /* all that we had to say; all that it had */
		bool shut;            /* of a tunnel: that was all */
		enum outcome lost;    /* why nothing more comes */
		uint64_t came, freed; /* body bytes: received, and told as used */
	} h2;
	bool upstream_ready, upstream_readable, upstream_eof, upstream_failed, reused;
	bool upstream_sent;      /* the kernel took bytes of this request */
	bool upstream_was_ready; /* connected, in this attempt */
	bool upstream_deaf;      /* takes no more of the request */
	bool fresh;              /* no kept connection again: one was stale */
	struct stage up; /* the request: its head as HTTP/1 writes it, then the body */
	uint32_t up_head_n;
	enum http_framing up_framing; /* of the body in up */
	struct {
		const struct rules *route;    /* NULL: not found yet */
		const struct http_edit *pool; /* done to the head in up */
		struct buf plain; /* that head before; empty: no pool has edited it */
	} edits;
	struct buf up_trailers; /* lines, of what has no chunks */
	struct buf up_in;
	struct buf up_in_trailers;

	/* the response */
	enum half to_client;
	struct h1_body response_body;
	struct stage down;
	struct buf down_trailers;
	enum http_framing down_framing;
	bool down_ended; /* of HTTP/2: the end is on its way */
	bool upstream_keep, response_begun, trailers_begun, up_trailers_begun, promised;
	bool response_parsing;
	bool switched;     /* a 101 that was asked for: what comes now is a tunnel's */
	bool is_events;    /* text/event-stream: it may end after any byte */
	bool ends_now;     /* which it shall, or a call */
	uint64_t leave_ns; /* a call that was asked to end shall do so by then */
	struct tunnel *tunnel; /* of a stream, in step tunnel */
	uint8_t interims;

	bool grpc;            /* a call (grpc.c) */
	int8_t grpc_status;   /* -1: not heard yet */
	uint64_t grpc_due_ns; /* its deadline; 0: none */
	unsigned refusal; /* a status of our own, for what the client sent; 0: none */
	const char *refusal_text;
	enum awaited awaited;
	struct credit sends, takes; /* the client */
	size_t unread;              /* as it was last seen, if it was */
	bool unread_seen;
	bool moved; /* bytes went somewhere since the deadline was set */
	bool client_gone_told;

	struct http_head response;
	struct http_field
		fields[HTTP_MAX_FIELDS]; /* the request's, then the response's */
};

/* exchange.c */
/* NULL: no memory. The caller sets who asks, and runs it. */
struct exchange *exchange_new(struct client *c);
void exchange_run(struct exchange *r);
enum verdict exchange_go(struct exchange *r, enum step next);
/* Gives everything back; the client's side is told how. */
void exchange_end(struct exchange *r);
enum verdict exchange_leave(struct exchange *r, enum leaving how);
/* At once, in the middle of its answer. */
void exchange_cut(struct exchange *r);
/* The client has gone: at once, whatever the step. */
void exchange_abandon(struct exchange *r);
/* The first word counts. exchange_end says, if nobody has, that the client is gone. */
void record_write(struct exchange *r, enum ending how);

/* The steps, each in a file of its name */
enum verdict exchange_step_head(struct exchange *r);
enum verdict exchange_step_admit(struct exchange *r);
enum verdict exchange_step_tunnel(struct exchange *r);
enum verdict exchange_step_route(struct exchange *r);
enum verdict exchange_step_connect(struct exchange *r);
enum verdict exchange_step_relay(struct exchange *r);
enum verdict exchange_step_finish(struct exchange *r);

/* choose.c */
enum choice { CHOSEN, CHOOSE_LATER };
enum choice choose_server(struct exchange *r);
bool choose_was_cut_back(const struct exchange *r);

/* head.c: a head that the codec has found good. */
enum verdict head_is_whole(struct exchange *r);
/* One it has not: answered, and nothing more of it is read. */
enum verdict head_is_bad(struct exchange *r, enum http_bad why);
enum verdict head_is_refused(struct exchange *r, unsigned status, const char *text);
void head_count_bad(struct thread *t, enum http_bad why);

void exchange_stop_waiting(struct exchange *r);

/* connect.c: in any state, also when nothing is open. */
void upstream_close(struct exchange *r);
/* A new connection to r's server; NULL: not even begun. */
struct net_conn *upstream_dial(struct exchange *r, struct net_owner owner);
/* How a connection to r's server may be kept for others. */
struct server_keeping upstream_keeping(const struct exchange *r);
/* Why it could not be opened. */
enum outcome upstream_failure(struct thread *t, const struct net_conn *c);

/* request_half.c, response_half.c */
enum flow request_half(struct exchange *r, enum outcome *why);
/* The upstream could take more of the body, and the client has not sent it. */
bool request_half_awaits_client(const struct exchange *r);
enum flow response_half(struct exchange *r, enum outcome *why);
/* An answer without end that is to come to one: events end cleanly, a call with
 * UNAVAILABLE. Others are cut. */
void response_half_ends_now(struct exchange *r);

/* stage.c */
enum sent stage_send(
	struct stage *s, struct net_conn *c, struct buf *source, bool *moved);
bool stage_is_empty(const struct stage *s);
/* As much of what was read as may be decoded at once; all where it needs no framing. */
struct span stage_piece(const struct buf *source, bool whole);
/* Appends a piece of a body as a chunk or as it is; the last chunk; a trailer line. */
bool stage_data(struct buf_pool *pool, struct stage *s, struct span data, bool chunked);
bool stage_trailer(
	struct buf_pool *pool, struct stage *s, struct span line, bool *begun);
bool stage_last(struct buf_pool *pool, struct stage *s, bool *begun);
/* Trailers of a body that has no chunks: lines, kept, and taken one by one. */
bool stage_keep_line(struct buf_pool *pool, struct buf *lines, struct span line);
bool stage_keep_fields(
	struct buf_pool *pool, struct buf *lines, const struct http_head *trailers);
struct span stage_line(struct span *lines);
/* For a side that takes bytes when its window lets it: how many are there, the next n of
 * them, and that these are gone. */
size_t stage_size(const struct stage *s);
void stage_copy(const struct stage *s, const struct buf *source, char *out, size_t n);
void stage_consume(struct stage *s, struct buf *source, size_t n);
/* The body in r->up, framed anew for a side that wants it so; false: no room. */
bool stage_reframe(struct exchange *r, enum http_framing framing);
void stage_fini(struct buf_pool *pool, struct stage *s);

/* Header rules, stage/edit.c. Of a request the route's once its head is staged, the
 * pool's before an attempt begins. False: no memory. */
bool edit_request_for_route(struct exchange *r) MUST_USE;
bool edit_request_for_pool(struct exchange *r) MUST_USE;
/* What sluice's own answer gets; NULL: nothing. */
const struct http_edit *edit_own(const struct exchange *r);
/* A final response, written to out as HTTP/1.1 with both rules done; false: no memory. */
bool edit_response(
	struct exchange *r, struct buf *out, const struct h1_answer *a) MUST_USE;
/* The same for HTTP/2, by fields. */
void edit_response_fields(struct exchange *r, struct http_added *added);

/* attempt.c */
void attempt_begin(struct exchange *r);
void attempt_pause(struct exchange *r, bool on);
uint64_t attempt_age_us(const struct exchange *r);
void attempt_first_byte(struct exchange *r);
void attempt_check_late(struct exchange *r);
void attempt_stalled(struct exchange *r);
/* Of an attempt that ended well, and was no success after all (S23). */
void attempt_count_late_error(
	struct migration *m, unsigned thread, enum side side, const struct mark *mark);
void attempt_withdraw(struct exchange *r); /* it was none: nothing is counted */
void attempt_end(struct exchange *r, enum outcome o);
void attempt_count_failed_floor(struct exchange *r);
/* The status of a response is an error of its pool (S17). */
bool attempt_got_bad_status(const struct exchange *r);
/* e: what the migration says; NULL, or an empty list: the rule. */
bool attempt_is_bad_status(const struct config_errors *e, unsigned status);

/* retry.c */
struct retry_facts {
	enum outcome why;
	bool rescue; /* from new to legacy; else another server of the pool */
	bool nothing_sent, repeatable, body_held, response_begun, client_gone;
	unsigned tries, max_tries;
};
bool retry_is_allowed(const struct retry_facts *f);
/* The attempt failed: another one (AGAIN with step route), or the end of it. */
enum verdict attempt_failed(struct exchange *r, enum outcome why);
/* A final response head of new that is an error: may it go to legacy instead? Then
 * retry_rescue does that, and drops the response. */
bool retry_may_rescue(struct exchange *r);
enum verdict retry_rescue(struct exchange *r);

/* For an answer that has no Date; else empty. */
struct span response_half_date(const struct exchange *r);

/* answer.c: what sluice says itself; relay sends it */
void answer_count(struct thread *t, unsigned status);
/* Now, as Date has it (RFC 9110, 5.6.7); written once a second. */
struct span answer_date(struct thread *t);
enum verdict answer(struct exchange *r, unsigned status, const char *text);
enum verdict answer_redirect(struct exchange *r);

/* grpc.c */
void grpc_begin(struct exchange *r);
bool grpc_came_too_late(const struct exchange *r);
uint32_t grpc_limit_ms(const struct exchange *r, uint32_t ms);
void grpc_note_head(struct exchange *r);
void grpc_note_trailer(struct exchange *r, struct span line);
bool grpc_failed(const struct exchange *r);
/* The call ends here: its trailers say that it may be made again. False: no room. */
bool grpc_end(struct exchange *r);
int grpc_answer(
	struct exchange *r, struct h2 *session, const struct http_own *own) MUST_USE;

/* drain.c: reads the rest of a response nobody wants, to keep its connection */
struct rest {
	struct net_conn *conn;
	struct server *server;
	struct use *use; /* kept meanwhile: the server is its snapshot's */
	struct h1_body body;
	struct buf in;
	struct server_keeping keeping;
};
void drain_rest(struct thread *t, struct rest *rest);
void drain_stop_all(struct thread *t);
size_t drain_bytes(void);

#endif
