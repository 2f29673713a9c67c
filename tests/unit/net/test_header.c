/* Connections that begin with a PROXY header, read or sent, and what comes behind it. */
#include "raw_tls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#define HEADER "PROXY TCP4 192.0.2.1 198.51.100.2 56224 443\r\n"

static struct raw_tls raw;
static int fd = -1;
static bool closes_at_header;
static unsigned events_at_header;

static unsigned on_admit(void *arg, const struct sockaddr *peer)
{
	(void)arg;
	(void)peer;
	return NET_ADMIT | NET_ADMIT_PROXIED;
}

static void on_first_event(void *arg, unsigned events)
{
	struct end *e = arg;

	e->events |= events;
	if ((events & NET_PEER) == 0)
		return;
	events_at_header = e->events;
	if (closes_at_header) {
		close_end(e);
		return;
	}
	net_conn_own(e->conn, owner_of(e));
}

static void on_accept(void *arg, struct net_conn *c)
{
	(void)arg;
	accepted++;
	server.conn = c;
	server.read_size = 16384;
	net_conn_own(
		c, (struct net_owner){ .on_event = on_first_event, .arg = &server });
	net_conn_want_read(c, true);
}

static struct net_tls *on_tls(void *arg)
{
	(void)arg;
	return speaks;
}

static void listen_with(struct net_tls *tls)
{
	const struct net_accept to = {
		.on_accept = on_accept, .tls = on_tls, .admit = on_admit
	};

	speaks = tls;
	bind_listener();
	acceptor = net_acceptor_new(loop, listener_fd, &to);
}

static void teardown(void)
{
	if (raw.ssl != NULL)
		raw_close(&raw);
	if (fd != -1)
		close(fd);
	scene_close();
}

TestSuite(header, .init = scene_open, .fini = teardown, .timeout = 30);

