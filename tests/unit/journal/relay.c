#include "relay.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "server.h"

enum { PAIRS = 64, CHUNK = 4096, LOOK_MS = 20 };

struct pair {
	int client, server; /* -1: closed */
	bool cut;
};

char relay_database[192];

static char dir[64], path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static int listener;
static pthread_t thread;
static struct pair pairs[PAIRS];
static size_t n_pairs;
static _Atomic bool over, armed, was_cut, notices;
static _Atomic size_t budget;

static void address(struct sockaddr_un *sa, const char *folder)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/.s.PGSQL.5432", folder);
}

static void take_one(void)
{
	struct sockaddr_un sa;
	int client = accept(listener, NULL, NULL);
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address(&sa, getenv("PG_TEST_HOST"));
	if (client == -1 || n_pairs == PAIRS ||
		connect(server, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		(void)close(client);
		(void)close(server);
		return;
	}
	pairs[n_pairs++] = (struct pair){ .client = client, .server = server };
}

static void drop(int *fd)
{
	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
}

static void cut_all(void)
{
	for (size_t i = 0; i < n_pairs; i++) {
		pairs[i].cut = true;
		if (notices)
			drop(&pairs[i].client);
	}
	armed = false;
	was_cut = true;
}

/* How much of what is there may still go to the server. */
static size_t allowed(size_t n)
{
	if (!armed || n < budget)
		return n;
	return budget;
}

static bool pass_on(int from, int to, bool to_server)
{
	char bytes[CHUNK];
	ssize_t got = read(from, bytes, sizeof(bytes));
	size_t n = got > 0 ? (size_t)got : 0;
	size_t may = to_server ? allowed(n) : n;

	for (size_t done = 0; done < may;) {
		ssize_t wrote = send(to, bytes + done, may - done, MSG_NOSIGNAL);

		if (wrote <= 0)
			return false;
		done += (size_t)wrote;
	}
	if (to_server && armed) {
		budget -= may;
		if (budget == 0)
			cut_all();
	}
	return n > 0;
}

static void serve_pair(struct pair *p, const struct pollfd *fd)
{
	bool open = true;

	if (fd[0].revents != 0)
		open = pass_on(p->client, p->server, true);
	if (open && !p->cut && fd[1].revents != 0)
		open = pass_on(p->server, p->client, false);
	if (!open && !p->cut) {
		drop(&p->client);
		drop(&p->server);
	}
}

static void *serve(void *arg)
{
	(void)arg;
	while (!over) {
		struct pollfd fds[1 + 2 * PAIRS] = { { .fd = listener,
			.events = POLLIN } };
		size_t n = n_pairs;

		for (size_t i = 0; i < n; i++) {
			bool cut = pairs[i].cut;

			fds[1 + 2 * i] = (struct pollfd){ cut ? -1 : pairs[i].client,
				POLLIN, 0 };
			fds[2 + 2 * i] = (struct pollfd){ cut ? -1 : pairs[i].server,
				POLLIN, 0 };
		}
		if (poll(fds, (nfds_t)(1 + 2 * n), LOOK_MS) <= 0)
			continue;
		for (size_t i = 0; i < n; i++)
			if (!pairs[i].cut)
				serve_pair(&pairs[i], &fds[1 + 2 * i]);
		if (fds[0].revents != 0)
			take_one();
	}
	return NULL;
}

void relay_begin(void)
{
	struct sockaddr_un sa;

	(void)snprintf(dir, sizeof(dir), "/tmp/sluice-relay-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	address(&sa, dir);
	(void)snprintf(path, sizeof(path), "%s", sa.sun_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(listener, 8), 0);
	(void)snprintf(relay_database, sizeof(relay_database),
		"host=%s user=postgres dbname=t%d", dir, (int)getpid());
	cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

void relay_end(void)
{
	over = true;
	(void)pthread_join(thread, NULL);
	for (size_t i = 0; i < n_pairs; i++) {
		drop(&pairs[i].client);
		drop(&pairs[i].server);
	}
	(void)close(listener);
	(void)unlink(path);
	(void)rmdir(dir);
}

void relay_cut_after(size_t bytes, bool client_notices)
{
	notices = client_notices;
	budget = bytes;
	was_cut = false;
	armed = true;
}

bool relay_was_cut(void)
{
	return was_cut;
}
