/*
 * Ticket keys in a ring of slots: see keyring.h.
 *
 * Key n is in slot n modulo the slots, and only the newest three are ever read, so the
 * slot that the next key goes to is nobody's. (A reader would have to sleep for twelve
 * hours between choosing a key and using it.) The number of the newest key is published
 * after the key itself.
 */
#include "sluice/net/keyring.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "sluice/base/digest.h"

enum { OPENING_KEYS = KEYRING_SLOTS - 1 };

static const uint64_t seals_ms = UINT64_C(12) * 3600 * 1000,
		      opens_ms = UINT64_C(36) * 3600 * 1000;

static bool is_younger(const struct keyring_key *k, uint64_t now_ms, uint64_t age_ms)
{
	/* Another thread may have read the clock a little later than we did. */
	return now_ms < k->born_ms || now_ms - k->born_ms < age_ms;
}

/* The number of the newest key afterwards. */
static uint64_t draw(struct keyring *r, uint64_t n, uint64_t now_ms)
{
	struct keyring_key *k = &r->key[(n + 1) % KEYRING_SLOTS];
	uint64_t expected = n;

	if (!atomic_compare_exchange_strong(&r->drawing, &expected, n + 1))
		return n; /* somebody else is at it */
	digest_random(k->name, sizeof(k->name));
	digest_random(k->aes, sizeof(k->aes));
	digest_random(k->hmac, sizeof(k->hmac));
	k->born_ms = now_ms;
	atomic_store_explicit(&r->newest, n + 1, memory_order_release);
	return n + 1;
}

const struct keyring_key *keyring_current(struct keyring *r, uint64_t now_ms)
{
	uint64_t n = atomic_load_explicit(&r->newest, memory_order_acquire);

	if (n == 0 || !is_younger(&r->key[n % KEYRING_SLOTS], now_ms, seals_ms))
		n = draw(r, n, now_ms);
	return n == 0 ? NULL : &r->key[n % KEYRING_SLOTS];
}

const struct keyring_key *keyring_find(const struct keyring *r,
	const uint8_t name[static KEYRING_NAME], uint64_t now_ms)
{
	uint64_t newest = atomic_load_explicit(&r->newest, memory_order_acquire);

	for (uint64_t n = newest; n > 0 && n + OPENING_KEYS > newest; n--) {
		const struct keyring_key *k = &r->key[n % KEYRING_SLOTS];

		if (memcmp(k->name, name, KEYRING_NAME) == 0)
			return is_younger(k, now_ms, opens_ms) ? k : NULL;
	}
	return NULL;
}
