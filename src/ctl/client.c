/*
 * A small blocking HTTP client on the daemon's Unix socket: one request a connection,
 * a bound on everything, and errors that say what to do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/base/mem.h"
#include "sluice/http/h1.h"

#include "ctl_priv.h"

enum {
	STEP_S = 15,      /* for each wait */
	WHOLE_MS = 60000, /* for the whole answer */
	MAX_HEAD = 16384,
	MAX_FIELDS = 64,
	MAX_BODY = 64 << 20,
	READ_BYTES = 65536,
};

struct answer { /* as it comes in */
	char *in;
	size_t in_n;
	struct h1_parser parser;
	struct http_field fields[MAX_FIELDS];
	struct http_head head;
	struct h1_body body;
	bool has_head;
	uint64_t due_ms;
	struct reply *out;
};

/* --- connecting --------------------------------------------------------------- */

static const char *way_out(int why)
{
	switch (why) {
	case ENOENT:
		return "is sluice running? its file says where: admin.socket; then "
		       "--socket PATH";
	case ECONNREFUSED:
		return "nobody listens there any more: is sluice running?";
	case EACCES:
	case EPERM:
		return "become a user that may open it (sudo), or change admin.mode";
	}
	return "see that sluice runs and --socket is right";
}

static int open_socket(const char *path, struct err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval step = { .tv_sec = STEP_S };
	int fd;

	if (strlen(path) >= sizeof(un.sun_path))
		return err_set(err, ERR_SYSTEM, "%s is too long for a socket", path);
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_errno(err, "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof(step));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &step, sizeof(step));
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1) {
		int why = errno;

		err_set(err, ERR_SYSTEM, "cannot reach sluice at %s: %s; %s", path,
			strerror(why), way_out(why));
		close(fd);
		return -1;
	}
	return fd;
}

static int send_all(int fd, const char *p, size_t n, struct err *err)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1)
			return err_errno(err, "sluice does not take the request");
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

static int send_request(
	int fd, const char *target, const struct json *body, struct err *err)
{
	char *text = body != NULL ? json_print(body) : mem_text("");
	char *request =
		mem_print("%s %s HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n"
			  "Content-Type: application/json\r\nContent-Length: "
			  "%zu\r\n\r\n%s",
			body != NULL ? "POST" : "GET", target, strlen(text), text);
	int done = send_all(fd, request, strlen(request), err);

	free(text);
	free(request);
	return done;
}

/* --- the answer ------------------------------------------------------------------ */

static int take_head(struct answer *a, struct err *err)
{
	switch (h1_parse(
		&a->parser, &a->head, (struct span){ .p = a->in, .n = a->in_n })) {
	case H1_MORE:
		return 0;
	case H1_BAD:
		return err_set(err, ERR_FORMAT, "what answers there is no sluice: %s",
			http_bad_text(a->parser.why));
	case H1_DONE:
		break;
	}
	a->has_head = true;
	a->out->status = a->head.status;
	a->in_n -= a->head.bytes;
	memmove(a->in, a->in + a->head.bytes, a->in_n);
	h1_body_start(&a->body, a->head.framing, a->head.length);
	return 0;
}

static int keep(struct reply *r, struct span data, struct err *err)
{
	if (r->n + data.n > MAX_BODY)
		return err_set(err, ERR_FORMAT, "the answer is longer than 64 MiB");
	if (data.n == 0)
		return 0;
	r->text = mem_grow(r->text, r->n + data.n + 1);
	memcpy(r->text + r->n, data.p, data.n);
	r->n += data.n;
	r->text[r->n] = '\0';
	return 0;
}

static int take_body(struct answer *a, struct err *err)
{
	struct span rest = { .p = a->in, .n = a->in_n };
	enum h1_result r = H1_MORE;
	size_t used = 1;

	while (r == H1_MORE && used > 0 && !h1_body_is_done(&a->body)) {
		enum h1_piece piece = H1_NOTHING;
		struct span data = { .n = 0 };

		used = 0;
		r = h1_body_next(&a->body, rest, &used, &piece, &data);
		if (piece == H1_DATA && keep(a->out, data, err) != 0)
			return -1;
		rest.p += used;
		rest.n -= used;
	}
	if (r == H1_BAD)
		return err_set(err, ERR_FORMAT, "the answer is garbled: %s",
			http_bad_text(a->body.why));
	memmove(a->in, rest.p, rest.n);
	a->in_n = rest.n;
	return 0;
}

static bool is_whole(const struct answer *a)
{
	return a->has_head && h1_body_is_done(&a->body);
}

/* 1: more may come; 0: the peer has closed. */
static int receive(int fd, struct answer *a, struct err *err)
{
	ssize_t n;

	if (clock_mono_ms() > a->due_ms)
		return err_set(err, ERR_SYSTEM, "sluice answers too slowly");
	a->in = mem_grow(a->in, a->in_n + READ_BYTES);
	do
		n = recv(fd, a->in + a->in_n, READ_BYTES, 0);
	while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return err_set(err, ERR_SYSTEM,
			"sluice takes the connection but does not answer within %d s",
			STEP_S);
	if (n == -1)
		return err_errno(err, "sluice closed the connection");
	a->in_n += (size_t)n;
	return n > 0;
}

static int receive_all(int fd, struct answer *a, struct err *err)
{
	while (!is_whole(a)) {
		int more = receive(fd, a, err);

		if (more < 0 || (!a->has_head && take_head(a, err) != 0) ||
			(a->has_head && take_body(a, err) != 0))
			return -1;
		if (more > 0 || is_whole(a))
			continue;
		if (a->has_head && a->head.framing == HTTP_UNTIL_CLOSE)
			return 0;
		return err_set(err, ERR_SYSTEM,
			"sluice closed the connection before its answer was whole");
	}
	return 0;
}

static void start(struct answer *a, enum http_method method, struct reply *out)
{
	*a = (struct answer){ .out = out, .due_ms = clock_mono_ms() + WHOLE_MS };
	a->head = (struct http_head){ .fields = a->fields, .max_fields = MAX_FIELDS };
	h1_response_start(&a->parser, &a->head, method,
		(struct h1_limits){
			.head_bytes = MAX_HEAD, .field_count = MAX_FIELDS });
}

int client_ask(const char *socket, const char *target, const struct json *body,
	struct reply *out, struct err *err)
{
	struct answer *a = mem_alloc(sizeof(*a));
	int fd = open_socket(socket, err);

	*out = (struct reply){ .text = mem_text("") };
	start(a, body != NULL ? HTTP_POST : HTTP_GET, out);
	int done = fd == -1 || send_request(fd, target, body, err) != 0 ||
				   receive_all(fd, a, err) != 0
			   ? -1
			   : 0;
	if (fd != -1)
		close(fd);
	free(a->in);
	free(a);
	if (done != 0)
		client_reply_fini(out);
	else
		out->json = json_parse(out->text, out->n, NULL);
	return done;
}

void client_reply_fini(struct reply *r)
{
	json_free(r->json);
	free(r->text);
	*r = (struct reply){ .status = 0 };
}
