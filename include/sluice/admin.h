/*
 * admin - what operators ask and change: an HTTP API on a Unix socket (and, reading only, on a
 * loopback port), Prometheus text, health of the process.
 *
 * Lives on the control loop. It reads live objects itself; what only control knows it
 * asks through struct admin_ops, and commands go out the same way. No answer takes
 * longer than 5 ms at a time: big ones are produced in slices.
 *
 *	GET  /healthz /readyz /metrics
 *	GET  /v1/status
 *	GET  /v1/decisions?since=&migration=&limit=
 *	POST /v1/migrations/NAME/weight  {"percent", "reason", "generation"}
 *	POST /v1/migrations/NAME/VERB    {"reason", "generation"}
 *	POST /v1/cutback                 {"reason"}: every migration
 *	and a cutback's "hard": true closes new's tunnels too
 *
 * VERB is start, pause, resume, abort or cutback. Only percent is needed.
 */
#ifndef SLUICE_ADMIN_H
#define SLUICE_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/base/err.h"
#include "sluice/base/mem.h"
#include "sluice/config.h"
#include "sluice/journal.h"
#include "sluice/pool/migration.h"
#include "sluice/pool/pool.h"
#include "sluice/shift.h"

struct admin;
struct net_loop;
struct stats;

/* One migration as control sees it. Texts are valid for the call. */
struct admin_migration {
	const struct config_migration *config;
	struct migration *live;
	struct pool *legacy, *new_;
	const struct shift_state *state;
	const struct shift_plan *plan;
	const struct engine *engine;
	struct {                  /* as engine has them */
		const char *name; /* "error_rate", as in the file */
		uint64_t slow_us; /* of p95_latency: slower than this is bad */
		double ratio;     /* of p95_ratio: times legacy's p95 */
	} guard[GUARD_MAX];
	const struct pivot *pivot; /* NULL: no p95_ratio */
	uint32_t new_ppm;
	uint64_t generation;
	bool plan_pending; /* the file's plan differs from the one that runs (S6) */
	enum shift_reason held; /* what forbids an advance now */
	struct { /* over the last window_ms; p50.. are 0 without requests */
		uint64_t requests, errors; /* attempts and their errors */
		uint64_t p50_us, p95_us, p99_us, samples;
		uint64_t user_requests, user_errors; /* as users saw them */
	} window[N_SIDES];
	uint64_t rescued, spilled; /* of new's requests, in the same window */
	uint32_t window_ms;
	const struct decision *last; /* NULL: none yet */
};

struct admin_process {
	bool ready, draining;
	bool running_is_file;     /* S4: false after a refused reload */
	const char *reload_error; /* "" when the last one went well */
	const char *config_file, *config_hash;
	uint64_t started_us; /* wall */
	uint32_t workers;
	uint64_t loop_lag_us; /* control's worst of the last minute */
	struct journal_status journal;
};

struct admin_request {
	enum shift_command command;
	const char *migration; /* NULL: every one (cutback only) */
	bool hard;             /* a cutback that closes tunnels too */
	uint32_t new_ppm;
	bool has_generation;
	uint64_t generation; /* S8: refused when it is not the current one */
	const char *actor, *reason;
};

enum admin_outcome {
	ADMIN_DONE,
	ADMIN_NOT_FOUND, /* no migration of that name */
	ADMIN_REFUSED,   /* by its phase, or decided on an old generation (S8) */
	ADMIN_UNCLEAR,   /* a command that needs a name, without one */
};

struct admin_reply { /* what became of a command */
	enum admin_outcome outcome;
	char text[512];     /* one sentence for a person, also on success */
	bool has_migration; /* then the three below are valid */
	enum shift_phase phase;
	uint32_t new_ppm;
	uint64_t generation;
};

struct admin_ops {
	size_t (*count)(void *arg); /* migrations */
	void (*migration)(void *arg, size_t i, struct admin_migration *out);
	void (*process)(void *arg, struct admin_process *out);
	size_t (*pools)(void *arg, struct pool *const **pools);
	void (*command)(
		void *arg, const struct admin_request *q, struct admin_reply *out);
	struct journal *(*journal)(void *arg); /* for journal_ask */
	struct stats *(*stats)(void *arg);
	void *arg;
};

/* Who a uid is: /etc/passwd, read whole. Any thread. */
struct uid_names;
struct uid_names *uid_names_new(void) MUST_USE;
void uid_names_free(struct uid_names *u);

/* A socket file left by a dead process is replaced, a live one's is an error. */
int admin_open(struct admin **out, struct net_loop *l, const struct config_admin *c,
	const struct admin_ops *ops, struct err *err) MUST_USE;
/* The loopback port and the socket's mode after a reload. */
int admin_configure(struct admin *a, const struct config_admin *c, struct err *err);
/* Once a second: a socket that was removed is made anew. */
void admin_look(struct admin *a, const struct config_admin *c);
/* Takes u over; before the first ones actors are told by number. */
void admin_know_users(struct admin *a, struct uid_names *u);
/* Most connections to each of its listeners. */
void admin_bound(struct admin *a, unsigned sessions);
void admin_close(struct admin *a);

#endif
