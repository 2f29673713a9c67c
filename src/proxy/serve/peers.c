/*
 * How many connections each client address has, over all threads, and how often it shakes
 * hands: only kept while limits.connections_per_client and handshakes_per_client are set.
 * An IPv6 client is its /64.
 *
 * Who shakes hands is remembered for a second at most, in a table that does not grow:
 * where its places are all taken, an address is not metered, rather than refused for the
 * sake of others.
 *
 * Taken once a connection, never on the request path; the lock is one of many, by hash.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/hash.h"

#include "proxy_priv.h"

enum { SHARDS = 64, BUCKETS = 256, ROWS = 64, PLACES = 8 };

#define NS_A_SECOND UINT64_C(1000000000)

struct peer {
	struct peer *next;
	uint64_t address[2];
	uint32_t count;
};

/* A bucket that leaks: every handshake is a step further ahead of the clock, and nobody
 * may be more than a second ahead. */
struct shaking {
	uint64_t address[2];
	uint64_t until_ns; /* in the past: the place is free */
};

struct peers {
	struct hash_key key;
	struct shard {
		pthread_mutex_t lock;
		struct peer *bucket[BUCKETS];
		struct shaking *row; /* ROWS of PLACES; NULL: nobody was metered yet */
	} shard[SHARDS];
};

struct peers *peers_new(void)
{
	struct peers *p = mem_zero(sizeof(*p));

	digest_random(&p->key, sizeof(p->key));
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_mutex_init(&p->shard[i].lock, NULL);
	return p;
}

static void free_bucket(struct peer *e)
{
	while (e != NULL) {
		struct peer *next = e->next;

		free(e);
		e = next;
	}
}

void peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < SHARDS; i++) {
		for (unsigned k = 0; k < BUCKETS; k++)
			free_bucket(p->shard[i].bucket[k]);
		free(p->shard[i].row);
		pthread_mutex_destroy(&p->shard[i].lock);
	}
	free(p);
}

static bool key_of(const struct sockaddr *sa, uint64_t key[static 2])
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

	key[0] = key[1] = 0;
	if (sa->sa_family == AF_INET) {
		key[1] = in4->sin_addr.s_addr;
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	memcpy(key, &in6->sin6_addr, IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? 16 : 8);
	return true;
}

/* The link that leads to the address' entry, or to the end of its bucket. */
static struct peer **find(
	struct peers *p, const uint64_t key[static 2], struct shard **s)
{
	uint64_t h = hash_sip(&p->key, key, 2 * sizeof(uint64_t));
	struct peer **at;

	*s = &p->shard[h % SHARDS];
	pthread_mutex_lock(&(*s)->lock);
	at = &(*s)->bucket[h / SHARDS % BUCKETS];
	while (*at != NULL && memcmp((*at)->address, key, sizeof((*at)->address)) != 0)
		at = &(*at)->next;
	return at;
}

bool peers_conn_acquire(struct peers *p, const struct sockaddr *sa, uint32_t max)
{
	uint64_t key[2];
	struct shard *s;
	struct peer **at;
	bool within;

	if (!key_of(sa, key))
		return true;
	at = find(p, key, &s);
	if (*at == NULL) {
		*at = mem_try_zero(sizeof(**at));
		if (*at != NULL)
			memcpy((*at)->address, key, sizeof(key));
	}
	within = *at != NULL && (*at)->count < max;
	if (within)
		(*at)->count++;
	pthread_mutex_unlock(&s->lock);
	return within;
}

void peers_conn_release(struct peers *p, const struct sockaddr *sa)
{
	uint64_t key[2];
	struct shard *s;
	struct peer **at, *gone;

	if (!key_of(sa, key))
		return;
	at = find(p, key, &s);
	gone = *at;
	if (gone != NULL && --gone->count == 0) {
		*at = gone->next;
		free(gone);
	}
	pthread_mutex_unlock(&s->lock);
}

/* The address' place, else a free one of its row, else NULL. */
static struct shaking *place_of(
	struct shaking *row, const uint64_t key[static 2], uint64_t now_ns)
{
	struct shaking *place = NULL;

	for (struct shaking *at = row; at < row + PLACES; at++) {
		if (memcmp(at->address, key, sizeof(at->address)) == 0)
			return at;
		if (at->until_ns <= now_ns)
			place = at;
	}
	return place;
}

static bool step_ahead(struct shaking *at, uint32_t rate, uint64_t now_ns)
{
	uint64_t step = NS_A_SECOND / rate;
	uint64_t from = at->until_ns > now_ns ? at->until_ns : now_ns;

	if (from + step > now_ns + NS_A_SECOND)
		return false;
	at->until_ns = from + step;
	return true;
}

bool peers_handshake_allow(
	struct peers *p, const struct sockaddr *sa, uint32_t rate, uint64_t now_ns)
{
	uint64_t key[2], h;
	struct shard *s;
	struct shaking *at;
	bool within = true;

	if (!key_of(sa, key))
		return true;
	h = hash_sip(&p->key, key, sizeof(key));
	s = &p->shard[h % SHARDS];
	pthread_mutex_lock(&s->lock);
	if (s->row == NULL)
		s->row = mem_try_zero(sizeof(*s->row) * ROWS * PLACES);
	at = s->row == NULL
		     ? NULL
		     : place_of(&s->row[h / SHARDS % ROWS * PLACES], key, now_ns);
	if (at != NULL) {
		memcpy(at->address, key, sizeof(key));
		within = step_ahead(at, rate, now_ns);
	}
	pthread_mutex_unlock(&s->lock);
	return within;
}
