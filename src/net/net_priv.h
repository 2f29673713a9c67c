/* net's own: what its files share and nobody else may see. */
#ifndef SLUICE_NET_PRIV_H
#define SLUICE_NET_PRIV_H

#include <assert.h>
#include <ev.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

#include "sluice/base/list.h"
#include "sluice/base/mem.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"
#include "sluice/net/tls.h"

enum { TIMER_ROWS = 64 };

struct timer_row {
	uint32_t ms;
	struct link timers; /* by due time, the earliest first */
};

struct timers {
	struct timer_row row[TIMER_ROWS];
	unsigned n_rows;
	ev_timer alarm;
	uint64_t alarm_ns; /* when the alarm rings; 0: it is off */
	bool gave_time;    /* it rang late, and the loop polls once more first */
};

struct tls_io;

/* Connections that wait for a turn with time left; fair.c. */
struct fair {
	struct net_conn *first, *last; /* fair_is_deferred */
	uint64_t until_ns;             /* of this turn; 0: nothing was used yet */
};

struct net_loop {
	struct ev_loop *ev;
	uint64_t now_ns;
	ev_check after_poll;
	ev_prepare before_poll;
	struct timers timers;
	struct fair fair;
	struct buf_pool bufs;
	struct slab conns;
	struct link closed;    /* connections whose memory goes before the next poll */
	struct link lingering; /* connections that only say goodbye, the oldest first */
	uint32_t n_lingering;
	struct net_linger linger;
	struct link tasks;         /* struct net_task */
	ev_idle no_sleep;          /* while tasks wait for the next turn */
	struct tls_io *tls_io;     /* made with the first TLS connection */
	struct resolver *resolver; /* made with the first name */
	struct ends *ends;         /* made with the first connection that is watched */
	size_t user_bytes;
	_Atomic unsigned max_accepted, max_opened; /* 0: no bound */
	unsigned n_accepted, n_opened;
	struct link full; /* acceptors that wait for n_accepted to fall */
};

enum conn_state {
	CONN_HEADER, /* the PROXY header is awaited */
	CONN_CONNECTING,
	CONN_HANDSHAKE,
	CONN_OPEN,
	CONN_FAILED,
	CONN_LINGER,
	CONN_CLOSED,
};

/* There are as many as there are idle clients: what has its time is made for it, and what
 * never meets shares its place. */
struct net_conn {
	ev_io io; /* first: what libev hands back is the connection */
	struct net_loop *loop;
	union {
		struct net_owner owner;
		struct link link; /* nobody's: in closed or lingering */
	};
	SSL *ssl;            /* NULL: plain */
	struct net_tls *tls; /* kept while ssl may call into it */
	union {
		/* accepted: by a PROXY header, or NULL */
		union net_address *told_local;
		/* else: what its sessions are kept under; 0: nothing is */
		uint64_t session_key;
		struct parting *parting; /* lingering */
	};
	char *out;        /* records the kernel did not take yet */
	char *prefetched; /* bytes read from the socket that nobody looked at yet */
	uint32_t out_at, out_n, prefetched_n;
	uint32_t room; /* what a write was told that it may take */
	union net_address peer;
	uint8_t state, failure, admission;
	bool accepted : 1; /* we are the server side */
	bool want_read : 1, want_write : 1;
	bool more : 1;     /* there may be bytes that no event will announce */
	bool tls_dead : 1; /* the TLS state is broken: no goodbye */
	bool eof : 1;      /* the socket gave its end to TLS */
	bool watched : 1;  /* its end is, by ends.c */
	_Alignas(8) char user[];
};
static_assert(sizeof(struct net_conn) <= 160, "an idle client costs no more");

/* loop.c */
void loop_count(struct net_loop *l, bool accepted, int delta);
bool loop_is_full(const struct net_loop *l); /* of accepted connections */
void loop_defer_free(struct net_conn *c);

/* timer.c */
void timers_init(struct net_loop *l);
void timers_fini(struct net_loop *l);

/* accept.c */
void accept_resume_all(struct net_loop *l); /* those in l->full */

/* ends.c */
void ends_free(struct ends *e);

/* resolve.c */
void resolve_free(struct resolver *r);

/* conn.c: shared by the files that make, open and end connections */
struct net_conn *conn_new(struct net_loop *l, int fd, const struct sockaddr *peer);
/* Waits for these events alone. */
void conn_wait(struct net_conn *c, int events);
/* c has left fair's queue. */
void conn_resume(struct net_conn *c);
/* Waits for what an open connection wants. */
void conn_arm(struct net_conn *c);
void conn_report(struct net_conn *c, unsigned events);
void conn_fail(struct net_conn *c, enum net_failure why);
void conn_on_io(struct ev_loop *ev, ev_io *w, int revents);
/* Sends what is kept in out: 0 all gone, NET_AGAIN or NET_BROKEN. */
int conn_flush(struct net_conn *c);

/* connect.c: connected, or not; one more step of the handshake */
void conn_step_open(struct net_conn *c, int revents);
void conn_opened(struct net_conn *c);
void conn_step_handshake(struct net_conn *c);

/* header.c: some of the PROXY header has come */
void conn_on_header(struct net_conn *c);

/* listen.c: where sockets of our own still listen, but not for long. NULL: nowhere. */
struct leaving *listen_leaves(int fd);
void listen_left(struct leaving *l);

/* fair.c: libev's priorities. Servers come before clients: what a server has said, or
 * that it has closed, is known before the next request could take the connection for a
 * good one. */
enum fair_class { FAIR_LATE = -1, FAIR_NORMAL, FAIR_SERVER };
void fair_set(struct net_conn *c, enum fair_class class);
enum fair_class fair_of(const struct net_conn *c);
void fair_begin_turn(struct fair *f);
bool fair_is_deferred(const struct net_conn *c);
/* True: not now, c is in the queue. */
bool fair_defers(struct net_conn *c);
/* Those in the queue, while the turn has time for them. */
void fair_run(struct net_loop *l);
bool fair_is_idle(const struct fair *f); /* the queue is empty */
void fair_fini(struct fair *f);

/* linger.c */
void conn_on_linger(struct net_conn *c, int revents);
void linger_end(struct net_conn *c);
void linger_end_all(struct net_loop *l);

/* tls/: OpenSSL over a loop's own buffers */
int tls_attach(struct net_conn *c, struct net_tls *t, const char *server_name);
void tls_shut(struct net_conn *c);
void tls_detach(struct net_conn *c, bool goodbye);
enum tls_step { TLS_DONE, TLS_WAIT, TLS_FAILED, TLS_IS_HTTP };
enum tls_step tls_handshake(struct net_conn *c);
ssize_t tls_read(struct net_conn *c, void *p, size_t n);
ssize_t tls_write(struct net_conn *c, const struct iovec *iov, int n_iov);
size_t tls_room(struct net_conn *c);
void tls_io_free(struct tls_io *io);

/* tls/mem.c: gives back what the calling thread keeps for OpenSSL */
void tls_mem_release(void);

#endif
