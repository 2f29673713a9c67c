/*
 * SipHash-2-4 and a table with open addressing over it. The table is at most
 * half full, so a search is short; nothing is ever taken out, so a search may
 * stop at the first free slot.
 */
#include "sluice/base/hash.h"

#include <assert.h>
#include <stdlib.h>

#include "sluice/base/digest.h"
#include "sluice/base/mem.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void rounds(struct sip *s, unsigned n)
{
	while (n-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static void mix(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	rounds(s, 2);
	s->v0 ^= word;
}

/* Up to eight bytes as a little-endian number. */
static uint64_t word_at(const uint8_t *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

uint64_t hash_sip(const struct hash_key *key, const void *p, size_t n)
{
	const uint8_t *bytes = p;
	size_t whole = n - n % 8;
	struct sip s = {
		.v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = key->k1 ^ UINT64_C(0x7465646279746573),
	};

	for (size_t i = 0; i < whole; i += 8)
		mix(&s, word_at(bytes + i, 8));
	uint64_t last = n % 8 == 0 ? 0 : word_at(bytes + whole, n % 8);
	mix(&s, last | (uint64_t)n << 56);
	s.v2 ^= 0xff;
	rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

struct slot {
	uint64_t hash;
	char *key;
	size_t key_n;
	void *value; /* NULL: free */
};

struct hash_table {
	struct hash_key key;
	struct slot *slot;
	size_t n_slots; /* a power of two */
	size_t count;
};

struct hash_table *hash_table_new(size_t expected)
{
	struct hash_table *t = mem_zero(sizeof(*t));

	t->n_slots = 8;
	while (t->n_slots < expected * 2)
		t->n_slots *= 2;
	t->slot = mem_zero(t->n_slots * sizeof(*t->slot));
	digest_random(&t->key, sizeof(t->key));
	return t;
}

void hash_table_free(struct hash_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_slots; i++)
		free(t->slot[i].key);
	free(t->slot);
	free(t);
}

/* The slot that holds key, or the free one where it belongs. */
static struct slot *slot_of(const struct hash_table *t, struct span key, uint64_t hash)
{
	size_t i = hash & (t->n_slots - 1);

	for (;; i = (i + 1) & (t->n_slots - 1)) {
		struct slot *s = &t->slot[i];
		struct span its = { .p = s->key, .n = s->key_n };

		if (s->value == NULL || (s->hash == hash && span_eq(its, key)))
			return s;
	}
}

static void double_slots(struct hash_table *t)
{
	struct hash_table old = *t;

	t->n_slots *= 2;
	t->slot = mem_zero(t->n_slots * sizeof(*t->slot));
	for (size_t i = 0; i < old.n_slots; i++) {
		const struct slot *s = &old.slot[i];
		struct span key = { .p = s->key, .n = s->key_n };

		if (s->value != NULL)
			*slot_of(t, key, s->hash) = *s;
	}
	free(old.slot);
}

void *hash_table_put(struct hash_table *t, struct span key, void *value)
{
	assert(value != NULL);

	uint64_t hash = hash_sip(&t->key, key.p, key.n);
	struct slot *s = slot_of(t, key, hash);
	if (s->value != NULL) {
		void *before = s->value;

		s->value = value;
		return before;
	}
	if ((t->count + 1) * 2 > t->n_slots) {
		double_slots(t);
		s = slot_of(t, key, hash);
	}
	*s = (struct slot){
		.hash = hash,
		.key = mem_text_n(key.p, key.n),
		.key_n = key.n,
		.value = value,
	};
	t->count++;
	return NULL;
}

void *hash_table_get(const struct hash_table *t, struct span key)
{
	return slot_of(t, key, hash_sip(&t->key, key.p, key.n))->value;
}

size_t hash_table_count(const struct hash_table *t)
{
	return t->count;
}
