/*
 * The listening ports. A port that refuses has closed its socket and reset its
 * connections, as a killed server would; it opens again on the same number.
 */
#include "origin.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct port *port_new(const char *name, const char *address, bool is_control)
{
	const char *colon = strrchr(address, ':');
	struct port *p = calloc(1, sizeof(*p));

	if (p == NULL || colon == NULL) {
		free(p);
		return NULL;
	}
	p->name = name;
	p->host = strndup(address, (size_t)(colon - address));
	p->number = (unsigned)atoi(colon + 1);
	p->fd = -1;
	p->is_control = is_control;
	return p;
}

static void on_accept(struct ev_loop *l, struct ev_io *w, int events)
{
	struct port *p = w->data;

	(void)l;
	(void)events;
	for (int i = 0; i < 64; i++) {
		int fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd == -1)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		conn_open(p, fd);
	}
}

static void learn_number(struct port *p)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	char number[16] = "0";

	if (getsockname(p->fd, (struct sockaddr *)&ss, &n) == 0)
		getnameinfo((struct sockaddr *)&ss, n, NULL, 0, number, sizeof(number),
			NI_NUMERICSERV);
	p->number = (unsigned)atoi(number);
}

static int open_socket(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, 4096) == 0)
		return fd;
	close(fd);
	return -1;
}

int port_open(struct port *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *at = NULL;
	char number[16];

	if (p->fd != -1)
		return 0;
	snprintf(number, sizeof(number), "%u", p->number);
	if (getaddrinfo(p->host, number, &hints, &at) != 0)
		return -1;
	p->fd = open_socket(at);
	freeaddrinfo(at);
	if (p->fd == -1)
		return -1;
	learn_number(p);
	ev_io_init(&p->accepting, on_accept, p->fd, EV_READ);
	p->accepting.data = p;
	ev_io_start(loop, &p->accepting);
	return 0;
}

void port_refuse(struct port *p)
{
	if (p->fd != -1) {
		ev_io_stop(loop, &p->accepting);
		close(p->fd);
		p->fd = -1;
	}
	while (p->conns != NULL)
		conn_reset(p->conns);
}
