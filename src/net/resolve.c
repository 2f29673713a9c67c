/*
 * Names to addresses, by c-ares on the loop: getaddrinfo would block it.
 *
 * The channel is made with the first name. c-ares says which descriptors it waits
 * for; its time-outs are looked at by a ticker while questions are open.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ares.h>

#include "sluice/base/log.h"
#include "sluice/net/loop.h"

#include "net_priv.h"

enum { SOCKETS = 16, TICK_MS = 100, QUERY_MS = 1000, TRIES = 2, PORT_TEXT = 8 };

struct watched {
	struct resolver *resolver;
	struct net_fd *watch; /* NULL: a free place */
	int fd;
};

struct resolver {
	struct net_loop *loop;
	ares_channel channel;
	struct net_ticker *ticker; /* while lookups are open */
	unsigned n_open;
	struct link waiting; /* lookups that c-ares does not know of yet */
	struct watched socket[SOCKETS];
};

struct net_lookup {
	struct resolver *resolver;
	struct link link; /* in waiting */
	struct net_timer start;
	char *host;
	uint16_t port;
	bool wants_all;
	void (*on_done)(
		void *, const struct sockaddr *, socklen_t); /* NULL: cancelled */
	void *arg;
};

static void lookup_free(struct net_lookup *lookup)
{
	net_timer_stop(&lookup->start);
	list_remove(&lookup->link);
	free(lookup->host);
	free(lookup);
}

static void on_socket(void *arg, unsigned events)
{
	struct watched *w = arg;

	ares_process_fd(w->resolver->channel,
		events & NET_READ ? w->fd : ARES_SOCKET_BAD,
		events & NET_WRITE ? w->fd : ARES_SOCKET_BAD);
}

static void on_tick(void *arg)
{
	struct resolver *r = arg;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (r->n_open == 0) {
		net_ticker_free(r->ticker);
		r->ticker = NULL;
	}
}

/* The place of fd, or a free one. With all taken c-ares still gets its answer by
 * the ticker's time-out and another try. */
static struct watched *place_of(struct resolver *r, int fd)
{
	struct watched *spare = NULL;

	for (unsigned i = 0; i < SOCKETS; i++) {
		if (r->socket[i].watch != NULL && r->socket[i].fd == fd)
			return &r->socket[i];
		if (r->socket[i].watch == NULL)
			spare = &r->socket[i];
	}
	return spare;
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct watched *w = place_of(r, fd);

	if (w == NULL)
		return;
	if (!readable && !writable) {
		net_fd_free(w->watch);
		w->watch = NULL;
		return;
	}
	if (w->watch == NULL) {
		w->fd = fd;
		w->resolver = r;
		w->watch = net_fd_new(r->loop, fd, on_socket, w);
	}
	net_fd_want(w->watch, (readable ? NET_READ : 0u) | (writable ? NET_WRITE : 0u));
}

static struct resolver *resolver_new(struct net_loop *l)
{
	struct resolver *r = mem_zero(sizeof(*r));
	struct ares_options options = {
		.timeout = QUERY_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r,
	};

	r->loop = l;
	list_init(&r->waiting);
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
		ares_init_options(&r->channel, &options,
			ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
			ARES_SUCCESS) {
		log_error("no name resolution", "");
		free(r);
		return NULL;
	}
	return r;
}

void resolve_free(struct resolver *r)
{
	if (r == NULL)
		return;
	LIST_EACH (&r->waiting, it, next)
		lookup_free(LIST_ENTRY(it, struct net_lookup, link));
	ares_destroy(r->channel); /* ends every open lookup */
	ares_library_cleanup();
	net_ticker_free(r->ticker);
	free(r);
}

/* Whoever is told may cancel. */
static void tell(struct net_lookup *lookup, const struct ares_addrinfo_node *node)
{
	while (lookup->wants_all && node != NULL && lookup->on_done != NULL) {
		lookup->on_done(lookup->arg, node->ai_addr, node->ai_addrlen);
		node = node->ai_next;
	}
	if (lookup->on_done != NULL && node != NULL)
		lookup->on_done(lookup->arg, node->ai_addr, node->ai_addrlen);
	else if (lookup->on_done != NULL)
		lookup->on_done(lookup->arg, NULL, 0);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct net_lookup *lookup = arg;
	const struct ares_addrinfo_node *first = NULL;

	(void)timeouts;
	lookup->resolver->n_open--;
	if (status == ARES_EDESTRUCTION)
		lookup->on_done = NULL; /* the loop goes, and who asked may be gone */
	if (status == ARES_SUCCESS && found != NULL)
		first = found->nodes;
	tell(lookup, first);
	if (found != NULL)
		ares_freeaddrinfo(found);
	lookup_free(lookup);
}

/* Asked from the loop: what c-ares knows at once (numbers, /etc/hosts) it answers
 * inside the call. */
static void on_ask(void *arg)
{
	struct net_lookup *lookup = arg;
	struct resolver *r = lookup->resolver;
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	char service[PORT_TEXT];

	list_remove(&lookup->link);
	r->n_open++;
	if (r->ticker == NULL)
		r->ticker = net_ticker_new(r->loop, TICK_MS, NET_NORMAL, on_tick, r);
	snprintf(service, sizeof(service), "%u", lookup->port);
	ares_getaddrinfo(r->channel, lookup->host, service, &hints, on_answer, lookup);
}

struct net_lookup *net_resolve(struct net_loop *l, const char *host, uint16_t port,
	void (*on_done)(void *arg, const struct sockaddr *sa, socklen_t len), void *arg)
{
	struct net_lookup *lookup;

	if (l->resolver == NULL)
		l->resolver = resolver_new(l);
	if (l->resolver == NULL)
		return NULL;
	lookup = mem_zero(sizeof(*lookup));
	lookup->resolver = l->resolver;
	lookup->host = mem_text(host);
	lookup->port = port;
	lookup->on_done = on_done;
	lookup->arg = arg;
	list_init(&lookup->link);
	list_push(&l->resolver->waiting, &lookup->link);
	net_timer_init(&lookup->start, l, on_ask, lookup);
	net_timer_set(&lookup->start, 0);
	return lookup;
}

struct net_lookup *net_resolve_all(struct net_loop *l, const char *host, uint16_t port,
	void (*on_found)(void *arg, const struct sockaddr *sa, socklen_t len),
	void *arg)
{
	struct net_lookup *lookup = net_resolve(l, host, port, on_found, arg);

	if (lookup != NULL)
		lookup->wants_all = true;
	return lookup;
}

void net_resolve_cancel(struct net_lookup *lookup)
{
	if (lookup == NULL)
		return;
	lookup->on_done = NULL;
	if (!list_empty(&lookup->link))
		lookup_free(lookup);
}
