/*
 * The end of connections that nobody reads just now.
 *
 * Who does not read hears nothing of a reset, and libev's events say nothing of it alone.
 * So these join an epoll of their own, which asks for nothing: what it tells of all the
 * same are errors and hang-ups. libev waits for it as for any other descriptor. A
 * connection joins once and leaves by being closed: one system call in its life.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net_priv.h"

enum { ENDS_A_TURN = 64 };

struct ends {
	int fd;
	struct net_fd *watch;
};

/* Memory of one that another one's owner closes here goes when the turn is over. */
static void on_ends(void *arg, unsigned events)
{
	const struct ends *e = arg;
	struct epoll_event all[ENDS_A_TURN];
	int n = epoll_wait(e->fd, all, ENDS_A_TURN, 0);

	(void)events;
	for (int i = 0; i < n; i++) {
		struct net_conn *c = all[i].data.ptr;

		if (c->state == CONN_OPEN)
			conn_report(c, NET_GONE);
	}
}

static struct ends *ends_new(struct net_loop *l)
{
	struct ends *e = mem_zero(sizeof(*e));

	e->fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->fd == -1) {
		free(e);
		return NULL;
	}
	e->watch = net_fd_new(l, e->fd, on_ends, e);
	net_fd_want(e->watch, NET_READ);
	return e;
}

void ends_free(struct ends *e)
{
	if (e == NULL)
		return;
	net_fd_free(e->watch);
	close(e->fd);
	free(e);
}

/* Without memory or descriptors for it, the end is found out later. */
void net_conn_watch_end(struct net_conn *c)
{
	struct net_loop *l = c->loop;
	struct epoll_event nothing = { .events = EPOLLET, .data.ptr = c };

	if (c->watched)
		return;
	if (l->ends == NULL)
		l->ends = ends_new(l);
	if (l->ends != NULL)
		c->watched =
			epoll_ctl(l->ends->fd, EPOLL_CTL_ADD, c->io.fd, &nothing) == 0;
}
