/*
 * pg - sessions with PostgreSQL on a loop: connecting, asking, sending a batch. The one
 * room that knows libpq.
 *
 * Nothing here blocks, but what says so. A session calls its owner on each event; the
 * owner then goes on with the call that it is in the middle of. One thread uses a
 * session, and it carries one thing at a time.
 */
#ifndef SLUICE_PG_H
#define SLUICE_PG_H

#include <stdbool.h>
#include <stddef.h>

#include "sluice/base/err.h"
#include "sluice/base/mem.h"

struct net_loop;
struct pg_session;

enum { PG_TROUBLE_SIZE = 256 };

/* To be asked first: what libpq says of a text that it cannot parse may quote a
 * password from it. */
bool pg_is_conninfo(const char *text);

enum pg_progress { PG_MORE, PG_READY, PG_FAILED };

struct pg_session *pg_session_new(
	struct net_loop *l, void (*on_event)(void *arg), void *arg);
void pg_session_free(struct pg_session *s);

/* Not blocking, but for a name in a list of hosts or in a service file, which libpq looks
 * up itself. Then, on each event, _go_on. conninfo is borrowed until _disconnect; name is
 * what the server shows for the session, whatever conninfo says. */
enum pg_progress pg_session_connect(
	struct pg_session *s, const char *conninfo, const char *name);
enum pg_progress pg_session_go_on(struct pg_session *s);

/* Asks a question of one or several statements; then, on each event, _answer. The last
 * statement's first value, or the error, is in out when that is PG_READY; *refused says
 * which. */
enum pg_progress pg_session_ask(struct pg_session *s, const char *sql);
enum pg_progress pg_session_answer(
	struct pg_session *s, char out[static PG_TROUBLE_SIZE], bool *refused);

/* From here on the session takes batches, and no questions. */
enum pg_progress pg_session_start_batches(struct pg_session *s);

/* Reads what has come, and writes what is queued. -1: the connection is lost. */
int pg_session_take_input(struct pg_session *s) MUST_USE;
void pg_session_ignore(struct pg_session *s); /* no events until the next input */

/* In any state. */
void pg_session_disconnect(struct pg_session *s);
/* Why the last call failed; valid until _disconnect. */
const char *pg_session_trouble(const struct pg_session *s);

/* The first line of what libpq says, without the line's end. */
void pg_first_line(const char *said, char *out, size_t size);

/* --- a batch: one transaction, in one round trip -------------------------------- */

enum pg_batch_result {
	PG_BATCH_MORE,
	PG_BATCH_DONE,    /* all of it is committed there */
	PG_BATCH_REFUSED, /* none of it: the data of statement failed_at are to blame */
	PG_BATCH_FAILED,  /* none of it: the server, its schema or our rights are */
};

struct pg_batch { /* zero before the first statement */
	unsigned statements, answered;
	size_t bytes;
	unsigned failed_at;
	char sqlstate[6]; /* of the first error; "" when the server named none */
	char trouble[PG_TROUBLE_SIZE];
};

/* Queues a statement; NULL among the values is NULL. Nothing is prepared, so that a
 * connection pooler may stand between. -1: the connection is lost. */
int pg_batch_add(struct pg_batch *b, struct pg_session *s, const char *sql,
	const char *const *values, int n) MUST_USE;
int pg_batch_send(struct pg_batch *b, struct pg_session *s) MUST_USE;
/* After each pg_session_take_input. */
enum pg_batch_result pg_batch_receive(struct pg_batch *b, struct pg_session *s);

/* --- blocking, for a command line; never in the daemon ------------------------------ */

struct pg_client;

int pg_client_open(
	struct pg_client **out, const char *conninfo, struct err *err) MUST_USE;
void pg_client_close(struct pg_client *c);
int pg_client_run(struct pg_client *c, const char *sql, struct err *err);
/* The first value that a question is answered with. */
int pg_client_ask(struct pg_client *c, const char *sql, char *out, size_t size,
	struct err *err) MUST_USE;

#endif
