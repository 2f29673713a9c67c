/* An open plain connection: reading, writing, back-pressure, and its ends. */
#include "scene.h"

#include <errno.h>
#include <unistd.h>

enum { BULK = 3000000, TINY = 4096 };

TestSuite(conn, .init = scene_open, .fini = scene_close, .timeout = 20);

/* A pair whose server side has tiny buffers. */
static void open_narrow_pair(void)
{
	int tiny = TINY;

	bind_listener();
	cr_assert_eq(
		setsockopt(listener_fd, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof(tiny)), 0);
	cr_assert_eq(
		setsockopt(listener_fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	open_pair(NULL, NULL);
}

static bool client_has_all(void)
{
	return client.got >= server.to_send;
}

static bool server_has_all(void)
{
	return server.got >= client.to_send;
}

static bool both_have_all(void)
{
	return client_has_all() && server_has_all();
}

static bool client_saw_the_end(void)
{
	return client.eof || client.broken;
}

static bool server_saw_the_end(void)
{
	return server.eof || server.broken;
}

static bool server_can_read(void)
{
	return server.reads > 0;
}

Test(conn, what_is_written_arrives_in_order_through_buffers_that_are_tiny)
{
	open_narrow_pair();

	send_pattern(&server, BULK);
	cr_expect_lt(server.sent, BULK); /* the kernel took a part */
	cr_assert(wait_until(client_has_all));

	cr_expect_eq(client.got, BULK);
	cr_expect_not(client.wrong);
}

Test(conn, both_directions_are_full_at_once_and_neither_waits_for_the_other)
{
	open_narrow_pair();

	send_pattern(&server, BULK);
	send_pattern(&client, BULK);
	cr_assert(wait_until(both_have_all));

	cr_expect_not(client.wrong);
	cr_expect_not(server.wrong);
}

Test(conn, a_peer_that_does_not_read_stops_the_writer_who_is_told_when_it_goes_on)
{
	open_narrow_pair();
	client.read_size = 0;
	net_conn_want_read(client.conn, false);
	send_pattern(&server, BULK);
	one_turn();
	uint64_t stuck_at = server.sent;
	one_turn();
	cr_expect_eq(server.sent, stuck_at);

	client.read_size = 1000;
	net_conn_want_read(client.conn, true);

	cr_assert(wait_until(client_has_all));
	cr_expect_gt(server.sent, stuck_at);
	cr_expect(server.events & NET_WRITE);
}

Test(conn, several_pieces_go_out_in_one_write)
{
	struct iovec v[] = { { .iov_base = "one ", .iov_len = 4 },
		{ .iov_base = "two ", .iov_len = 4 },
		{ .iov_base = "three", .iov_len = 5 } };
	open_pair(NULL, NULL);
	server.to_send = 13;

	cr_assert_eq(net_write(server.conn, v, 3), 13);
	cr_assert(wait_until(client_has_all));

	cr_expect_str_eq(client.first, "one two three");
	cr_expect(net_conn_is_flushed(server.conn));
}

Test(conn, a_read_without_bytes_says_so)
{
	char byte;
	open_pair(NULL, NULL);

	cr_expect_eq(net_read(server.conn, &byte, 1), NET_AGAIN);
}

Test(conn, nobody_is_told_of_bytes_he_did_not_ask_for)
{
	open_pair(NULL, NULL);
	net_conn_want_read(server.conn, false);
	server.reads = 0;

	send_text(&client, "hello");
	one_turn();
	one_turn();
	cr_expect_eq(server.reads, 0);

	net_conn_want_read(server.conn, true);
	cr_expect(wait_until(server_can_read));
}

Test(conn, bytes_that_are_left_lying_are_told_again)
{
	open_pair(NULL, NULL);
	server.read_size = 1;
	client.to_send = 5;

	send_text(&client, "hello");
	cr_assert(wait_until(server_has_all));

	cr_expect_geq(server.reads, 5);
	cr_expect_str_eq(server.first, "hello");
}

/* --- ends ------------------------------------------------------------------------ */

Test(conn, a_half_closed_peer_still_gets_its_answer)
{
	char answer[8] = "";
	open_listener();
	int fd = connect_raw();
	cr_assert_eq(send(fd, "ask", 3, 0), 3);
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);

	cr_assert(wait_until(server_saw_the_end));
	cr_expect(server.eof);
	cr_expect_str_eq(server.first, "ask");
	send_text(&server, "answer");

	cr_expect_eq(recv(fd, answer, sizeof(answer), MSG_WAITALL | MSG_DONTWAIT), 6);
	cr_expect_str_eq(answer, "answer");
	close(fd);
}

Test(conn, a_close_is_the_end_for_the_peer)
{
	open_pair(NULL, NULL);

	close_end(&server);
	cr_assert(wait_until(client_saw_the_end));

	cr_expect(client.eof);
	cr_expect_not(client.broken);
}

Test(conn, an_abort_is_no_end_but_a_reset)
{
	open_pair(NULL, NULL);

	net_conn_abort(server.conn);
	server.conn = NULL;
	cr_assert(wait_until(client_saw_the_end));

	cr_expect(client.broken);
	cr_expect_not(client.eof);
}

Test(conn, a_write_to_a_peer_that_is_gone_is_broken_and_no_signal)
{
	struct iovec v = { .iov_base = "x", .iov_len = 1 };
	open_pair(NULL, NULL);
	net_conn_abort(server.conn);
	server.conn = NULL;
	cr_assert(wait_until(client_saw_the_end));

	cr_expect_eq(net_write(client.conn, &v, 1), NET_BROKEN);
}

static void on_event_close(void *arg, unsigned events)
{
	struct end *e = arg;

	e->events |= events;
	e->reads++;
	close_end(e);
}

Test(conn, after_a_close_within_its_own_event_no_other_comes)
{
	open_pair(NULL, NULL);
	net_conn_own(server.conn,
		(struct net_owner){ .on_event = on_event_close, .arg = &server });
	net_conn_want_write(server.conn);
	send_text(&client, "hello");
	server.reads = 0;

	cr_assert(wait_until(server_can_read));
	one_turn();

	cr_expect_eq(server.reads, 1);
}

static void on_event_close_both(void *arg, unsigned events)
{
	(void)events;
	((struct end *)arg)->reads++;
	close_end(&client);
	close_end(&server);
}

static bool somebody_was_told(void)
{
	return client.reads + server.reads > 0;
}

Test(conn, who_is_closed_by_another_of_the_same_turn_hears_nothing)
{
	open_pair(NULL, NULL);
	net_conn_own(server.conn,
		(struct net_owner){ .on_event = on_event_close_both, .arg = &server });
	net_conn_own(client.conn,
		(struct net_owner){ .on_event = on_event_close_both, .arg = &client });
	send_text(&client, "hello");
	send_text(&server, "hello");
	client.reads = server.reads = 0;

	cr_assert(wait_until(somebody_was_told));
	one_turn();

	cr_expect_eq(client.reads + server.reads, 1);
}

static bool server_was_left(void)
{
	return (server.events & NET_GONE) != 0;
}

/* What the client has said is not read by anybody. */
static void nobody_reads_the_server(void)
{
	open_pair(NULL, NULL);
	net_conn_want_read(server.conn, false);
	send_text(&client, "unread");
	one_turn();
}

Test(conn, a_reset_is_told_of_a_connection_that_nobody_reads)
{
	nobody_reads_the_server();
	net_conn_watch_end(server.conn);
	net_conn_watch_end(server.conn);

	net_conn_abort(client.conn);
	client.conn = NULL;

	cr_expect(wait_until(server_was_left));
}

Test(conn, a_reset_is_told_also_to_who_asks_after_it)
{
	nobody_reads_the_server();
	net_conn_abort(client.conn);
	client.conn = NULL;
	one_turn();
	cr_expect_not(server_was_left());

	net_conn_watch_end(server.conn);

	cr_expect(wait_until(server_was_left));
}

Test(conn, bytes_and_half_closing_are_no_end)
{
	nobody_reads_the_server();
	net_conn_watch_end(server.conn);

	send_text(&client, "more");
	net_conn_shut(client.conn);
	one_turn();

	cr_expect_not(server_was_left());
}

Test(conn, one_that_is_watched_may_be_closed)
{
	nobody_reads_the_server();
	net_conn_watch_end(server.conn);

	close_end(&server);
	close_end(&client);
	one_turn();

	cr_expect_not(server_was_left());
}

static bool the_client_has_acknowledged(void)
{
	return net_conn_unread(server.conn) == 0;
}

Test(conn, what_the_peer_has_not_taken_is_unread)
{
	open_narrow_pair();
	client.read_size = 0;
	net_conn_want_read(client.conn, false);
	send_pattern(&server, BULK);
	one_turn();
	cr_expect_gt(net_conn_unread(server.conn), 0);

	client.read_size = 1000;
	net_conn_want_read(client.conn, true);
	cr_assert(wait_until(client_has_all));

	cr_expect(wait_until(the_client_has_acknowledged));
}
