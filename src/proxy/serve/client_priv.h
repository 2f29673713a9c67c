/*
 * proxy/client - a client connection, of HTTP/1 or HTTP/2: all that an idle one costs
 * is in net_conn_user, and in its session.
 */
#ifndef SLUICE_CLIENT_PRIV_H
#define SLUICE_CLIENT_PRIV_H

#include "sluice/base/buf.h"
#include "sluice/http/h2.h"

#include "proxy_priv.h"

struct exchange;
struct streams;

/* What came from a client and was not used: of an HTTP/1 connection, or of one stream
 * of HTTP/2. */
struct inlet {
	struct buf bytes; /* has memory only while it has bytes */
	bool readable;    /* there is more, and not all was read yet */
	bool eof;         /* the client has said its last word */
};

struct client {
	struct net_conn *conn; /* NULL: closed, the memory goes with this turn */
	struct thread *thread;
	struct link link;
	struct net_timer timer;    /* handshake, idle */
	struct exchange *exchange; /* NULL between requests */
	struct streams *streams;   /* of an HTTP/2 connection, else NULL */
	struct tunnel *tunnel;     /* what became of an HTTP/1 connection, or NULL */
	uint64_t listener;         /* where it came in */
	struct inlet in;
	bool redirect : 1, counted : 1, served : 1, looping : 1;
	bool h2c : 1;     /* may turn out to speak HTTP/2 with its first bytes */
	bool leaving : 1; /* its listener is gone, or sluice goes: no more requests */
	uint8_t ip_n;     /* 0: not written out yet */
	uint16_t redirect_port;
	union {
		char short_ip[16];
		char *long_ip; /* where that is too short, which is IPv6 */
	};
};

void client_accept(
	struct thread *t, struct net_conn *c, const struct config_listener *l);
/* Begins the next request, if bytes or an event are there. */
void client_next(struct client *c);
/* The one that has waited longest for a request; false: none has waited long. */
bool client_close_idle(struct thread *t);
void client_dismiss(struct client *c); /* after what it has asked for already */
void client_close(struct client *c);   /* at once, politely */
void client_linger(struct client *c);  /* after the last answer */
void client_linger_briefly(struct client *c);
void client_bound_linger(struct thread *t); /* as the current configuration has it */
void client_abort(struct client *c); /* the answer is not whole, and shall look so */
struct span client_ip(struct client *c);
/* Reads into in: NET_AGAIN, NET_BROKEN, NET_EOF (and eof is set), or a count. */
ssize_t client_read(struct client *c, size_t room);
/* A request on this connection is over: the next one, or rest. */
void client_served(struct client *c, bool keep);

/* How an exchange leaves its client. */
enum leaving {
	LEAVE_DONE,  /* the answer is whole */
	LEAVE_QUIET, /* nothing was said, and nothing will be */
	LEAVE_BROKEN /* the answer is not whole, and shall look so */
};

/* streams.c: an HTTP/2 connection. False: no memory. */
bool streams_begin(struct client *c);
void streams_event(struct client *c, unsigned events);
/* What came before it was known to be HTTP/2. */
void streams_receive(struct client *c, struct span bytes);
void streams_due(struct client *c); /* its timer */
void streams_drain(struct client *c);
void streams_free(struct client *c); /* with its exchanges */
struct h2 *streams_session(struct streams *s);
void streams_flush_later(struct streams *s);
void streams_forget(struct streams *s, int32_t stream, enum leaving how);

#endif
