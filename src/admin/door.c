/*
 * A way in: accepts, and keeps the number of sessions bounded. When all places are
 * taken, the session that needs its own least makes room: neither forgotten connections
 * nor half requests keep out the operator that comes to cut back. root, this user and
 * the socket's group have places of their own, which others cannot take.
 */
#include "admin_priv.h"

#include <unistd.h>

enum { MAX_SESSIONS = 64 };

static struct places *places_of(struct door *d, const struct net_conn *c)
{
	int uid = net_conn_peer_uid(c);
	bool trusted = uid == 0 || uid == (int)geteuid() ||
		       net_conn_peer_in_group(c, d->group);

	return &d->places[trusted ? DOOR_TRUSTED : DOOR_OTHERS];
}

static void on_accept(void *arg, struct net_conn *c)
{
	struct door *d = arg;
	struct places *p = places_of(d, c);

	if (p->n >= d->max)
		session_evict(d, p);
	session_open(d, p, c);
}

void door_init(struct door *d, struct api *api, struct net_loop *l, bool read_only)
{
	*d = (struct door){
		.api = api,
		.loop = l,
		.max = MAX_SESSIONS,
		.read_only = read_only,
	};
	for (unsigned i = 0; i < DOOR_CLASSES; i++)
		list_init(&d->places[i].sessions);
}

void door_open(struct door *d, int fd, gid_t group)
{
	d->group = group;
	d->acceptor = net_acceptor_new(
		d->loop, fd, &(struct net_accept){ .on_accept = on_accept, .arg = d });
}

void door_close(struct door *d)
{
	if (d->acceptor != NULL)
		net_acceptor_free(d->acceptor);
	d->acceptor = NULL;
	for (unsigned i = 0; i < DOOR_CLASSES; i++)
		session_close_all(&d->places[i]);
}
