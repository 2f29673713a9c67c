/*
 * control_priv - the one struct control, and what its files do for each other.
 *
 * control.c opens and closes everything, store.c the journal and the live file, which
 * instance_lock.c keeps for one process; tracks.c keeps a track for each migration; tick.c asks
 * its engine ten times a second; act.c is the only place where a state changes;
 * record.c writes it down; reload.c, signals.c and commands.c bring the wishes of
 * people; loader.c reads files, where a disk may be slow; view.c shows.
 */
#ifndef SLUICE_CONTROL_PRIV_H
#define SLUICE_CONTROL_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/admin.h"
#include "sluice/base/hist.h"
#include "sluice/base/list.h"
#include "sluice/config.h"
#include "sluice/control/evidence.h"
#include "sluice/control/guards.h"
#include "sluice/control/memory.h"
#include "sluice/journal.h"
#include "sluice/net/loop.h"
#include "sluice/pool/migration.h"
#include "sluice/pool/pool.h"
#include "sluice/shift.h"

struct service_notify;
struct health;
struct loader;
struct net_loop;
struct net_ticker;
struct net_waker;
struct proxy;
struct snapshot;
struct window;

enum { ACTOR_SIZE = 96, REASON_SIZE = 768 };

/* The last decision of a migration, with texts of its own. */
struct kept_decision {
	struct decision d;
	char actor[ACTOR_SIZE], reason[REASON_SIZE], config_hash[DIGEST_HEX_SIZE];
};

/* A plan's rise that waits for SQLite, under the migration's generation. It is dropped
 * when anything else happens to the migration meanwhile. */
struct rise {
	bool waits, new_run;
	uint64_t seq;
	struct shift_state next;
};

/* What control knows of one migration of the configuration in force. */
struct track {
	const struct config_migration *config;
	struct migration *live;
	struct live_word *word;
	struct pool *pool[N_SIDES];
	struct memory m;
	bool plan_pending; /* the file's plan is another one (S6) */

	struct guard_set guards;
	struct engine engine;
	struct pivot pivot;           /* of p95_ratio; else unused */
	struct migration_counts seen; /* at the last tick */
	enum shift_reason held;
	uint64_t spill_since_ms, floor_since_ms; /* 0: it does not, it is not */
	uint64_t bad_since_us; /* wall; 0: there is no evidence of harm */
	struct rise rise;

	struct window *window;     /* NULL before the first traffic */
	struct window_view view;   /* as of the last second */
	struct kept_decision last; /* d.action NULL: none yet */
	unsigned epoch;            /* of the reload that saw it last */
};

/* The memory of a migration that the configuration does not have now. */
struct shelved {
	struct link link;
	char name[CONFIG_NAME_SIZE];
	struct memory m;
	bool damaged;
};

/* All that the core (tracks, tick, act, commands, held, record) asks of the world or does
 * to it, but for the counters and live words of its migrations: a test may be the world. */
struct shifter_io {
	void *arg;
	uint64_t (*mono_ms)(void *arg);
	uint64_t (*boot_ms)(void *arg); /* goes on while the machine sleeps */
	uint64_t (*wall_us)(void *arg);
	/* journal_append: returns the number that act_committed is told later. */
	uint64_t (*append)(void *arg, const struct decision *d,
		const struct journal_state *states, size_t n);
	void (*nudge)(void *arg); /* data threads look at what waits */
	struct pool_capacity (*capacity)(
		void *arg, const struct pool *p, bool unknown_counts);
};

struct control {
	struct shifter_io io;
	const struct service_notify *notify;
	char *file;
	struct net_loop *loop;
	struct admin *admin;
	int lock_fd; /* of the journal; -1: not taken */
	struct journal *journal;
	struct live *live;
	struct stats *stats;
	struct registry *registry;
	struct proxy *proxy;
	struct health *health;
	struct net_ticker *ticker;
	struct net_waker *waker; /* of signals */
	struct loader *loader;   /* of reloads */
	struct snapshot *snapshot;
	const struct config *config; /* the snapshot's */

