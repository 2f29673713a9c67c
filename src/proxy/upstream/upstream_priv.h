/*
 * proxy/upstream - HTTP/2 to servers: sessions, and who uses them.
 */
#ifndef SLUICE_UPSTREAM_PRIV_H
#define SLUICE_UPSTREAM_PRIV_H

#include "exchange/exchange_priv.h"
#include "serve/read_budget_priv.h"

enum { UPSTREAM_STREAMS_MAX = 1024 }; /* of one session, whatever its server allows */

struct upstream_session {
	struct link link;      /* among its server's */
	struct link of_thread; /* among the thread's */
	struct thread *thread;
	struct server *server;
	uint64_t manner;   /* in which it was made */
	uint32_t place;    /* of its server, where it leads */
	uint32_t requests; /* that it has had */
	uint64_t begun_ns;
	struct net_conn *conn;
	struct h2 *h2;          /* NULL: not connected yet */
	struct net_timer timer; /* connecting, idle */
	struct net_task task;
	struct read_budget read;
	struct buf out;
	struct link unsent; /* exchanges of which no byte has left */
	struct link users;  /* all others */
	struct link runs;   /* those with events */
	unsigned n_users;
	struct exchange *running; /* in the middle of an event */
	bool heard;               /* its server has said what it allows */
	bool deaf;                /* takes no bytes; what it said is still read */
	bool leaving, over;       /* takes no more requests; is to be freed */
};

/* upstream_session.c. False: not even begun. */
bool upstream_session_open(struct exchange *r);
void upstream_session_leave(struct upstream_session *s); /* no more requests */
void upstream_session_rest(struct upstream_session *s);  /* nobody uses it now */
/* Ends those that nobody is to use again; then all. */
void upstream_sessions_sweep(struct thread *t);
void upstream_sessions_close(struct thread *t);

/* upstream_share.c. r gets a session, or waits for one; false: it can't. */
bool upstream_join(struct exchange *r);
/* In any state; a stream that is not over is reset. */
void upstream_part(struct exchange *r);
/* Not from within a step: those that wait run, when they have room or must fail. */
void upstream_serve(struct server_sessions *place);
void upstream_fail_waiting(struct server_sessions *place, enum outcome why);

/* upstream_h2.c */
extern const struct h2_events upstream_h2_events;
void upstream_h2_lost(struct exchange *r); /* with its connection */

#endif
