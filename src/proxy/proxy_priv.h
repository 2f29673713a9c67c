/*
 * proxy's own: a snapshot, and a data thread that serves by it. Clients, exchanges,
 * HTTP/2 upstream and tunnels each have a header of their own.
 *
 * A thread's objects are touched by that thread alone. What control and the threads
 * share is said at each member: a mailbox, a few flags.
 */
#ifndef SLUICE_PROXY_PRIV_H
#define SLUICE_PROXY_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "sluice/base/list.h"
#include "sluice/base/mem.h"
#include "sluice/http/edit.h"
#include "sluice/http/name_set.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"
#include "sluice/net/tls.h"
#include "sluice/pool/bucket.h"
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
	struct bucket upgrades; /* any thread */
	unsigned n;
	struct {
		int fd;
		_Atomic bool taken;
	} of[];
};

struct sockets *listener_sockets_open(
	const struct config_address *a, unsigned n, struct err *err);
void listener_sockets_unref(struct sockets *s);

struct routes;
struct routes *routes_new(const struct config *c);
void routes_free(struct routes *r);
/* The route for a lower-case host name and a path, or NULL. */
const struct config_route *routes_find(
	const struct routes *r, struct span host, struct span path);

struct rules { /* of a route or a pool; NULL: none */
	struct http_edit *request, *response;
};

struct snapshot {
	_Atomic unsigned refs; /* control's and one for each thread that has it */
	struct link link;      /* in the proxy's list of published ones */
	struct registry *registry;
	struct config *config;
	struct routes *routes;
	struct http_name_set *strip;
	struct pool **pool;
	struct rules *route_rules, *pool_rules; /* as config has routes and pools */
	struct migration **migration;
	size_t n_pools, n_migrations, n_listeners;
	struct {
		struct sockets *sockets; /* filled by proxy_publish */
		struct net_tls *tls;     /* NULL: plain */
	} * listener;
};

/* A thread gives its reference back; control's sweep frees. */
void snapshot_drop(struct snapshot *s);

enum { RECEIVED_BYTES = 32768 };

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
	struct link listeners; /* struct listener */
	struct link clients;
	struct link awaiting; /* exchanges whose first response byte is awaited */
	struct link drains;   /* connections with a rest that nobody wants */
	struct link sessions; /* struct upstream_session */
	struct link upgrades; /* exchanges that wait for their turn */
	struct link groups;   /* of tunnels and endless answers, by side */
	struct slab tunnels;
	struct net_ticker *upgrade_ticker, *tunnel_ticker; /* as the ones below */
	unsigned tunnel_ticks;
	uint32_t jitter;
	struct net_ticker *late_ticker; /* while the list is not empty */
	struct net_task room;           /* to serve those that wait for a server */
	_Atomic bool nudged; /* health, weights or limits have changed: serve all */
	unsigned n_queued;   /* exchanges that wait for a server */
	struct slab exchanges;
	struct net_ticker *trim_ticker; /* while something is kept */
	struct h2_shared *h2;
	char *received;                /* RECEIVED_BYTES for frames that just came */
	uint64_t id_seed[2], id_count; /* request ids */
	struct date {
		uint64_t at_s;
		char text[30]; /* "Tue, 15 Nov 1994 08:12:31 GMT" */
	} date;
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
	uint32_t leave_rate;   /* of tunnels, set before draining is */
	struct bucket leaving; /* any thread */
	void (*on_drained)(void *);
	void *drained_arg;
	struct thread thread[];
};

void proxy_thread_init(struct thread *t, struct proxy *p, unsigned index);
int proxy_thread_start(struct thread *t, struct err *err);
void proxy_thread_fini(struct thread *t);
const struct config *thread_config(const struct thread *t);
/* Kept connections to servers, so that new ones find a descriptor. */
void thread_close_idle(struct thread *t);
void thread_release_use(struct thread *t, struct use *u);
void thread_count(struct thread *t, enum stats_item which, int64_t delta);
void thread_await(struct thread *t, struct link *l);
/* Something was taken that is kept for others when it comes back. */
void thread_trim_later(struct thread *t);
/* registry_on_room's, of a struct proxy. */
void thread_has_room(void *arg, unsigned from, unsigned thread);

/* listener.c: makes the thread's listeners those of its snapshot, or retires them all while
 * it drains. */
void listeners_sync(struct thread *t);
void listeners_free(struct thread *t); /* on control, after the thread's end */
/* A connection that another thread accepted at the one with this id; false: there is
 * none such. */
bool listener_adopt(struct thread *t, uint64_t id, int fd, const struct sockaddr *peer,
	unsigned admission);
/* Whether one more connection of this client is welcome: enum net_admission. */
unsigned listener_admit(struct thread *t, const struct sockaddr *client, bool tls);
/* One that was admitted, and came to nothing. */
void listener_forget(
	struct thread *t, const struct sockaddr *client, unsigned admission);

/* handover.c. free() a struct rings after handover_close. */
struct rings;
struct rings *handover_rings_new(unsigned threads);
/* Whether fd was given to a thread with fewer connections. */
bool handover_give(struct thread *t, uint64_t listener, int fd,
	const struct sockaddr *peer, unsigned admission);
void handover_take(struct thread *t);
void handover_close(struct rings *rings);

struct peers *peers_new(void);
void peers_free(struct peers *p);
/* One more of this address, if that stays within max; peers_conn_release takes it back. */
bool peers_conn_acquire(struct peers *p, const struct sockaddr *sa, uint32_t max);
void peers_conn_release(struct peers *p, const struct sockaddr *sa);
/* One more TLS handshake of this address, if that stays within rate a second (and as
 * many at once). Where too many addresses shake hands, some are not metered. */
bool peers_handshake_allow(
	struct peers *p, const struct sockaddr *sa, uint32_t rate, uint64_t now_ns);

#endif