	struct track **tracks;
	size_t n_tracks;
	unsigned epoch;
	struct link shelf;
	bool lost;        /* at this start: the journal or the live file */
	bool first_start; /* nothing was kept of any migration */
	struct err lost_why;

	unsigned ticks;
	uint64_t tick_ms, boot_ms; /* when the last tick was, on two clocks */
	uint64_t taint_until_ms;
	uint64_t lag_us[2]; /* the worst of this half minute and the last */
	struct journal_status journal_status;
	uint64_t away_since_ms; /* PostgreSQL; 0: it is not */

	uint64_t started_us;
	bool ready, draining, running_is_file;
	struct net_timer drain_delay; /* draining, but still accepting */
	char *reload_error;
};

/* --- shifter_io.c --------------------------------------------------------- */

struct shifter_io shifter_io_real(struct control *c);

/* --- loader.c: files, read where nothing waits for them ------------------ */

struct loaded {
	struct config_problems problems;
	struct snapshot *snapshot; /* not bound yet; NULL: the problems say why */
	struct uid_names *users;
};

/* On the caller's thread. on_config: NULL, or told of the configuration before what
 * it names is read. -1 with problems. */
int loader_load_files(
	struct loaded *l, const char *file, void (*on_config)(struct config *c));
void loader_loaded_fini(struct loaded *l);

/* On a thread of its own; on_loaded runs on the loop, and takes from l what it keeps.
 * Asked while it reads, it reads once more: what is asked last is what holds. */
struct loader *loader_new(struct net_loop *loop, const char *file,
	void (*on_loaded)(void *arg, struct loaded *l), void *arg);
void loader_free(struct loader *l);
void loader_ask(struct loader *l);
bool loader_is_idle(const struct loader *l);

/* --- descriptors.c: who may have how many -------------------------------- */

struct descriptors {
	unsigned limit;
	unsigned own, journal, health; /* health: connections at once */
	unsigned sessions;             /* of each of admin's listeners */
	unsigned clients, servers;     /* of all data threads */
};

/* Pure. -1: so few are not enough. */
int descriptors_plan(
	struct descriptors *d, unsigned limit, const struct config *c, struct err *err);
/* Whether the process has enough for c. */
int descriptors_check(const struct config *c, struct err *err);
/* Bounds everything that opens descriptors by c->config. */
void descriptors_share(struct control *c);

/* --- check.c: problems told to people ------------------------------------ */

void check_print(const struct config_problems *p);

/* --- instance_lock.c: one sluice for a journal ------------------------------------ */

int instance_lock_take(struct control *c, const char *journal, struct err *err);
void instance_lock_release(struct control *c);

/* --- store.c: the journal and the live file ------------------------------ */

int control_store_open(
	struct control *c, const struct config_journal *j, struct err *err);
void control_store_close(struct control *c);
/* Once a second: what was deleted under us is made anew. */
void control_store_look(struct control *c);
/* The kept memory of a migration, taken from the shelf; false: there is none. */
bool store_shelf_take(
	struct control *c, const char *name, struct memory *m, bool *damaged);
void store_shelf_put(struct control *c, const char *name, const struct memory *m);
void store_shelf_cutback(struct control *c);
/* A word in the live file for each migration; former names give theirs back when all are taken. */
int control_store_words(
	struct control *c, const struct config *config, struct err *err);

/* --- tracks.c ------------------------------------------------------------ */

/* The migrations of c->snapshot: tracks that stay keep all they know, new ones begin
 * by S2, those that left go to the shelf. */
void tracks_follow(struct control *c);
/* What the file now wishes and did not before (S1, S7, S42), each a decision. */
void tracks_hear_file(struct control *c);
void tracks_free(struct control *c);
struct track *track_find(struct control *c, const char *name);
const char *track_name(const struct track *t);
uint32_t track_new_ppm(const struct track *t);
/* New samples only: what was routed before counts for nothing any more (S28). */
void track_new_run(struct track *t);
/* A run begins with a plan, after a latch, and with the first rise from idle; and where
 * an old breach stands that had nothing left to revert (S28). To ask before. */
