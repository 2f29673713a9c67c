/*
 * store - the journal and the live file at start, and the shelf: the memories of
 * migrations that no configuration has just now.
 *
 * What cannot be read is lost, never trusted: it is set aside, and nothing goes to new
 * until a person says so (S2).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/clock.h"
#include "sluice/base/log.h"
#include "sluice/base/mem.h"
#include "sluice/pool/pool.h"

#include "control_priv.h"

/* --- the shelf ----------------------------------------------------------- */

static struct shelved *shelf_find(struct control *c, const char *name)
{
	LIST_EACH (&c->shelf, it, after) {
		struct shelved *s = LIST_ENTRY(it, struct shelved, link);

		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

static struct shelved *shelf_add(struct control *c, const char *name)
{
	struct shelved *s = shelf_find(c, name);

	if (s)
		return s;
	s = mem_zero(sizeof(*s));
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	list_push(&c->shelf, &s->link);
	return s;
}

static void shelf_drop(struct shelved *s)
{
	list_remove(&s->link);
	free(s);
}

void store_shelf_put(struct control *c, const char *name, const struct memory *m)
{
	shelf_add(c, name)->m = *m;
}

bool store_shelf_take(
	struct control *c, const char *name, struct memory *m, bool *damaged)
{
	struct shelved *s = shelf_find(c, name);

	if (!s)
		return false;
	*m = s->m;
	*damaged = s->damaged;
	shelf_drop(s);
	return true;
}

/* A migration that comes back later finds the latch: in its word, whose generation is
 * then above the journal's. */
void store_shelf_cutback(struct control *c)
{
	LIST_EACH (&c->shelf, it, after) {
		struct shelved *s = LIST_ENTRY(it, struct shelved, link);
		struct live_word *w = live_find(c->live, s->name, true);

		if (s->damaged || shift_is_latched(s->m.state.phase))
			continue;
		s->m.state = (struct shift_state){ .phase = SHIFT_CUTBACK };
		s->m.generation++;
		if (w)
			live_store(w, memory_live(&s->m));
	}
}

static void take_state(void *arg, const struct journal_state *state)
{
	struct control *c = arg;
	struct shelved *s = shelf_add(c, state->migration);
	struct err err = { .code = ERR_NONE };

	s->m.generation = state->generation;
	if (memory_parse(&s->m, state->json, &err) == 0)
		return;
	s->damaged = true;
	log_error("kept state cannot be read", "migration=%s error=%s",
		state->migration, err.text);
}

/* --- journal callbacks --------------------------------------------------- */

static void on_committed(void *arg, uint64_t seq)
{
	act_committed(arg, seq);
}

/* They are on one file system: what takes rows again takes the live file as well. */
static void keep_live(struct control *c)
{
	struct err err = { .code = ERR_NONE };

	if (live_keep(c->live, &err) == 0)
		log_info("live file is kept again", "");
	else
		log_error("live file is not kept", "error=%s", err.text);
}

void control_store_look(struct control *c)
{
	admin_look(c->admin, &c->config->admin);
	if (!live_is_kept(c->live) || live_look(c->live))
		return;
	log_error("live file was deleted, moved or cut short", "written_anew_with=%s",
		"what is in force");
	keep_live(c);
}

/* The journal itself logs what is wrong with it. */
static void on_status(void *arg, const struct journal_status *s)
{
	struct control *c = arg;

	c->journal_status = *s;
	if (!s->failing && !live_is_kept(c->live))
		keep_live(c);
}

/* --- opening ------------------------------------------------------------- */

static void note_lost(struct control *c, const char *what, const struct err *why)
{
	c->lost = true;
	log_error("state is lost, nothing goes to new until a person says so",
		"what=%s error=%s", what, why->text);
	if (c->lost_why.code == ERR_NONE)
		c->lost_why = *why;
}

/* Whoever wants to know what was in it finds it beside the new one. */
static int set_aside(const char *path, struct err *err)
{
	char *aside = mem_print(
		"%s.lost-%llu", path, (unsigned long long)(clock_wall_us() / 1000000));
	int rc = rename(path, aside) == -1 ? err_errno(err, "cannot rename %s", path)
					   : 0;

	free(aside);
	return rc;
}

static int open_live(struct control *c, const char *path, bool *fresh, struct err *err)
{
	struct err why = { .code = ERR_NONE };

	if (live_open(&c->live, path, fresh, &why) == 0) {
		if (!live_is_kept(c->live))
			log_error("live file cannot be written, so a latch that comes "
				  "now "
				  "does not outlive this process",
				"path=%s", path);
		return 0;
	}
	if (why.code == ERR_SYSTEM) {
		*err = why;
		return -1;
	}
	note_lost(c, "live file", &why);
	if (set_aside(path, err) != 0)
		return -1;
	return live_open(&c->live, path, fresh, err);
}

static int open_journal(struct control *c, const struct config_journal *j,
	enum journal_found *found, struct err *err)
{
	const struct journal_owner owner = {
		.loop = c->loop,
		.on_committed = on_committed,
		.on_status = on_status,
		.arg = c,
	};
	struct err why = { .code = ERR_NONE };

	if (journal_open(&c->journal, j, &owner, found, &why) != 0) {
		*err = why;
		return err_wrap(err, "journal %s", j->path);
	}
	if (*found == JOURNAL_LOST)
		note_lost(c, "journal", &why);
	journal_each_state(c->journal, take_state, c);
	return 0;
}

int control_store_open(
	struct control *c, const struct config_journal *j, struct err *err)
{
	enum journal_found found;
	bool fresh = false;

	if (instance_lock_take(c, j->path, err) != 0 ||
		open_journal(c, j, &found, err) != 0)
		return -1;

	char *path = mem_print("%s-live", j->path);
	int rc = open_live(c, path, &fresh, err);

	free(path);
	if (rc != 0)
		return err_wrap(err, "live file");
	live_watch(c->live);
	c->first_start = !c->lost;
	if (found == JOURNAL_FRESH && !fresh) {
		struct err why = { .code = ERR_NONE };

		(void)err_set(&why, ERR_STORE, "a live file without a journal");
		note_lost(c, "journal", &why);
	}
	return 0;
}

static bool has_name(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_migrations; i++) {
		if (strcmp(config->migrations[i].name, name) == 0)
			return true;
	}
	return false;
}

struct keeper {
	struct control *c;
	const struct config *config; /* that is about to hold */
};

/* A word may go when the journal knows all that it says: a migration that comes back is
 * then as it was. */
static bool is_needed(void *arg, const struct live_word *w)
{
	const struct keeper *k = arg;
	struct shelved *s = shelf_find(k->c, w->name);
	uint64_t generation = live_load(w).generation;

	if (has_name(k->config, w->name) ||
		registry_has_migration(k->c->registry, w->name))
		return true;
	if (!s)
		return generation > 0;
	return s->damaged || shift_is_latched(s->m.state.phase) ||
	       k->c->journal_status.failing || generation > s->m.generation;
}

static bool has_word(struct keeper *k, const char *name)
{
	if (live_find(k->c->live, name, true))
		return true;

	size_t n = live_give_back(k->c->live, is_needed, k);

	log_info("names of former migrations given back", "words=%zu", n);
	return live_find(k->c->live, name, true);
}

int control_store_words(struct control *c, const struct config *config, struct err *err)
{
	struct keeper k = { .c = c, .config = config };

	for (size_t i = 0; i < config->n_migrations; i++) {
		if (!has_word(&k, config->migrations[i].name))
			return err_set(err, ERR_CONFIG,
				"migration %s: %d names of migrations are in use or "
				"latched, no more fit into %s-live; resume those that "
				"are over",
				config->migrations[i].name, LIVE_WORDS,
				config->journal.path);
	}
	return 0;
}

void control_store_close(struct control *c)
{
	LIST_EACH (&c->shelf, it, after) {
		shelf_drop(LIST_ENTRY(it, struct shelved, link));
	}
	if (c->journal)
		journal_close(c->journal, 2000);
	live_close(c->live);
	instance_lock_release(c);
}
