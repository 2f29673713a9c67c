/*
 * scene - small verbs for tests of config: load this text, what was said of it?
 */
#ifndef SLUICE_TESTS_CONFIG_SCENE_H
#define SLUICE_TESTS_CONFIG_SCENE_H

#include "sluice/config.h"

/* The least that is a configuration, in parts that a test may replace. */
#define LISTENERS "listeners = ( { name = \"web\"; address = \"127.0.0.1:8080\"; } );\n"
#define POOLS                                                                     \
	"pools = { old = { servers = ( { address = \"127.0.0.1:9001\"; } ); };\n" \
	"          next = { servers = ( { address = \"127.0.0.1:9101\"; } ); }; };\n"
#define ROUTES "routes = ( { pool = \"old\"; } );\n"
#define LEAST LISTENERS POOLS ROUTES

/* A migration of these pools, and what else stands in it. */
#define MIGRATION(more)                                            \
	"migrations = { m = { legacy = \"old\"; new = \"next\";\n" \
	"weights = { legacy = 90; new = 10; }; " more " }; };\n"

struct loaded {
	struct config *c; /* NULL: refused */
	struct config_problems problems;
};

/* As the file /scene/sluice.conf, which does not exist. */
struct loaded load(const char *text);
struct loaded load_bytes(const char *text, size_t n);
struct loaded load_file(const char *file);
void unload(struct loaded *l);

/* Whether a problem has these words. */
bool told(const struct loaded *l, const char *words);
/* Fails the test with all problems if there are any. */
void expect_accepted(const struct loaded *l);
/* Refused with exactly one problem, which has these words. */
void expect_refused(const char *text, const char *words);
/* The lines of config_diff with these words. */
size_t count_lines(const struct config_problems *lines, const char *words);

/* What an operator might write, and what must be said to it. Plain arrays,
 * because Criterion copies parameters to another process. */
struct slip {
	char text[256];
	char words[160];
};

/* A folder for this test's files; removed with all in it. Free with free(). */
char *folder_new(void);
void folder_remove(char *folder);
/* The file's path. Free with free(). */
char *write_file(const char *folder, const char *name, const char *text);

#endif
