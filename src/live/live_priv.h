/*
 * live_priv - the file's format, and the map of it.
 */
#ifndef SLUICE_LIVE_PRIV_H
#define SLUICE_LIVE_PRIV_H

#include <stdint.h>
#include <sys/types.h>

#include "sluice/live.h"

enum { LIVE_MAGIC = 8 };

struct head {
	char magic[LIVE_MAGIC];
	uint32_t version, words;
};

struct layout {
	struct head head;
	_Alignas(64) _Atomic uint64_t cutback_wanted;
	_Atomic uint64_t cutback_done;
	struct live_word word[LIVE_WORDS];
};

struct live {
	char *path;
	struct layout *map;
	bool is_kept; /* the map is the file's */
	dev_t device;
	ino_t inode; /* of the file, while it is kept */
};

/* watch.c */
void watch_note(const void *p, size_t n); /* after each change of the map */
bool watch_was_cut(void);                 /* since the last call */
void watch_end(const struct live *live);

#endif
