/* See scene.h. */
#include "scene.h"

#include <arpa/inet.h>
#include <unistd.h>

#include "sluice/base/clock.h"

enum { PATIENCE_MS = 5000, BITE = 16384 };

struct net_loop *loop;
struct net_acceptor *acceptor;
struct end client, server;
struct sockaddr_in here;
struct net_tls *speaks;
int listener_fd = -1;
unsigned accepted;

void scene_open(void)
{
	loop = net_loop_new(0);
}

void scene_close(void)
{
	close_end(&client);
	close_end(&server);
	net_acceptor_free(acceptor);
	net_tls_unref(speaks);
	net_loop_free(loop);
}

/* --- waiting ------------------------------------------------------------------- */

static bool (*condition)(void);
static uint64_t deadline_ms;

static void on_look(void *arg)
{
	(void)arg;
	if (condition() || clock_mono_ms() > deadline_ms)
		net_loop_stop(loop);
}

bool wait_until(bool (*what)(void))
{
	struct net_ticker *t = net_ticker_new(loop, 1, NET_LAST, on_look, NULL);

	condition = what;
	deadline_ms = clock_mono_ms() + PATIENCE_MS;
	net_loop_run(loop);
	net_ticker_free(t);
	return what();
}

static bool nothing_more(void)
{
	return true;
}

void one_turn(void)
{
	(void)wait_until(nothing_more);
}

/* --- the two ends ---------------------------------------------------------------- */

unsigned char pattern_at(uint64_t at)
{
	return (unsigned char)(at ^ at >> 8 ^ at >> 16);
}

static void note_bytes(struct end *e, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++, e->got++) {
		e->wrong |= (unsigned char)p[i] != pattern_at(e->got);
		if (e->got < sizeof(e->first) - 1)
			e->first[e->got] = p[i];
	}
}

static void read_once(struct end *e)
{
	char bytes[BITE];
	ssize_t n = net_read(e->conn, bytes, e->read_size);

	if (n > 0)
		note_bytes(e, bytes, (size_t)n);
	e->eof |= n == NET_EOF;
	e->broken |= n == NET_BROKEN;
	if (n == NET_EOF || n == NET_BROKEN)
		net_conn_want_read(e->conn, false);
}

static void write_on(struct end *e)
{
	char bytes[BITE];

	while (e->sent < e->to_send) {
		uint64_t left = e->to_send - e->sent;
		struct iovec v = { .iov_base = bytes,
			.iov_len = left < BITE ? left : BITE };
		ssize_t n;

		for (size_t i = 0; i < v.iov_len; i++)
			bytes[i] = (char)pattern_at(e->sent + i);
		n = net_write(e->conn, &v, 1);
		e->broken |= n == NET_BROKEN;
		if (n == NET_BROKEN)
			return;
		if (n == NET_AGAIN) {
			net_conn_want_write(e->conn);
			return;
		}
		e->sent += (uint64_t)n;
	}
}

static void on_event(void *arg, unsigned events)
{
	struct end *e = arg;

	e->events |= events;
	if (events & NET_READ) {
		e->reads++;
		if (e->read_size > 0)
			read_once(e);
	}
	if (events & NET_WRITE)
		write_on(e);
}

struct net_owner owner_of(struct end *e)
{
	return (struct net_owner){ .on_event = on_event, .arg = e };
}

void send_pattern(struct end *e, uint64_t n)
{
	e->to_send += n;
	write_on(e);
}

void send_text(struct end *e, const char *text)
{
	struct iovec v = { .iov_base = (char *)text, .iov_len = strlen(text) };

	cr_assert_eq(net_write(e->conn, &v, 1), (ssize_t)v.iov_len);
}

void close_end(struct end *e)
{
	if (e->conn != NULL)
		net_conn_close(e->conn);
	e->conn = NULL;
}

/* --- the listener and who connects --------------------------------------------- */

void bind_listener(void)
{
	struct err err = { .text = "" };
	socklen_t len = sizeof(here);

	here = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cr_assert_eq(net_listen((struct sockaddr *)&here, len, 1, &listener_fd, &err),
		0, "%s", err.text);
	cr_assert_eq(getsockname(listener_fd, (struct sockaddr *)&here, &len), 0);
}

static void on_accept(void *arg, struct net_conn *c)
{
	(void)arg;
	accepted++;
	if (server.conn != NULL) {
		net_conn_close(c);
		return;
	}
	server.conn = c;
	server.read_size = BITE;
	net_conn_own(c, owner_of(&server));
	net_conn_want_read(c, true);
}

static struct net_tls *on_tls(void *arg)
{
	(void)arg;
	return speaks;
}

void open_listener(void)
{
	const struct net_accept to = { .on_accept = on_accept, .tls = on_tls };

	if (listener_fd == -1)
		bind_listener();
	acceptor = net_acceptor_new(loop, listener_fd, &to);
}

void connect_client(struct net_tls *tls, const char *name)
{
	const struct net_target target = {
		.tls = tls, .server_name = name, .owner = owner_of(&client)
	};

	client.read_size = BITE;
	client.conn = net_connect(
		loop, (const struct sockaddr *)&here, sizeof(here), &target);
	cr_assert_not_null(client.conn);
	net_conn_want_read(client.conn, true);
}

int connect_raw(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_neq(fd, -1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&here, sizeof(here)), 0);
	cr_assert_eq(
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
		0);
	return fd;
}

bool both_are_open(void)
{
	return client.conn != NULL && net_conn_is_open(client.conn) &&
	       server.conn != NULL && net_conn_is_open(server.conn);
}

void open_pair(struct net_tls *tls, const char *name)
{
	if (acceptor == NULL)
		open_listener();
	connect_client(tls, name);
	net_tls_unref(tls);
	cr_assert(wait_until(both_are_open));
}
