/*
 * floor - what any proxy pays: a libev + OpenSSL loop that ends TLS and relays
 * bytes to one origin without understanding a single one of them.
 *
 * Each client connection has its own upstream connection for life. Both ends stay
 * armed for reading; it writes first and arms for writing only when a socket is
 * full. usage: floor PORT ORIGIN_PORT CERT KEY
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>
#include <openssl/ssl.h>

enum { BUFFER = 64 * 1024 };

struct pair {
	int client, origin;
	SSL *ssl;
	struct ev_io client_io, origin_io;
	bool is_open; /* the handshake is done */
	/* What waits to be written, each way; reading that side stops meanwhile. */
	char *up, *down;
	size_t up_n, down_n;
};

static struct ev_loop *loop;
static SSL_CTX *tls;
static struct sockaddr_in origin_address;
static char buffer[BUFFER];

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static void part(struct pair *p)
{
	ev_io_stop(loop, &p->client_io);
	ev_io_stop(loop, &p->origin_io);
	SSL_free(p->ssl);
	close(p->client);
	close(p->origin);
	free(p->up);
	free(p->down);
	free(p);
}

static void arm(struct ev_io *io, int fd, int events)
{
	if (ev_is_active(io) && (io->events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, io);
	ev_io_set(io, fd, events);
	if (events != 0)
		ev_io_start(loop, io);
}

static void arm_both(struct pair *p)
{
	arm(&p->client_io, p->client,
		(p->up_n > 0 ? 0 : EV_READ) | (p->down_n > 0 ? EV_WRITE : 0));
	arm(&p->origin_io, p->origin,
		(p->down_n > 0 ? 0 : EV_READ) | (p->up_n > 0 ? EV_WRITE : 0));
}

static bool keep(char **at, size_t *at_n, const char *from, size_t n)
{
	if (*at == NULL)
		*at = malloc(BUFFER);
	if (*at == NULL)
		return false;
	memmove(*at, from, n);
	*at_n = n;
	return true;
}

/* Writes what it can and keeps the rest. False: the origin is gone. */
static bool send_up(struct pair *p, const char *from, size_t n)
{
	ssize_t sent = send(p->origin, from, n, MSG_NOSIGNAL);

	if (sent == -1 && errno != EAGAIN && errno != ENOTCONN)
		return false;
	size_t done = sent > 0 ? (size_t)sent : 0;
	p->up_n = 0;
	return done == n || keep(&p->up, &p->up_n, from + done, n - done);
}

static bool send_down(struct pair *p, const char *from, size_t n)
{
	size_t done = 0;

	p->down_n = 0;
	while (n > 0) {
		int result = SSL_write_ex(p->ssl, from, n, &done);

		if (result != 1 &&
			SSL_get_error(p->ssl, result) != SSL_ERROR_WANT_WRITE)
			return false;
		if (result != 1)
			return keep(&p->down, &p->down_n, from, n);
		from += done;
		n -= done;
	}
	return true;
}

static bool pump_up(struct pair *p)
{
	size_t n = 0;

	while (p->up_n == 0) {
		int result = SSL_read_ex(p->ssl, buffer, sizeof(buffer), &n);

		if (result != 1)
			return SSL_get_error(p->ssl, result) == SSL_ERROR_WANT_READ;
		if (!send_up(p, buffer, n))
			return false;
		if (SSL_has_pending(p->ssl) == 0)
			return true;
	}
	return true;
}

static bool pump_down(struct pair *p)
{
	ssize_t n = recv(p->origin, buffer, sizeof(buffer), 0);

	if (n == -1)
		return errno == EAGAIN;
	return n > 0 && send_down(p, buffer, (size_t)n);
}

static bool shake_hands(struct pair *p)
{
	int result = SSL_accept(p->ssl);

	p->is_open = result == 1;
	return p->is_open || SSL_get_error(p->ssl, result) == SSL_ERROR_WANT_READ;
}

static void on_client(struct ev_loop *l, struct ev_io *w, int events)
{
	struct pair *p = w->data;
	bool ok = true;

	(void)l;
	if (!p->is_open)
		ok = shake_hands(p);
	if (ok && p->down_n > 0 && (events & EV_WRITE) != 0)
		ok = send_down(p, p->down, p->down_n);
	if (ok && p->is_open && (events & EV_READ) != 0)
		ok = pump_up(p);
	if (ok)
		arm_both(p);
	else
		part(p);
}

static void on_origin(struct ev_loop *l, struct ev_io *w, int events)
{
	struct pair *p = w->data;
	bool ok = true;

	(void)l;
	if (p->up_n > 0 && (events & EV_WRITE) != 0)
		ok = send_up(p, p->up, p->up_n);
	if (ok && (events & EV_READ) != 0)
		ok = pump_down(p);
	if (ok)
		arm_both(p);
	else
		part(p);
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (connect(fd, (struct sockaddr *)&origin_address, sizeof(origin_address)) ==
			0 ||
		errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

static void on_accept(struct ev_loop *l, struct ev_io *w, int events)
{
	(void)l;
	(void)events;
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK);
	struct pair *p = fd == -1 ? NULL : calloc(1, sizeof(*p));

	if (p == NULL)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	p->client = fd;
	p->origin = dial();
	p->ssl = SSL_new(tls);
	SSL_set_fd(p->ssl, fd);
	ev_io_init(&p->client_io, on_client, fd, EV_READ);
	p->client_io.data = p;
	ev_io_init(&p->origin_io, on_origin, p->origin, EV_READ);
	p->origin_io.data = p;
	if (p->origin == -1)
		part(p);
	else
		arm_both(p);
}

static int listen_on(const char *port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
		listen(fd, 4096) == -1) {
		perror("floor: listen");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct ev_io accepting;

	if (argc != 5) {
		fputs("usage: floor PORT ORIGIN_PORT CERT KEY\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	loop = ev_default_loop(0);
	origin_address = loopback(argv[2]);
	tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_read_ahead(tls, 1);
	SSL_CTX_set_num_tickets(tls, 1);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_use_certificate_chain_file(tls, argv[3]) != 1 ||
		SSL_CTX_use_PrivateKey_file(tls, argv[4], SSL_FILETYPE_PEM) != 1) {
		fputs("floor: cannot read the certificate; certs/make.sh makes one\n",
			stderr);
		return 1;
	}
	ev_io_init(&accepting, on_accept, listen_on(argv[1]), EV_READ);
	ev_io_start(loop, &accepting);
	ev_run(loop, 0);
	return 0;
}
