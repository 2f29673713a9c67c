/*
 * proxy's own: a data thread, a client connection, an exchange.
 *
 * A thread's objects are touched by that thread alone. What control and the threads
 * share is said at each member: a mailbox, a few flags.
 */
#ifndef SLUICE_PROXY_PRIV_H
#define SLUICE_PROXY_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "sluice/base/buf.h"
#include "sluice/base/list.h"
#include "sluice/base/mem.h"
#include "sluice/http/h1.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"
#include "sluice/net/tls.h"
#include "sluice/pool/migration.h"
#include "sluice/pool/pool.h"
#include "sluice/pool/stats.h"
#include "sluice/proxy.h"

/* --- snapshots -------------------------------------------------------------------- */

/* The listening sockets of one address, one for each thread; kept by every snapshot
 * that has the listener, closed with the last one where no thread has taken its own. */
struct sockets {
	uint64_t id;
	unsigned refs; /* control */
	char *address;
	unsigned n;
	struct {
		int fd;
		_Atomic bool taken;
	} of[];
};

struct sockets *sockets_open(
	const struct config_address *a, unsigned n, struct err *err);
void sockets_unref(struct sockets *s);

struct routes;
struct routes *routes_new(const struct config *c);
void routes_free(struct routes *r);
/* The route for a lower-case host name and a path, or NULL. */
const struct config_route *routes_find(
	const struct routes *r, struct span host, struct span path);

struct snapshot {
	_Atomic unsigned refs; /* control's and one for each thread that has it */
	struct link link;      /* in the proxy's list of published ones */
	struct registry *registry;
	struct config *config;
	struct routes *routes;
	struct pool **pool;
	struct migration **migration;
	size_t n_pools, n_migrations, n_listeners;
	struct {
		struct sockets *sockets; /* filled by proxy_publish */
		struct net_tls *tls;     /* NULL: plain */
	} * listener;
};

/* A thread gives its reference back; control's sweep frees. */
void snapshot_drop(struct snapshot *s);

/* --- threads ------------------------------------------------------------------------
 */

/* A snapshot as one thread uses it. */
struct use {
	struct snapshot *snapshot;
	unsigned users; /* exchanges */
};

struct thread {
	struct proxy *proxy;
	unsigned index;
	pthread_t handle;
	bool started;
	struct net_loop *loop;
	struct net_waker *waker;
	_Atomic(struct snapshot *) mailbox; /* control puts, the thread takes */

	struct use *current;
	_Atomic uint32_t load; /* clients, and those on their way from other threads */
	struct link acceptors; /* struct door */
	struct link clients;
	struct link awaiting; /* exchanges whose first response byte is awaited */
	struct link queued;   /* exchanges that wait for a server */
	struct link drains;   /* connections with a rest that nobody wants */
	struct net_ticker *late_ticker,
		*queue_ticker; /* while the lists are not empty */
	unsigned n_queued;
	struct slab exchanges;
	uint64_t id_seed[2], id_count; /* request ids */
	bool draining;
	_Atomic bool drained;
};

struct proxy {
	unsigned n;
	struct registry *registry;
	struct stats *stats;
	struct peers *peers; /* connections by client address */
	struct rings *rings; /* fresh connections on their way to another thread */
	struct link published;
	struct snapshot *current;
	_Atomic bool accepting, draining, stopping;
	uint64_t next_sockets_id;
	struct net_ticker *drain_ticker;
	uint64_t drain_until_ms;
	void (*on_drained)(void *);
	void *drained_arg;
	struct thread thread[];
};

void proxy_thread_init(struct thread *t, struct proxy *p, unsigned index);
int proxy_thread_start(struct thread *t, struct err *err);
void proxy_thread_fini(struct thread *t);
const struct config *thread_config(const struct thread *t);
void thread_release_use(struct thread *t, struct use *u);
void thread_count(struct thread *t, enum stats_item which, int64_t delta);
void thread_await(struct thread *t, struct link *l);
void thread_queue(struct thread *t, struct link *l);

/* A connection that another thread accepted at this door; false: there is none such. */
bool thread_adopt(struct thread *t, uint64_t door, int fd, const struct sockaddr *peer);

