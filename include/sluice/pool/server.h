/*
 * pool/server - one backend address as a live object: its health, what is in
 * flight to it, and the idle connections that each data thread keeps to it.
 *
 * A server is (pool name, address text) and outlives snapshots: a reload finds
 * it again and it keeps everything (S5). Made, found and counted by references on the
 * control thread only; the rest as each function says. thread is the index of the
 * calling data thread, always below the registry's count.
 */
#ifndef SLUICE_POOL_SERVER_H
#define SLUICE_POOL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sluice/base/list.h"

struct server;
struct net_conn;
struct net_loop;

enum server_health { SERVER_UNKNOWN, SERVER_UP, SERVER_DOWN };

const char *server_address(const struct server *s);
const char *server_pool_name(const struct server *s);
/* A small number of its own, for metrics and logs. */
uint64_t server_id(const struct server *s);

/* Where to connect; false while its name is not resolved. Any thread. */
bool server_sockaddr(
	const struct server *s, struct sockaddr_storage *sa, socklen_t *len);
void server_set_sockaddr(struct server *s, const struct sockaddr *sa, socklen_t len);

/* Any thread. Usable: not down, not ejected, has an address. */
enum server_health server_health(const struct server *s);
bool server_is_ejected(const struct server *s);
bool server_is_usable(const struct server *s);

/* Control thread: what a check found. Up ends an ejection. why: "status 500",
 * kept for status. True when the health changed. */
bool server_set_health(struct server *s, enum server_health h, const char *why);
const char *server_health_reason(const struct server *s); /* control thread */
uint64_t server_health_since_us(const struct server *s);  /* wall; control thread */

/* Data threads: an attempt that could not connect or was reset, and one that
 * was answered. Failures count over all threads; at the pool's limit the server is
 * ejected, if the pool lets so many be out (S16a): true then, once. */
bool server_note_failure(struct server *s);
void server_note_answer(struct server *s);

uint32_t server_in_flight(const struct server *s); /* summed over threads */
/* One more in flight, beside what pool_pick began; and the end of one. */
void server_hold(struct server *s, unsigned thread);
void server_release(struct server *s, unsigned thread);

/* Upgraded connections to it, and what passed through them; in: from clients. */
struct tunnel_counts {
	uint64_t begun, open;
	uint64_t messages_in, messages_out, bytes_in, bytes_out;
};
/* One that begins (1), or has ended (-1). */
void server_note_tunnel(struct server *s, unsigned thread, int delta);
void server_note_passed(
	struct server *s, unsigned thread, bool in, uint64_t bytes, uint64_t messages);
void server_add_tunnels(const struct server *s, struct tunnel_counts *sum);

struct server_counts {
	uint64_t requests, connects, reuses, failures, ejections;
	uint32_t in_flight, idle, sessions;
};
void server_sum(const struct server *s, struct server_counts *out);

/* --- idle connections of one data thread -------------------------------------- */

/* The bytes that a kept connection needs in net_conn_user. */
size_t server_idle_bytes(void);
/* How long how many are kept, and for whom: pool_manner of the pool they were made for.
 * age_ms, requests: of one connection, a tenth less for some, so that those which began
 * together do not end together; 0: no bound. */
struct server_keeping {
	uint32_t max, idle_ms;
	uint32_t age_ms, requests;
	uint64_t manner;
};
/* The connection used last, if it was made in this manner, or NULL. */
struct net_conn *server_take_idle(struct server *s, unsigned thread, uint64_t manner);
/* Closes, from the one used last on, those whose server has closed them in this turn, which
 * nobody has been told of yet. A system call: for what may not be sent twice. */
void server_drop_closed(struct server *s, unsigned thread);
/* Takes *c over (NULL then), or closes it when the server left the configuration, has
 * another manner or another address now, when the connection is old or has had its
 * requests, or when far more than max are kept; those above max are for a second only. It is closed when the peer closes it, sends anything, or idle_ms pass. */
void server_take_back(struct server *s, unsigned thread, struct net_conn **c,
	const struct server_keeping *k);
/* Counts a connection opened for an attempt. */
void server_note_connect(struct server *s, unsigned thread);
/* Closes what this thread keeps to servers that left the configuration, or that was made
 * in another manner than theirs is now (all: to every server). */
void server_close_idle(struct server *s, unsigned thread, bool all);
/* Changes whenever the address does: a connection is for the place it was made at. */
uint32_t server_place(const struct server *s); /* any thread */
enum { SERVER_PLACE_SIZE = 64 };
/* The address that a name leads to, as 192.0.2.1:80; false: it is no name, or none is
 * known. Control. */
bool server_place_text(const struct server *s, char out[static SERVER_PLACE_SIZE]);
bool server_is_at(const struct server *s, const struct sockaddr *sa, socklen_t len);
bool server_is_retired(const struct server *s); /* any thread: left the configuration */
uint64_t server_manner(const struct server *s); /* any thread: of the newest pool */

/* --- HTTP/2 sessions of one data thread ---------------------------------------- */

/* Proxy's own; kept here, they outlive the snapshots in which the server is. */
struct server_sessions {
	struct link all;
	struct link waiting; /* requests, for one of them */
};
struct server_sessions *server_sessions(struct server *s, unsigned thread);
/* One more, or (-1) less: the server stays while there is one. */
void server_note_session(struct server *s, unsigned thread, int delta);
/* Counts a request on a connection that was there. */
void server_note_reuse(struct server *s, unsigned thread);

#endif
