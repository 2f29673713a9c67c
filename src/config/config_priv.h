/*
 * config_priv - how the room reads: a file becomes a source (text/source.c), the
 * source is scanned (text/scan.c), libconfig parses it, and tables (kinds/table.c)
 * carry its settings into a struct config.
 *
 * One table per section says all that is known of a setting. Reading, printing,
 * comparing, freeing and the reference are walks over the tables; so adding a
 * setting is adding a line.
 */
#ifndef SLUICE_CONFIG_PRIV_H
#define SLUICE_CONFIG_PRIV_H

#include <stdio.h>

#include <libconfig.h>

#include "sluice/base/hash.h"
#include "sluice/base/mem.h"
#include "sluice/base/span.h"
#include "sluice/config.h"

enum { CONFIG_MAX_BYTES = 4 << 20, CONFIG_MAX_DEPTH = 32 };

/* A stretch of lines of a source that follow each other in one file. */
struct source_run {
	uint32_t first; /* its first line in the source, from 1 */
	uint32_t file;  /* index into files */
	uint32_t line;  /* the same line in that file */
};

/* A file with its includes in their places. Comments are blanks. */
struct source {
	char *text; /* ends in NUL */
	size_t n;
	uint32_t lines;
	char hash[DIGEST_HEX_SIZE]; /* of the bytes before comments were blanked */
	char **files;
	size_t n_files;
	struct source_run *runs;
	size_t n_runs;
};

struct complaint {
	uint32_t line; /* of the source; 0: of no line */
	const config_setting_t *about;
	char *text;
};

/* What is wrong with one source, until it is handed out in the file's order. */
struct report {
	const struct source *source;
	struct complaint *list;
	size_t n, dropped;
};

void problems_add(struct report *r, uint32_t line, const config_setting_t *about,
	const char *text);
