/*
 * http/ws - WebSocket (RFC 6455) as a proxy sees it: the two halves of a handshake, where
 * frames begin and end, and the one frame that a proxy may say itself.
 *
 * A scan never alters or refuses a byte: what is no frame is passed on like one, and then
 * its numbers mean nothing. Payloads are skipped by their length.
 */
#ifndef SLUICE_HTTP_WS_H
#define SLUICE_HTTP_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/base/span.h"

enum { WS_KEY_SIZE = 24, WS_ACCEPT_SIZE = 28, WS_CLOSE_MAX = 8 };

enum ws_code { WS_GOING_AWAY = 1001, WS_RESTART = 1012 };

/* One direction of a tunnel; all zero: between two frames. */
struct ws_scan {
	uint64_t left; /* of the payload */
	uint8_t state, first, more;
	bool masked;
	bool closed; /* a close frame has passed */
};

/* How many messages ended in these bytes. */
unsigned ws_scan(struct ws_scan *s, struct span bytes);
/* As far as the end of a frame; returns how many bytes that are, and adds the message
 * that ended there. */
size_t ws_scan_frame(struct ws_scan *s, struct span bytes, unsigned *messages);
bool ws_is_between(const struct ws_scan *s);

/* A close frame, masked as clients must (mask NULL: a server's). Returns its length. */
size_t ws_close(char out[static WS_CLOSE_MAX], enum ws_code code, const uint8_t *mask);

/* 16 bytes in base64 (RFC 6455, 4.1), and a new one. */
bool ws_is_key(struct span key);
void ws_make_key(char out[static WS_KEY_SIZE]);
/* What a server that understood the key answers (RFC 6455, 4.2.2). */
void ws_accept(struct span key, char out[static WS_ACCEPT_SIZE]);

#endif
