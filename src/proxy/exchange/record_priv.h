/*
 * The record of a request: what there is to tell of it, filled as things happen and told
 * once, at its end, to who reads records (record.c): so far the counters of users.
 */
#ifndef SLUICE_PROXY_RECORD_PRIV_H
#define SLUICE_PROXY_RECORD_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/pool/migration.h"

/* How it ended, for the user. */
enum ending {
	ENDING_NONE,
	ENDING_WHOLE,  /* with all of an answer, or a tunnel */
	ENDING_BROKEN, /* with a part of one, and not by the client's doing */
	ENDING_CLIENT  /* before that: it left, or sent what nobody can answer */
};

struct exchange_record {
	char id[64];
	uint8_t id_n;
	enum ending ending;

	/* Of the loop's clock, ns; 0: it did not come to that. */
	uint64_t begun_ns; /* its first byte */
	uint64_t ready_ns; /* its head was whole, and may go up */

	/* Who it was for, set at its end. */
	struct migration *migration; /* NULL: a plain pool's, or refused before that */
	enum side side;

	unsigned tries, tries_of_new; /* all; those before a rescue */
	uint8_t n_unprocessed;        /* that were none, by their server's word */
	bool rescued;

	uint16_t status;              /* 0: no answer began */
	bool own;                     /* the answer is sluice's */
	uint64_t bytes_in, bytes_out; /* of the bodies */
};

#endif
