/* Bytes through TLS: that none is lost, held back or invented, however they come. */
#include "raw_tls.h"

#include <unistd.h>

enum { BULK = 3000000, TINY = 4096, RECORD = 16384 };

static struct raw_tls raw;

static void setup(void)
{
	int tiny = TINY;

	scene_open();
	speaks = demo_tls();
	bind_listener();
	cr_assert_eq(
		setsockopt(listener_fd, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof(tiny)), 0);
	cr_assert_eq(
		setsockopt(listener_fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	open_listener();
}

static void teardown(void)
{
	if (raw.ssl != NULL)
		raw_close(&raw);
	scene_close();
}

TestSuite(tls_stream, .init = setup, .fini = teardown, .timeout = 30);

static void open_tls_pair(void)
{
	open_pair(client_tls(true), "localhost");
}

static void open_raw(void)
{
	raw_open(&raw, NULL);
	cr_assert(raw_connect(&raw));
}

static bool both_have_all(void)
{
	return client.got >= server.to_send && server.got >= client.to_send;
}

static bool server_saw_the_end(void)
{
	return server.eof || server.broken;
}

static bool server_has_five(void)
{
	return server.got == 5;
}

static void say(const char *text)
{
	cr_assert_eq(SSL_write(raw.ssl, text, (int)strlen(text)), (int)strlen(text));
}

/* Nothing comes for as long as a few turns take. */
static void some_turns(void)
{
	for (int i = 0; i < 5; i++)
		one_turn();
}

/* --- whole and in order ----------------------------------------------------------- */

Test(tls_stream, both_directions_are_whole_through_buffers_that_are_tiny)
{
	open_tls_pair();

	send_pattern(&server, BULK);
	send_pattern(&client, BULK);
	cr_assert(wait_until(both_have_all));

	cr_expect_eq(client.got, BULK);
	cr_expect_eq(server.got, BULK);
	cr_expect_not(client.wrong);
	cr_expect_not(server.wrong);
}

Test(tls_stream, a_record_may_be_read_in_small_pieces_though_the_socket_is_empty)
{
	open_tls_pair();
	server.read_size = 100;

	send_pattern(&client, RECORD);
	cr_assert(wait_until(both_have_all));

	cr_expect_not(server.wrong);
}

Test(tls_stream, what_is_held_back_is_bounded_and_goes_when_the_peer_reads)
{
	open_tls_pair();
	client.read_size = 0;
	net_conn_want_read(client.conn, false);

	send_pattern(&server, BULK);
	some_turns();
	uint64_t took = server.sent;
	cr_expect_not(net_conn_is_flushed(server.conn));
	cr_expect_lt(took, BULK);

	client.read_size = RECORD;
	net_conn_want_read(client.conn, true);
	cr_assert(wait_until(both_have_all));
	cr_expect(net_conn_is_flushed(server.conn));
	cr_expect(server.events & NET_DRAINED);
	cr_expect_not(client.wrong);
}

enum { SURPLUS = 65536, WHOLE = 131072 };

static size_t taken_at_once(struct net_conn *c)
{
	static char bytes[2 * WHOLE];
	const struct iovec halves[] = { { .iov_base = bytes, .iov_len = WHOLE },
		{ .iov_base = bytes + WHOLE, .iov_len = WHOLE } };

	return (size_t)net_write(c, halves, 2);
}

Test(tls_stream, a_write_takes_little_more_than_the_socket_can_hold)
{
	open_tls_pair();
	client.read_size = 0;
	net_conn_want_read(client.conn, false);

	size_t took = taken_at_once(server.conn);

	cr_expect_geq(took, SURPLUS);
	cr_expect_leq(took, SURPLUS + 2 * TINY);
}

Test(tls_stream, a_write_takes_as_much_as_is_gathered_when_the_socket_holds_it)
{
	open_tls_pair();

	cr_expect_eq(taken_at_once(client.conn), WHOLE);
}

/* Writes as much as there is room for, again and again until some of it waits. */
static bool fills(struct net_conn *c)
{
	static char bytes[WHOLE];
	struct iovec all = { .iov_base = bytes, .iov_len = net_conn_room(c) };

	if (all.iov_len < SURPLUS || all.iov_len > WHOLE ||
		net_write(c, &all, 1) != (ssize_t)all.iov_len)
		return false;
	return !net_conn_is_flushed(c) || fills(c);
}

Test(tls_stream, there_is_room_for_what_a_write_takes_and_none_while_something_waits)
{
	open_tls_pair();
	client.read_size = 0;
	net_conn_want_read(client.conn, false);

	bool took_all = fills(server.conn);

	cr_expect(took_all);
	cr_expect_eq(net_conn_room(server.conn), 0);
}

Test(tls_stream, what_came_with_the_last_flight_of_the_handshake_is_read)
{
	raw_open(&raw, NULL);
	cr_assert(raw_shake(&raw));

	say("hello");
	raw_send(&raw);
	cr_assert(wait_until(server_has_five));

	cr_expect_str_eq(server.first, "hello");
}

static void on_event_read_one_and_write(void *arg, unsigned events)
{
	char byte;

	(void)arg;
	if (events & NET_READ && net_read(server.conn, &byte, 1) == 1)
		server.got++;
	net_conn_want_write(server.conn);
}

Test(tls_stream, bytes_that_wait_inside_are_told_of_though_the_owner_also_writes)
{
	open_tls_pair();
	server.to_send = 0;
	net_conn_own(server.conn,
		(struct net_owner){ .on_event = on_event_read_one_and_write });

	send_text(&client, "hello");

	cr_expect(wait_until(server_has_five));
}

static void on_event_read_one_and_pause(void *arg, unsigned events)
{
	char byte;

	(void)arg;
	if (events & NET_READ && net_read(server.conn, &byte, 1) == 1)
		server.got++;
	net_conn_want_read(server.conn, false);
	net_conn_want_read(server.conn, true);
}

Test(tls_stream, bytes_that_wait_inside_are_told_of_after_a_pause)
{
	open_tls_pair();
	net_conn_own(server.conn,
		(struct net_owner){ .on_event = on_event_read_one_and_pause });

	send_text(&client, "hello");

	cr_expect(wait_until(server_has_five));
}

Test(tls_stream, nobody_is_told_of_bytes_that_wait_inside_when_he_does_not_ask)
{
	open_tls_pair();
	server.read_size = 1;

	send_text(&client, "hello");
	while (server.got == 0)
		one_turn();
	net_conn_want_read(server.conn, false);
	uint64_t got = server.got;
	some_turns();

	cr_expect_eq(server.got, got);
}

/* --- ends --------------------------------------------------------------------------
 */

Test(tls_stream, an_end_that_came_with_the_last_bytes_is_told_though_the_peer_stays)
{
	open_raw();

	say("hello");
	(void)SSL_shutdown(raw.ssl);
	raw_send(&raw);
	cr_assert(wait_until(server_saw_the_end));

	cr_expect(server.eof);
	cr_expect_str_eq(server.first, "hello");
}

Test(tls_stream, the_end_of_the_socket_is_an_end_even_without_a_goodbye)
{
	open_raw();

	cr_assert_eq(shutdown(raw.fd, SHUT_WR), 0);
	cr_assert(wait_until(server_saw_the_end));

	cr_expect(server.eof);
}

Test(tls_stream, bytes_that_are_no_record_break_it)
{
	open_raw();

	cr_assert_eq(send(raw.fd, "not a record at all", 19, 0), 19);
	cr_assert(wait_until(server_saw_the_end));

	cr_expect(server.broken);
	cr_expect_not(server.eof);
}

Test(tls_stream, what_came_before_a_broken_record_is_still_read)
{
	open_raw();

	say("hello");
	raw_send(&raw);
	cr_assert_eq(send(raw.fd, "not a record at all", 19, 0), 19);
	cr_assert(wait_until(server_saw_the_end));

	cr_expect_str_eq(server.first, "hello");
	cr_expect(server.broken);
}

static bool raw_was_told_goodbye(void)
{
	char byte;
	int got;

	raw_receive(&raw);
	got = SSL_read(raw.ssl, &byte, 1);
	return got <= 0 && SSL_get_error(raw.ssl, got) == SSL_ERROR_ZERO_RETURN;
}

Test(tls_stream, a_close_says_goodbye)
{
	open_raw();

	close_end(&server);

	cr_expect(wait_until(raw_was_told_goodbye));
}

Test(tls_stream, an_abort_says_none)
{
	open_raw();

	net_conn_abort(server.conn);
	server.conn = NULL;
	while (!raw.ended)
		raw_receive(&raw);

	cr_expect_not(raw_was_told_goodbye());
}

Test(tls_stream, the_peer_may_change_its_keys)
{
	open_raw();

	cr_assert_eq(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	say("hello");
	raw_send(&raw);

	cr_assert(wait_until(server_has_five));
}

Test(tls_stream, a_peer_that_makes_us_speak_and_never_reads_is_given_up)
{
	open_raw();

	for (int i = 0; i < 400 && !server.broken; i++) {
		for (int k = 0; k < 50; k++) {
			cr_assert_eq(
				SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
			cr_assert_eq(SSL_do_handshake(raw.ssl), 1);
		}
		raw_send(&raw);
		one_turn();
	}

	cr_expect(server.broken);
}
