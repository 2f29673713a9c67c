/*
 * Data threads under a control that never rests: snapshots come and go, servers leave
 * and return, weights, addresses and health change, counters are summed, all while
 * clients ask. Each request is answered, whole.
 */
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sluice/base/mem.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"

#include "house.h"

enum { WORKERS = 3, CLIENTS = 3, REQUESTS = 1500, A_CONNECTION = 15, ORIGINS = 3 };

static struct house house;
static uint16_t port[ORIGINS];
static pthread_mutex_t told = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static unsigned running, answered; /* under told */

/* --- the origins: one loop on a thread of its own -----------------------------------
 */

static struct net_loop *origin_loop;
static struct net_waker *origin_end;
static struct net_acceptor *origin[ORIGINS];

static void on_request(void *arg, unsigned events)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct iovec v = { .iov_base = (char *)answer, .iov_len = sizeof(answer) - 1 };
	char bytes[4096];
	struct net_conn *c = arg;
	ssize_t n = net_read(c, bytes, sizeof(bytes));

	(void)events;
	if (n == NET_AGAIN)
		return;
	if (n <= 0) {
		net_conn_close(c);
		return;
	}
	/* A head without a body comes in one piece. */
	assert(n > 4 && memcmp(bytes + n - 4, "\r\n\r\n", 4) == 0);
	n = net_write(c, &v, 1);
	assert(n == (ssize_t)v.iov_len || n == NET_BROKEN);
}

static void on_connection(void *arg, struct net_conn *c)
{
	(void)arg;
	net_conn_own(c, (struct net_owner){ .on_event = on_request, .arg = c });
	net_conn_want_read(c, true);
}

static void on_origin_end(void *arg)
{
	(void)arg;
	net_loop_stop(origin_loop);
}

static void *run_origins(void *arg)
{
	net_loop_run(origin_loop);
	return arg;
}

static void open_origins(pthread_t *thread)
{
	const struct net_accept to = { .on_accept = on_connection };
	int rc;

	origin_loop = net_loop_new(0);
	origin_end = net_waker_new(origin_loop, on_origin_end, NULL);
	for (size_t i = 0; i < ORIGINS; i++) {
		int fd = far_listen(&port[i]);

		rc = fcntl(fd, F_SETFL, O_NONBLOCK);
		assert(rc == 0);
		origin[i] = net_acceptor_new(origin_loop, fd, &to);
	}
	rc = pthread_create(thread, NULL, run_origins, NULL);
	assert(rc == 0);
}

/* What the loop still has goes with the process. */
static void end_origins(pthread_t thread)
{
	net_wake(origin_end);
	pthread_join(thread, NULL);
}

/* --- clients
 * --------------------------------------------------------------------------- */

static void tell(unsigned *what, int change)
{
	pthread_mutex_lock(&told);
	*what += (unsigned)change;
	pthread_cond_signal(&news);
	pthread_mutex_unlock(&told);
}

static void ask(int fd)
{
	const char *answer;

	far_write(fd, "GET /some/path HTTP/1.1\r\nHost: example.net\r\n\r\n");
	answer = far_read(fd, 2);
	assert(answer != NULL);
	assert(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0);
	tell(&answered, 1);
}

static void *run_client(void *arg)
{
	for (unsigned i = 0; i < REQUESTS / A_CONNECTION; i++) {
		int fd = house_connect(&house);

		for (unsigned k = 0; k < A_CONNECTION; k++)
			ask(fd);
		close(fd);
	}
	tell(&running, -1);
	return arg;
}

/* --- control
 * ----------------------------------------------------------------------------- */

/* Another one each time: of the three servers of new one is missing, in turn. */
static void publish(unsigned round)
{
	unsigned a = round % ORIGINS, b = (round + 1) % ORIGINS;
	char *text = mem_print(
		"listeners = ( { name = \"l\"; address = \"%%L\"; } );"
		"timeouts = { connect = \"3s\"; };"
		"pools = { legacy = { servers = ( { address = \"127.0.0.1:%u\"; } ); };"
		"new = { servers = ( { address = \"127.0.0.1:%u\"; },"
		" { address = \"127.0.0.1:%u\"; } ); }; };"
		"migrations = { m = { legacy = \"legacy\"; new = \"new\";"
		"weights = { legacy = %u; new = %u; }; }; };"
		"routes = ( { host = \"*\"; path = \"/\"; migration = \"m\"; } );",
		port[0], port[a], port[b], 100 - round % 101, round % 101);

	house_load(&house, text);
	free(text);
}

static void sum_everything(void)
{
	struct migration_counts counts;
	struct hist_view view = { .count = { 0 } };
	struct migration *m = snapshot_migrations(house.current)[0];

	migration_sum(m, &counts);
	migration_add_hist(m, SIDE_NEW, &view);
	for (unsigned s = 0; s < N_SIDES; s++)
		assert(counts.v[s][GUARD_K] <= counts.v[s][GUARD_N]);
	for (unsigned i = 0; i < N_STATS; i++)
		(void)stats_sum(house.stats, (enum stats_item)i);
}

static void disturb_servers(unsigned round)
{
	struct pool *new_ = snapshot_pools(house.current)[1];
	struct sockaddr_storage sa;
	struct server_counts counts;
	socklen_t len;

	for (size_t i = 0; i < pool_n_servers(new_); i++) {
		struct server *s = pool_server(new_, i);

		if (server_sockaddr(s, &sa, &len))
			server_set_sockaddr(s, (struct sockaddr *)&sa, len);
		server_sum(s, &counts);
		(void)server_set_health(
			s, (round + i) % 3 == 0 ? SERVER_DOWN : SERVER_UP, "told");
	}
}

/* Control rests between its ticks, too: until there was an answer. False: all clients
 * have theirs. */
static bool await_news(void)
{
	static unsigned seen;
	bool more;

	pthread_mutex_lock(&told);
	while (answered == seen && running > 0)
		pthread_cond_wait(&news, &told);
	seen = answered;
	more = running > 0;
	pthread_mutex_unlock(&told);
	return more;
}

static unsigned control(void)
{
	unsigned round = 0;

	do {
		if (round % 4 == 0)
			publish(round / 4);
		disturb_servers(round);
		sum_everything();
		proxy_nudge(house.proxy);
		proxy_sweep(house.proxy);
		registry_sweep(house.registry);
		if (round % 16 == 0)
			migration_set_run(snapshot_migrations(house.current)[0], round);
		round++;
	} while (await_news());
	return round;
}

int main(void)
{
	pthread_t client[CLIENTS], origins;
	unsigned rounds;

	open_origins(&origins);
	house_open(&house, WORKERS);
	publish(0);
	running = CLIENTS;
	for (size_t i = 0; i < CLIENTS; i++) {
		int rc = pthread_create(&client[i], NULL, run_client, NULL);

		assert(rc == 0);
	}
	rounds = control();
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(client[i], NULL);
	house_close(&house);
	end_origins(origins);
	printf("%u answers in %u rounds of control\n", answered, rounds);
	return 0;
}
