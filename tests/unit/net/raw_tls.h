/*
 * raw_tls - a TLS client that is OpenSSL alone, so that both sides of a test are not
 * the same code. Its bytes go through memory: the test decides what leaves together.
 */
#ifndef TESTS_UNIT_NET_RAW_TLS_H
#define TESTS_UNIT_NET_RAW_TLS_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "certs.h"

struct raw_tls {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	bool ended;  /* the socket gave its end */
	bool failed; /* the handshake did */
	char subject[128];
};

/* Connected to the listener of the scene; no byte has left. */
void raw_open(struct raw_tls *r, const char *server_name);
void raw_close(struct raw_tls *r);
/* Sends what OpenSSL has made: all of it, or its first n bytes. */
void raw_send(struct raw_tls *r);
void raw_send_some(struct raw_tls *r, size_t n);
/* Gives OpenSSL what has come. */
void raw_receive(struct raw_tls *r);
/* Shakes hands as far as that goes while the loop runs; true when it is done, with the
 * last flight not sent. */
bool raw_shake(struct raw_tls *r);
/* All of it. */
bool raw_connect(struct raw_tls *r);
/* Of the certificate that the server has shown. */
const char *raw_subject(struct raw_tls *r);

#endif
