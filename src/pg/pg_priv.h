/*
 * pg, inside: a session is libpq's connection together with the watcher of its
 * descriptor.
 */
#ifndef SLUICE_PG_PRIV_H
#define SLUICE_PG_PRIV_H

#include <sys/socket.h>

#include "sluice/net/loop.h"
#include "sluice/pg.h"

struct pg_conn;
struct pg_result;

enum { TARGET_PORT = 5432 }; /* asked along with a host; libpq goes by its own */

/* A host that libpq would look up, blocking; and what was found. */
struct target {
	char host[256];
	unsigned n;
	char hosts[2048], addresses[512]; /* n of each, joined by commas */
};

/* False: no name, several, or one that libpq handles itself (a folder of sockets, a
 * service's, an address is given beside it). */
bool target_of(struct target *t, const char *conninfo);
/* As far as there is room. */
void target_add(struct target *t, const struct sockaddr *sa, socklen_t len);

struct pg_session { /* conn NULL: none, or its host is looked up */
	struct net_loop *loop;
	void (*on_event)(void *arg);
	void *arg;
	const char *conninfo;
	char name[64]; /* the server keeps 63 bytes */
	struct target target;
	struct net_lookup *lookup;
	struct pg_conn *conn;
	struct net_fd *fd;
	unsigned events;               /* not looked at yet */
	bool has_settings;             /* the session has been given its own */
	char trouble[PG_TROUBLE_SIZE]; /* sluice's own; "": libpq has the word */
};

/* Writes what is queued. -1: the connection is lost. */
int pg_session_flush(struct pg_session *s) MUST_USE;

/* A receiver that hears nothing: without one libpq writes notices to stderr. */
void pg_ignore_notices(struct pg_conn *conn);

#endif
