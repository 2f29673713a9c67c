/*
 * admin_priv - what the files of admin share.
 *
 * A door accepts, a session reads one request after the other and writes the
 * answers, the api makes them. An answer is a short text or a page: a body that is
 * made a little at a time, so that no callback of the control loop takes long.
 */
#ifndef SLUICE_ADMIN_PRIV_H
#define SLUICE_ADMIN_PRIV_H

#include "sluice/admin.h"
#include "sluice/base/list.h"
#include "sluice/base/span.h"
#include "sluice/http/message.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"

struct json;

/* --- text.c: a text that grows ------------------------------------------- */

struct text {
	char *p;
	size_t n, cap;
};

void text_add(struct text *t, const char *p, size_t n);
void text_put(struct text *t, const char *text);
void text_print(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Compact, and gives j back. */
void text_take_json(struct text *t, struct json **j);
void text_drop(struct text *t, size_t n); /* the last n bytes */
void text_fini(struct text *t);

/* --- uid_names.c: who a uid is, without asking the network ------------------- */

/* "user:root", or "user:1234" for one that is not in /etc/passwd. */
void uid_names_actor(const struct uid_names *u, int uid, char *out, size_t n);

/* --- answers -------------------------------------------------------------- */

struct page {
	/* Appends a little more, a tenth of a millisecond's work or so; false: that
	 * was the end. */
	bool (*make)(struct page *p, struct text *out);
	void (*free)(struct page *p);
};

void page_free(struct page *p);

struct ticket;

struct answer {
	unsigned status;
	const char *type, *allow; /* allow: the methods, of a 405 */
	struct text body;
	struct page *page;     /* instead of body, or NULL */
	struct ticket *ticket; /* not NULL: the page is still to come */
};

void answer_text(struct answer *a, unsigned status, const char *text);
void answer_take_json(struct answer *a, unsigned status, struct json **j);
/* {"error": what, "hint": how to do it right} */
void answer_error(struct answer *a, unsigned status, const char *hint, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));
void answer_fini(struct answer *a);

/* --- ask.c: the journal's rows, whose asker may be gone when they come ---- */

struct ticket *ticket_ask(struct journal *j, const struct journal_query *q);
/* Exactly one call later: a page to be taken, or NULL and why. */
void ticket_await(struct ticket *t,
	void (*on_page)(void *arg, struct page *page, const struct err *err),
	void *arg);
void ticket_forget(struct ticket *t);

struct json *decision_json(const struct decision *d, bool with_evidence);

/* --- api.c, change.c: from a request to its answer ------------------------ */

struct scale;

struct api {
	struct admin_ops ops;
	struct uid_names *users; /* NULL: none known yet */
	struct scale *scale;
	const char *socket; /* for hints */
	uint64_t requests, refused_requests, refused_connections;
	uint32_t connections;
	uint64_t turn_ns, spent_ns; /* the loop's turn, and what pages took of it */
};

struct fault {           /* why a body is not what the peer meant to send */
	unsigned status; /* 0: it is whole */
	const char *hint, *text;
};

struct call {
	enum http_method method;
	struct fault fault; /* then body is what came of it */
	struct span target, body;
	bool read_only; /* it came over the loopback port */
	int uid;
};

void api_answer(struct api *api, const struct call *c, struct answer *out);
bool change_is_cutback(struct span path);
/* A POST below /v1/: path is what stands behind that. */
void change_answer(
	struct api *api, const struct call *c, struct span path, struct answer *out);

/* --- fields.c: what stands in the body of a change ------------------------ */

enum { FIELDS_REASON = 500, FIELDS_REASON_SIZE = 704 };

struct fields {
	char reason[FIELDS_REASON_SIZE]; /* "": none */
	bool has_generation, hard;
	uint64_t generation;
	uint32_t new_ppm;
};

/* Takes nothing on trust: an unknown field could be a misspelt "generation", and the
 * change would lose the protection that its sender relied on (S8). */
int fields_read(struct fields *f, struct span body, enum shift_command command,
	struct err *err);
/* A cutback's, which takes effect whatever its body is: what can be understood of it,
 * and behind the reason, in brackets, what could not. fault: NULL, or why body is not
 * whole. */
void fields_read_cutback(struct fields *f, struct span body, const char *fault);

/* --- walk.c: visiting what a reload may change between two pieces --------- */

struct walk {
	const struct admin_ops *ops;
	char hash[DIGEST_HEX_SIZE]; /* of the configuration that the visit began in */
	size_t migrations;
};

