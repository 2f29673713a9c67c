/*
 * Live objects between the threads that use them: a server's address is read whole
 * while control changes it, a sum never shows more bad ones than all, and of the
 * servers of a pool never more are ejected than may be, whoever counts their failures;
 * and no bound of requests is passed, whoever asks.
 */
#include "sluice/pool/pool.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/pool/migration.h"

enum {
	WRITERS = 3,
	COUNTED = 60000,
	CHANGES = 20000,
	SERVERS = 4,
	ROUNDS = 20000,
	PAIR = 2
};

static struct registry *registry;
static struct live *live;
static struct pool *pool, *bounded;
static struct migration *m;
static struct config_server servers[SERVERS];
static char names[SERVERS][16];
static atomic_uint running, have_seen, picked;
static atomic_bool over;

static void begin(pthread_t *thread, void *(*run)(void *), void *arg)
{
	int rc = pthread_create(thread, NULL, run, arg);

	assert(rc == 0);
}

/* --- addresses ---------------------------------------------------------------------
 */

/* All bytes of one address are the same; so a mixture shows. */
static struct sockaddr_in6 address_of(unsigned char fill)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };

	memset(&sa.sin6_addr, fill, sizeof(sa.sin6_addr));
	memset(&sa.sin6_port, fill, sizeof(sa.sin6_port));
	sa.sin6_scope_id = fill * UINT32_C(0x01010101);
	return sa;
}

static void *read_addresses(void *arg)
{
	const struct server *s = pool_server(pool, 0);
	bool seen = false;

	(void)arg;
	while (!atomic_load(&over)) {
		struct sockaddr_storage sa;
		struct sockaddr_in6 got, whole;
		socklen_t len;

		if (!server_sockaddr(s, &sa, &len))
			continue;
		assert(len == sizeof(got));
		memcpy(&got, &sa, sizeof(got));
		whole = address_of(got.sin6_addr.s6_addr[0]);
		assert(memcmp(&got, &whole, sizeof(got)) == 0);
		if (!seen)
			atomic_fetch_add(&have_seen, 1);
		seen = true;
	}
	return NULL;
}

