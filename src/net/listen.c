/*
 * Listening sockets: as many as there are threads on one address, so that the
 * kernel spreads connections and no thread wakes for another's.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/net/conn.h"

#include "net_priv.h"

enum { BACKLOG = 4096 };

/* Addresses where a retiring listener of this process still has its socket. Control asks
 * before it listens there anew; the data threads tell. */
struct leaving {
	struct leaving *next;
	union {
		union net_address ip;
		struct sockaddr_un un;
	} sa;
};

static struct leaving *leaving;
static pthread_mutex_t leaving_lock = PTHREAD_MUTEX_INITIALIZER;

struct leaving *listen_leaves(int fd)
{
	struct leaving *l = mem_zero(sizeof(*l));
	socklen_t len = sizeof(l->sa);

	if (getsockname(fd, &l->sa.ip.any, &len) == -1) {
		free(l);
		return NULL;
	}
	pthread_mutex_lock(&leaving_lock);
	l->next = leaving;
	leaving = l;
	pthread_mutex_unlock(&leaving_lock);
	return l;
}

void listen_left(struct leaving *l)
{
	struct leaving **at = &leaving;

	if (l == NULL)
		return;
	pthread_mutex_lock(&leaving_lock);
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	pthread_mutex_unlock(&leaving_lock);
	free(l);
}

static bool is_at(const struct leaving *l, const struct sockaddr *sa)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)sa;

	if (l->sa.ip.any.sa_family != sa->sa_family)
		return false;
	switch (sa->sa_family) {
	case AF_INET:
		return l->sa.ip.in4.sin_port == in4->sin_port &&
		       l->sa.ip.in4.sin_addr.s_addr == in4->sin_addr.s_addr;
	case AF_INET6:
		return l->sa.ip.in6.sin6_port == in6->sin6_port &&
		       l->sa.ip.in6.sin6_scope_id == in6->sin6_scope_id &&
		       IN6_ARE_ADDR_EQUAL(&l->sa.ip.in6.sin6_addr, &in6->sin6_addr);
	default:
		return strncmp(l->sa.un.sun_path, un->sun_path, sizeof(un->sun_path)) ==
		       0;
	}
}

/* Whether it is our own former listener that still holds this address. */
static bool is_being_left(const struct sockaddr *sa)
{
	const struct leaving *l;

	pthread_mutex_lock(&leaving_lock);
	l = leaving;
	while (l != NULL && !is_at(l, sa))
		l = l->next;
	pthread_mutex_unlock(&leaving_lock);
	return l != NULL;
}

static void close_all(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* [::] is IPv6 alone, as with nginx: 0.0.0.0 may be a listener of its own, beside it. */
static void set_v6only(int fd, const struct sockaddr *sa)
{
	int on = 1;

	if (sa->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
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
	set_v6only(fd, sa);
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
	set_v6only(fd, sa);
	done = bind(fd, sa, len);
	if (done == -1)
		err_errno(err, "bind");
	close(fd);
	return done;
}

static int check_dead(const struct sockaddr_un *un, socklen_t len, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int done, why;

	if (fd == -1)
		return err_errno(err, "socket");
	done = connect(fd, (const struct sockaddr *)un, len);
	why = errno;
	close(fd);
	if (done == 0)
		return err_set(
			err, ERR_SYSTEM, "another process listens on %s", un->sun_path);
	if (why != ECONNREFUSED) { /* not known to be dead: it may be another user's */
		errno = why;
		return err_errno(err, "is anybody listening on %s", un->sun_path);
	}
	return 0;
}

/* A socket file that nobody listens on is left over and goes. */
static int clear_path(const struct sockaddr *sa, socklen_t len, struct err *err)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)sa;
	struct stat st;

	if (lstat(un->sun_path, &st) == -1)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(
			err, ERR_SYSTEM, "%s is there and is no socket", un->sun_path);
	if (!is_being_left(sa) && check_dead(un, len, err) != 0)
		return -1;
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
	if (!is_being_left(sa) && check_free(sa, len, err) != 0)
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
