/*
 * scene - pools as a configuration would say them, in a registry of a few threads.
 */
#ifndef TESTS_UNIT_POOL_SCENE_H
#define TESTS_UNIT_POOL_SCENE_H

#include <criterion/criterion.h>

#include "sluice/pool/migration.h"
#include "sluice/pool/pool.h"
#include "sluice/pool/server.h"

enum { SCENE_THREADS = 3, SCENE_SERVERS = 16 };

extern struct registry *registry;
extern struct live *live;
/* What the next pool is built from; servers are 127.0.0.1:1 and so on. */
extern struct config_pool settings;
extern struct config_server servers[SCENE_SERVERS];
extern struct pool *pool;

void scene_open(void);
void scene_close(void);

/* n servers of weight 1. */
void has_servers(size_t n);
/* Another pool of settings, with a copy of their own; commit makes it the one that
 * counts. Freed with pool_free. */
struct pool *build(void);
void commit(struct pool *p);
/* pool, built and committed. */
void open_pool(void);

struct server *server(size_t i);
void all_up(void);
/* The index of the server that thread 0 gets, SIZE_MAX: none; kept in flight. */
size_t pick(void);
size_t pick_with(const struct pool_wish *wish, enum pool_miss *miss);
/* As pick, and given back at once. */
size_t pick_and_release(void);

/* A migration of this name, at this weight to new. */
struct migration *migration_at(const char *name, uint32_t new_ppm);
void set_weight(struct migration *m, uint32_t new_ppm, enum live_latch latch);

#endif