void walk_init(struct walk *w, const struct admin_ops *ops);
/* True, once, when the configuration is another one: start over. */
bool walk_moved(struct walk *w);

/* --- status --------------------------------------------------------------- */

struct page *status_page(const struct api *api);
struct json *status_migration(const struct admin_migration *m);
/* 1..steps while a step is in force, else 0. */
unsigned status_step(const struct admin_migration *m);
struct json *status_guards(const struct admin_migration *m);
const char *status_verdict(enum shift_verdict v); /* "pass", "breach", "hold" */

/* --- metrics: Prometheus text 0.0.4 --------------------------------------- */

struct family { /* one metric; each row gives its samples */
	const char *name, *type, *help;
	void (*show)(struct text *t, const struct family *f, const void *row);
	double (*value)(const void *row); /* when show is NULL: one sample a row */
	int arg;
};

struct group { /* the same families for each of several rows */
	const struct family *families;
	size_t n_families;
	size_t row_bytes;
	void (*fini)(void *row);
};

extern const struct group metrics_migrations, metrics_pools, metrics_servers;

/* What rows begin with: "migration=\"api\"", heap memory. */
struct labels {
	char *text;
};

void metrics_head(struct text *t, const char *name, const char *type, const char *help);
void metrics_value(struct text *t, const char *name, const char *labels, double value);
/* name="value", escaped, with a comma before it unless it is the first. */
void metrics_label(struct text *t, const char *name, const char *value);

struct page *metrics_page(const struct api *api);
void metrics_process(const struct api *api, struct text *out);
void metrics_take_migration(
	void *row, const struct admin_migration *m, const struct scale *s);
void metrics_take_pool(void *row, const struct pool *p);
void metrics_take_server(void *row, const struct server *s);

/* --- metrics_hist.c: from hist's fine buckets to Prometheus' few ---------- */

enum { METRICS_BUCKETS = 18 };
extern const double metrics_bound_s[METRICS_BUCKETS];

struct scale *scale_new(void);
void scale_free(struct scale *s);
struct scaled {
	uint64_t upto[METRICS_BUCKETS], count; /* cumulative */
	double sum_s;
};
void scale_apply(const struct scale *s, const struct hist_total *t, struct scaled *out);

/* --- outgoing.c: an answer on its way -------------------------------------- */

struct outgoing {
	struct answer answer; /* filled by the session */
	bool keep;            /* more requests may follow; false: close after it */
	bool head_only;
	uint8_t minor; /* of the request */
	bool head_made, chunked, moved;
	struct text head, body; /* made and not yet written, in this order */
	size_t sent;            /* of both */
};

/* Makes the next slice, if the turn of the loop that began at turn_ns has time left
 * for that. What was made before is written. */
void outgoing_make(struct outgoing *o, struct api *api, uint64_t turn_ns);
/* NET_BROKEN, or how much the connection took. */
ssize_t outgoing_write(struct outgoing *o, struct net_conn *c);
bool outgoing_is_written(const struct outgoing *o); /* nothing made is left */
bool outgoing_is_over(const struct outgoing *o);    /* and nothing more to make */
/* Whether since the last call bytes were taken, or the peer was waiting for us. */
bool outgoing_has_moved(struct outgoing *o);
void outgoing_reset(struct outgoing *o); /* for the next one */
void outgoing_fini(struct outgoing *o);

/* --- door.c, session.c ---------------------------------------------------- */

struct places {
	struct link sessions; /* the longest quiet one first */
	unsigned n;
};

enum { DOOR_TRUSTED, DOOR_OTHERS, DOOR_CLASSES };

struct door {
	struct api *api;
	struct net_loop *loop;
	struct net_acceptor *acceptor; /* NULL: closed */
	struct places places[DOOR_CLASSES];
	unsigned max; /* sessions of each class */
	gid_t group; /* the socket's: its members are trusted */
	bool read_only;
};

void door_init(struct door *d, struct api *api, struct net_loop *l, bool read_only);
void door_open(struct door *d, int fd, gid_t group);
void door_close(struct door *d); /* its sessions too; may be opened again */

struct session;
void session_open(struct door *d, struct places *p, struct net_conn *c);
/* Closes one of p, which has some: the longest quiet one between two requests, else one
 * whose request is not whole, else one that does not read its answer. */
void session_evict(struct door *d, struct places *p);
void session_close_all(struct places *p);

#endif
