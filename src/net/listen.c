/*
 * Listening sockets: as many as there are threads on one address, so that the
 * kernel spreads connections and no thread wakes for another's.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/net/conn.h"

#include "net_priv.h"

enum { BACKLOG = 4096 };

static void close_all(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* TCP_NODELAY is inherited by what is accepted: no call for each connection. */
static int bind_one(const struct sockaddr *sa, socklen_t len, struct err *err)
{
	int on = 1;
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return err_errno(err, "socket");
	if (sa->sa_family != AF_UNIX &&
		(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ==
				-1 ||
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ==
				-1)) {
		err_errno(err, "setsockopt");
		goto fail;
	}
	if (bind(fd, sa, len) == -1) {
		err_errno(err, "bind");
		goto fail;
	}
	if (listen(fd, BACKLOG) == -1) {
		err_errno(err, "listen");
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}

/* Another bind without SO_REUSEPORT fails if anybody else listens there; with it a
 * second sluice, started by mistake, would silently take half of the connections. */
static int check_free(const struct sockaddr *sa, socklen_t len, struct err *err)
{
	int on = 1;
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int done;

	if (fd == -1)
		return err_errno(err, "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	done = bind(fd, sa, len);
	if (done == -1)
		err_errno(err, "bind");
	close(fd);
	return done;
}

/* A socket file that nobody listens on is left over and goes. */
static int clear_path(const struct sockaddr *sa, socklen_t len, struct err *err)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)sa;
	struct stat st;
	int fd, done, why;

	if (lstat(un->sun_path, &st) == -1)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(
			err, ERR_SYSTEM, "%s is there and is no socket", un->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_errno(err, "socket");
	done = connect(fd, sa, len);
	why = errno;
	close(fd);
	if (done == 0)
		return err_set(
			err, ERR_SYSTEM, "another process listens on %s", un->sun_path);
	if (why != ECONNREFUSED) { /* not known to be dead: it may be another user's */
		errno = why;
		return err_errno(err, "is anybody listening on %s", un->sun_path);
	}
	if (unlink(un->sun_path) == -1)
		return err_errno(err, "remove %s", un->sun_path);
	return 0;
}

static int listen_unix(
	const struct sockaddr *sa, socklen_t len, unsigned n, int *fds, struct err *err)
{
	if (clear_path(sa, len, err) != 0)
		return -1;
	fds[0] = bind_one(sa, len, err);
	if (fds[0] == -1)
		return -1;
	for (unsigned i = 1; i < n; i++) {
		fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		if (fds[i] == -1) {
			err_errno(err, "dup");
			close_all(fds, i);
			return -1;
		}
	}
	return 0;
}

int net_listen(
	const struct sockaddr *sa, socklen_t len, unsigned n, int *fds, struct err *err)
{
	if (sa->sa_family == AF_UNIX)
		return listen_unix(sa, len, n, fds, err);
	if (check_free(sa, len, err) != 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		fds[i] = bind_one(sa, len, err);
		if (fds[i] == -1) {
			close_all(fds, i);
			return -1;
		}
	}
	return 0;
}
