/*
 * scene - a journal with its owner's loop in a folder of its own, and the verbs of
 * the tests' stories.
 */
#ifndef JOURNAL_SCENE_H
#define JOURNAL_SCENE_H

#include "sluice/journal.h"
#include "sluice/net/loop.h"

struct scene {
	char dir[64], path[128];
	struct net_loop *loop;
	struct journal *j;
	enum journal_found found;
	struct err lost;
	uint64_t appended;     /* the last sequence number */
	uint64_t committed;    /* by the last acknowledgement */
	unsigned acknowledged; /* how often */
	unsigned statuses;
	struct journal_status status; /* as told last */
};

extern struct scene scene;

void scene_begin(void); /* a folder and a loop */
void scene_end(void);

/* Opens and starts; what was found is in scene.found. */
void scene_open(const char *postgres);
int scene_try_open(const char *postgres);
void scene_close(void);

/* Turns the loop until done says so; fails the test after some seconds. */
void scene_until(bool (*done)(void));
void scene_until_committed(uint64_t seq);
void scene_until_all_committed(void);
void scene_until_waiting_is(uint64_t rows);
void scene_until_forward_is(enum journal_forward f);
void scene_until_trouble_tells(const char *text);
struct journal_status scene_look(void);

struct decision scene_decision(const char *migration, const char *action);
uint64_t scene_put(const struct decision *d);
uint64_t scene_append(const char *migration, const char *action);
void scene_append_many(const char *migration, unsigned n);
void scene_sample(const char *migration);
uint64_t scene_append_with_state(
	const char *migration, uint64_t generation, const char *json);

/* Asks and waits. The rows are copies and stay until the next question. */
struct row {
	char migration[64], action[32], reason[256], actor[32], id[DIGEST_UUID_SIZE];
	char evidence[256];
	uint64_t generation;
};
struct rows {
	struct row row[2000];
	size_t n;
	bool failed;
};
const struct rows *scene_ask(const char *migration, uint64_t since_us, unsigned limit);

/* What a query of its own answers, through another connection: -1 on an error. */
long long scene_sql(const char *sql);

#endif