static void send_raw(int to, const char *bytes, size_t n)
{
	cr_assert_eq(send(to, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

static bool is_accepted(void)
{
	return accepted > 0;
}

static bool header_is_read(void)
{
	return events_at_header != 0;
}

static bool is_decided(void)
{
	return server.events & (NET_OPEN | NET_FAILED);
}

static bool got_it(void)
{
	return server.got >= 5;
}

static const char *client_text(void)
{
	static char text[80];
	const struct sockaddr_in *in4 =
		(const struct sockaddr_in *)(const void *)net_conn_peer(server.conn);

	cr_assert_eq(in4->sin_family, AF_INET);
	(void)snprintf(text, sizeof(text), "%s:%u", inet_ntoa(in4->sin_addr),
		ntohs(in4->sin_port));
	return text;
}

Test(header, before_it_has_come_the_connection_is_not_open)
{
	listen_with(NULL);
	fd = connect_raw();

	cr_assert(wait_until(is_accepted));
	one_turn();

	cr_expect_not(net_conn_is_open(server.conn));
	cr_expect_eq(server.events, 0);
}

Test(header, it_says_who_the_peer_is_and_what_comes_with_it_is_read_as_ever)
{
	char local[80];
	listen_with(NULL);
	fd = connect_raw();

	send_raw(fd, HEADER "hello", sizeof(HEADER) - 1 + 5);
	cr_assert(wait_until(got_it));

	net_conn_local_text(server.conn, local, sizeof(local));
	cr_expect_str_eq(client_text(), "192.0.2.1:56224");
	cr_expect_str_eq(local, "198.51.100.2:443");
	cr_expect_str_eq(server.first, "hello");
	cr_expect_eq(events_at_header, NET_PEER);
	cr_expect(server.events & NET_OPEN);
	cr_expect_not(server.eof);
}

Test(header, what_came_with_it_may_be_read_in_small_pieces)
{
	listen_with(NULL);
	fd = connect_raw();
	send_raw(fd, HEADER "he", sizeof(HEADER) - 1 + 2);
	cr_assert(wait_until(is_accepted));
	server.read_size = 1;

	cr_assert(wait_until(is_decided));
	send_raw(fd, "llo", 3);
	cr_assert(wait_until(got_it));

	cr_expect_str_eq(server.first, "hello");
}

Test(header, it_may_come_byte_by_byte)
{
	const char *bytes = HEADER;
	listen_with(NULL);
	fd = connect_raw();

	for (size_t i = 0; i < sizeof(HEADER) - 1; i++) {
		cr_assert_eq(server.events, 0);
		send_raw(fd, bytes + i, 1);
		one_turn();
	}
	cr_assert(wait_until(is_decided));

	cr_expect_str_eq(client_text(), "192.0.2.1:56224");
	cr_expect(net_conn_is_open(server.conn));
}

Test(header, a_proxy_that_speaks_for_itself_is_the_peer)
{
	struct sockaddr_in mine;
	socklen_t len = sizeof(mine);
	listen_with(NULL);
	fd = connect_raw();

	send_raw(fd, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0hello", 21);
	cr_assert(wait_until(got_it));

	const struct sockaddr_in *peer =
		(const struct sockaddr_in *)(const void *)net_conn_peer(server.conn);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&mine, &len), 0);
	cr_expect_eq(peer->sin_port, mine.sin_port);
	cr_expect_str_eq(server.first, "hello");
}

Test(header, something_else_fails_the_connection)
{
	listen_with(NULL);
	fd = connect_raw();

	send_raw(fd, "GET / HTTP/1.1\r\n\r\n", 18);
	cr_assert(wait_until(is_decided));

	cr_expect_eq(server.events, NET_FAILED);
	cr_expect_eq(net_conn_failure(server.conn), NET_REFUSED);
}

Test(header, so_does_an_end_before_its_end)
{
	listen_with(NULL);
	fd = connect_raw();

	send_raw(fd, "PROXY", 5);
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	cr_assert(wait_until(is_decided));

	cr_expect_eq(server.events, NET_FAILED);
	cr_expect_eq(net_conn_failure(server.conn), NET_RESET);
}

Test(header, who_is_not_wanted_may_be_closed_when_it_has_come)
{
	char byte;
	closes_at_header = true;
	listen_with(demo_tls());
	fd = connect_raw();

	send_raw(fd, HEADER, sizeof(HEADER) - 1);
	cr_assert(wait_until(header_is_read));
	one_turn();

	cr_expect_eq(server.events, NET_PEER);
	cr_expect_eq(recv(fd, &byte, 1, 0), 0);
}

Test(header, a_connection_may_be_closed_while_it_is_awaited)
{
	listen_with(demo_tls());
	fd = connect_raw();
	send_raw(fd, "PROXY", 5);
	cr_assert(wait_until(is_accepted));

	close_end(&server);
	one_turn();

	cr_expect_eq(server.events, 0);
}

/* --- with TLS -------------------------------------------------------------------- */

Test(header, tls_begins_behind_it)
{
	listen_with(demo_tls());
	raw_open(&raw, NULL);
	send_raw(raw.fd, HEADER, sizeof(HEADER) - 1);
	cr_assert(wait_until(header_is_read));
	cr_expect(net_conn_has_tls(server.conn));

	cr_assert(raw_connect(&raw));
	cr_assert_eq(SSL_write(raw.ssl, "hello", 5), 5);
	raw_send(&raw);
	cr_assert(wait_until(got_it));

	cr_expect_str_eq(client_text(), "192.0.2.1:56224");
	cr_expect_str_eq(server.first, "hello");
}

/* A header and a whole ClientHello, in one piece. */
static size_t header_and_hello(char *out, size_t room)
{
	int n;

	(void)SSL_do_handshake(raw.ssl);
	memcpy(out, HEADER, sizeof(HEADER) - 1);
	n = BIO_read(
		raw.out, out + sizeof(HEADER) - 1, (int)(room - (sizeof(HEADER) - 1)));
	cr_assert_gt(n, 0);
	return sizeof(HEADER) - 1 + (size_t)n;
}

Test(header, a_clienthello_that_came_with_it_is_answered_without_another_byte)
{
	char bytes[4096];
	listen_with(demo_tls());
	raw_open(&raw, NULL);
	size_t n = header_and_hello(bytes, sizeof(bytes));

	send_raw(raw.fd, bytes, n);

	cr_assert(raw_connect(&raw));
	cr_expect_str_eq(client_text(), "192.0.2.1:56224");
}

Test(header, a_clienthello_may_be_cut_anywhere)
{
	char bytes[4096];
	listen_with(demo_tls());
	raw_open(&raw, NULL);
	size_t n = header_and_hello(bytes, sizeof(bytes));

	send_raw(raw.fd, bytes, sizeof(HEADER) + 20);
	cr_assert(wait_until(header_is_read));
	send_raw(raw.fd, bytes + sizeof(HEADER) + 20, n - sizeof(HEADER) - 20);

	cr_assert(raw_connect(&raw));
}

/* --- sending --------------------------------------------------------------------- */

static void connect_with_header(struct net_tls *tls)
{
	char prefix[] = HEADER;
	const struct net_target target = { .tls = tls,
		.prefix = { .p = prefix, .n = sizeof(prefix) - 1 },
		.owner = owner_of(&client) };

	client.read_size = 16384;
	client.conn = net_connect(
		loop, (const struct sockaddr *)&here, sizeof(here), &target);
	memset(prefix, 'x', sizeof(prefix)); /* it was copied */
	cr_assert_not_null(client.conn);
	net_conn_want_read(client.conn, true);
	cr_assert(wait_until(both_are_open));
}

Test(header, a_prefix_is_sent_before_all_else)
{
	listen_with(NULL);

	connect_with_header(NULL);
	send_text(&client, "hello");
	cr_assert(wait_until(got_it));

	cr_expect_str_eq(client_text(), "192.0.2.1:56224");
	cr_expect_str_eq(server.first, "hello");
	cr_expect(net_conn_is_flushed(client.conn));
}

Test(header, a_prefix_is_sent_before_tls)
{
	struct net_tls *tls = client_tls(false);
	listen_with(demo_tls());

	connect_with_header(tls);
	send_text(&client, "hello");
	cr_assert(wait_until(got_it));

	cr_expect_str_eq(client_text(), "192.0.2.1:56224");
	net_tls_unref(tls);
}