bool track_begins_run(const struct track *t, enum shift_command command);
void track_new_step(struct track *t);
void track_publish_pivot(struct track *t); /* p95_ratio's two thresholds */

/* --- roles.c: who legacy and new are ------------------------------------- */

/* Whether config may hold: -1 with problems where it makes others of the pools that a
 * latch or a plan under way speaks of. */
int roles_check_reload(const struct control *c, const struct config *config,
	struct config_problems *problems);
/* After a reload: others begin at 0 and idle, by a decision of its own. */
void roles_follow(struct control *c, struct track *t);
/* At a start; NULL, or out: what became of m, and why. */
const char *roles_at_start(struct memory *m, const struct roles *now,
	const struct config_migration *config, char out[static REASON_SIZE]);
/* The name of a migration whose latch speaks against pool, also of a former one; more:
 * tracks that are not c's yet. NULL: none. */
const char *roles_condemned_by(const struct control *c, struct track *const *more,
	size_t n_more, const struct role *pool);

/* A person says that pool is well: latches of former migrations speak of it no more. */
void roles_forgive(struct control *c, const struct role *pool);

/* --- window.c ------------------------------------------------------------ */

/* Each second; true once every ten seconds, when the view is of those and not empty. */
bool window_second(struct track *t, uint64_t now_ms);
/* t->view as of now. */
void window_look(struct track *t, uint64_t now_ms);
void window_free(struct window *w);

/* --- tick.c, held.c ------------------------------------------------------ */

enum { TICK_MS = 100 };

void tick(void *arg);
struct beat { /* one tick's time */
	uint64_t now_ms;
	int64_t dt_ms;
	bool tainted; /* sluice stood still (S30, S31) */
};
/* Each tick, before the question: whether new has been seen well, since when it spills. */
void held_follow(const struct control *c, struct track *t, const struct beat *b);
enum shift_reason held_reason(
	const struct control *c, const struct track *t, const struct beat *b);
/* PostgreSQL is away for longer than the grace, and on_outage is revert. */
bool held_outage_reverts(const struct control *c, uint64_t now_ms);

/* --- act.c: order of effect and record ----------------------------------- */

struct act {
	enum decision_action action;
	struct actor actor;
	const char *reason;
	struct shift_state next;
	bool new_run;
	bool waits;                  /* a rise takes effect when it is committed */
	const struct sample *sample; /* NULL: no tick decided this */
};

void act_do(struct control *c, struct track *t, const struct act *a);
/* Nothing changes, but it is a decision all the same: a refusal, a no-op. */
void act_tell(struct control *c, struct track *t, const struct act *a);
void act_committed(struct control *c, uint64_t seq);
/* What the next start shall find of t. */
struct memory act_to_keep(const struct track *t);

/* --- record.c ------------------------------------------------------------ */

struct before { /* a migration as it was: what a decision was made on */
	struct memory m;
	struct engine engine;
	uint32_t ppm;
};
/* after: what is kept for the next start. Returns the journal's number. */
uint64_t record(struct control *c, struct track *t, const struct act *a,
	const struct before *was, const struct memory *after);
/* A decision about the whole process, with the states of all migrations. */
void record_process(struct control *c, enum decision_action action, struct actor actor,
	const char *reason, const char *evidence_json);
void record_percent_text(char out[static 16], uint32_t ppm);

/* --- reload.c, signals.c ------------------------------------------------- */

void reload_ask(struct control *c); /* SIGHUP */
void reload_finish(void *control, struct loaded *l);

/* First of all: from here on no signal ends the process before it may. */
void signals_catch(void);
/* What came before is obeyed from now. */
void signals_open(struct control *c);
void signals_close(struct control *c);

/* --- commands.c, view.c: what admin asks --------------------------------- */

void command(void *arg, const struct admin_request *q, struct admin_reply *out);
/* Latches every migration, then says that what was wanted is done. */
void commands_cutback_all(struct control *c, struct actor actor, const char *reason);
struct admin_ops view_ops(struct control *c);

#endif
