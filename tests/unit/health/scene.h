/*
 * scene - one pool of up to four servers, small origins that answer for them on the
 * loop of the probes, and waiting for a condition with a deadline.
 */
#ifndef TESTS_UNIT_HEALTH_SCENE_H
#define TESTS_UNIT_HEALTH_SCENE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/health.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"
#include "sluice/pool/pool.h"

static struct net_loop *loop;
static struct registry *registry;
static struct health *health;
static struct pool *pool;
static struct config_pool settings;
static struct config_server servers[4];
static uint16_t expected[] = { 200, 204 };
static unsigned settled, changes;
static char last_why[128];

/* --- origins ------------------------------------------------------------------- */

struct origin {
	struct net_acceptor *acceptor;
	uint16_t port;
	const char *answer; /* NULL: none ever; "": closes at once */
	char request[1024];
	unsigned asked;
	struct net_conn *conn;
};

static struct origin origins[4];

static void on_request(void *arg, unsigned events)
{
	struct origin *o = arg;
	ssize_t n = net_read(o->conn, o->request, sizeof(o->request) - 1);

	(void)events;
	if (n == NET_AGAIN)
		return;
	if (n > 0 && o->answer) {
		struct iovec v = { (void *)(uintptr_t)o->answer, strlen(o->answer) };

		o->request[n] = '\0';
		o->asked++;
		if (v.iov_len > 0)
			(void)net_write(o->conn, &v, 1);
	}
	if (n > 0 && !o->answer)
		return;
	net_conn_linger(o->conn);
}

static void on_accept(void *arg, struct net_conn *c)
{
	struct origin *o = arg;

	o->conn = c;
	net_conn_own(c, (struct net_owner){ .on_event = on_request, .arg = o });
	net_conn_want_read(c, true);
}

static void open_origin(struct origin *o, const char *answer)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	struct err err;
	int fd = -1;
	struct net_accept a = { .on_accept = on_accept, .arg = o };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(net_listen((struct sockaddr *)&sa, len, 1, &fd, &err), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	o->port = ntohs(sa.sin_port);
	o->answer = answer;
	o->acceptor = net_acceptor_new(loop, fd, &a);
}

static const char fine[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static const char broken[] = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";

/* --- the scene ---------------------------------------------------------------------
 */

static void on_change(void *arg, struct server *s, bool up, const char *why)
{
	(void)arg;
	(void)s;
	(void)up;
	changes++;
	(void)snprintf(last_why, sizeof(last_why), "%s", why);
}

static void on_settled(void *arg)
{
	(void)arg;
	settled++;
}

static void add_server(uint16_t port)
{
	struct config_server *s = &servers[settings.n_servers++];
	static char texts[4][32];
	char *text = texts[s - servers];

	(void)snprintf(text, sizeof(texts[0]), "127.0.0.1:%u", port);
	s->weight = 1;
	s->address.text = text;
	s->address.host = (char *)(uintptr_t) "127.0.0.1";
	s->address.port = port;
	s->address.numeric = true;
	s->address.sa_len = sizeof(s->address.sa.in4);
	s->address.sa.in4.sin_family = AF_INET;
	s->address.sa.in4.sin_port = htons(port);
	s->address.sa.in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static void setup(void)
{
	const struct health_owner owner = {
		.on_change = on_change,
		.on_settled = on_settled,
	};

	settings = (struct config_pool){
		.name = "new",
		.servers = servers,
		.eject_failures = 3,
		.eject_max_ppm = 500000,
		.health = {
			.type = CONFIG_HEALTH_HTTP,
			.path = (char *)(uintptr_t) "/api/health",
			.host = (char *)(uintptr_t) "",
			.status = expected,
			.n_status = 2,
			.interval_ms = 10,
			.timeout_ms = 2000,
			.jitter_ppm = 100000,
			.rise = 2,
			.fall = 3,
		},
	};
	loop = net_loop_new(0);
	registry = registry_new(1, NULL);
	health = health_new(loop, &owner);
}

static void teardown(void)
{
	health_free(health);
	pool_free(pool);
	for (size_t i = 0; i < 4; i++)
		net_acceptor_free(origins[i].acceptor);
	registry_free(registry);
	net_loop_free(loop);
}

static void update(void)
{
	static struct config_pool loaded[4];
	static unsigned n_loaded;
	struct pool *old = pool, *now = NULL;
	struct err err = { .text = "" };

	loaded[n_loaded] = settings;
	cr_assert_eq(pool_load(&now, &loaded[n_loaded++], &err), 0, "%s", err.text);
	pool_bind(now, registry);
	pool = now;
	registry_commit(registry, &pool, 1);
	health_update(health, &pool, 1);
	pool_free(old);
}

static struct server *server(size_t i)
{
	return pool_server(pool, i);
}

/* --- waiting -------------------------------------------------------------------------
 */

static bool (*condition)(void);
static uint64_t deadline_ms;

static void on_look(void *arg)
{
	(void)arg;
	if (condition() || clock_mono_ms() > deadline_ms)
		net_loop_stop(loop);
}

static bool wait_until(bool (*what)(void))
{
	struct net_ticker *t = net_ticker_new(loop, 2, NET_LAST, on_look, NULL);

	condition = what;
	deadline_ms = clock_mono_ms() + 5000;
	net_loop_run(loop);
	net_ticker_free(t);
	return what();
}

static bool is_settled(void)
{
	return settled > 0;
}

static bool first_is_up(void)
{
	return server_health(server(0)) == SERVER_UP;
}

static bool first_is_down(void)
{
	return server_health(server(0)) == SERVER_DOWN;
}

#endif