/* handover.c. free() a struct rings after handover_close. */
struct rings;
struct rings *rings_new(unsigned threads);
/* Whether fd was given to a thread with fewer connections. */
bool handover_give(
	struct thread *t, uint64_t door, int fd, const struct sockaddr *peer);
void handover_take(struct thread *t);
void handover_close(struct rings *rings);

struct peers *peers_new(void);
void peers_free(struct peers *p);
/* One more of this address, if that stays within max; peers_leave takes it back. */
bool peers_enter(struct peers *p, const struct sockaddr *sa, uint32_t max);
void peers_leave(struct peers *p, const struct sockaddr *sa);

/* --- clients: all that an idle connection costs, in net_conn_user ----------------- */

struct exchange;

struct client {
	struct net_conn *conn; /* NULL: closed, the memory goes with this turn */
	struct thread *thread;
	struct link link;
	struct net_timer timer;    /* handshake, idle */
	struct exchange *exchange; /* NULL between requests */
	struct buf in; /* read and not used; has memory only while it has bytes */
	bool readable; /* the loop said so, and not all was read yet */
	bool eof;      /* the client has said its last word */
	bool redirect, counted, served, looping;
	uint16_t redirect_port;
	uint8_t ip_n; /* 0: not written out yet */
	char ip[46];
};

void client_accept(
	struct thread *t, struct net_conn *c, const struct config_listener *l);
/* Begins the next request, if bytes or an event are there. */
void client_next(struct client *c);
void client_close(struct client *c);  /* at once, politely */
void client_linger(struct client *c); /* after the last answer */
void client_abort(struct client *c);  /* the answer is not whole, and shall look so */
struct span client_ip(struct client *c);
/* Reads into in: NET_AGAIN, NET_BROKEN, NET_EOF (and eof is set), or a count. */
ssize_t client_read(struct client *c, size_t room);
/* While its request waits for others: whether it has left. Its next request may come
 * meanwhile, and waits in the buffer. */
bool client_left(struct client *c);

/* --- exchanges
 * ------------------------------------------------------------------------- */

enum step { EX_HEAD, EX_ROUTE, EX_CONNECT, EX_RELAY, EX_FINISH };

enum verdict {
	AGAIN, /* the step changed: run the new one now */
	WAIT,  /* nothing to do before the next event */
	OVER,  /* the request is finished and released */
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

struct exchange {
	enum step step;
	bool running, expired, nudged;
	struct client *client;
	struct thread *thread;
	struct use *use;
	struct link link; /* in the thread's awaiting or queued */
	struct net_timer deadline;
	uint32_t deadline_ms; /* to be set before the next wait; 0: as it is */

	/* the request */
	struct h1_parser parser;
	struct http_head head;
	struct h1_body request_body;
	uint64_t begun_ns, ready_ns; /* first byte; head complete */
	uint64_t body_bytes;
	char id[64];
	uint8_t id_n;
	bool head_dropped; /* its bytes are gone from client->in; spans are stale */
	bool trusted;      /* the peer is one whose word counts */
	bool repeatable;   /* safe, or has an Idempotency-Key (S25) */
	bool keep_alive;   /* the client connection, after this */
	enum half to_upstream;

	/* where it goes */
	struct migration *migration; /* NULL: a plain pool */
	const struct config_migration *migration_config;
	struct pool *pool;
	struct server *server;
	enum side side;
	bool chosen, wants_new, spilled, fail_open, rescued, failure_told;
	bool pool_busy, overflow_asked, overflows, queued_told;
	bool held_too_much; /* more of the body went up than is kept for another attempt
			     */
	unsigned tries, tries_of_new; /* all; those before a rescue */
	const struct server *tried[4];
	unsigned n_tried;
	struct attempt attempt;

	/* upstream */
	struct net_conn *upstream;
	bool upstream_ready, upstream_readable, upstream_eof, upstream_failed, reused;
	bool upstream_sent;      /* the kernel took bytes of this request */
	bool upstream_was_ready; /* connected, in this attempt */
	bool upstream_deaf;      /* takes no more of the request */
	bool fresh;              /* no kept connection again: one was stale */
	struct stage up;
	struct buf up_in;

