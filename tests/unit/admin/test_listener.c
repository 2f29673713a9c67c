#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/base/mem.h"

#include "fixture.h"

static struct fixture *fixture;

static void setup(void)
{
	fixture = fixture_open(1);
}

static void teardown(void)
{
	fixture_close(fixture);
}

TestSuite(listener, .init = setup, .fini = teardown, .timeout = 60);

static const char healthz[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

static void assert_answers(int fd)
{
	client_send(fd, healthz, strlen(healthz));
	struct got a = client_receive(fd, false);

	cr_assert_eq(a.status, 200);
	got_fini(&a);
}

/* Waits until the daemon has closed fd. */
static void assert_closed(int fd)
{
	cr_assert(client_sees_end(fd));
	close(fd);
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memcpy(un.sun_path, fixture->socket, strlen(fixture->socket));
	return un;
}

/* As a daemon that was killed leaves it behind, or, listening, one that lives. */
static int bind_socket(bool listening)
{
	struct sockaddr_un un = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	if (listening)
		cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

static int try_open(struct err *err)
{
	struct admin_ops ops;
	struct admin *a = NULL;
	int rc;

	fixture_fill_ops(fixture, &ops);
	rc = admin_open(&a, fixture->loop, fixture_config(fixture), &ops, err);
	admin_close(a);
	return rc;
}

Test(listener, the_socket_has_the_mode_that_was_asked_for)
{
	struct stat st;

	fixture_config(fixture)->mode = 0660;
	fixture_start(fixture);

	cr_assert_eq(stat(fixture->socket, &st), 0);
	cr_assert(S_ISSOCK(st.st_mode));
	cr_assert_eq(st.st_mode & 07777, 0660);
}

Test(listener, a_socket_left_by_a_dead_process_is_replaced)
{
	close(bind_socket(false));

	fixture_start(fixture);

	int fd = client_open(fixture);
	assert_answers(fd);
	close(fd);
}

Test(listener, the_socket_of_a_living_process_is_an_error_that_names_it)
{
	struct err err = { .code = ERR_NONE };
	struct stat st;
	int fd = bind_socket(true);

	cr_assert_eq(try_open(&err), -1);

	cr_assert(strstr(err.text, fixture->socket) != NULL, "%s", err.text);
	cr_assert_eq(stat(fixture->socket, &st), 0, "it must stay");
	close(fd);
}

Test(listener, a_file_that_is_no_socket_is_left_alone)
{
	struct err err = { .code = ERR_NONE };
	struct stat st;
	FILE *f = fopen(fixture->socket, "w");

	fclose(f);
	cr_assert_eq(try_open(&err), -1);

	cr_assert_eq(stat(fixture->socket, &st), 0);
	cr_assert(S_ISREG(st.st_mode));
}

Test(listener, a_folder_that_is_missing_is_an_error_that_says_so)
{
	struct err err = { .code = ERR_NONE };

	free(fixture_config(fixture)->socket);
	fixture_config(fixture)->socket = mem_print("%s/no/sock", fixture->folder);
	cr_assert_eq(try_open(&err), -1);

	cr_assert(strstr(err.text, "folder must exist") != NULL, "%s", err.text);
}

Test(listener, a_path_too_long_for_a_socket_is_an_error_that_says_so)
{
	struct err err = { .code = ERR_NONE };

	free(fixture_config(fixture)->socket);
	fixture_config(fixture)->socket = mem_print("/%0*d", 120, 0);
	cr_assert_eq(try_open(&err), -1);

	cr_assert(strstr(err.text, "shorter path") != NULL, "%s", err.text);
}

Test(listener, closing_removes_the_socket)
{
	struct err err = { .code = ERR_NONE };

	cr_assert_eq(try_open(&err), 0, "%s", err.text);

	cr_assert_eq(access(fixture->socket, F_OK), -1);
}

Test(listener, closing_leaves_the_socket_of_whoever_came_after)
{
	struct admin_ops ops;
	struct admin *old = NULL;
	struct err err = { .code = ERR_NONE };

	fixture_fill_ops(fixture, &ops);
	cr_assert_eq(
		admin_open(&old, fixture->loop, fixture_config(fixture), &ops, &err),
		0);
	unlink(fixture->socket);
	int fd = bind_socket(true);
	admin_close(old);

	cr_assert_eq(access(fixture->socket, F_OK), 0);
	close(fd);
}

Test(listener, a_connection_is_good_for_many_requests)
{
	fixture_start(fixture);
	int fd = client_open(fixture);

	assert_answers(fd);
	assert_answers(fd);
	assert_answers(fd);

	close(fd);
}

Test(listener, requests_sent_at_once_are_answered_in_order)
{
	static const char two[] = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
				  "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

	fixture_start(fixture);
	int fd = client_open(fixture);
	client_send(fd, two, strlen(two));
	struct got first = client_receive(fd, false);
	struct got second = client_receive(fd, false);

	cr_assert_eq(first.status, 404);
	cr_assert_eq(second.status, 200);
	got_fini(&first);
	got_fini(&second);
	close(fd);
}

Test(listener, a_request_may_come_byte_by_byte)
{
	fixture_start(fixture);
	int fd = client_open(fixture);

	for (size_t i = 0; i + 1 < sizeof(healthz); i++)
		client_send(fd, healthz + i, 1);
	struct got a = client_receive(fd, false);

	cr_assert_eq(a.status, 200);
	got_fini(&a);
	close(fd);
}

Test(listener, a_client_that_closes_its_half_gets_its_answer)
{
	fixture_start(fixture);
	int fd = client_open(fixture);

	client_send(fd, healthz, strlen(healthz));
	shutdown(fd, SHUT_WR);
	struct got a = client_receive(fd, false);

	cr_assert_eq(a.status, 200);
	got_fini(&a);
	assert_closed(fd);
}

Test(listener, http_1_0_is_answered_and_closed)
{
	static const char old[] = "GET /healthz HTTP/1.0\r\n\r\n";

	fixture_start(fixture);
	int fd = client_open(fixture);
	client_send(fd, old, strlen(old));
	struct got a = client_receive(fd, false);

	cr_assert_eq(a.status, 200);
	got_fini(&a);
	assert_closed(fd);
}

Test(listener, a_client_that_waits_for_100_gets_it)
{
	static const char head[] = "POST /v1/cutback HTTP/1.1\r\nHost: a\r\n"
				   "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";

	fixture_start(fixture);
	int fd = client_open(fixture);
	client_send(fd, head, strlen(head));
	struct got interim = client_receive(fd, true);
	client_send(fd, "{}", 2);
	struct got a = client_receive(fd, false);

	cr_assert_eq(interim.status, 100);
	cr_assert_eq(a.status, 200);
	got_fini(&interim);
	got_fini(&a);
	close(fd);
}

Test(listener, forgotten_connections_never_keep_out_whoever_comes_to_cut_back)
{
	int forgotten[80];

	fixture_start(fixture);
	for (int i = 0; i < 80; i++) {
		forgotten[i] = client_open(fixture);
		assert_answers(forgotten[i]);
	}
	int fd = client_open(fixture);
	assert_answers(fd);

	assert_closed(forgotten[0]);
	for (int i = 1; i < 80; i++)
		close(forgotten[i]);
	close(fd);
}

Test(listener, half_requests_never_keep_out_whoever_comes_to_cut_back)
{
	static const char *const halves[] = { "GET /hea",
		"POST /v1/cutback HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{" };
	int half[80];

	fixture_start(fixture);
	for (int i = 0; i < 80; i++) {
		half[i] = client_open(fixture);
		client_send(half[i], halves[i % 2], strlen(halves[i % 2]));
	}
	int fd = client_open(fixture);
	assert_answers(fd);

	cr_assert_eq(fixture->command.n, 0, "half a request is none");
	for (int i = 0; i < 80; i++)
		close(half[i]);
	close(fd);
}

Test(listener, an_idle_connection_makes_room_before_a_half_request_does)
{
	int fds[65];

	fixture_start(fixture);
	fds[0] = client_open(fixture);
	client_send(fds[0], healthz, 10);
	for (int i = 1; i < 65; i++) {
		fds[i] = client_open(fixture);
		assert_answers(fds[i]);
	}
	client_send(fds[0], healthz + 10, strlen(healthz) - 10);
	struct got a = client_receive(fds[0], false);

	cr_assert_eq(a.status, 200);
	assert_closed(fds[1]);
	got_fini(&a);
}

Test(listener, the_loopback_port_reads_but_changes_nothing)
{
	static const char post[] = "POST /v1/cutback HTTP/1.1\r\nHost: a\r\n"
				   "Content-Length: 2\r\n\r\n{}";
	uint16_t port = fixture_listen(fixture);

	fixture_start(fixture);
	int fd = client_open_port(port);
	assert_answers(fd);
	client_send(fd, post, strlen(post));
	struct got a = client_receive(fd, false);

	cr_assert_eq(a.status, 403);
	cr_assert(strstr(a.body, fixture->socket) != NULL, "%s", a.body);
	cr_assert_eq(fixture->command.n, 0);
	got_fini(&a);
	close(fd);
}
