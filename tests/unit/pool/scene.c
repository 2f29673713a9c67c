/* See scene.h. */
#include "scene.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COPIES = 32 };

struct registry *registry;
struct live *live;
struct config_pool settings;
struct config_server servers[SCENE_SERVERS];
struct pool *pool;

static char live_path[] = "/tmp/sluice-pool-XXXXXX";
static char texts[SCENE_SERVERS][32];

static void set_servers(void)
{
	for (unsigned i = 0; i < SCENE_SERVERS; i++) {
		struct config_address *a = &servers[i].address;

		(void)snprintf(texts[i], sizeof(texts[i]), "127.0.0.1:%u", i + 1);
		a->text = texts[i];
		a->numeric = true;
		a->sa_len = sizeof(a->sa.in4);
		a->sa.in4 = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_port = htons((uint16_t)(i + 1)),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	}
}

void scene_open(void)
{
	struct err err = { .text = "" };
	bool fresh;
	int fd = mkstemp(live_path);

	cr_assert_neq(fd, -1);
	close(fd);
	(void)remove(live_path);
	cr_assert_eq(live_open(&live, live_path, &fresh, &err), 0, "%s", err.text);
	registry = registry_new(SCENE_THREADS, live);
	set_servers();
	settings = (struct config_pool){ .name = "new",
		.servers = servers,
		.balance = CONFIG_ROUND_ROBIN,
		.health = { .type = CONFIG_HEALTH_TCP },
		.eject_failures = 3,
		.eject_max_ppm = 500000 };
}

void scene_close(void)
{
	pool_free(pool);
	registry_free(registry);
	live_close(live);
	(void)remove(live_path);
}

void has_servers(size_t n)
{
	cr_assert_leq(n, SCENE_SERVERS);
	settings.n_servers = n;
	for (size_t i = 0; i < n; i++)
		servers[i].weight = 1;
}

struct pool *build(void)
{
	static struct config_pool copies[COPIES];
	static struct config_server own[COPIES][SCENE_SERVERS];
	static unsigned n;
	struct pool *p = NULL;
	struct err err = { .text = "" };

	cr_assert_lt(n, COPIES);
	memcpy(own[n], settings.servers, settings.n_servers * sizeof(own[n][0]));
	copies[n] = settings;
	copies[n].servers = own[n];
	cr_assert_eq(pool_load(&p, &copies[n++], &err), 0, "%s", err.text);
	pool_bind(p, registry);
	return p;
}

void commit(struct pool *p)
{
	registry_commit(registry, &p, 1);
}

void open_pool(void)
{
	pool = build();
	commit(pool);
}

struct server *server(size_t i)
{
	return pool_server(pool, i);
}

void all_up(void)
{
	for (size_t i = 0; i < pool_n_servers(pool); i++)
		(void)server_set_health(server(i), SERVER_UP, "status 200");
}

static size_t index_of(const struct server *s)
{
	size_t i = 0;

	while (i < pool_n_servers(pool) && server(i) != s)
		i++;
	return i;
}

size_t pick_with(const struct pool_wish *wish, enum pool_miss *miss)
{
	struct server *s = pool_pick(pool, wish, miss);

	return s != NULL ? index_of(s) : SIZE_MAX;
}

size_t pick(void)
{
	const struct pool_wish wish = { .thread = 0 };
	enum pool_miss miss;

	return pick_with(&wish, &miss);
}

size_t pick_and_release(void)
{
	size_t i = pick();

	if (i != SIZE_MAX)
		server_release(server(i), 0);
	return i;
}

void set_weight(struct migration *m, uint32_t new_ppm, enum live_latch latch)
{
	struct live_value now = live_load(migration_word(m));

	live_store(migration_word(m), (struct live_value){ .new_ppm = new_ppm,
					      .latch = latch,
					      .generation = now.generation + 1 });
}

struct migration *migration_at(const char *name, uint32_t new_ppm)
{
	struct migration *m = registry_migration(registry, name);

	set_weight(m, new_ppm, LIVE_OPEN);
	return m;
}
