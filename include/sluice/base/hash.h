/*
 * hash - SipHash-2-4 (Aumasson, Bernstein 2012), and a table from names to
 * pointers that uses it.
 */
#ifndef SLUICE_BASE_HASH_H
#define SLUICE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/base/mem.h"
#include "sluice/base/span.h"

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_sip(const struct hash_key *key, const void *p, size_t n);

/* Keys are copied; values are the caller's. Keyed at random, so that nobody
 * who chooses names can make them collide. Reading is safe from any number of
 * threads while nobody writes. */
struct hash_table;

struct hash_table *hash_table_new(size_t expected) MUST_USE;
void hash_table_free(struct hash_table *t);

/* Replaces what was there and returns it, or NULL. value is not NULL. */
void *hash_table_put(struct hash_table *t, struct span key, void *value);
void *hash_table_get(const struct hash_table *t, struct span key);
size_t hash_table_count(const struct hash_table *t);

#endif
