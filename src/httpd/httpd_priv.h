/*
 * httpd_priv - what the files of httpd share: a listener accepts, a session reads one
 * request after the other, a response is an answer on its way.
 */
#ifndef SLUICE_HTTPD_PRIV_H
#define SLUICE_HTTPD_PRIV_H

#include "sluice/httpd.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"

/* --- response.c ------------------------------------------------------------- */

struct response {
	struct httpd_answer answer; /* filled by the session */
	bool keep; /* more requests may follow; false: close after it */
	bool head_only;
	uint8_t minor; /* of the request */
	bool head_made, chunked, moved;
	struct text head, body; /* made and not yet written, in this order */
	size_t sent;            /* of both */
};

/* Makes the next slice, if the turn of the loop that began at turn_ns has time left
 * for that. What was made before is written. */
void response_make(struct response *r, struct httpd *h, uint64_t turn_ns);
/* NET_BROKEN, or how much the connection took. */
ssize_t response_write(struct response *r, struct net_conn *c);
bool response_is_written(const struct response *r); /* nothing made is left */
bool response_is_over(const struct response *r);    /* and nothing more to make */
/* Whether since the last call bytes were taken, or the peer was waiting for us. */
bool response_has_moved(struct response *r);
void response_reset(struct response *r); /* for the next one */
void response_fini(struct response *r);

/* --- session.c --------------------------------------------------------------- */

struct session;
void session_open(struct httpd_listener *l, struct httpd_places *p, struct net_conn *c);
/* Closes one of p, which has some: the longest quiet one between two requests, else one
 * whose request is not whole, else one that does not read its answer. */
void session_evict(struct httpd *h, struct httpd_places *p);
void session_close_all(struct httpd_places *p);

#endif
