/*
 * keyring - the keys that session tickets are sealed with, changing with time.
 *
 * A key seals for 12 hours; it opens what it sealed for 24 more. Any number of threads
 * may ask at the same time, and none ever waits: the first one to find the newest key
 * too old draws the next, and the others use what there is. A ring that is all zero is
 * a good, empty one. The time is the monotonic clock's, given by the caller.
 */
#ifndef SLUICE_NET_KEYRING_H
#define SLUICE_NET_KEYRING_H

#include <stdatomic.h>
#include <stdint.h>

enum { KEYRING_NAME = 16, KEYRING_SLOTS = 4 };

struct keyring_key {
	uint8_t name[KEYRING_NAME]; /* travels with the ticket, for all to see */
	uint8_t aes[32], hmac[32];
	uint64_t born_ms;
};

struct keyring {
	_Atomic uint64_t newest;  /* how many were drawn; the last one is in use */
	_Atomic uint64_t drawing; /* above newest while somebody draws */
	struct keyring_key key[KEYRING_SLOTS];
};

/* The key to seal with. NULL only while another thread draws the very first one. */
const struct keyring_key *keyring_current(struct keyring *r, uint64_t now_ms);
/* The key of that name, NULL when it is not known or too old. */
const struct keyring_key *keyring_find(const struct keyring *r,
	const uint8_t name[static KEYRING_NAME], uint64_t now_ms);

#endif
