/*
 * A session and what it tells, as text: each event is a line. Two of them talk through
 * their buffers, or one is told frames that are written by hand.
 */
#ifndef SLUICE_TESTS_HTTP_H2_SIDE_H
#define SLUICE_TESTS_HTTP_H2_SIDE_H

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/http/h2.h"

enum { SAID_MAX = 1 << 16, OWNERS_MAX = 256, HEAD_BYTES = 8192, TARGET_BYTES = 256 };
enum { STREAM_WINDOW = 65535, CONNECTION_WINDOW = 1 << 20, STREAMS_MAX = 100 };

struct side;

struct owner {
	struct side *side;
	int32_t stream;
	const char *body; /* what it has to send */
	size_t body_n, sent, got, unconsumed;
	bool more; /* behind body more will come: no end yet */
};

struct side {
	struct h2 *h2;
	struct buf out;
	char said[SAID_MAX];
	size_t said_n;
	struct owner owner[OWNERS_MAX];
	size_t n_owners;
	bool refuses; /* gives streams no owner */
	bool answers; /* says why it refuses */
	bool hoards;  /* does not pass on what it gets */
	bool quiet;   /* tells nothing of data and fields */
	void (*at_request)(struct side *side, struct owner *o); /* or NULL */
	int received; /* what h2_receive said last */
	int32_t refused_stream;
	enum http_bad why;
	enum h2_flood flood;
};

static struct buf_pool pool;
static struct h2_shared *shared;
static struct side *server, *client;

__attribute__((format(printf, 2, 3))) static inline void say(
	struct side *side, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	side->said_n += (size_t)vsnprintf(
		side->said + side->said_n, SAID_MAX - side->said_n, fmt, args);
	va_end(args);
	cr_assert_lt(side->said_n, SAID_MAX);
}

static inline void say_span(struct side *side, const char *before, struct span s)
{
	say(side, "%s%.*s", before, (int)s.n, s.p == NULL ? "" : s.p);
}

static inline void say_fields(struct side *side, const struct http_head *head)
{
	for (size_t i = 0; i < head->n_fields && !side->quiet; i++) {
		const struct http_field *f = &head->fields[i];

		say_span(side, f->dropped ? "  (" : "  ", http_field_name(head, f));
		say_span(side, ": ", http_field_value(head, f));
		say(side, f->dropped ? ")\n" : "\n");
	}
}

static inline void say_framing(struct side *side, const struct http_head *head)
{
	static const char *const text[] = {
		[HTTP_NO_BODY] = "nothing",
		[HTTP_LENGTH] = "length",
		[HTTP_CHUNKED] = "open",
		[HTTP_UNTIL_CLOSE] = "close",
	};

	say(side, " %s", text[head->framing]);
	if (head->framing == HTTP_LENGTH)
		say(side, " %llu", (unsigned long long)head->length);
	if (head->expect_continue)
		say(side, " continue");
	if (head->te_trailers)
		say(side, " te");
	if (head->tunnel)
		say(side, " tunnel");
	say(side, "\n");
}

static inline struct owner *new_owner(struct side *side, int32_t stream)
{
	struct owner *o = &side->owner[side->n_owners++ % OWNERS_MAX];

	*o = (struct owner){ .side = side, .stream = stream };
	return o;
}

static inline void *on_request(void *arg, int32_t stream, const struct http_head *head)
{
	struct side *side = arg;

	if (!side->quiet) {
		say(side, "%d", (int)stream);
		say_span(side, " ", http_text(head, head->method_text));
		say_span(side, " ", http_text(head, head->target));
		say_span(side, " ", http_text(head, head->host));
		say_framing(side, head);
	}
	say_fields(side, head);
	if (side->refuses)
		return NULL;

	struct owner *o = new_owner(side, stream);
	if (side->at_request != NULL)
		side->at_request(side, o);
	return o;
}

static inline void on_refused(void *arg, int32_t stream, enum http_bad why)
{
	struct side *side = arg;

	side->refused_stream = stream;
	side->why = why;
	say(side, "%d refused %s\n", (int)stream, http_bad_name(why));
	if (side->answers) {
		struct http_own own = { .status = http_bad_status(why) };

		cr_assert_eq(h2_answer(side->h2, stream, &own), 0);
	}
}

static inline void on_crowded(void *arg)
{
	say(arg, "crowded\n");
}

static inline void on_response(void *owner, const struct http_head *head)
{
	struct owner *o = owner;

	if (!o->side->quiet) {
		say(o->side, "%d %u", (int)o->stream, head->status);
		say_framing(o->side, head);
	}
	say_fields(o->side, head);
}

static inline void on_data(void *owner, struct span data)
{
	struct owner *o = owner;

	o->got += data.n;
	if (o->side->hoards)
		o->unconsumed += data.n;
	else
		h2_consumed(o->side->h2, o->stream, data.n);
	if (!o->side->quiet && data.n < 100) {
		say_span(o->side, "data ", data);
		say(o->side, "\n");
	}
}

static inline void on_trailers(void *owner, const struct http_head *head)
{
	struct owner *o = owner;

	say(o->side, "%d trailers\n", (int)o->stream);
	say_fields(o->side, head);
}

