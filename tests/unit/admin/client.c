/*
 * A blocking HTTP client that knows just enough to read one answer exactly.
 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/base/mem.h"

#include "fixture.h"

static int open_to(const struct sockaddr *sa, socklen_t len)
{
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	cr_assert_eq(connect(fd, sa, len), 0, "connect");
	return fd;
}

int client_open(const struct fixture *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memcpy(un.sun_path, s->socket, strlen(s->socket));
	return open_to((struct sockaddr *)&un, sizeof(un));
}

int client_open_port(uint16_t port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return open_to((struct sockaddr *)&in, sizeof(in));
}

/* What the server refuses to take (it may have answered and closed) is not sent. */
void client_send(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t put = send(fd, bytes, n, MSG_NOSIGNAL);

		if (put <= 0)
			return;
		bytes += put;
		n -= (size_t)put;
	}
}

static char one_byte(int fd)
{
	char c;

	cr_assert_eq(recv(fd, &c, 1, 0), 1, "the answer ends too early");
	return c;
}

/* Up to and with end; heap memory. */
static char *read_until(int fd, const char *end)
{
	char *text = mem_alloc(1);
	size_t n = 0, end_n = strlen(end);

	do {
		text = mem_grow(text, n + 2);
		text[n++] = one_byte(fd);
		text[n] = '\0';
	} while (n < end_n || strcmp(text + n - end_n, end) != 0);
	return text;
}

static void read_body(int fd, struct got *a, size_t n)
{
	a->body = mem_grow(a->body, a->body_n + n + 1);
	for (size_t done = 0; done < n;) {
		ssize_t got = recv(fd, a->body + a->body_n + done, n - done, 0);

		cr_assert_gt(got, 0, "the body ends too early");
		done += (size_t)got;
	}
	a->body_n += n;
	a->body[a->body_n] = '\0';
}

static void read_chunks(int fd, struct got *a)
{
	size_t n = 1;

	while (n > 0) {
		char *line = read_until(fd, "\r\n");

		n = strtoul(line, NULL, 16);
		free(line);
		read_body(fd, a, n);
		free(read_until(fd, "\r\n"));
	}
}

static void read_to_end(int fd, struct got *a)
{
	char c;

	while (recv(fd, &c, 1, 0) == 1) {
		a->body = mem_grow(a->body, a->body_n + 2);
		a->body[a->body_n++] = c;
		a->body[a->body_n] = '\0';
	}
}

struct got client_receive(int fd, bool head_only)
{
	struct got a = { .body = mem_text("") };
	const char *length;

	a.head = read_until(fd, "\r\n\r\n");
	cr_assert_eq(sscanf(a.head, "HTTP/1.1 %u", &a.status), 1, "%s", a.head);
	length = strstr(a.head, "Content-Length: ");
	if (head_only)
		return a;
	if (length != NULL)
		read_body(
			fd, &a, strtoul(length + strlen("Content-Length: "), NULL, 10));
	else if (strstr(a.head, "Transfer-Encoding: chunked") != NULL)
		read_chunks(fd, &a);
	else
		read_to_end(fd, &a);
	return a;
}

bool client_sees_end(int fd)
{
	char c;

	return recv(fd, &c, 1, 0) == 0;
}

struct got client_ask(const struct fixture *s, const char *method, const char *target,
	const char *body)
{
	const char *text = body != NULL ? body : "";
	int fd = client_open(s);
	char *request =
		mem_print("%s %s HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n"
			  "Content-Length: %zu\r\n\r\n%s",
			method, target, strlen(text), text);

	client_send(fd, request, strlen(request));
	free(request);
	struct got a = client_receive(fd, strcmp(method, "HEAD") == 0);
	cr_assert(client_sees_end(fd));
	close(fd);
	return a;
}

void got_fini(struct got *a)
{
	free(a->head);
	free(a->body);
}
