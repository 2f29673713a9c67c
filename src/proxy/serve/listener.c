/*
 * Listeners: the sockets of one address, who closes them, and what a data thread accepts
 * at each. A listener that leaves the configuration is retired: it still serves what it
 * has accepted.
 */
#include <stdlib.h>
#include <unistd.h>

#include "serve/client_priv.h"

struct sockets *listener_sockets_open(
	const struct config_address *a, unsigned n, struct err *err)
{
	struct sockets *s = mem_zero(sizeof(*s) + n * sizeof(s->of[0]));
	int fds[CONFIG_MAX_WORKERS];

	if (net_listen(&a->sa.any, a->sa_len, n, fds, err) != 0) {
		err_wrap(err, "listen on %s", a->text);
		free(s);
		return NULL;
	}
	s->refs = 1;
	s->address = mem_text(a->text);
	s->n = n;
	for (unsigned i = 0; i < n; i++)
		s->of[i].fd = fds[i];
	return s;
}

void listener_sockets_unref(struct sockets *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		if (!atomic_load_explicit(&s->of[i].taken, memory_order_acquire))
			close(s->of[i].fd);
	}
	free(s->address);
	free(s);
}

/* --- as one thread accepts at it -------------------------------------------------- */

struct listener {
	struct link link;
	struct thread *thread;
	struct net_acceptor *acceptor;
	uint64_t id; /* of the sockets */
	struct net_tls *tls;
	bool redirect, h2c, retired, proxied; /* proxied: a PROXY header comes first */
	uint16_t redirect_port;
};

static struct net_tls *on_tls(void *arg)
{
	return ((struct listener *)arg)->tls;
}

unsigned listener_admit(struct thread *t, const struct sockaddr *client, bool tls)
{
	const struct config_limits *limits = &thread_config(t)->limits;
	struct peers *peers = t->proxy->peers;

	if (tls && limits->handshakes_per_client > 0 &&
		!peers_handshake_allow(peers, client, limits->handshakes_per_client,
			net_loop_now_ns(t->loop))) {
		thread_count(t, STAT_LIMIT_HANDSHAKES, 1);
		return NET_REFUSE;
	}
	if (limits->connections_per_client == 0)
		return NET_ADMIT;
	if (!peers_conn_acquire(peers, client, limits->connections_per_client)) {
		thread_count(t, STAT_LIMIT_CLIENT, 1);
		return NET_REFUSE;
	}
	return NET_ADMIT | NET_ADMIT_COUNTED;
}

void listener_forget(
	struct thread *t, const struct sockaddr *client, unsigned admission)
{
	if (admission & NET_ADMIT_COUNTED)
		peers_conn_release(t->proxy->peers, client);
}

/* Behind a proxy the client is admitted when its header has said who that is. */
static unsigned on_admit(void *arg, const struct sockaddr *peer)
{
	const struct listener *l = arg;
	struct thread *t = l->thread;
	const struct config *config = thread_config(t);

	if (config->limits.connections > 0 &&
		stats_sum(t->proxy->stats, STAT_CONNECTIONS_OPEN) >=
			config->limits.connections) {
		thread_count(t, STAT_LIMIT_CONNECTIONS, 1);
		return NET_REFUSE;
	}
	if (!l->proxied)
		return listener_admit(t, peer, l->tls != NULL);
	if (config_trusts(config, peer))
		return NET_ADMIT | NET_ADMIT_PROXIED;
	thread_count(t, STAT_PROXY_UNTRUSTED, 1);
	return NET_REFUSE;
}

static bool on_make_room(void *arg)
{
	return client_close_idle(((struct listener *)arg)->thread);
}

static void on_paused(void *arg)
{
	thread_count(((struct listener *)arg)->thread, STAT_LIMIT_ACCEPT_PAUSED, 1);
}

static void on_lost_peer(void *arg, const struct sockaddr *peer, unsigned admission)
{
	listener_forget(((struct listener *)arg)->thread, peer, admission);
}

static void on_accept(void *arg, struct net_conn *c)
{
	struct listener *l = arg;
	struct config_listener terms = { .redirect = l->redirect,
		.redirect_port = l->redirect_port,
		.h2c = l->h2c };

	client_accept(l->thread, c, &terms);
	((struct client *)net_conn_user(c))->listener = l->id;
	if (l->retired)
		client_dismiss(net_conn_user(c));
}

static bool on_elsewhere(
	void *arg, int fd, const struct sockaddr *peer, unsigned admission)
{
	struct listener *l = arg;

	return handover_give(l->thread, l->id, fd, peer, admission);
}

static void on_gone(void *arg)
{
	struct listener *l = arg;

	list_remove(&l->link);
	net_tls_unref(l->tls);
	free(l);
}

static void retire(struct listener *l)
{
	if (l->retired)
		return;
	l->retired = true;
	LIST_EACH (&l->thread->clients, it, next) {
		struct client *c = LIST_ENTRY(it, struct client, link);

		if (c->listener == l->id)
			client_dismiss(c);
	}
	net_acceptor_retire(l->acceptor, on_gone, l);
}

static struct listener *begin(struct thread *t, struct sockets *s)
{
	struct listener *l = mem_zero(sizeof(*l));
	struct net_accept to = {
		.on_accept = on_accept,
		.tls = on_tls,
		.admit = on_admit,
		.make_room = on_make_room,
		.on_pause = on_paused,
		.elsewhere = on_elsewhere,
		.on_lost = on_lost_peer,
		.arg = l,
	};

	l->thread = t;
	l->id = s->id;
	l->acceptor = net_acceptor_new(t->loop, s->of[t->index].fd, &to);
	atomic_store_explicit(&s->of[t->index].taken, true, memory_order_release);
	list_push(&t->listeners, &l->link);
	return l;
}

static struct listener *find(struct thread *t, uint64_t id)
{
	LIST_EACH (&t->listeners, it, next) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		if (l->id == id && !l->retired)
			return l;
	}
	return NULL;
}

/* A retired one still serves what was accepted before. */
bool listener_adopt(struct thread *t, uint64_t id, int fd, const struct sockaddr *peer,
	unsigned admission)
{
	LIST_EACH (&t->listeners, it, next) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		if (l->id != id)
			continue;
		net_acceptor_adopt(l->acceptor, fd, peer, admission);
		return true;
	}
	return false;
}

static bool has_listener(const struct snapshot *s, uint64_t id)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listener[i].sockets->id == id)
			return true;
	}
	return false;
}

/* Makes the thread's listeners those of the current snapshot. */
void listeners_sync(struct thread *t)
{
	struct snapshot *s = t->current->snapshot;

	LIST_EACH (&t->listeners, it, next) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		if (t->draining || !has_listener(s, l->id))
			retire(l);
	}
	for (size_t i = 0; i < s->n_listeners && !t->draining; i++) {
		const struct config_listener *c = &s->config->listeners[i];
		struct listener *l = find(t, s->listener[i].sockets->id);

		if (l == NULL)
			l = begin(t, s->listener[i].sockets);
		net_tls_unref(l->tls);
		l->tls = s->listener[i].tls != NULL ? net_tls_ref(s->listener[i].tls)
						    : NULL;
		l->proxied = c->proxy_protocol;
		l->redirect = c->redirect;
		l->redirect_port = c->redirect_port;
		l->h2c = c->h2c;
	}
}

void listeners_free(struct thread *t)
{
	LIST_EACH (&t->listeners, it, next) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		net_acceptor_free(l->acceptor);
		on_gone(l);
	}
}
