/*
 * h2_origin - a server in HTTP/2 on the loop of the probes, one connection at a time,
 * with one answer for every request.
 */
#ifndef TESTS_UNIT_HEALTH_H2_ORIGIN_H
#define TESTS_UNIT_HEALTH_H2_ORIGIN_H

#include "sluice/http/h1.h"
#include "sluice/http/h2.h"

#include "scene.h"

static struct {
	struct h2_shared *shared;
	struct net_acceptor *acceptor;
	struct net_conn *conn;
	struct h2 *session;
	struct buf out;
	uint16_t port;
	/* what it answers */
	const char *head, *message, *trailers; /* NULL: none */
	size_t message_n;
	bool resets;
	/* what it was asked */
	unsigned accepted, asked;
	char request[512], body[512];
	size_t body_n;
} h2_origin;

static void *h2_on_request(void *arg, int32_t stream, const struct http_head *head)
{
	(void)arg;
	h2_origin.asked++;
	(void)snprintf(h2_origin.request, sizeof(h2_origin.request), "%.*s %.*s%.*s",
		(int)head->method_text.n, head->base + head->method_text.at,
		(int)head->host.n, head->base + head->host.at, (int)head->target.n,
		head->base + head->target.at);
	h2_origin.body_n = 0;
	return (void *)(intptr_t)stream;
}

static void h2_on_data(void *owner, struct span data)
{
	(void)owner;
	memcpy(h2_origin.body + h2_origin.body_n, data.p, data.n);
	h2_origin.body_n += data.n;
}

static void h2_on_end(void *owner)
{
	int32_t stream = (int32_t)(intptr_t)owner;
	struct http_field fields[8];
	struct http_head head = { .fields = fields, .max_fields = 8 };
	struct h1_limits limits = { .head_bytes = 512, .field_count = 8 };
	struct h1_parser parser;

	if (h2_origin.resets) {
		h2_reset(h2_origin.session, stream, H2_INTERNAL_ERROR);
		return;
	}
	h1_response_start(&parser, &head, HTTP_GET, limits);
	cr_assert_eq(h1_parse(&parser, &head, span_of(h2_origin.head)), H1_DONE);
	cr_assert_eq(h2_respond(h2_origin.session, stream, &head,
			     h2_origin.message != NULL, NULL),
		0);
	if (h2_origin.trailers != NULL)
		cr_assert_eq(h2_trailers(h2_origin.session, stream,
				     span_of(h2_origin.trailers)),
			0);
}

static size_t h2_on_pull(void *owner, size_t max, bool *end)
{
	(void)owner;
	cr_assert_leq(h2_origin.message_n, max);
	*end = true;
	return h2_origin.message_n;
}

static void h2_on_take(void *owner, char *out, size_t n)
{
	(void)owner;
	memcpy(out, h2_origin.message, n);
}

static void h2_on_trailers(void *owner, const struct http_head *trailers)
{
	(void)owner;
	(void)trailers;
}

static void h2_on_refused(void *arg, int32_t stream, enum http_bad why)
{
	(void)arg;
	(void)stream;
	cr_assert_fail("a check was refused: %s", http_bad_text(why));
}

static void h2_on_reset(void *owner, uint32_t code)
{
	(void)owner;
	(void)code;
}

static void h2_on_closed(void *owner)
{
	(void)owner;
}

static void h2_on_goaway(void *arg)
{
	(void)arg;
}

static void h2_on_flood(void *arg, enum h2_flood kind)
{
	(void)arg;
	cr_assert_fail("a check counts as a flood of kind %d", (int)kind);
}

static const struct h2_events h2_origin_events = {
	.on_request = h2_on_request,
	.on_refused = h2_on_refused,
	.on_data = h2_on_data,
	.on_trailers = h2_on_trailers,
	.on_end = h2_on_end,
	.on_reset = h2_on_reset,
	.on_closed = h2_on_closed,
	.on_pull = h2_on_pull,
	.on_take = h2_on_take,
	.on_goaway = h2_on_goaway,
	.on_flood = h2_on_flood,
};

static void h2_hang_up(void)
{
	h2_free(h2_origin.session);
	h2_origin.session = NULL;
	if (h2_origin.conn != NULL)
		net_conn_close(h2_origin.conn);
	h2_origin.conn = NULL;
}

static void h2_on_event(void *arg, unsigned events)
{
	char in[4096];
	ssize_t n = net_read(h2_origin.conn, in, sizeof(in));

	(void)arg;
	(void)events;
	if (n == NET_AGAIN)
		return;
	if (n <= 0 || h2_receive(h2_origin.session,
			      (struct span){ .p = in, .n = (size_t)n }) != 0) {
		h2_hang_up();
		return;
	}
	cr_assert(h2_write(h2_origin.session, &h2_origin.out, sizeof(in)));
	if (buf_len(&h2_origin.out) > 0) {
		struct iovec v = { buf_head(&h2_origin.out), buf_len(&h2_origin.out) };

		cr_assert_eq(net_write(h2_origin.conn, &v, 1), (ssize_t)v.iov_len);
		buf_drop(&h2_origin.out, v.iov_len);
	}
}

static void h2_on_accept(void *arg, struct net_conn *c)
{
	const struct h2_limits limits = { .streams = 10,
		.header_bytes = 4096,
		.field_count = 64,
		.target_bytes = 1024,
		.stream_window = 65535,
		.connection_window = 65535 };

	(void)arg;
	h2_hang_up();
	h2_origin.accepted++;
	h2_origin.conn = c;
	h2_origin.session =
		h2_server_new(h2_origin.shared, &limits, &h2_origin_events, NULL);
	net_conn_own(c, (struct net_owner){ .on_event = h2_on_event });
	net_conn_want_read(c, true);
}

static void open_h2_origin(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	struct err err;
	int fd = -1;
	struct net_accept a = { .on_accept = h2_on_accept };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(net_listen((struct sockaddr *)&sa, len, 1, &fd, &err), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	h2_origin.port = ntohs(sa.sin_port);
	h2_origin.shared = h2_shared_new(net_loop_bufs(loop));
	h2_origin.acceptor = net_acceptor_new(loop, fd, &a);
}

static void close_h2_origin(void)
{
	h2_hang_up();
	buf_release(net_loop_bufs(loop), &h2_origin.out);
	net_acceptor_free(h2_origin.acceptor);
	h2_shared_free(h2_origin.shared);
}

#endif
