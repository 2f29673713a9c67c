/*
 * net/conn - listeners and connections, plain or TLS: bytes, no protocols.
 *
 * A connection belongs to its loop's thread. After net_conn_close no callback
 * comes, and the memory goes when the loop has finished its current events.
 * EAGAIN and EINTR end here.
 */
#ifndef SLUICE_NET_CONN_H
#define SLUICE_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "sluice/base/err.h"
#include "sluice/base/span.h"
#include "sluice/net/proxy_header.h"

struct net_loop;
struct net_tls;
struct net_conn;

/* --- listeners -------------------------------------------------------- */

/* n sockets on one address (SO_REUSEPORT; a unix address has one descriptor n
 * times). Returns 0 and fds that listen, or -1 with none. */
int net_listen(const struct sockaddr *sa, socklen_t len, unsigned n, int *fds,
	struct err *err);

/* What is to be done with a connection: a set. */
enum net_admission {
	NET_REFUSE = 0, /* closed at once */
	NET_ADMIT = 1,
	NET_ADMIT_PROXIED = 2, /* it begins with a PROXY header, read before all else */
	NET_ADMIT_COUNTED =
		4, /* means nothing to net: net_conn_admission gives it back */
};

/* Accepts on fd: on_accept gets each new connection. tls is asked for each one
 * (a reload changes it), NULL: plain. Connections with TLS are reported to their
 * owner when the handshake is done; those with a PROXY header also when that has come
 * (NET_PEER), and with NET_OPEN though they be plain. */
struct net_acceptor;
struct net_accept {
	void (*on_accept)(void *arg, struct net_conn *c);
	struct net_tls *(*tls)(void *arg); /* borrowed; may be NULL or return NULL */
	/* Asked before any memory is taken: enum net_admission. May be NULL. */
	unsigned (*admit)(void *arg, const struct sockaddr *peer);
	/* Asked before accept when all descriptors for accepted connections are in use:
	 * closes one of them and says true, or accepting waits. May be NULL. */
	bool (*make_room)(void *arg);
	/* Accepting waits for a descriptor. May be NULL. */
	void (*on_pause)(void *arg);
	/* Asked next; true: somebody else has taken fd over. May be NULL. */
	bool (*elsewhere)(
		void *arg, int fd, const struct sockaddr *peer, unsigned admission);
	/* One that was admitted, but found no memory. May be NULL. */
	void (*on_lost)(void *arg, const struct sockaddr *peer, unsigned admission);
	void *arg;
};
struct net_acceptor *net_acceptor_new(
	struct net_loop *l, int fd, const struct net_accept *to);
/* As if fd had been accepted here, without asking admit or elsewhere. */
void net_acceptor_adopt(struct net_acceptor *a, int fd, const struct sockaddr *peer,
	unsigned admission);
/* Takes no more from now; drains the queue first as SO_REUSEPORT needs: drops new
 * SYNs, accepts what is under way for some ms, then closes fd and calls on_gone. */
void net_acceptor_retire(struct net_acceptor *a, void (*on_gone)(void *arg), void *arg);
void net_acceptor_free(struct net_acceptor *a); /* at once; closes fd */

/* --- connections ------------------------------------------------------ */

enum {                  /* events; several may come at once. READ and WRITE as above */
	NET_OPEN = 4,   /* connected, handshake done: may read and write */
	NET_FAILED = 8, /* will never open; net_conn_failure says why */
	NET_DRAINED = 16, /* all that net_write took is with the kernel */
	NET_GONE = 64,    /* the peer has reset it: see net_conn_watch_end */
	NET_PEER =
		32, /* the PROXY header has come, TLS not begun: net_conn_peer is true
			* now, and this is the moment to close who is not wanted */
};

enum net_failure {
	NET_FINE,
	NET_REFUSED, /* by the server; what was accepted did not begin with its header */
	NET_RESET,
	NET_TLS,
	NET_TIMEOUT,
	NET_RESOURCES,
	NET_NOT_TLS /* the peer spoke HTTP where a handshake was to begin */
};

/* read and write return a count > 0, or one of these. */
enum { NET_EOF = 0, NET_AGAIN = -1, NET_BROKEN = -2 };

struct net_owner {
	void (*on_event)(void *arg, unsigned events);
	void *arg;
};

struct net_target {
	struct net_tls *tls;     /* NULL: plain; borrowed */
	const char *server_name; /* for SNI and the check of the certificate */
	struct span prefix;      /* sent before all else, TLS included; copied */
	struct net_owner owner;
};

