/* Listening sockets: several on one address, and what refuses one. */
#include "scene.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct err err;
static int fds[4] = { -1, -1, -1, -1 };
static char folder[] = "/tmp/sluice-net-XXXXXX";
static struct sockaddr_un path = { .sun_family = AF_UNIX };

static void setup(void)
{
	scene_open();
	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path.sun_path, sizeof(path.sun_path), "%s/s", folder);
}

static void teardown(void)
{
	for (unsigned i = 0; i < 4; i++) {
		if (fds[i] != -1)
			close(fds[i]);
	}
	(void)remove(path.sun_path);
	(void)remove(folder);
	scene_close();
}

TestSuite(listen, .init = setup, .fini = teardown, .timeout = 20);

static int listen_tcp(unsigned n)
{
	return net_listen((struct sockaddr *)&here, sizeof(here), n, fds, &err);
}

static int listen_path(unsigned n)
{
	return net_listen((struct sockaddr *)&path, sizeof(path), n, fds, &err);
}

static void learn_port(void)
{
	socklen_t len = sizeof(here);

	cr_assert_eq(getsockname(fds[0], (struct sockaddr *)&here, &len), 0);
}

static void any_port(void)
{
	here = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static bool can_connect(const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM, 0);
	bool can = connect(fd, sa, len) == 0;

	close(fd);
	return can;
}

/* A port that somebody else may have for himself. */
static void take_and_leave_a_port(void)
{
	any_port();
	cr_assert_eq(listen_tcp(1), 0, "%s", err.text);
	learn_port();
	close(fds[0]);
	fds[0] = -1;
}

Test(listen, an_address_gets_a_socket_for_each_thread)
{
	take_and_leave_a_port();

	cr_assert_eq(listen_tcp(4), 0, "%s", err.text);

	for (unsigned i = 0; i < 4; i++) {
		struct sockaddr_in sa = { .sin_port = 0 };
		socklen_t len = sizeof(sa);

		cr_assert_eq(getsockname(fds[i], (struct sockaddr *)&sa, &len), 0);
		cr_expect_eq(sa.sin_port, here.sin_port);
	}
	cr_expect(can_connect((struct sockaddr *)&here, sizeof(here)));
}

Test(listen, an_address_where_another_listens_is_refused_though_he_would_share_it)
{
	any_port();
	cr_assert_eq(listen_tcp(1), 0, "%s", err.text);
	learn_port();
	int other = -1;

	cr_expect_eq(
		net_listen((struct sockaddr *)&here, sizeof(here), 1, &other, &err),
		-1);

	cr_expect_eq(other, -1);
	cr_expect_not_null(strstr(err.text, "Address already in use"), "%s", err.text);
}

Test(listen, every_ipv6_address_stands_beside_every_ipv4_address)
{
	struct sockaddr_in6 all = { .sin6_family = AF_INET6 };
	take_and_leave_a_port();
	here.sin_addr.s_addr = htonl(INADDR_ANY);
	cr_assert_eq(listen_tcp(1), 0, "%s", err.text);
	all.sin6_port = here.sin_port;

	cr_expect_eq(net_listen((struct sockaddr *)&all, sizeof(all), 2, fds + 1, &err),
		0, "%s", err.text);
}

Test(listen, an_address_that_is_not_ours_is_refused)
{
	any_port();
	here.sin_addr.s_addr = inet_addr("192.0.2.1");

	cr_expect_eq(listen_tcp(2), -1);

	cr_expect_not_null(strstr(err.text, "bind"), "%s", err.text);
	cr_expect_eq(fds[0], -1);
}

Test(listen, what_is_accepted_inherits_that_small_answers_leave_at_once)
{
	int on = 0;
	socklen_t len = sizeof(on);
	any_port();

	cr_assert_eq(listen_tcp(1), 0, "%s", err.text);

	cr_assert_eq(getsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	cr_expect_neq(on, 0);
}

Test(listen, a_path_gets_descriptors_of_one_socket)
{
	cr_assert_eq(listen_path(3), 0, "%s", err.text);

	cr_expect(can_connect((struct sockaddr *)&path, sizeof(path)));
	cr_expect_neq(fds[2], -1);
	cr_expect_neq(fds[1], fds[2]);
}

Test(listen, a_path_that_a_dead_process_left_is_taken_over)
{
	cr_assert_eq(listen_path(1), 0, "%s", err.text);
	close(fds[0]);

	cr_assert_eq(listen_path(1), 0, "%s", err.text);

	cr_expect(can_connect((struct sockaddr *)&path, sizeof(path)));
}

Test(listen, a_path_where_another_listens_is_refused)
{
	cr_assert_eq(listen_path(1), 0, "%s", err.text);
	int other = -1;

	cr_expect_eq(
		net_listen((struct sockaddr *)&path, sizeof(path), 1, &other, &err),
		-1);

	cr_expect_not_null(strstr(err.text, "another process"), "%s", err.text);
	cr_expect(can_connect((struct sockaddr *)&path, sizeof(path)));
}

Test(listen, a_path_that_is_a_file_is_never_removed)
{
	struct stat st;
	FILE *f = fopen(path.sun_path, "w");
	cr_assert_not_null(f);
	(void)fclose(f);

	cr_expect_eq(listen_path(1), -1);

	cr_expect_not_null(strstr(err.text, "is no socket"), "%s", err.text);
	cr_expect_eq(stat(path.sun_path, &st), 0);
}
