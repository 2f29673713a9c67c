/*
 * net/loop - an event loop for one thread: timers, wake-ups, names.
 *
 * Everything in net belongs to one loop and is used only on its thread, except
 * net_wake. Nothing calls back from inside a call: what is ready at once is
 * reported on the loop's next turn.
 */
#ifndef SLUICE_NET_LOOP_H
#define SLUICE_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sluice/base/buf.h"
#include "sluice/base/list.h"

struct net_loop;
struct net_conn;

/* user_bytes of memory go with every connection: net_conn_user. */
struct net_loop *net_loop_new(size_t user_bytes);
void net_loop_free(struct net_loop *l);
void net_loop_run(struct net_loop *l);
void net_loop_stop(struct net_loop *l);

/* Of the current turn, monotonic; read once a turn. */
uint64_t net_loop_now_ns(const struct net_loop *l);
struct buf_pool *net_loop_bufs(struct net_loop *l);
/* Frees what it keeps for others and nobody needed since the last time: the bytes. */
size_t net_loop_trim(struct net_loop *l);

/* Most descriptors for connections that are accepted and that are opened; 0: as many as
 * the system gives. Any thread; holds from the next one on. */
struct net_bounds {
	unsigned accepted, opened;
};
void net_loop_bound(struct net_loop *l, struct net_bounds bounds);
bool net_loop_may_open(const struct net_loop *l); /* one more by net_connect */

/* --- timers: one list for each duration, no heap ------------------------ */

struct net_timer {
	struct link link;
	uint64_t due_ns;
	struct net_loop *loop;
	void (*on_due)(void *arg);
	void *arg;
};

void net_timer_init(
	struct net_timer *t, struct net_loop *l, void (*on_due)(void *), void *arg);
/* Due ms from the loop's now; set again, it moves. O(1) while at most 64 durations
 * are in use in one loop; a further one walks past those that are due later. */
void net_timer_set(struct net_timer *t, uint32_t ms);
void net_timer_stop(struct net_timer *t);
bool net_timer_is_set(const struct net_timer *t);
/* The arg of the timer of that duration and function that was set first, at least so
 * long ago; NULL: there is none. */
void *net_timer_oldest(const struct net_loop *l, uint32_t ms, void (*on_due)(void *),
	uint32_t min_age_ms);

/* --- tasks: what many events of one turn ask for, done once ------------ */

/* Runs when the events of the turn are over, before the loop sleeps. A task that asks
 * for itself again while it runs waits for the next turn, which then comes at once. */
struct net_task {
	struct link link;
	struct net_loop *loop;
	void (*run)(void *arg);
	void *arg;
};

void net_task_init(
	struct net_task *t, struct net_loop *l, void (*run)(void *), void *arg);
void net_task_later(struct net_task *t);
void net_task_cancel(struct net_task *t);

/* --- wake-ups, signals and foreign descriptors ------------------------- */

/* on_wake runs on l once for any number of net_wake; net_wake is safe from any thread
 * and from a signal handler. */
struct net_waker;
struct net_waker *net_waker_new(struct net_loop *l, void (*on_wake)(void *), void *arg);
void net_waker_free(struct net_waker *w);
void net_wake(struct net_waker *w);

/* before: runs ahead of other events of the same turn (control's tick). */
enum net_priority { NET_LAST, NET_NORMAL, NET_FIRST };
void net_waker_priority(struct net_waker *w, enum net_priority p);

enum { NET_READ = 1, NET_WRITE = 2 };

/* A descriptor of a library's (libpq): level-triggered, events may be 0. */
struct net_fd;
struct net_fd *net_fd_new(
	struct net_loop *l, int fd, void (*on_event)(void *, unsigned), void *arg);
void net_fd_want(struct net_fd *f, unsigned events);
void net_fd_free(struct net_fd *f); /* does not close fd */

/* Every ms, the first one ms from now; late turns are not made up for. */
struct net_ticker;
struct net_ticker *net_ticker_new(struct net_loop *l, uint32_t ms, enum net_priority p,
	void (*on_tick)(void *), void *arg);
void net_ticker_free(struct net_ticker *t);

/* --- names ------------------------------------------------------------ */

/* For servers given by name: found gives the first address, with port put in; -1
 * when it does not resolve. Cancelled by net_resolve_cancel, and by the loop's end. */
struct net_lookup;
struct net_lookup *net_resolve(struct net_loop *l, const char *host, uint16_t port,
	void (*on_done)(void *arg, const struct sockaddr *sa, socklen_t len),
	void *arg);
/* The same with all its addresses, the preferred one first, and then NULL. */
struct net_lookup *net_resolve_all(struct net_loop *l, const char *host, uint16_t port,
	void (*on_found)(void *arg, const struct sockaddr *sa, socklen_t len),
	void *arg);
void net_resolve_cancel(struct net_lookup *lookup);

#endif
