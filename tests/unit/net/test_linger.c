/* The last moments of a connection: its answer arrives, whatever the peer does. */
#include "raw_tls.h"

#include <errno.h>
#include <unistd.h>

enum { ANSWER = 60000, TINY = 4096, MANY = 200000, UPLOAD = 32 << 20 };

static struct raw_tls raw;
static char flood[MANY];
static int fd = -1;
static uint64_t got, sent;
static bool ended, reset, wrong;

static void teardown(void)
{
	if (raw.ssl != NULL)
		raw_close(&raw);
	if (fd != -1)
		close(fd);
	scene_close();
}

TestSuite(linger, .init = scene_open, .fini = teardown, .timeout = 30);

static bool server_is_there(void)
{
	return server.conn != NULL;
}

static bool server_was_asked(void)
{
	return server.got > 0;
}

static void note(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++, got++)
		wrong |= bytes[i] != pattern_at(got);
}

static bool plain_end_came(void)
{
	unsigned char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0)
		note(bytes, (size_t)n);
	ended |= n == 0;
	reset |= n == -1 && errno != EAGAIN;
	return ended || reset;
}

static void linger_server(void)
{
	net_conn_linger(server.conn);
	server.conn = NULL;
}

Test(linger, the_answer_is_not_lost_to_a_peer_that_was_still_sending)
{
	open_listener();
	fd = connect_raw();
	cr_assert(wait_until(server_is_there));
	server.read_size = 0;
	net_conn_want_read(server.conn, false);
	cr_assert_gt(send(fd, flood, sizeof(flood), MSG_DONTWAIT), 0);

	send_pattern(&server, ANSWER);
	linger_server();
	(void)send(fd, flood, 1000, MSG_DONTWAIT | MSG_NOSIGNAL);
	cr_assert(wait_until(plain_end_came));

	cr_expect(ended);
	cr_expect_eq(got, ANSWER);
	cr_expect_not(wrong);
}

static bool peer_was_cut_off(void)
{
	ssize_t n = send(fd, flood, sizeof(flood), MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == -1 && errno != EAGAIN;
}

Test(linger, a_peer_that_never_stops_sending_is_cut_off)
{
	open_listener();
	fd = connect_raw();
	cr_assert(wait_until(server_is_there));
	net_loop_linger(loop, &(struct net_linger){ .ms = 200, .most = 8 });

	linger_server();

	cr_expect(wait_until(peer_was_cut_off));
}

/* More than any two sockets hold: all of it was taken. */
static bool peer_has_sent_all(void)
{
	ssize_t n = send(fd, flood, sizeof(flood), MSG_DONTWAIT | MSG_NOSIGNAL);

	reset |= n == -1 && errno != EAGAIN;
	sent += n > 0 ? (uint64_t)n : 0;
	return reset || sent > UPLOAD;
}

Test(linger, a_peer_that_reads_only_when_all_is_sent_has_its_answer)
{
	open_listener();
	fd = connect_raw();
	cr_assert(wait_until(server_is_there));

	send_pattern(&server, ANSWER);
	linger_server();
	cr_assert(wait_until(peer_has_sent_all));
	cr_assert(wait_until(plain_end_came));

	cr_expect_not(reset);
	cr_expect(ended);
	cr_expect_eq(got, ANSWER);
}

static bool peer_was_cut_off_early(void)
{
	return peer_has_sent_all() && reset;
}

Test(linger, a_peer_that_needs_no_patience_is_cut_off_after_a_mebibyte)
{
	open_listener();
	fd = connect_raw();
	cr_assert(wait_until(server_is_there));
	net_loop_linger(loop, &(struct net_linger){ .ms = 3600000, .most = 8 });

	net_conn_linger_briefly(server.conn);
	server.conn = NULL;

	cr_expect(wait_until(peer_was_cut_off_early));
}

Test(linger, a_peer_that_sends_less_than_the_rate_is_cut_off)
{
	open_listener();
	fd = connect_raw();
	cr_assert(wait_until(server_is_there));
	net_loop_linger(loop,
		&(struct net_linger){ .ms = 3600000, .rate = 1 << 30, .most = 8 });

	linger_server();

	/* Five looks, which is as long as one wait. */
	cr_expect(wait_until(peer_was_cut_off) || wait_until(peer_was_cut_off));
}

Test(linger, where_too_many_linger_the_oldest_goes)
{
	int first;

	open_listener();
	net_loop_linger(loop, &(struct net_linger){ .ms = 3600000, .most = 1 });
	first = fd = connect_raw();
	cr_assert(wait_until(server_is_there));
	linger_server();
	fd = connect_raw();
	cr_assert(wait_until(server_is_there));

	linger_server();
	cr_assert_gt(send(fd, flood, 1000, MSG_DONTWAIT | MSG_NOSIGNAL), 0);
	one_turn();
	cr_expect_gt(send(fd, flood, 1000, MSG_DONTWAIT | MSG_NOSIGNAL), 0);

	close(fd);
	fd = first;
	cr_expect(wait_until(peer_was_cut_off));
}

Test(linger, a_loop_may_go_while_some_linger)
{
	open_pair(NULL, NULL);

	linger_server();
	one_turn();

	/* The teardown frees the loop, which asserts that no connection is left. */
	cr_expect_eq(client.events, NET_OPEN | NET_READ);
}

Test(linger, one_that_never_opened_is_closed)
{
	bind_listener();
	connect_client(NULL, NULL);

	net_conn_linger(client.conn);
	client.conn = NULL;
	one_turn();

	cr_expect_eq(client.events, 0);
}

/* --- TLS: what the kernel did not take yet is with us ------------------------------
 */

static void open_narrow_tls(void)
{
	int tiny = TINY;

	speaks = demo_tls();
	bind_listener();
	cr_assert_eq(
		setsockopt(listener_fd, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof(tiny)), 0);
	open_listener();
	raw_open(&raw, NULL);
	cr_assert_eq(setsockopt(raw.fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	cr_assert(raw_connect(&raw));
}

static bool tls_end_came(void)
{
	unsigned char bytes[4096];
	int n;

	raw_receive(&raw);
	n = SSL_read(raw.ssl, bytes, sizeof(bytes));
	if (n > 0) {
		note(bytes, (size_t)n);
		return false;
	}
	ended = SSL_get_error(raw.ssl, n) == SSL_ERROR_ZERO_RETURN;
	return ended || raw.ended;
}

static void ask(void)
{
	cr_assert_eq(SSL_write(raw.ssl, "x", 1), 1);
	raw_send(&raw);
	cr_assert(wait_until(server_was_asked));
}

Test(linger, what_waits_to_be_sent_and_the_goodbye_arrive)
{
	open_narrow_tls();
	ask();

	send_pattern(&server, ANSWER);
	cr_assert_not(net_conn_is_flushed(server.conn));
	linger_server();
	cr_assert(wait_until(tls_end_came));

	cr_expect(ended);
	cr_expect_eq(got, server.sent);
	cr_expect_not(wrong);
}

Test(linger, what_waits_to_be_sent_arrives_though_the_peer_has_half_closed)
{
	open_narrow_tls();
	ask();
	cr_assert_eq(shutdown(raw.fd, SHUT_WR), 0);

	send_pattern(&server, ANSWER);
	cr_assert_not(net_conn_is_flushed(server.conn));
	linger_server();
	cr_assert(wait_until(tls_end_came));

	cr_expect(ended);
	cr_expect_eq(got, server.sent);
	cr_expect_not(wrong);
}
