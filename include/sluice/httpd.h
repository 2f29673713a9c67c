/*
 * httpd - a small HTTP/1.1 server on a loop that has other work: it knows no resource,
 * one function answers every request.
 *
 * An answer is a short text, or a body that is made a little at a time, so that no turn
 * of the loop takes long, or one of these two that is still to come. Connections are
 * bounded; a new one closes the one that needs its place least.
 *
 * Everything belongs to the loop's thread.
 */
#ifndef SLUICE_HTTPD_H
#define SLUICE_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sluice/base/err.h"
#include "sluice/base/list.h"
#include "sluice/base/span.h"
#include "sluice/base/text.h"
#include "sluice/http/message.h"

struct json;
struct net_acceptor;
struct net_loop;

/* --- a request ------------------------------------------------------------- */

struct httpd_fault {     /* why a body is not what the peer meant to send */
	unsigned status; /* 0: it is whole */
	const char *hint, *text;
};

struct httpd_request { /* valid for the call */
	enum http_method method;
	struct span target, body;
	struct httpd_fault fault; /* then body is what came of it */
	unsigned role;            /* the listener's */
	int uid;                  /* of the peer; -1: not known */
};

/* --- its answer ------------------------------------------------------------ */

/* A body made piece by piece; the first member of what its maker needs. */
struct body_source {
	/* Appends a little more, a tenth of a millisecond's work or so; false: that
	 * was the end. */
	bool (*make)(struct body_source *b, struct text *out);
	void (*free)(struct body_source *b);
};

void httpd_source_free(struct body_source *b); /* NULL: does nothing */

/* A body that is still to come: on_ready is called exactly once, on a later turn, unless
 * forget was. source is taken over; NULL: err says why there is none. */
struct httpd_pending {
	void (*on_ready)(void *arg, struct body_source *source, const struct err *err);
	void *arg;
	void (*forget)(struct httpd_pending *p);
};

struct httpd_answer { /* all zero before it is filled */
	unsigned status;
	const char *type, *allow; /* allow: the methods, of a 405 */
	struct text body;
	struct body_source *source;    /* instead of body, or NULL */
	struct httpd_pending *pending; /* not NULL: source is still to come */
};

void httpd_answer_text(struct httpd_answer *a, unsigned status, const char *text);
void httpd_answer_take_json(struct httpd_answer *a, unsigned status, struct json **j);
/* {"error": what, "hint": how to do it right} */
void httpd_answer_error(struct httpd_answer *a, unsigned status, const char *hint,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void httpd_answer_fini(struct httpd_answer *a);

/* --- the server ------------------------------------------------------------- */

struct httpd { /* what its listeners share */
	/* A fault is answered by the function too: httpd_answer_error. */
	void (*answer)(
		void *arg, const struct httpd_request *q, struct httpd_answer *out);
	void *arg;
	/* requests and refused ones (400 and up); connections that were closed inside
	 * a request to make room; those that are open */
	uint64_t requests, refused_requests, refused_connections;
	uint32_t connections;
	uint64_t turn_ns, spent_ns; /* httpd's own: the turn, and what bodies took */
};

struct httpd_places {         /* for one class of peers */
	struct link sessions; /* the longest quiet one first */
	unsigned n;
};

enum { HTTPD_TRUSTED, HTTPD_OTHERS, HTTPD_CLASSES };

struct httpd_listener {
	struct httpd *httpd;
	struct net_loop *loop;
	struct net_acceptor *acceptor; /* NULL: closed */
	struct httpd_places places[HTTPD_CLASSES];
	unsigned max; /* sessions of each class; 64 unless the owner sets it */
	gid_t group;  /* its members are trusted, as root and this user are */
	unsigned role;
};

void httpd_listener_init(struct httpd_listener *l, struct httpd *h,
	struct net_loop *loop, unsigned role);
/* Takes fd over, which listens. */
void httpd_listener_open(struct httpd_listener *l, int fd, gid_t group);
/* Its sessions too; may be opened again. */
void httpd_listener_close(struct httpd_listener *l);

#endif
