/*
 * proxy/tunnel - upgrades: how they are let in, what passes bytes afterwards, and how it
 * ends.
 */
#ifndef SLUICE_TUNNEL_PRIV_H
#define SLUICE_TUNNEL_PRIV_H

#include "exchange/exchange_priv.h"

/* admit.c */
/* Whether a tunnel is asked for; a refusal with a status says that it can't be. */
bool upgrade_is_requested(struct exchange *r, struct http_own *refusal);
/* Adds what HTTP/1 wants to see to a staged head; false: no room. */
bool upgrade_stage(struct exchange *r);
/* The 101 in r->response is an answer to it. */
bool upgrade_is_accepted(const struct exchange *r);
/* It is an answer that HTTP/2 could not tell from one (RFC 8441, 5). */
bool upgrade_got_confused_2xx(const struct exchange *r);
/* It waits no more, if it did. */
void admit_leave(struct exchange *r);

/* tunnel.c */
struct tunnel_end;
struct tunnel_ops {
	/* As net_read and net_write; a write that is short asks to be told. */
	ssize_t (*read)(struct tunnel_end *e, void *p, size_t n);
	ssize_t (*write)(struct tunnel_end *e, struct span s);
	void (*want)(struct tunnel_end *e, bool on); /* more to read, before a wait */
	void (*shut)(struct tunnel_end *e);          /* nothing more will be written */
	bool (*is_flushed)(const struct tunnel_end *e); /* so that it may be closed */
};

enum { END_CLIENT, END_UPSTREAM, N_ENDS };

struct tunnel_end {
	const struct tunnel_ops *ops;
	struct net_conn *conn;     /* or: */
	struct exchange *exchange; /* of a stream */
	struct buf rest;           /* from here; the other end takes it not yet */
	struct ws_scan scan;       /* of what came from here */
	bool readable;
	bool ended; /* its last byte has come */
	bool shut;  /* ours was sent */
	bool muted; /* what comes goes no further: the other end had a close frame */
};

struct tunnel {
	struct tunnel_end end[N_ENDS];
	struct thread *thread;
	struct exchange *exchange; /* of its streams; NULL: it has none */
	struct client *client;
	struct use *use;
	struct server *server;
	struct migration *migration; /* NULL: a plain pool */
	struct link link;            /* in its group */
	struct net_timer timer;
	uint64_t begun_ns;
	uint32_t run; /* in which it was routed (S28) */
	enum side side;
	uint16_t leaving; /* the code to say; 0: it stays */
	bool timer_is_jitter, timer_is_last, expired, judged;
};

/* Step finish, when the answer was a 101. */
enum verdict tunnel_begin(struct exchange *r);
/* Asks both ends to go, now or in a while; resets both. */
void tunnel_leave(struct tunnel *t, enum ws_code code);
void tunnel_leave_in(struct tunnel *t, enum ws_code code, uint32_t ms);
void tunnel_cut(struct tunnel *t);
/* Its client, or its thread, is gone; the client's end is the caller's to close. */
void tunnel_drop(struct tunnel *t);

void tunnel_count(const struct tunnel *t, enum side_count c, uint64_t n);

/* tunnel_end.c */
extern const struct tunnel_ops tunnel_conn, tunnel_stream, tunnel_stream_up;

/* tunnel_pass.c */
/* What is to be read from an end, and is taken by the other. Which one is broken, or
 * N_ENDS. */
unsigned tunnel_pass(struct tunnel *t, unsigned from);
/* Counts what waits behind an end, all of it just read. False: no memory. */
bool tunnel_look(struct tunnel *t, unsigned from);
/* Behind what this end has said, the other gets our close frame. False: no memory. */
bool tunnel_say_close(struct tunnel *t, unsigned from);
/* Tells each end that nothing more comes, when that is so; true: both were told. */
bool tunnel_is_over(struct tunnel *t);

/* pace.c: how many leave at a tick, and when within it. */
enum { PACE_TICK_MS = 100, PACE_LEAST = 50 };
/* For a bucket that is asked at each tick, by any number of threads. */
struct config_bucket pace_of(uint32_t rate);
/* A moment within a tick; seed is the thread's. */
uint32_t pace_jitter_ms(uint32_t *seed);
/* So many a second, and PACE_LEAST, that n have left in good time. */
uint32_t pace_rate(uint64_t n, uint32_t within_ms);

/* tunnel_drain.c */
void tunnel_join(struct tunnel *t);
void stream_join(struct exchange *r);
/* So many a second that all have left in time. */
uint32_t tunnels_leave_rate(const struct stats *s, uint32_t within_ms);
void tunnels_fini(struct thread *t);

#endif
