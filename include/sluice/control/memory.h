/*
 * control/memory - what is kept of a migration while the process is away: its state,
 * the plan it runs by, and the weight that the file had when it was last loaded.
 *
 * Pure. The journal keeps it as one line of JSON beside each decision; the live file
 * keeps weight, latch and generation. memory_at_start brings the two together (S2).
 */
#ifndef SLUICE_CONTROL_MEMORY_H
#define SLUICE_CONTROL_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/base/err.h"
#include "sluice/base/mem.h"
#include "sluice/config.h"
#include "sluice/control/roles.h"
#include "sluice/live.h"
#include "sluice/shift.h"

struct json;

struct memory {
	struct shift_state state;
	struct shift_plan plan; /* pinned while it runs (S6) */
	uint32_t file_ppm;      /* of the file as last loaded (S1) */
	bool plan_seen;         /* autostart has had its one chance (S42) */
	uint32_t run;
	struct roles roles;  /* of whom all this is known */
	bool hard;           /* a cutback closed what was open to new */
	uint64_t generation; /* beside the JSON, not in it */
};

struct json *memory_json(const struct memory *m) MUST_USE;
char *memory_print(const struct memory *m) MUST_USE; /* free with free() */
int memory_read(struct memory *m, const struct json *j, struct err *err) MUST_USE;
int memory_parse(struct memory *m, const char *text, struct err *err) MUST_USE;

uint32_t memory_new_ppm(const struct memory *m);
struct live_value memory_live(const struct memory *m);

struct shift_plan memory_file_plan(const struct config_migration *c);
/* Takes the file's plan over, unless one is pinned. True: it differs and waits. */
bool memory_adopt_plan(struct memory *m, const struct shift_plan *file);
/* Whether autostart applies now; it never does again (S42). */
bool memory_autostarts(struct memory *m, const struct config_migration *c);

enum memory_origin {
	ORIGIN_FIRST, /* never seen before: the file's weight holds */
	ORIGIN_KEPT,  /* as it was */
	ORIGIN_LIVE,  /* the live file knew of a later change than the journal */
	ORIGIN_DOUBT, /* they disagree about the same generation: the lower weight */
	ORIGIN_LOST,  /* what was kept is gone: nothing to new, latches stand */
};

const char *memory_origin_text(enum memory_origin o);

struct memory_found {
	const struct memory *kept; /* the journal's; NULL: it has none */
	struct live_value live;    /* generation 0: the live file has none */
	bool lost;                 /* the journal or the live file was lost */
};

/* What a migration goes on with. Its generation is above all found, if it is none of
 * them unchanged. */
enum memory_origin memory_at_start(struct memory *out, const struct memory_found *f,
	const struct config_migration *c);

#endif
