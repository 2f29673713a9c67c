/* The core of control with one migration, "shop", in a world that the test is: its clock,
 * its journal and its pools. The live file and the counters are real. */
#ifndef SLUICE_TESTS_SHIFTER_WORLD_H
#define SLUICE_TESTS_SHIFTER_WORLD_H

#include "control_priv.h"

enum { WORLD_ROWS = 16 };

struct world {
	struct control c;
	struct track *t;
	uint64_t ms;
	struct { /* what the journal was given, in order */
		char action[32], actor[32], phase[16];
		uint32_t from_ppm, to_ppm;
		uint32_t live_ppm; /* what data threads obeyed at that moment */
	} row[WORLD_ROWS];
	size_t rows;
	unsigned nudges;
	bool legacy_down, new_down;
};

/* A plan of 10, 50 and 100 %. */
void world_open(struct world *w);
void world_close(struct world *w);
/* A command of root; its answer. */
struct admin_reply world_asks(struct world *w, enum shift_command c, uint32_t new_ppm);
/* All rows so far are on the disk. */
void world_commits(struct world *w);
uint32_t world_live_ppm(const struct world *w); /* what data threads obey now */

#endif
