/* Accepting: who is let in, and a listener that leaves without losing anybody. */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/base/clock.h"

enum { CLIENTS = 60 };

static unsigned n_in, n_gone, n_asked;
static struct net_conn *in[2 * CLIENTS];
static int raw[2 * CLIENTS];
static bool lets_in = true;

static void on_accept(void *arg, struct net_conn *c)
{
	(void)arg;
	in[n_in++] = c;
}

static unsigned on_admit(void *arg, const struct sockaddr *peer)
{
	(void)arg;
	n_asked++;
	cr_expect_eq(peer->sa_family, AF_INET);
	return lets_in ? NET_ADMIT | NET_ADMIT_COUNTED : NET_REFUSE;
}

static void on_gone(void *arg)
{
	(void)arg;
	acceptor = NULL;
	n_gone++;
}

static void setup(void)
{
	const struct net_accept to = { .on_accept = on_accept, .admit = on_admit };

	scene_open();
	bind_listener();
	acceptor = net_acceptor_new(loop, listener_fd, &to);
}

static void teardown(void)
{
	for (unsigned i = 0; i < n_in; i++)
		net_conn_close(in[i]);
	scene_close();
}

TestSuite(accept, .init = setup, .fini = teardown, .timeout = 20);

static void connect_many(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		raw[i] = connect_raw();
}

static bool one_is_in(void)
{
	return n_in >= 1;
}

static bool all_are_in(void)
{
	return n_in >= CLIENTS;
}

static bool is_gone(void)
{
	return n_gone > 0;
}

static bool one_was_asked(void)
{
	return n_asked > 0;
}

/* What a read of the client gives: 0 the end, -1 an error. */
static ssize_t answer_of(int fd)
{
	char byte;

	return recv(fd, &byte, 1, 0);
}

Test(accept, a_connection_comes_open_with_its_peer_and_without_events)
{
	struct sockaddr_in mine;
	socklen_t len = sizeof(mine);
	connect_many(0, 1);

	cr_assert(wait_until(one_is_in));

	const struct sockaddr_in *peer =
		(const struct sockaddr_in *)(const void *)net_conn_peer(in[0]);
	cr_assert_eq(getsockname(raw[0], (struct sockaddr *)&mine, &len), 0);
	cr_expect_eq(peer->sin_port, mine.sin_port);
	cr_expect_eq(peer->sin_addr.s_addr, mine.sin_addr.s_addr);
	cr_expect(net_conn_is_open(in[0]));
	cr_expect_not(net_conn_has_tls(in[0]));
	cr_expect_eq(net_conn_peer_uid(in[0]), -1);
	cr_expect_eq(net_conn_alpn(in[0]).n, 0);
	cr_expect_eq(net_conn_admission(in[0]), NET_ADMIT | NET_ADMIT_COUNTED);
	cr_expect_eq(net_conn_loop(in[0]), loop);
}

Test(accept, who_is_not_admitted_is_closed_and_nobody_hears_of_it)
{
	lets_in = false;
	connect_many(0, 1);

	cr_assert(wait_until(one_was_asked));

	cr_expect_eq(answer_of(raw[0]), 0);
	cr_expect_eq(n_in, 0);
}

Test(accept, a_storm_of_connections_all_get_in)
{
	connect_many(0, CLIENTS);

	cr_assert(wait_until(all_are_in));

	cr_expect_eq(n_in, CLIENTS);
}

static int given_fd = -1;
static struct sockaddr_in given_peer;

static unsigned given_admission;

static bool on_elsewhere(
	void *arg, int fd, const struct sockaddr *peer, unsigned admission)
{
	(void)arg;
	given_admission = admission;
	given_fd = fd;
	memcpy(&given_peer, peer, sizeof(given_peer));
	return true;
}

static bool one_was_given_away(void)
{
	return given_fd != -1;
}

Test(accept, one_that_is_given_away_may_be_adopted_as_if_accepted_here)
{
	const struct net_accept to = {
		.on_accept = on_accept, .admit = on_admit, .elsewhere = on_elsewhere
	};
	char byte = 0;
	net_acceptor_free(acceptor);
	listener_fd = -1;
	bind_listener();
	acceptor = net_acceptor_new(loop, listener_fd, &to);
	connect_many(0, 1);
	cr_assert(wait_until(one_was_given_away));
	cr_expect_eq(n_in, 0);

	net_acceptor_adopt(
		acceptor, given_fd, (struct sockaddr *)&given_peer, given_admission);

	cr_assert_eq(n_in, 1);
	cr_expect_eq(((const struct sockaddr_in *)(const void *)net_conn_peer(in[0]))
			     ->sin_port,
		given_peer.sin_port);
	cr_expect_eq(net_conn_admission(in[0]), NET_ADMIT | NET_ADMIT_COUNTED);
	cr_expect_eq(n_asked, 1);
	cr_assert_eq(send(raw[0], "x", 1, 0), 1);
	cr_expect_eq(net_read(in[0], &byte, 1), 1);
}