	/* the response */
	enum half to_client;
	struct h1_body response_body;
	struct stage down;
	enum http_framing down_framing;
	bool upstream_keep, response_begun, trailers_begun, up_trailers_begun, promised;
	bool response_parsing;
	uint16_t status;
	uint8_t interims;
	uint64_t sent_bytes;

	unsigned refusal; /* a status of our own, for what the client sent; 0: none */
	const char *refusal_text;
	enum awaited awaited;
	bool moved; /* bytes went somewhere since the deadline was set */
	bool client_gone_told;

	struct http_head response;
	struct http_field
		fields[HTTP_MAX_FIELDS]; /* the request's, then the response's */
};

/* exchange.c */
void exchange_begin(struct client *c);
void exchange_run(struct exchange *r);
enum verdict go(struct exchange *r, enum step next);
void exchange_end(struct exchange *r);
/* What a user got. broken: an answer that ended too early. */
void exchange_count_user(const struct exchange *r, bool broken);

/* The steps, each in a file of its name */
enum verdict step_head(struct exchange *r);
enum verdict step_route(struct exchange *r);
enum verdict step_connect(struct exchange *r);
enum verdict step_relay(struct exchange *r);
enum verdict step_finish(struct exchange *r);

/* choose.c */
enum choice { CHOSEN, CHOOSE_LATER };
enum choice choose_server(struct exchange *r);
bool choice_was_cut_back(const struct exchange *r);

/* connect.c */
void upstream_close(struct exchange *r);
void on_upstream_event(void *arg, unsigned events);

/* request_half.c, response_half.c: FLOW_WAIT nothing to do now, FLOW_END the half
 * is done, FLOW_FAILED with why; FLOW_RESCUE: legacy gets the request */
enum flow { FLOW_WAIT, FLOW_END, FLOW_FAILED, FLOW_RESCUE };
enum flow request_half(struct exchange *r, enum outcome *why);
/* The upstream could take more of the body, and the client has not sent it. */
bool request_awaits_client(const struct exchange *r);
enum flow response_half(struct exchange *r, enum outcome *why);

/* stage.c */
enum sent { SENT_ALL, SENT_SOME, SENT_BROKEN };
enum sent stage_send(
	struct stage *s, struct net_conn *c, struct buf *source, bool *moved);
bool stage_is_empty(const struct stage *s);
/* As much of what was read as may be decoded at once. */
struct span stage_piece(const struct buf *source);
/* Appends a piece of a body as a chunk or as it is; the last chunk; a trailer line. */
bool stage_data(struct buf_pool *pool, struct stage *s, struct span data, bool chunked);
bool stage_trailer(
	struct buf_pool *pool, struct stage *s, struct span line, bool *begun);
bool stage_last(struct buf_pool *pool, struct stage *s, bool *begun);
void stage_fini(struct buf_pool *pool, struct stage *s);

/* attempt.c */
void attempt_begin(struct exchange *r);
void attempt_pause(struct exchange *r, bool on);
uint64_t attempt_age_us(const struct exchange *r);
void attempt_first_byte(struct exchange *r);
void attempt_check_late(struct exchange *r);
void attempt_stalled(struct exchange *r);
void attempt_end(struct exchange *r, enum outcome o);
void attempt_count_failed_floor(struct exchange *r);
/* A response status that is an error of its pool (S17). */
bool attempt_is_bad_status(unsigned status);

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
 * rescue_now does that, and drops the response. */
bool rescue_response(struct exchange *r);
enum verdict rescue_now(struct exchange *r);

/* answer.c: what sluice says itself; relay sends it */
enum verdict answer(struct exchange *r, unsigned status, const char *text);
enum verdict answer_redirect(struct exchange *r);

/* drain.c: reads the rest of a response nobody wants, to keep its connection */
struct rest {
	struct net_conn *conn;
	struct server *server;
	struct use *use; /* kept meanwhile: the server is its snapshot's */
	struct h1_body body;
	struct buf in;
	uint32_t keepalive, idle_ms;
};
void drain_rest(struct thread *t, struct rest *rest);
void drain_stop_all(struct thread *t);
size_t drain_bytes(void);

#endif