void problems_add_line(struct report *r, uint32_t line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void problems_hand_out(struct report *r, struct config_problems *problems);
/* "FILE:LINE" of a line of the source. Free with free(). */
char *source_place(const struct source *s, uint32_t line) MUST_USE;

/* What source_read gives may be scanned only if nothing was reported. text NULL:
 * the file is read. */
void source_read(
	struct source *s, const char *file, const struct span *text, struct report *r);
void source_fini(struct source *s);
/* Directory of file, with the slash; "" when there is none. Free with free(). */
char *source_folder(const char *file) MUST_USE;

/* False: a text or comment has no end, told at its line, which is counted from
 * line. */
bool comments_blank(char *text, size_t n, uint32_t line, struct report *r);
/* Checks what libconfig would read wrongly or refuse without a reason, and
 * mends what needs not hide later problems: a number out of range becomes an
 * infinite one, about which nothing more is said, and a setting that stands there
 * twice gets another name. False: do not parse. */
bool scan_source(struct source *s, struct report *r);

/* token lies in a text that ends in NUL. */
enum numeral { NUMERAL_NONE, NUMERAL_GOOD, NUMERAL_TOO_LARGE };
enum numeral numeral_of(struct span token);

/* The scan has renamed it, and complained. */
static inline bool name_is_repeated(const char *name)
{
	return *name == '*';
}

struct nearest {
	const char *word, *best;
	size_t distance;
};
void nearest_try(struct nearest *n, const char *candidate);

struct reader {
	struct config *c;
	struct report *report;
	char *folder;                          /* relative paths start here */
	struct hash_table *pools, *migrations; /* by name */
	struct hash_table *listeners, *bound,
		*routes; /* settings seen, by what must be unique */
};

struct printer {
	FILE *f;
	const struct config *c;
	unsigned depth;
};

struct key;

/* A kind of setting. base is the struct that the table describes. */
struct kind {
	const char *name; /* in the reference */
	void (*preset)(const struct key *k, void *base);
	void (*read)(struct reader *rd, const struct key *k, config_setting_t *s,
		void *base);
	void (*print)(struct printer *p, const struct key *k, const void *base);
	void (*fini)(const struct key *k, void *base);
	/* Numbers only: from a setting and back, in the unit an operator thinks in
	 * (counts, percent, milliseconds, bytes). Integers are stored times scale,
	 * reals divided by it. */
	bool (*parse)(
		struct reader *rd, const struct key *k, config_setting_t *s, double *v);
	void (*show)(FILE *f, const struct key *k, double v);
	enum width { WIDTH_U32, WIDTH_U64, WIDTH_REAL, WIDTH_BOOL } width;
	double scale;
};

struct word {
	const char *text; /* NULL ends the list */
	unsigned value;
	bool later; /* known, but not available in this version */
};

enum { NOWHERE = -1 }; /* the offset of a setting that nothing needs to keep */

struct key {
	const char *name;
	const struct kind *kind;
	ptrdiff_t at;
	double preset, low,
		high;     /* numbers; of texts the most bytes, of lists entries */
	const char *text; /* a text's default; else what the reference says it is */
	const struct word *words;
	const struct table *table; /* of a group, or of a list's entries */
	ptrdiff_t count_at;        /* a list's size_t */
	bool required, restart;
	bool optional;                     /* a number: left out is 0 and means none */
	bool (*written)(const void *base); /* NULL: always; else whether to print it */
	const char *help;                  /* what it means: a phrase */
	const char *hint; /* of a required one: what to write; NULL: help says it */
};

struct table {
	const struct key *keys;
	size_t n;
	size_t size; /* of the struct */
	/* After the keys; the settings that failed keep their defaults. */
	void (*check)(struct reader *rd, void *base, config_setting_t *s);
	/* What makes an entry of a list the same entry in another file. */
	void (*identify)(FILE *f, const void *base);
};

#define AT(type, member) .at = offsetof(struct type, member)
#define TABLE_KEYS(array) .keys = (array), .n = sizeof(array) / sizeof((array)[0])

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
enum { KIB = 1024, MIB = 1024 * KIB };

extern const struct kind kind_integer, kind_real, kind_percent_ppm, kind_percent_share;
extern const struct kind kind_duration, kind_duration_us, kind_size, kind_size64;
extern const struct kind kind_switch, kind_choice, kind_mode;
extern const struct kind kind_text, kind_name, kind_secret, kind_path, kind_file;
extern const struct kind kind_address, kind_bind_address, kind_loopback_address;
extern const struct kind kind_networks, kind_group, kind_list, kind_named, kind_later;
extern const struct kind kind_statuses, kind_grpc_statuses;
extern const struct table table_root, table_listener, table_pool, table_migration;
extern const struct table table_route, table_health, table_guard, table_plan;
extern const struct table table_upgrades, table_tunnels, table_errors, table_headers;
extern const struct table table_header_rules;

/* RFC 9110, 5.6.2: what may stand in a header without quotes. */
bool rules_is_token(const char *text, size_t n);
/* Messages depend on the field of this name. */
bool rules_is_of_frame(const char *name, size_t n);
/* That names are names of fields, and none that is_taken. */
void rules_check_names(struct reader *rd, const char *names, config_setting_t *group,
	const char *member, bool (*is_taken)(const char *name, size_t n));

/* "FILE:LINE: path.of.setting: text". With a member, about that member of the
 * group s, written or not. */
void problem_at(struct reader *rd, const config_setting_t *s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void problem_at_member(struct reader *rd, const config_setting_t *group,
	const char *member, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Nothing was said of that member (nor is it missing in silence). */
bool problem_is_absent(
	const struct reader *rd, const config_setting_t *group, const char *member);
/* False after a complaint: key was seen before, at another entry. */
bool problem_unless_first(struct reader *rd, struct hash_table *seen, struct span key,
	config_setting_t *entry, const char *member);
/* "is missing: write this" */
const char *table_key_hint(const struct key *k);
/* With what stands there, as an operator would read it: got "abc", got 7. */
void problem_type(struct reader *rd, config_setting_t *s, const char *expected);
/* NULL after a complaint. */
const char *text_of_setting(
	struct reader *rd, config_setting_t *s, const char *expected);
/* What may stand in a request's path: visible ASCII after a slash, no fragment. */
bool check_path_is_valid(const char *path);
bool text_is_plain(const char *text); /* no control characters */

/* A valid name is copied to to; else there is a complaint. */
void text_take_name(
	struct reader *rd, const config_setting_t *s, const char *name, void *to);

/* The index of what s names; SIZE_MAX after a complaint. */
enum find { FIND_POOL, FIND_MIGRATION };
size_t routes_find_named(struct reader *rd, config_setting_t *s, enum find what);

/* The entries of a list, whatever they are. */
struct array {
	char *first;
	size_t n, size;
};
struct array groups_array(const struct key *k, const void *base);

static inline void *array_at(struct array a, size_t i)
{
	return a.first + i * a.size;
}

void table_preset(const struct table *t, void *base);
void table_read(
	struct reader *rd, const struct table *t, void *base, config_setting_t *s);
void table_fini(const struct table *t, void *base);

/* Kinds that are one number inside: these, and a parse and a show of their own. */
#define KIND_NUMBER .preset = number_preset, .read = number_read, .print = number_print
void number_preset(const struct key *k, void *base);
void number_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base);
void number_print(struct printer *p, const struct key *k, const void *base);
double number_load(const struct key *k, const void *base);
/* A number as in a sentence: without the quotes that the file needs. */
void number_show_bare(FILE *f, const struct key *k, double v);
void number_show_real(FILE *f, double v, int digits);
void print_text(FILE *f, const char *text);
bool print_key_is_written(const struct key *k, const void *base);
/* The value of a key, without its name. Free with free(). */
char *print_key_value(
	const struct config *c, const struct key *k, const void *base) MUST_USE;
void table_print(struct printer *p, const struct table *t, const void *base);
void print_new_line(struct printer *p);

/* 0, or -1 with the reason in err. */
int address_parse(struct config_address *a, const char *text, struct err *err);
int network_parse(struct config_network *net, const char *text, struct err *err);
bool address_host_is_valid(const char *host, size_t n);
void address_fini(struct config_address *a);

static inline const void *key_field(const struct key *k, const void *base)
{
	return (const char *)base + k->at;
}

static inline void *key_slot(const struct key *k, void *base)
{
	return (char *)base + k->at;
}

#endif
