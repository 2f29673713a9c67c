/*
 * load - asks one server as often as it can, or at a rate, and tells what it saw.
 *
 * One thread, one libev loop. Every client is a connection that sends a request,
 * reads the answer (Content-Length only), and sends the next. What happens before
 * the window is warm-up and counts for nothing.
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

struct plan {
	struct sockaddr_storage address;
	socklen_t address_len;
	SSL_CTX *tls; /* NULL: plain HTTP */
	char host[128];
	char *head; /* the request's head */
	size_t head_n;
	uint64_t upload; /* bytes of body after the head */
	unsigned connections;
	double rate; /* requests a second over all connections; 0: all they can */
	bool once;   /* a connection for each request */
	bool resume; /* with once: TLS sessions are taken up again */
};

struct tally {
	bool counting; /* inside the window */
	uint64_t requests, failures, not_2xx, handshakes;
	uint64_t bytes_in, bytes_out;
	struct hist *latency;
};

extern struct ev_loop *loop;
extern struct plan plan;
extern struct tally tally;

void clients_start(void);
void report_print(double seconds);

#endif
