/*
 * A way in: accepts, and keeps the number of sessions bounded. When all places are
 * taken, the one that has been silent longest makes room, so that forgotten
 * connections never keep out whoever comes to cut back.
 */
#include "admin_priv.h"

enum { MAX_SESSIONS = 64 };

static unsigned admit(void *arg, const struct sockaddr *peer)
{
	struct door *d = arg;

	(void)peer;
	if (d->n < d->max || session_evict(d))
		return NET_ADMIT;
	d->api->refused_connections++;
	return NET_REFUSE;
}

static void on_accept(void *arg, struct net_conn *c)
{
	session_open(arg, c);
}

void door_init(struct door *d, struct api *api, struct net_loop *l, bool read_only)
{
	*d = (struct door){
		.api = api,
		.loop = l,
		.max = MAX_SESSIONS,
		.read_only = read_only,
	};
	list_init(&d->sessions);
}

void door_open(struct door *d, int fd)
{
	d->acceptor = net_acceptor_new(d->loop, fd,
		&(struct net_accept){
			.on_accept = on_accept,
			.admit = admit,
			.arg = d,
		});
}

void door_close(struct door *d)
{
	if (d->acceptor != NULL)
		net_acceptor_free(d->acceptor);
	d->acceptor = NULL;
	session_close_all(d);
}