static void an_address_is_read_whole_while_it_changes(void)
{
	pthread_t reader[2];

	for (size_t i = 0; i < 2; i++)
		begin(&reader[i], read_addresses, NULL);
	for (unsigned i = 0; i < CHANGES || atomic_load(&have_seen) < 2; i++) {
		struct sockaddr_in6 sa = address_of((unsigned char)(i % 251 + 1));

		server_set_sockaddr(
			pool_server(pool, 0), (struct sockaddr *)&sa, sizeof(sa));
	}
	atomic_store(&over, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(reader[i], NULL);
}

/* --- counters ------------------------------------------------------------------------
 */

/* In the order of an exchange: all, then the bad one. */
static void *count(void *arg)
{
	unsigned thread = *(unsigned *)arg;

	for (unsigned i = 0; i < COUNTED; i++) {
		struct mark mark = migration_mark(m, SIDE_NEW);

		migration_add(m, thread, SIDE_NEW, COUNT_ATTEMPTS, 1);
		migration_add(m, thread, SIDE_NEW, COUNT_ERRORS, 1);
		migration_add_marked(m, thread, SIDE_NEW, GUARD_N, &mark);
		migration_add_marked(m, thread, SIDE_NEW, GUARD_K, &mark);
		migration_latency(m, thread, SIDE_NEW, i);
		(void)migration_split(m, thread);
	}
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static struct migration_counts sum_now(void)
{
	struct migration_counts sum;

	migration_sum(m, &sum);
	assert(sum.v[SIDE_NEW][COUNT_ERRORS] <= sum.v[SIDE_NEW][COUNT_ATTEMPTS]);
	assert(sum.v[SIDE_NEW][GUARD_K] <= sum.v[SIDE_NEW][GUARD_N]);
	return sum;
}

static void sums_are_never_more_bad_than_all(void)
{
	static unsigned index[WRITERS] = { 0, 1, 2 };
	pthread_t writer[WRITERS];
	uint64_t before = 0, sums = 0;
	uint32_t run = 0;

	atomic_store(&running, WRITERS);
	for (size_t i = 0; i < WRITERS; i++)
		begin(&writer[i], count, &index[i]);
	while (atomic_load(&running) > 0) {
		uint64_t now = sum_now().v[SIDE_NEW][COUNT_ATTEMPTS];
		struct hist_view view = { .count = { 0 } };

		assert(now >= before);
		before = now;
		migration_add_hist(m, SIDE_NEW, &view);
		migration_set_run(m, ++run);
		live_store(migration_word(m),
			(struct live_value){
				.new_ppm = run % 1000000, .generation = run });
		sums++;
	}
	for (size_t i = 0; i < WRITERS; i++)
		pthread_join(writer[i], NULL);
	assert(sum_now().v[SIDE_NEW][COUNT_ATTEMPTS] == (uint64_t)WRITERS * COUNTED);
	printf("%llu sums, none with more bad ones than all\n",
		(unsigned long long)sums);
}

/* --- ejection
 * -------------------------------------------------------------------------- */

static void *fail_all(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct server *s = pool_server(pool, i % SERVERS);

		(void)server_note_failure(s);
		if (i % 7 == 0)
			server_note_answer(s);
	}
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static unsigned n_ejected(void)
{
	return pool_capacity(pool, true).n_ejected;
}

static void ejections_never_pass_the_share(void)
{
	pthread_t thread[WRITERS];

	atomic_store(&running, WRITERS);
	for (size_t i = 0; i < WRITERS; i++)
		begin(&thread[i], fail_all, NULL);
	while (atomic_load(&running) > 0)
		assert(n_ejected() <= SERVERS / 2);
	/* None is counted as out that is in: all places are there again. */
	for (size_t i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	for (size_t i = 0; i < SERVERS; i++)
		(void)server_set_health(pool_server(pool, i), SERVER_UP, "up");
	assert(n_ejected() == 0);
	for (unsigned i = 0; i < 100; i++)
		(void)server_note_failure(pool_server(pool, i % SERVERS));
	assert(n_ejected() == SERVERS / 2);
}

/* --- bounds of requests
 * ---------------------------------------------------------------------------- */

static atomic_uint arrived, held;

/* Both at the same moment, as nearly as it can be had. */
static void meet(unsigned times)
{
	atomic_fetch_add(&arrived, 1);
	while (atomic_load(&arrived) < times * PAIR)
		sched_yield();
}

static void *take_the_last_place(void *arg)
{
	const struct pool_wish wish = { .thread = *(unsigned *)arg,
		.unknown_counts = true };
	enum pool_miss miss;

	for (unsigned i = 0; i < ROUNDS; i++) {
		meet(3 * i + 1);
		struct server *s = pool_pick(bounded, &wish, &miss);

		assert(s != NULL || miss == POOL_ALL_BUSY);
		assert(s == NULL || atomic_fetch_add(&held, 1) == 0);
		if (s != NULL)
			atomic_fetch_add(&picked, 1);
		meet(3 * i + 2);
		if (s != NULL) {
			atomic_fetch_sub(&held, 1);
			server_release(s, wish.thread);
		}
		meet(3 * i + 3);
	}
	return NULL;
}

static void the_last_place_is_never_taken_twice(void)
{
	static unsigned index[PAIR] = { 0, 1 };
	pthread_t thread[PAIR];

	for (size_t i = 0; i < PAIR; i++)
		begin(&thread[i], take_the_last_place, &index[i]);
	for (size_t i = 0; i < PAIR; i++)
		pthread_join(thread[i], NULL);
	assert(atomic_load(&picked) > 0);
}

/* --- setting
 * --------------------------------------------------------------------------- */

static const struct config_pool settings = {
	.name = "new",
	.servers = servers,
	.n_servers = SERVERS,
	.health = { .type = CONFIG_HEALTH_TCP },
	.eject_failures = 3,
	.eject_max_ppm = 500000,
};

static struct config_server bounded_servers[SERVERS];
static const struct config_pool bounded_settings = {
	.name = "bounded",
	.servers = bounded_servers,
	.n_servers = SERVERS,
	.max_requests = 1,
	.eject_failures = 3,
};

static char path[] = "/tmp/sluice-threads-XXXXXX";

static void set_up(void)
{
	struct err err;
	bool fresh;
	int fd = mkstemp(path), rc;

	assert(fd != -1);
	close(fd);
	(void)remove(path);
	rc = live_open(&live, path, &fresh, &err);
	assert(rc == 0);
	registry = registry_new(WRITERS, live);
	for (size_t i = 0; i < SERVERS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "s%zu:1", i);
		servers[i] =
			(struct config_server){ .address.text = names[i], .weight = 1 };
	}
	rc = pool_load(&pool, &settings, &err);
	assert(rc == 0);
	pool_bind(pool, registry);
	memcpy(bounded_servers, servers, sizeof(servers));
	for (size_t i = 0; i < SERVERS; i++) {
		bounded_servers[i].address.numeric = true;
		bounded_servers[i].address.sa_len = sizeof(struct sockaddr_in);
	}
	rc = pool_load(&bounded, &bounded_settings, &err);
	assert(rc == 0);
	pool_bind(bounded, registry);
	registry_commit(registry, (struct pool *[]){ pool, bounded }, 2);
	m = registry_migration(registry, "checkout");
}

int main(void)
{
	set_up();
	an_address_is_read_whole_while_it_changes();
	sums_are_never_more_bad_than_all();
	ejections_never_pass_the_share();
	the_last_place_is_never_taken_twice();
	migration_unref(registry, m);
	pool_free(bounded);
	pool_free(pool);
	registry_free(registry);
	live_close(live);
	(void)remove(path);
	return 0;
}
