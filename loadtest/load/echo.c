/*
 * echo - an origin that answers WebSocket messages with themselves (RFC 6455).
 *
 * One thread, one libev loop. A request that does not ask for an upgrade gets a short
 * 200, for checks of health. Every data frame goes back as it came but for the mask; a
 * ping becomes a pong, a close is answered and ends the connection.
 *
 * usage: echo PORT, of loopback; 0 is chosen by the system. It prints where it
 * listens and ends when standard input closes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>
#include <openssl/evp.h>

enum { ROOM = 256 * 1024, HEAD_MAX = 8192, FRAME_MAX = 64 * 1024 };
enum { OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10, MASKED = 0x80, MASK = 4 };

struct conn {
	int fd;
	struct ev_io io;
	bool is_tunnel, is_over;
	/* What is there of the next head or frame, and what waits to be sent. Idle
	 * connections have neither. */
	unsigned char *in, *out;
	size_t in_n, out_n;
};

static struct ev_loop *loop;
static unsigned char input[ROOM + FRAME_MAX], output[ROOM + FRAME_MAX];
static size_t output_n;

static void conn_close(struct conn *c)
{
	ev_io_stop(loop, &c->io);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

static void say(const void *p, size_t n)
{
	memcpy(output + output_n, p, n);
	output_n += n;
}

static bool keep(unsigned char **at, size_t *at_n, const void *p, size_t n)
{
	unsigned char *copy = NULL;

	if (n > 0 && (copy = malloc(n)) == NULL)
		return false;
	if (n > 0)
		memcpy(copy, p, n);
	free(*at);
	*at = copy;
	*at_n = n;
	return true;
}

static void arm(struct conn *c, int events)
{
	if ((c->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(loop, &c->io);
}

/* Sends what was said and keeps what the socket does not take; until that is gone
 * nothing more is read. */
static bool flush(struct conn *c, const unsigned char *p, size_t n)
{
	ssize_t sent = n > 0 ? send(c->fd, p, n, MSG_NOSIGNAL) : 0;

	if (sent == -1 && errno != EAGAIN)
		return false;
	size_t done = sent > 0 ? (size_t)sent : 0;
	arm(c, done < n ? EV_WRITE : EV_READ);
	return keep(&c->out, &c->out_n, p + done, n - done);
}

/* RFC 6455, 4.2.2: what proves that the key was understood. */
static void accept_key(const char *key, size_t n, char *out)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char text[128], digest[EVP_MAX_MD_SIZE];
	unsigned digest_n = 0;

	memcpy(text, key, n);
	memcpy(text + n, guid, sizeof(guid) - 1);
	EVP_Digest(text, n + sizeof(guid) - 1, digest, &digest_n, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)out, digest, (int)digest_n);
}

static void answer_head(struct conn *c, const char *head)
{
	static const char name[] = "\r\nsec-websocket-key:";
	const char *key = strcasestr(head, name);
	char text[512], accepted[64];

	if (key != NULL) {
		key += sizeof(name) - 1;
		key += strspn(key, " \t");
	}
	size_t n = key == NULL ? 0 : strcspn(key, " \t\r\n");
	if (n == 0 || n > 64) {
		strcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
	} else {
		accept_key(key, n, accepted);
		snprintf(text, sizeof(text),
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			accepted);
		c->is_tunnel = true;
	}
	say(text, strlen(text));
}

/* Bytes of the head that it ate; 0: it is not there as a whole. */
static size_t take_head(struct conn *c, const unsigned char *p, size_t n)
{
	const unsigned char *end = memmem(p, n, "\r\n\r\n", 4);
	char head[HEAD_MAX];

	if (end == NULL || (size_t)(end - p) + 4 >= sizeof(head)) {
		c->is_over = n >= sizeof(head);
		return 0;
	}
	size_t head_n = (size_t)(end - p) + 4;
	memcpy(head, p, head_n);
	head[head_n] = '\0';
	answer_head(c, head);
	return head_n;
}

static size_t read_length(const unsigned char *p, size_t bytes)
{
	size_t length = 0;

	for (size_t i = 0; i < bytes; i++)
		length = length << 8 | p[i];
	return length;
}

/* Bytes of the frame that it ate; 0: it is not there as a whole. */
static size_t take_frame(struct conn *c, const unsigned char *p, size_t n)
{
	size_t more = n < 2 || (p[1] & 127) < 126 ? 0 : (p[1] & 127) == 126 ? 2 : 8;
	size_t head = 2 + more + MASK;

	if (n < head)
		return 0;
	size_t length = more == 0 ? p[1] & 127u : read_length(p + 2, more);
	c->is_over = length > FRAME_MAX - head || (p[1] & MASKED) == 0;
	if (c->is_over || n - head < length)
		return 0;
	const unsigned char *mask = p + head - MASK;
	unsigned char *to = output + output_n;
	unsigned op = p[0] & 15;
	to[0] = op == OP_PING ? (p[0] & 0xf0) | OP_PONG : p[0];
	memcpy(to + 1, p + 1, 1 + more);
	to[1] &= 127;
	for (size_t i = 0; i < length; i++)
		to[2 + more + i] = p[head + i] ^ mask[i % MASK];
	output_n += 2 + more + length;
	c->is_over = op == OP_CLOSE;
	return head + length;
}

/* The answers to n bytes of input; what is no whole head or frame yet is kept. */
static bool answer(struct conn *c, size_t n)
{
	size_t at = 0, ate = 1;

	output_n = 0;
	while (at < n && ate > 0 && !c->is_over) {
		ate = c->is_tunnel ? take_frame(c, input + at, n - at)
				   : take_head(c, input + at, n - at);
		at += ate;
		c->is_over = c->is_over || output_n > ROOM;
	}
	return keep(&c->in, &c->in_n, input + at, n - at) &&
	       flush(c, output, output_n) && !c->is_over;
}

static bool take_input(struct conn *c)
{
	if (c->in_n > 0)
		memcpy(input, c->in, c->in_n);
	ssize_t n = recv(c->fd, input + c->in_n, ROOM, 0);

	if (n == -1)
		return errno == EAGAIN;
	return n > 0 && answer(c, c->in_n + (size_t)n);
}

static void on_io(struct ev_loop *l, struct ev_io *w, int events)
{
	struct conn *c = w->data;
	bool ok = true;

	(void)l;
	if ((events & EV_WRITE) != 0) {
		memcpy(output, c->out, c->out_n);
		ok = flush(c, output, c->out_n);
	} else {
		ok = take_input(c);
	}
	if (!ok)
		conn_close(c);
}

static void on_accept(struct ev_loop *l, struct ev_io *w, int events)
{
	(void)l;
	(void)events;
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c = fd == -1 ? NULL : calloc(1, sizeof(*c));

	if (c == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	c->fd = fd;
	ev_io_init(&c->io, on_io, fd, EV_READ);
	c->io.data = c;
	ev_io_start(loop, &c->io);
}

static void on_stdin(struct ev_loop *l, struct ev_io *w, int events)
{
	char ignored[256];

	(void)events;
	if (read(w->fd, ignored, sizeof(ignored)) <= 0)
		ev_break(l, EVBREAK_ALL);
}

static int listen_on(unsigned port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
		listen(fd, 4096) == -1 ||
		getsockname(fd, (struct sockaddr *)&at, &n) == -1) {
		perror("echo: listen");
		exit(1);
	}
	printf("listen address=127.0.0.1:%u\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct ev_io accepting, ending;

	if (argc != 2) {
		fputs("usage: echo PORT\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	loop = ev_default_loop(0);
	ev_io_init(&accepting, on_accept, listen_on((unsigned)atoi(argv[1])), EV_READ);
	ev_io_start(loop, &accepting);
	ev_io_init(&ending, on_stdin, STDIN_FILENO, EV_READ);
	ev_io_start(loop, &ending);
	ev_run(loop, 0);
	return 0;
}