Test(accept, a_connection_knows_its_own_end_as_a_text)
{
	char text[64], want[64];
	connect_many(0, 1);
	cr_assert(wait_until(one_is_in));

	net_conn_local_text(in[0], text, sizeof(text));

	(void)snprintf(want, sizeof(want), "127.0.0.1:%u", ntohs(here.sin_port));
	cr_expect_str_eq(text, want);
}

/* --- retiring ------------------------------------------------------------------- */

Test(accept, a_listener_that_retires_takes_everybody_who_was_in_its_queue)
{
	connect_many(0, CLIENTS);
	net_acceptor_retire(acceptor, on_gone, NULL);

	cr_assert(wait_until(is_gone));

	cr_expect_eq(n_in, CLIENTS);
	cr_expect_eq(n_gone, 1);
}

static int begin_to_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)connect(fd, (struct sockaddr *)&here, sizeof(here));
	return fd;
}

static bool is_decided(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

Test(accept, who_comes_after_that_gets_no_answer_at_all_and_so_no_reset)
{
	net_acceptor_retire(acceptor, on_gone, NULL);

	int late = begin_to_connect();
	one_turn();

	cr_expect_not(is_decided(late));
	cr_assert_null(in[0]);
	close(late);
}

Test(accept, a_connection_that_was_taken_lives_on_when_its_listener_is_gone)
{
	char byte = 0;
	struct iovec v = { .iov_base = (char[]){ 'x' }, .iov_len = 1 };
	connect_many(0, 1);
	net_acceptor_retire(acceptor, on_gone, NULL);
	cr_assert(wait_until(is_gone));

	cr_assert_eq(n_in, 1);
	cr_assert_eq(net_write(in[0], &v, 1), 1);

	cr_expect_eq(recv(raw[0], &byte, 1, 0), 1);
}

Test(accept, the_address_is_free_again_when_the_listener_is_gone)
{
	struct err err = { .text = "" };
	int fd = -1;
	net_acceptor_retire(acceptor, on_gone, NULL);
	cr_assert(wait_until(is_gone));

	cr_expect_eq(net_listen((struct sockaddr *)&here, sizeof(here), 1, &fd, &err),
		0, "%s", err.text);

	close(fd);
}

Test(accept, and_may_be_taken_anew_while_it_still_leaves)
{
	struct err err = { .text = "" };
	int fd = -1;
	net_acceptor_retire(acceptor, on_gone, NULL);

	cr_expect_eq(net_listen((struct sockaddr *)&here, sizeof(here), 1, &fd, &err),
		0, "%s", err.text);

	close(fd);
}

Test(accept, so_may_a_path)
{
	struct err err = { .text = "" };
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	const struct net_accept to = { .on_accept = on_accept };
	int fd = -1, again = -1;
	(void)snprintf(path.sun_path, sizeof(path.sun_path), "/tmp/sluice-accept-%d",
		(int)getpid());
	cr_assert_eq(
		net_listen((struct sockaddr *)&path, sizeof(path), 1, &fd, &err), 0);
	net_acceptor_free(acceptor);
	acceptor = net_acceptor_new(loop, fd, &to);
	net_acceptor_retire(acceptor, on_gone, NULL);

	cr_expect_eq(
		net_listen((struct sockaddr *)&path, sizeof(path), 1, &again, &err), 0,
		"%s", err.text);

	close(again);
	(void)remove(path.sun_path);
}

/* No descriptor is left for what is accepted. */
static void take_all_descriptors(struct rlimit *before)
{
	struct rlimit none;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, before), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = before->rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
}

Test(accept, without_descriptors_a_listener_that_retires_tries_again_and_keeps_its_time)
{
	struct rlimit before;
	uint64_t begun_ns;
	connect_many(0, 1);
	take_all_descriptors(&before);
	begun_ns = net_loop_now_ns(loop);
	net_acceptor_retire(acceptor, on_gone, NULL);
	one_turn();
	cr_assert_eq(n_in, 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);

	cr_assert(wait_until(one_is_in));
	cr_expect_eq(n_gone, 0);
	cr_assert(wait_until(is_gone));

	cr_expect_geq(net_loop_now_ns(loop) - begun_ns, UINT64_C(300) * 1000000);
}

Test(accept, one_that_is_freed_closes_its_socket_at_once)
{
	net_acceptor_free(acceptor);
	acceptor = NULL;

	int fd = begin_to_connect();

	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);
	cr_assert_eq(poll(&p, 1, 5000), 1);
	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	cr_expect_eq(error, ECONNREFUSED);
	close(fd);
}
