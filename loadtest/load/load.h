/*
 * load - asks one server as often as it can, at a rate, or so many times, and tells
 * what it saw.
 *
 * One thread, one libev loop. Every client is a connection that sends a request,
 * reads the answer (Content-Length only), and sends the next; with --websocket the
 * first answer opens a tunnel and the rest are messages and their echoes. What
 * happens before the count begins is warm-up and counts for nothing.
 */
#ifndef SLUICE_LOADTEST_LOAD_H
#define SLUICE_LOADTEST_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <ev.h>
#include <openssl/ssl.h>

struct hist;

struct text {
	char *p;
	size_t n;
};

struct plan {
	struct sockaddr_storage address;
	socklen_t address_len;
	SSL_CTX *tls; /* NULL: plain HTTP */
	char host[128];
	char path[512];
	uint64_t upload; /* bytes of body after the head */
	unsigned connections;
	unsigned routes; /* client i asks below /r<i * routes / connections>/; 0: not */
	unsigned warm;   /* requests of each client before the count */
	double rate;     /* requests a second over all connections; 0: all they can */
	double warm_s, window_s;
	uint64_t requests; /* with is_exact: instead of a window */
	bool is_exact;
	bool in_turn;         /* a client starts when the one before it is warm */
	bool once;            /* a connection for each request */
	bool resume;          /* with once: TLS sessions are taken up again */
	size_t message_bytes; /* of WebSocket messages; 0: HTTP */
	struct text message;  /* the frame, masked */
	size_t echo_n;        /* bytes of the frame that comes back */
};

struct tally {
	bool counting;
	uint64_t requests, failures, not_2xx;
	uint64_t connects; /* connections that became open */
	uint64_t bytes_in, bytes_out;
	struct hist *latency;
};

extern struct ev_loop *loop;
extern struct plan plan;
extern struct tally tally;

/* plan.c: reads the arguments into plan, or ends the program. */
void plan_read(int argc, char **argv);
/* What client number i asks for. */
struct text plan_request(unsigned i);

/* message.c: makes plan.message and plan.echo_n of plan.message_bytes. */
void message_make(void);
/* Whether what is there of an echo is its beginning. */
bool message_is_echo(const char *p, size_t n);

/* wire.c: a connection, with or without TLS. */
enum progress { MORE, WANT_READ, WANT_WRITE, REST, FAILED };

struct wire {
	int fd;
	SSL *ssl;
	SSL_SESSION *session;
};

enum progress wire_dial(struct wire *w);
enum progress wire_shake_hands(struct wire *w);
enum progress wire_put(struct wire *w, const char *p, size_t n, size_t *done);
enum progress wire_take(struct wire *w, char *p, size_t n, size_t *done);
/* keep: its TLS session may be taken up again. */
void wire_close(struct wire *w, bool keep);

/* client.c */
void clients_start(void);
/* With in_turn: the next one, if there is one. */
void clients_start_next(void);
/* Those that rest because the count has not begun go on. */
void clients_go_on(void);

/* pace.c: with plan.rate, wakes each client when its next request is due. */
double pace_start(void (*wake)(unsigned client));

/* main.c */
void count_warm(void);  /* a client has done its warm-up */
bool count_grant(void); /* one more request may be sent */
void count_done(void);  /* a request that was granted came to its end */

void report_print(double seconds);

#endif
