/*
 * ctl_priv - what the files of sluicectl share.
 */
#ifndef SLUICE_CTL_PRIV_H
#define SLUICE_CTL_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "sluice/base/json.h"
#include "sluice/ctl.h"

/* --- args.c: the command line ------------------------------------------------ */

enum option {
	OPTION_SOCKET,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_JSON,
	OPTION_ALL,
	OPTION_HARD,
	OPTION_REASON,
	OPTION_GENERATION,
	OPTION_SINCE,
	OPTION_MIGRATION,
	OPTION_LIMIT,
	OPTION_CONFIG,
	OPTION_POSTGRES,
	N_OPTIONS,
};

enum { MAX_WORDS = 4 };

struct args {
	const char *value[N_OPTIONS]; /* NULL: not given; "" for one without value */
	const char *word[MAX_WORDS];  /* the verb and what belongs to it */
	size_t n_words;
};

int args_parse(struct args *a, int argc, char **argv, struct err *err);
const char *args_option_name(enum option o); /* "--json" */
const char *args_socket(const struct args *a);

/* --- client.c: one request, one answer ----------------------------------------- */

struct reply {
	unsigned status;
	char *text; /* with a NUL behind it */
	size_t n;
	struct json *json; /* NULL: the text is none */
};

/* body NULL: GET, else POST. -1: nobody answers; err says why and what to do. */
int client_ask(const char *socket, const char *target, const struct json *body,
	struct reply *out, struct err *err);
void client_reply_fini(struct reply *r);

/* --- verbs ----------------------------------------------------------------------- */

enum ctl_exit verb_status(const struct args *a);
enum ctl_exit verb_change(const struct args *a); /* start, pause, resume, abort */
enum ctl_exit verb_weight(const struct args *a);
enum ctl_exit verb_cutback(const struct args *a);
enum ctl_exit verb_decisions(const struct args *a);
enum ctl_exit verb_validate(const struct args *a);
enum ctl_exit verb_db(const struct args *a);

/* Prints "sluicectl: " and the reason on stderr and returns status. */
enum ctl_exit ctl_complain(enum ctl_exit status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* What the daemon refused, with its hint. */
enum ctl_exit ctl_complain_reply(const struct reply *r);
/* That no migration is called name, and which there are. */
enum ctl_exit ctl_complain_name(const struct json *status, const char *name);

/* The migration called name in /v1/status; NULL: there is none. */
const struct json *ctl_migration(const struct json *status, const char *name);

/* --- show.c: texts for people ----------------------------------------------------- */

enum { SHOW_SIZE = 64 };

/* Control characters, of a reason say, never reach the terminal. */
void show_clean(FILE *f, const char *text);
void show_percent(double percent, char out[static SHOW_SIZE]); /* "12.5 %" */
void show_ms(double ms, char out[static SHOW_SIZE]);           /* "12 ms", "1.20 s" */
void show_ago(const char *time, char out[static SHOW_SIZE]);   /* "3m ago" */
/* stdout is a terminal that wants colours (NO_COLOR, TERM=dumb). */
bool show_colours(void);
size_t show_width(void); /* of the terminal; 0: no bound */

/* --- grid.c: columns -------------------------------------------------------------- */

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_GOOD, COLOUR_WARN, COLOUR_BAD };

struct grid;
struct column {
	const char *head;
	bool right;
};

struct grid *grid_new(const struct column *columns, size_t n);
void grid_free(struct grid *t);
/* Cells fill rows from left to right, line by line. */
void grid_cell(struct grid *t, enum colour c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The last column is cut at width, if that is not 0. */
void grid_print(const struct grid *t, FILE *f, bool colours, size_t width);

/* --- status_notes.c ------------------------------------------------------- */

/* What stands below the table: everything that is not as it should be, of the process
 * and of each migration. */
void ctl_notes(const struct json *status, FILE *f);
void ctl_migration_notes(const struct json *m, FILE *f);

#endif
