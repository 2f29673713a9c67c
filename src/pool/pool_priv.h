/* pool's own: the live objects' insides, which the files of this room share. */
#ifndef SLUICE_POOL_PRIV_H
#define SLUICE_POOL_PRIV_H

#include <stdatomic.h>

#include "sluice/base/hash.h"
#include "sluice/base/list.h"
#include "sluice/base/mem.h"
#include "sluice/base/units.h"
#include "sluice/pool/bucket.h"
#include "sluice/pool/migration.h"
#include "sluice/pool/pool.h"
#include "sluice/pool/server.h"
#include "sluice/pool/wait.h"
#include "sluice/shift.h"

enum { CACHE_LINE = 64 };

/* --- budgets: retries and rescues of one data thread ------------------------ */

struct budget {
	int64_t tokens_ppm;
	uint64_t last_ns;
	uint32_t per_second_ppm; /* this thread's part of ten a second */
};

void budget_init(struct budget *b, unsigned threads);
void budget_earn(struct budget *b, uint32_t ppm);
bool budget_spend(struct budget *b, uint64_t now_ns);

/* --- servers ------------------------------------------------------------------- */

struct group_cell { /* one data thread's waiters; it alone touches the lists */
	_Alignas(CACHE_LINE) struct link waiters;
	struct link of_thread; /* in the registry's waited[], while there are some */
	struct group *group;
	_Atomic uint64_t first; /* the lowest ticket; 0: nobody waits */
	_Atomic bool called;    /* a server was given back for one of these */
};

/* What the servers of one pool name share over all snapshots. */
struct group {
	char name[CONFIG_NAME_SIZE];
	struct registry *registry;
	_Atomic bool limited; /* it or a server of it has a limit of requests */
	_Atomic uint32_t n_waiting;
	_Atomic uint64_t tickets;
	unsigned threads;
	struct group_cell *cell;
	_Atomic uint32_t n_ejected, max_ejected, eject_failures;
	_Atomic bool checked; /* active checks bring its servers back */
};

struct server_cell { /* one data thread's; it alone writes */
	_Alignas(CACHE_LINE) _Atomic uint32_t in_flight;
	_Atomic uint32_t n_idle;
	_Atomic uint64_t requests, connects, reuses;
	struct link idle; /* the one used last is first; its thread alone */
	int64_t turn; /* what it has gained in its pool's rounds; its thread alone */
	bool has_turn;
	_Atomic uint32_t n_sessions;
	struct server_sessions sessions; /* its thread alone */
	_Atomic uint64_t tunnels, tunnels_open;
	_Atomic uint64_t messages[2], bytes[2]; /* through tunnels: out, in */
};

enum { ADDRESS_WORDS = (sizeof(struct sockaddr_storage) + 7) / 8 };

struct server {
	char *address;
	struct group *group;
	uint64_t id;
	unsigned refs;    /* control */
	uint64_t serial;  /* control: of the last registry_commit that named it */
	struct link link; /* in the registry's list */

	_Atomic int health; /* enum server_health */
	bool is_named;      /* by a name, whose address may change */
	_Atomic bool ejected, retired;
	_Atomic uint64_t manner; /* of the pool that was committed last */
	_Atomic uint32_t fails_in_row;
	_Atomic uint64_t failures, ejections;
	_Atomic uint64_t ejected_ns;
	_Atomic uint32_t
		idle_ms; /* learned: how long it keeps idle connections; 0: not seen */

	/* The address, guarded by a sequence that is odd while it changes. */
	_Atomic uint32_t where_seq;
	_Atomic uint32_t where_len; /* 0: not resolved */
	_Atomic uint64_t where[ADDRESS_WORDS];

	char why[128]; /* control */
	uint64_t since_us;
	unsigned n_cells;
	struct server_cell *cell;
};

struct server *server_new(
	struct group *g, const struct config_server *c, unsigned threads);
void server_free(struct server *s);
void server_end_ejection(struct server *s);

/* --- pools --------------------------------------------------------------------- */

/* One data thread's turns among a pool's servers (turn.c). */
struct turns {
	bool begun;
	uint32_t *index; /* of the servers that take part in this round; n of them */
	size_t n;
};

struct pool_cell { /* one data thread's */
	_Alignas(CACHE_LINE) struct budget budget;
	struct turns turns;
};

struct pool {
	const struct config_pool *config;
	struct registry *registry;
	struct group *group;
	struct net_tls *tls, *check_tls;
	uint64_t manner;
	_Atomic uint32_t waiting; /* exchanges, in all threads */
	size_t n;
	struct server **server;
	unsigned n_cells;
	struct pool_cell *cell;
	int64_t sum_weights, cycle; /* so many turns until all is as before */
};

/* turn.c */
void turns_init(struct pool *p); /* its cells are there */
void turns_fini(struct pool *p);
/* Before the thread's first round. */
void turns_begin(struct pool *p, unsigned thread);
/* One of those in the thread's turns, of which there is one at least. */
size_t turn_take(struct pool *p, unsigned thread);

/* manner.c */
uint64_t manner_of(const struct config_pool *c);

/* --- migrations ------------------------------------------------------------------ */

struct migration_cell { /* one data thread's */
	_Alignas(CACHE_LINE) struct split split, spill, overflow;
	struct budget rescue;
	_Atomic uint64_t v[N_SIDES][N_SIDE_COUNTS];
	_Atomic uint64_t outcome[N_SIDES][N_OUTCOMES];
	struct hist *hist[N_SIDES];
};

struct migration {
	char name[CONFIG_NAME_SIZE];
	struct link link; /* in the registry's list */
	unsigned refs;    /* control */
	struct live *live;
	struct live_word *word;
	_Atomic uint32_t run, passed_ppm;
	_Atomic bool seen_new, hard;
	struct bucket upgrades, leaving;
	_Atomic uint64_t slow_us;
	_Atomic uint64_t ratio_us[N_SIDES];
	struct hist_total *total[N_SIDES]; /* control */
	unsigned n_cells;
	struct migration_cell *cell;
};

struct migration *migration_new(const char *name, struct registry *r);
void migration_free(struct migration *m);

/* --- the registry --------------------------------------------------------------- */

/* wait.c: after a server of g was given back by this thread. */
void wait_call(struct group *g, unsigned from);
/* registry.c */
struct group *registry_group(struct registry *r, const char *name);

struct registry {
	unsigned threads;
	struct link *waited; /* struct group_cell, for each thread */
	void (*on_room)(void *arg, unsigned from, unsigned thread);
	void *on_room_arg;
	struct live *live;
	uint64_t next_id, serial;
	struct link servers, migrations;
	struct hash_table *by_address; /* "pool address" to server */
	struct hash_table *groups;
	struct group **group;
	size_t n_groups;
};

/* One writer: a plain add without the bus lock. Stored and read in order, so that who
 * reads a part (bad) before its whole (all) never sees more bad ones than there are. */
static inline void count_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
		memory_order_release);
}

static inline uint64_t count_read(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_acquire);
}

#endif
