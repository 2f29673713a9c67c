/*
 * Probes against small origins that live on the same loop: what makes a server go up
 * or down, when, and what a reload leaves as it is.
 */
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

static void close_origin(struct origin *o)
{
	net_acceptor_free(o->acceptor);
	o->acceptor = NULL;
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
	cr_assert_eq(pool_build(&now, registry, &loaded[n_loaded++], &err), 0, "%s",
		err.text);
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

static bool first_is_not_ejected(void)
{
	return !server_is_ejected(server(0));
}

static bool first_was_asked_ten_times(void)
{
	return origins[0].asked >= 10;
}

TestSuite(health, .init = setup, .fini = teardown, .timeout = 30);

/* --- one check
 * ------------------------------------------------------------------------- */

Test(health, one_good_answer_makes_an_unknown_server_up)
{
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	update();
	cr_assert_eq(server_health(server(0)), SERVER_UNKNOWN);

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_up());
	cr_assert_eq(settled, 1);
	cr_assert_str_eq(last_why, "status 200");
}

Test(health, the_request_names_the_host_and_is_the_last_on_its_connection)
{
	char host[64];
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	(void)snprintf(
		host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", origins[0].port);
	cr_assert_eq(
		strncmp(origins[0].request, "GET /api/health HTTP/1.1\r\n", 26), 0);
	cr_assert_not_null(strstr(origins[0].request, host));
	cr_assert_not_null(strstr(origins[0].request, "\r\nConnection: close\r\n"));
	cr_assert_not_null(
		strstr(origins[0].request, "\r\nUser-Agent: sluice-health\r\n"));
}

Test(health, a_first_check_that_fails_decides_alone)
{
	open_origin(&origins[0], broken);
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_down());
	cr_assert_str_eq(server_health_reason(server(0)), "status 500");
}

Test(health, nobody_listening_is_down_with_the_reason)
{
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	close_origin(&origins[0]);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_down());
	cr_assert_str_eq(server_health_reason(server(0)), "connection refused");
}

Test(health, silence_is_down_after_the_time_out)
{
	settings.health.timeout_ms = 50;
	open_origin(&origins[0], NULL);
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_down());
	cr_assert_str_eq(server_health_reason(server(0)), "no answer within 50 ms");
}

Test(health, a_connection_that_closes_without_an_answer_is_down)
{
	open_origin(&origins[0], "");
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert_str_eq(server_health_reason(server(0)), "closed without an answer");
}

Test(health, what_is_not_http_is_down)
{
	open_origin(&origins[0], "220 mail.example.net ESMTP\r\n");
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert_str_eq(server_health_reason(server(0)), "the answer is not HTTP");
}

Test(health, an_interim_answer_is_not_the_answer)
{
	open_origin(&origins[0], "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
				 "HTTP/1.1 204 No Content\r\n\r\n");
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert_str_eq(last_why, "status 204");
	cr_assert(first_is_up());
}

Test(health, a_name_that_does_not_resolve_is_down)
{
	add_server(80);
	servers[0].address.numeric = false;
	servers[0].address.host = (char *)(uintptr_t) "no-such-host.invalid";
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_down());
	cr_assert_str_eq(server_health_reason(server(0)), "name does not resolve");
}

Test(health, a_name_is_resolved_and_its_server_gets_the_address)
{
	struct sockaddr_storage sa;
	socklen_t len;
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	servers[0].address.numeric = false;
	servers[0].address.host = (char *)(uintptr_t) "localhost";
	servers[0].address.sa_len = 0;
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(server_sockaddr(server(0), &sa, &len));
}

Test(health, a_tcp_check_asks_nothing)
{
	settings.health.type = CONFIG_HEALTH_TCP;
	open_origin(&origins[0], "");
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_up());
	cr_assert_eq(origins[0].asked, 0);
}

Test(health, without_checks_a_server_is_up_at_once)
{
	settings.health.type = CONFIG_HEALTH_NONE;
	add_server(9);

	update();

	cr_assert(first_is_up());
	cr_assert(wait_until(is_settled));
}

/* --- many checks
 * --------------------------------------------------------------------------- */

Test(health, a_server_falls_after_three_failures_and_rises_after_two_passes)
{
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	update();
	cr_assert(wait_until(is_settled));
	unsigned asked = origins[0].asked;

	origins[0].answer = broken;
	cr_assert(wait_until(first_is_down));
	cr_assert_eq(origins[0].asked, asked + 3);

	asked = origins[0].asked;
	origins[0].answer = fine;
	cr_assert(wait_until(first_is_up));
	cr_assert_eq(origins[0].asked, asked + 2);
	cr_assert_eq(changes, 3);
}

Test(health, an_ejected_server_comes_back_when_a_check_passes)
{
	open_origin(&origins[0], fine);
	open_origin(&origins[1], fine);
	add_server(origins[0].port);
	add_server(origins[1].port);
	update();
	cr_assert(wait_until(is_settled));
	for (int i = 0; i < 3; i++)
		(void)server_note_failure(server(0));
	cr_assert(server_is_ejected(server(0)));
	changes = 0;

	cr_assert(wait_until(first_is_not_ejected));

	cr_assert_eq(changes, 1, "the owner hears of it");
}

Test(health, it_is_settled_only_when_every_server_was_checked)
{
	settings.health.timeout_ms = 60;
	open_origin(&origins[0], fine);
	open_origin(&origins[1], NULL);
	add_server(origins[0].port);
	add_server(origins[1].port);
	update();
	cr_assert(wait_until(first_is_up));
	cr_assert_eq(settled, 0);

	cr_assert(wait_until(is_settled));

	cr_assert_eq(server_health(server(1)), SERVER_DOWN);
}

/* --- reload
 * ---------------------------------------------------------------------------------- */

Test(health, a_reload_inherits_what_is_known)
{
	open_origin(&origins[0], fine);
	open_origin(&origins[1], fine);
	add_server(origins[0].port);
	update();
	cr_assert(wait_until(is_settled));
	changes = 0;

	add_server(origins[1].port);
	update();

	cr_assert(first_is_up());
	cr_assert_eq(changes, 0);
	cr_assert_eq(server_health(server(1)), SERVER_UNKNOWN);
}

Test(health, a_server_that_left_is_asked_no_more_even_in_the_middle_of_a_check)
{
	open_origin(&origins[0], fine);
	open_origin(&origins[1], NULL);
	add_server(origins[0].port);
	add_server(origins[1].port);
	update();
	cr_assert(wait_until(first_is_up));

	settings.n_servers = 1;
	update();

	cr_assert(wait_until(is_settled));
	cr_assert(wait_until(first_was_asked_ten_times));
	cr_assert_eq(origins[1].asked, 0);
}

Test(health, a_changed_interval_counts_at_once)
{
	settings.health.interval_ms = 3600000;
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	update();
	cr_assert(wait_until(is_settled));
	cr_assert_eq(origins[0].asked, 1);

	settings.health.interval_ms = 10;
	update();

	cr_assert(wait_until(first_was_asked_ten_times));
}
