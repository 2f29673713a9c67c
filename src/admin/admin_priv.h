/*
 * admin_priv - what the files of admin share: from a request to its answer, over the
 * server that httpd is.
 */
#ifndef SLUICE_ADMIN_PRIV_H
#define SLUICE_ADMIN_PRIV_H

#include "sluice/admin.h"
#include "sluice/httpd.h"

/* --- uid_names.c: who a uid is, without asking the network ------------------- */

/* "user:root", or "user:1234" for one that is not in /etc/passwd. */
void uid_names_actor(const struct uid_names *u, int uid, char *out, size_t n);

/* --- api.c: the table of what can be asked ----------------------------------- */

struct buckets;

enum api_role {
	API_READER,   /* came over the loopback port */
	API_OPERATOR, /* over the Unix socket, which the file mode guards */
};

struct api {
	struct admin_ops ops;
	struct uid_names *users; /* NULL: none known yet */
	struct buckets *buckets;
	const char *socket; /* for hints */
	struct httpd httpd;
};

/* For httpd.answer; arg is the api. */
void api_answer(void *arg, const struct httpd_request *q, struct httpd_answer *out);

/* --- change.c: commands -------------------------------------------------------- */

struct api_command {
	enum shift_command command;
	struct span migration; /* empty: every one */
};

void change_answer(struct api *api, const struct httpd_request *request,
	const struct api_command *what, struct httpd_answer *out);

/* --- fields.c: what stands in the body of a change ----------------------------- */

enum { FIELDS_REASON = 500, FIELDS_REASON_SIZE = 704 };

struct fields {
	char reason[FIELDS_REASON_SIZE]; /* "": none */
	bool has_generation, hard;
	uint64_t generation;
	uint32_t new_ppm;
};

/* Takes nothing on trust: an unknown field could be a misspelt "generation", and the
 * change would lose the protection that its sender relied on, S8 (generation). */
int fields_read(struct fields *f, struct span body, enum shift_command command,
	struct err *err);
/* A cutback's, which takes effect whatever its body is: what can be understood of it,
 * and behind the reason, in brackets, what could not. fault: NULL, or why body is not
 * whole. */
void fields_read_cutback(struct fields *f, struct span body, const char *fault);

/* --- pending_query.c: the journal's rows ---------------------------------------- */

struct httpd_pending *pending_query_new(
	struct journal *j, const struct journal_query *q);
struct json *pending_query_decision_json(const struct decision *d, bool with_evidence);

/* --- cursor.c: visiting what a reload may change between two pieces ------------- */

struct cursor {
	const struct admin_ops *ops;
	char hash[DIGEST_HEX_SIZE]; /* of the configuration that the visit began in */
	size_t migrations;
};

void cursor_init(struct cursor *c, const struct admin_ops *ops);
/* True, once, when the configuration is another one: start over. */
bool cursor_moved(struct cursor *c);

/* --- status ----------------------------------------------------------------------- */

struct body_source *status_source(const struct api *api);
struct json *status_migration(const struct admin_migration *m);
/* 1..steps while a step is in force, else 0. */
unsigned status_step(const struct admin_migration *m);
struct json *status_guards(const struct admin_migration *m);
const char *status_verdict(enum shift_verdict v); /* "pass", "breach", "hold" */

/* --- metrics: Prometheus text 0.0.4 ------------------------------------------------ */

struct body_source *metrics_source(const struct api *api);
struct buckets *buckets_new(void);
void buckets_free(struct buckets *b);

#endif