/* What fails is reported as NET_FAILED on a later turn; NULL only when there is no
 * descriptor or memory to begin with. */
struct net_conn *net_connect(struct net_loop *l, const struct sockaddr *sa,
	socklen_t len, const struct net_target *target);
void net_conn_own(struct net_conn *c, struct net_owner owner);
void *net_conn_user(struct net_conn *c);
struct net_loop *net_conn_loop(const struct net_conn *c);

/* Read interest stays armed, level-triggered, until taken back; a peer's close is
 * readable. It is off in a new connection. */
void net_conn_want_read(struct net_conn *c, bool on);
/* For a connection that nobody reads just now: its owner is told NET_GONE when the peer
 * has reset it. From now on for good, whoever reads; a system call the first time. */
void net_conn_watch_end(struct net_conn *c);
/* Asks for one NET_WRITE when more can be written (after NET_AGAIN or a short count).
 */
void net_conn_want_write(struct net_conn *c);

/* A count below n says: nothing more is here now. */
ssize_t net_read(struct net_conn *c, void *p, size_t n);
/* Takes what the socket takes; under TLS up to 64 KiB more are kept and sent by
 * net itself. A count below the total: want_write. */
ssize_t net_write(struct net_conn *c, const struct iovec *iov, int n_iov);
/* How many bytes a net_write would take now; 0: ask again after NET_DRAINED. Who reads
 * no more than that for it keeps nothing. Of a plain connection it is only a bound. */
size_t net_conn_room(struct net_conn *c);
/* Bytes taken by net_write that are not with the kernel yet. */
bool net_conn_is_flushed(const struct net_conn *c);
/* Bytes that net_write took and the peer's system has not acknowledged. */
size_t net_conn_unread(const struct net_conn *c);
/* Neither bytes nor an end of the peer's wait to be read; a system call. */
bool net_conn_is_quiet(const struct net_conn *c);

bool net_conn_is_open(const struct net_conn *c); /* connected, handshake done */
enum net_failure net_conn_failure(const struct net_conn *c);
const struct sockaddr *net_conn_peer(
	const struct net_conn *c); /* family AF_UNIX: no address */
/* Our end, or where a PROXY header says that the client connected to; the family is
 * AF_UNIX where there is no address. */
void net_conn_local(const struct net_conn *c, union net_address *out);
/* That as "127.0.0.1:8443", for a Host that is missing; empty for a unix socket. */
void net_conn_local_text(const struct net_conn *c, char *out, size_t out_n);
unsigned net_conn_admission(const struct net_conn *c); /* what admit said */
bool net_conn_has_tls(const struct net_conn *c);
struct span net_conn_alpn(const struct net_conn *c); /* empty: none was agreed */
int net_conn_peer_uid(const struct net_conn *c);     /* unix sockets; -1 otherwise */
/* Of the peer's process when it connected, supplementary groups too; unix sockets. */
bool net_conn_peer_in_group(const struct net_conn *c, gid_t group);

/* Slow: c costs more than it brings, such as a body in single bytes. Its input is taken
 * after that of all others in each turn, and together with all such connections for a
 * bounded time. */
void net_conn_set_slow(struct net_conn *c, bool slow);

/* Nothing more will be written, which the peer is told behind what was; it may still be
 * read. */
void net_conn_shut(struct net_conn *c);
void net_conn_close(struct net_conn *c); /* at once */
/* Sends what was written, says goodbye, reads and drops what still comes (so that the
 * answer is not lost to a reset), closes at the peer's end or at a bound. Owner is gone. */
void net_conn_linger(struct net_conn *c);
/* The same for a peer that needs no patience, such as one that breaks the protocol: 2 s
 * and 1 MiB at most from the last byte. */
void net_conn_linger_briefly(struct net_conn *c);
/* The bounds of a loop's connections that linger. A new loop has 30 s, no rate, 1024. */
struct net_linger {
	uint32_t ms;   /* in all, from the last byte of the answer */
	uint32_t rate; /* bytes a second: what sends less for 5 s is closed */
	uint32_t most; /* so many at once: one more closes the oldest */
};
void net_loop_linger(struct net_loop *l, const struct net_linger *bounds);
/* Of a connection that failed: says text, not in TLS, and lingers. Owner is gone. */
void net_conn_farewell(struct net_conn *c, struct span text);
/* close with RST: the peer shall see that the answer is not whole. */
void net_conn_abort(struct net_conn *c);

#endif
