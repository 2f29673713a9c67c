/*
 * A way in: accepts, and keeps the number of sessions bounded. When all places are
 * taken, the session that needs its own least makes room: neither forgotten connections
 * nor half requests keep out the operator that comes for a cutback. root, this user and
 * the socket's group have places of their own, which others cannot take.
 */
#include <unistd.h>

#include "httpd_priv.h"

enum { MAX_SESSIONS = 64 };

static struct httpd_places *places_of(
	struct httpd_listener *l, const struct net_conn *c)
{
	int uid = net_conn_peer_uid(c);
	bool trusted = uid == 0 || uid == (int)geteuid() ||
		       net_conn_peer_in_group(c, l->group);

	return &l->places[trusted ? HTTPD_TRUSTED : HTTPD_OTHERS];
}

static void on_accept(void *arg, struct net_conn *c)
{
	struct httpd_listener *l = arg;
	struct httpd_places *p = places_of(l, c);

	if (p->n >= l->max)
		session_evict(l->httpd, p);
	session_open(l, p, c);
}

void httpd_listener_init(
	struct httpd_listener *l, struct httpd *h, struct net_loop *loop, unsigned role)
{
	*l = (struct httpd_listener){
		.httpd = h, .loop = loop, .max = MAX_SESSIONS, .role = role
	};
	for (unsigned i = 0; i < HTTPD_CLASSES; i++)
		list_init(&l->places[i].sessions);
}

void httpd_listener_open(struct httpd_listener *l, int fd, gid_t group)
{
	l->group = group;
	l->acceptor = net_acceptor_new(
		l->loop, fd, &(struct net_accept){ .on_accept = on_accept, .arg = l });
}

void httpd_listener_close(struct httpd_listener *l)
{
	if (l->acceptor != NULL)
		net_acceptor_free(l->acceptor);
	l->acceptor = NULL;
	for (unsigned i = 0; i < HTTPD_CLASSES; i++)
		session_close_all(&l->places[i]);
}