static inline void on_end(void *owner)
{
	struct owner *o = owner;

	if (!o->side->quiet)
		say(o->side, "%d end\n", (int)o->stream);
}

static inline void on_reset(void *owner, uint32_t code)
{
	struct owner *o = owner;

	say(o->side, "%d reset %u\n", (int)o->stream, (unsigned)code);
}

static inline void on_closed(void *owner)
{
	struct owner *o = owner;

	if (!o->side->quiet)
		say(o->side, "%d closed\n", (int)o->stream);
}

static inline size_t on_pull(void *owner, size_t max, bool *end)
{
	struct owner *o = owner;
	size_t left = o->body_n - o->sent;

	*end = left <= max && !o->more;
	return left < max ? left : max;
}

static inline void on_take(void *owner, char *out, size_t n)
{
	struct owner *o = owner;

	memcpy(out, o->body + o->sent, n);
	o->sent += n;
}

static inline void on_goaway(void *arg)
{
	say(arg, "goaway\n");
}

static inline void on_flood(void *arg, enum h2_flood kind)
{
	struct side *side = arg;

	side->flood = kind;
	say(side, "flood %d\n", (int)kind);
}

static const struct h2_events events = {
	.on_request = on_request,
	.on_refused = on_refused,
	.on_crowded = on_crowded,
	.on_response = on_response,
	.on_data = on_data,
	.on_trailers = on_trailers,
	.on_end = on_end,
	.on_reset = on_reset,
	.on_closed = on_closed,
	.on_pull = on_pull,
	.on_take = on_take,
	.on_goaway = on_goaway,
	.on_flood = on_flood,
};

static const struct h2_limits ample = {
	.streams = STREAMS_MAX,
	.header_bytes = HEAD_BYTES,
	.field_count = 64,
	.target_bytes = TARGET_BYTES,
	.stream_window = STREAM_WINDOW,
	.connection_window = CONNECTION_WINDOW,
	.websocket = true,
};

static inline void open_sides(const struct h2_limits *limits)
{
	buf_pool_init(&pool, 64);
	shared = h2_shared_new(&pool);
	server = calloc(1, sizeof *server);
	client = calloc(1, sizeof *client);
	server->flood = client->flood = H2_N_FLOODS;
	server->h2 = h2_server_new(shared, limits, &events, server);
	client->h2 = h2_client_new(shared, limits, &events, client);
	cr_assert_not_null(server->h2);
	cr_assert_not_null(client->h2);
}

static inline void setup(void)
{
	open_sides(&ample);
}

static inline void teardown(void)
{
	h2_free(server->h2);
	h2_free(client->h2);
	buf_release(&pool, &server->out);
	buf_release(&pool, &client->out);
	h2_shared_free(shared);
	buf_pool_fini(&pool);
	free(server);
	free(client);
}

/* --- two that talk -------------------------------------------------------- */

/* Some bytes go over; false: there were none. */
static inline bool carry(struct side *from, struct side *to, size_t max)
{
	cr_assert(h2_write(from->h2, &from->out, max));
	if (buf_len(&from->out) == 0)
		return false;

	struct span in = { .p = buf_head(&from->out), .n = buf_len(&from->out) };
	to->received = h2_receive(to->h2, in);
	buf_drop(&from->out, in.n);
	return true;
}

static inline void talk(void)
{
	bool any = true;

	while (any) {
		any = carry(client, server, BUF_MEDIUM);
		any = carry(server, client, BUF_MEDIUM) || any;
	}
}

static inline void hush(void)
{
	server->said_n = client->said_n = 0;
	server->said[0] = client->said[0] = '\0';
}

/* Parses text, which is of the test, as HTTP/1 would have it. */
struct parsed {
	struct http_head head;
	struct http_field field[32];
};

static const struct h1_limits h1_ample = {
	.head_bytes = 8192, .field_count = 32, .target_bytes = 1024
};

static inline struct http_head *parse(struct parsed *p, const char *text, bool response)
{
	struct h1_parser parser;

	p->head = (struct http_head){ .fields = p->field, .max_fields = 32 };
	if (response)
		h1_response_start(&parser, &p->head, HTTP_GET, h1_ample);
	else
		h1_request_start(&parser, &p->head, h1_ample);
	cr_assert_eq(h1_parse(&parser, &p->head, span_of(text)), H1_DONE, "%s", text);
	return &p->head;
}

static inline struct owner *request(const char *text, bool has_body)
{
	struct parsed p;
	struct owner *o = new_owner(client, 0);
	struct h2_request r = {
		.head = parse(&p, text, false),
		.has_body = has_body,
		.owner = o,
	};

	o->stream = h2_submit(client->h2, &r);
	return o;
}

static inline struct owner *get(void)
{
	return request("GET /x HTTP/1.1\r\nHost: a\r\n\r\n", false);
}

/* Into the stream that server's newest owner has. */
static inline int respond(const char *text, bool has_body)
{
	struct parsed p;
	struct owner *o = &server->owner[(server->n_owners - 1) % OWNERS_MAX];

	return h2_respond(server->h2, o->stream, parse(&p, text, true), has_body, NULL);
}

static inline void has_to_send(struct owner *o, const char *body, size_t n)
{
	o->body = body;
	o->body_n = n;
}

#endif
