/*
 * scene - one loop, a listener and the two ends of a connection on it, and waiting for
 * a condition with a deadline. What is sent is a pattern, checked byte by byte where
 * it arrives.
 */
#ifndef TESTS_UNIT_NET_SCENE_H
#define TESTS_UNIT_NET_SCENE_H

#include <criterion/criterion.h>
#include <netinet/in.h>

#include "sluice/net/conn.h"
#include "sluice/net/loop.h"
#include "sluice/net/tls.h"

struct end {
	struct net_conn *conn;  /* NULL: none yet, or closed */
	unsigned events, reads; /* all that came; how often NET_READ did */
	size_t read_size;       /* of one net_read; 0: the end does not read */
	uint64_t got;           /* bytes read, of the pattern */
	uint64_t sent, to_send;
	bool wrong; /* a byte was not the pattern's */
	bool eof, broken;
	char first[64]; /* what came first, as a text */
};

extern struct net_loop *loop;
extern struct net_acceptor *acceptor;
extern struct end client, server;
extern struct sockaddr_in here; /* where the listener is */
extern struct net_tls *speaks;  /* NULL: the listener is plain */
extern int listener_fd;         /* for its socket options, before open_listener */
extern unsigned accepted;

void scene_open(void);
void scene_close(void);

/* Runs the loop until what holds, 5 s at most. */
bool wait_until(bool (*what)(void));
/* Runs the loop until all that is ready now has been told. */
void one_turn(void);

void bind_listener(void);
void open_listener(void); /* binds, if nobody did */
void connect_client(struct net_tls *tls, const char *name);
/* A blocking socket of the test's own, connected to the listener. */
int connect_raw(void);
/* Both ends of one connection, open. */
void open_pair(struct net_tls *tls, const char *name);
bool both_are_open(void);

struct net_owner owner_of(struct end *e);
void send_pattern(struct end *e, uint64_t n);
void send_text(struct end *e, const char *text);
void close_end(struct end *e);
/* The pattern's byte at this offset. */
unsigned char pattern_at(uint64_t at);

#endif
