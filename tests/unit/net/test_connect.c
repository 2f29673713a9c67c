/* Opening a connection: what it tells, and the ways in which it fails. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(connect, .init = scene_open, .fini = scene_close, .timeout = 20);

static bool client_was_told(void)
{
	return client.events != 0;
}

static bool server_got_something(void)
{
	return server.got > 0;
}

Test(connect, success_is_told_once_on_a_later_turn)
{
	open_listener();

	connect_client(NULL, NULL);
	cr_expect_eq(client.events, 0);
	cr_expect_not(net_conn_is_open(client.conn));
	cr_assert(wait_until(client_was_told));

	cr_expect_eq(client.events, NET_OPEN);
	cr_expect(net_conn_is_open(client.conn));
	cr_expect_eq(net_conn_failure(client.conn), NET_FINE);
}

Test(connect, nobody_there_is_refused)
{
	bind_listener();
	close(listener_fd);

	connect_client(NULL, NULL);
	cr_assert(wait_until(client_was_told));

	cr_expect_eq(client.events, NET_FAILED);
	cr_expect_eq(net_conn_failure(client.conn), NET_REFUSED);
	cr_expect_not(net_conn_is_open(client.conn));
}

Test(connect, what_fails_inside_the_call_is_told_on_a_later_turn)
{
	const struct net_target target = { .owner = owner_of(&client) };
	struct sockaddr_un un = { .sun_family = AF_UNIX,
		.sun_path = "/nowhere/at/all" };

	client.conn = net_connect(loop, (struct sockaddr *)&un, sizeof(un), &target);
	cr_assert_not_null(client.conn);
	cr_expect_eq(client.events, 0);
	cr_assert(wait_until(client_was_told));

	cr_expect_eq(client.events, NET_FAILED);
	cr_expect_eq(net_conn_failure(client.conn), NET_REFUSED);
}

Test(connect, one_that_failed_inside_the_call_may_be_closed_before_it_is_told)
{
	const struct net_target target = { .owner = owner_of(&client) };
	struct sockaddr_un un = { .sun_family = AF_UNIX,
		.sun_path = "/nowhere/at/all" };

	client.conn = net_connect(loop, (struct sockaddr *)&un, sizeof(un), &target);
	close_end(&client);
	one_turn();

	cr_expect_eq(client.events, 0);
}

/* Fills the queue of a listener that nobody accepts from: the kernel then drops what
 * comes, and a connect waits. */
static void fill_queue(void)
{
	bind_listener();
	cr_assert_eq(listen(listener_fd, 0), 0);
	for (int i = 0; i < 4; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		(void)connect(fd, (struct sockaddr *)&here, sizeof(here));
	}
}

static struct net_timer patience;
static bool gave_up;

static void on_patience_over(void *arg)
{
	(void)arg;
	gave_up = true;
	close_end(&client);
}

static bool has_given_up(void)
{
	return gave_up;
}

Test(connect, a_server_that_does_not_answer_is_waited_for_until_the_owner_closes)
{
	fill_queue();
	connect_client(NULL, NULL);
	net_timer_init(&patience, loop, on_patience_over, NULL);
	net_timer_set(&patience, 30);

	cr_assert(wait_until(has_given_up));
	one_turn();

	cr_expect_eq(client.events, 0);
}

static const char *path_to_listen_on(struct sockaddr_un *un)
{
	static char folder[] = "/tmp/sluice-net-XXXXXX";

	cr_assert_not_null(mkdtemp(folder));
	un->sun_family = AF_UNIX;
	(void)snprintf(un->sun_path, sizeof(un->sun_path), "%s/s", folder);
	return folder;
}

static void on_accept(void *arg, struct net_conn *c)
{
	(void)arg;
	server.conn = c;
	server.read_size = 100;
	net_conn_own(c, owner_of(&server));
	net_conn_want_read(c, true);
}

Test(connect, a_unix_socket_carries_bytes_and_tells_who_the_peer_is)
{
	const struct net_accept to = { .on_accept = on_accept };
	const struct net_target target = { .owner = owner_of(&client) };
	struct sockaddr_un un = { .sun_path = "" };
	const char *folder = path_to_listen_on(&un);
	struct err err = { .text = "" };
	cr_assert_eq(
		net_listen((struct sockaddr *)&un, sizeof(un), 1, &listener_fd, &err),
		0, "%s", err.text);
	acceptor = net_acceptor_new(loop, listener_fd, &to);

	client.conn = net_connect(loop, (struct sockaddr *)&un, sizeof(un), &target);
	cr_assert(wait_until(both_are_open));
	send_text(&client, "hello");
	cr_assert(wait_until(server_got_something));

	cr_expect_str_eq(server.first, "hello");
	cr_expect_eq(net_conn_peer_uid(server.conn), (int)getuid());
	cr_expect_eq(net_conn_peer(server.conn)->sa_family, AF_UNIX);
	(void)remove(un.sun_path);
	(void)remove(folder);
}

Test(connect, the_memory_asked_for_comes_with_each_connection_and_is_cleared)
{
	net_loop_free(loop);
	loop = net_loop_new(200);
	for (int i = 0; i < 3; i++) {
		const struct net_target target = { .owner = owner_of(&client) };
		struct sockaddr_un un = { .sun_family = AF_UNIX,
			.sun_path = "/nowhere/at/all" };
		unsigned char *mine;

		client.conn =
			net_connect(loop, (struct sockaddr *)&un, sizeof(un), &target);
		mine = net_conn_user(client.conn);
		for (size_t k = 0; k < 200; k++)
			cr_assert_eq(mine[k], 0);
		memset(mine, 0xff, 200);
		close_end(&client);
		one_turn();
	}
}
