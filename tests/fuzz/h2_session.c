/*
 * HTTP/2 sessions: whatever comes in, none crashes, loses memory, or tells an owner
 * anything after its end. The first byte chooses the side and how its owners behave; the
 * rest is what the peer says, cut in pieces.
 */
#include <assert.h>
#include <stdlib.h>

#include "sluice/http/h2.h"

enum { OWNERS_MAX = 64, BODY_BYTES = 40000, PREFACE_BYTES = 24 };

enum {
	IS_CLIENT = 1,
	SKIP_PREFACE = 2, /* it is said for the peer */
	ANSWERS = 4,
	FORGETS = 8,
	RESETS = 16,
	HOARDS = 32,
	GOES_AWAY = 64,
	SENDS_TRAILERS = 128,
};

struct owner {
	int32_t stream;
	bool is_out, has_ended;
	size_t left, unconsumed, promised;
};

static struct owner owners[OWNERS_MAX];
static size_t n_owners;
static struct h2 *session;
static unsigned mode;

static struct owner *new_owner(int32_t stream)
{
	if (n_owners == OWNERS_MAX)
		return NULL;

	struct owner *o = &owners[n_owners++];
	*o = (struct owner){ .stream = stream, .is_out = true, .left = BODY_BYTES };
	return o;
}

static void let_go(struct owner *o)
{
	assert(o->is_out);
	o->is_out = false;
}

static void check_head(const struct http_head *head)
{
	for (size_t i = 0; i < head->n_fields; i++) {
		struct span name = http_field_name(head, &head->fields[i]);
		struct span value = http_field_value(head, &head->fields[i]);

		assert(name.n > 0 && name.p[0] != ':');
		for (size_t k = 0; k < name.n; k++)
			assert(name.p[k] < 'A' || name.p[k] > 'Z');
		assert(memchr(value.p, '\n', value.n) == NULL);
		assert(memchr(value.p, '\r', value.n) == NULL);
		assert(memchr(value.p, '\0', value.n) == NULL);
	}
}

static void respond(struct owner *o)
{
	struct http_head head = { .base = "", .status = 200, .framing = HTTP_CHUNKED };

	if (h2_respond(session, o->stream, &head, true, NULL) == 0 &&
		(mode & SENDS_TRAILERS) != 0)
		assert(h2_trailers(session, o->stream, SPAN("grpc-status: 0")) == 0);
}

static void act(struct owner *o)
{
	if ((mode & ANSWERS) != 0 && (mode & IS_CLIENT) == 0)
		respond(o);
	if ((mode & FORGETS) != 0 && o->stream % 4 == 1) {
		h2_forget(session, o->stream);
		let_go(o);
	} else if ((mode & RESETS) != 0 && o->stream % 4 == 3) {
		h2_reset(session, o->stream, H2_CANCEL);
		let_go(o);
	}
}

static void *on_request(void *arg, int32_t stream, const struct http_head *head)
{
	(void)arg;
	check_head(head);
	assert(head->host.n > 0 && head->target.n > 0 && head->method_text.n > 0);

	struct owner *o = new_owner(stream);
	if (o == NULL)
		return NULL;
	act(o);
	return o;
}

static void on_refused(void *arg, int32_t stream, enum http_bad why)
{
	struct http_own own = { .status = http_bad_status(why) };

	(void)arg;
	assert(why != HTTP_FINE);
	if ((mode & ANSWERS) != 0)
		(void)!h2_answer(session, stream, &own); /* it may be over */
}

static void on_crowded(void *arg)
{
	(void)arg;
	assert(h2_open_streams(session) > 0);
}

static void on_response(void *owner, const struct http_head *head)
{
	struct owner *o = owner;

	assert(o->is_out && !o->has_ended);
	check_head(head);
	assert(head->status >= 100 && head->status <= 599);
	act(o);
}

static void on_data(void *owner, struct span data)
{
	struct owner *o = owner;

	assert(o->is_out && !o->has_ended && data.n > 0);
	if ((mode & HOARDS) != 0)
		o->unconsumed += data.n;
	else
		h2_consumed(session, o->stream, data.n);
}

static void on_trailers(void *owner, const struct http_head *head)
{
	struct owner *o = owner;

	assert(o->is_out && !o->has_ended);
	check_head(head);
}

static void on_end(void *owner)
{
	struct owner *o = owner;

	assert(o->is_out && !o->has_ended);
	o->has_ended = true;
}

static void on_reset(void *owner, uint32_t code)
{
	(void)code;
	let_go(owner);
}

static void on_closed(void *owner)
{
	struct owner *o = owner;

	assert(o->has_ended);
	let_go(o);
}

static size_t on_pull(void *owner, size_t max, bool *end)
{
	struct owner *o = owner;

	assert(o->is_out && max > 0);
	o->promised = o->left < max ? o->left : max;
	*end = o->promised == o->left;
	return o->promised;
}

static void on_take(void *owner, char *out, size_t n)
{
	struct owner *o = owner;

	assert(o->is_out && n == o->promised);
	memset(out, 'x', n);
	o->left -= n;
}

static void on_goaway(void *arg)
{
	(void)arg;
}

static void on_flood(void *arg, enum h2_flood kind)
{
	(void)arg;
	assert(kind < H2_N_FLOODS);
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

static const struct h2_limits limits = {
	.streams = 10,
	.header_bytes = 4096,
	.field_count = 32,
	.target_bytes = 256,
	.stream_window = 65535,
	.connection_window = 1 << 17,
	.websocket = true,
};

static void submit(void)
{
	struct http_head head = { .base = "GET/a",
		.method = HTTP_GET,
		.method_text = { .at = 0, .n = 3 },
		.target = { .at = 3, .n = 1 },
		.host = { .at = 4, .n = 1 } };
	struct h2_request r = { .head = &head };

	for (int i = 0; i < 3; i++) {
		struct owner *o = new_owner(0);

		r.owner = o;
		r.has_body = i == 1;
		r.websocket = i == 2;
		o->stream = h2_submit(session, &r);
		assert(o->stream > 0);
	}
}

static void say_preface(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	static const char settings[] = "\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";

	if ((mode & IS_CLIENT) == 0)
		assert(h2_receive(session,
			       (struct span){ .p = preface, .n = PREFACE_BYTES }) == 0);
	assert(h2_receive(session,
		       (struct span){ .p = settings, .n = sizeof settings - 1 }) == 0);
}

static void write_all(struct buf_pool *pool)
{
	struct buf out = { .data = NULL };

	do {
		buf_drop(&out, buf_len(&out));
		assert(h2_write(session, &out, BUF_MEDIUM));
		assert(buf_len(&out) <= BUF_LARGE);
	} while (buf_len(&out) > 0);
	buf_release(pool, &out);
}

static void pass_on(void)
{
	for (size_t i = 0; i < n_owners; i++) {
		h2_consumed(session, owners[i].stream, owners[i].unconsumed);
		h2_resume(session, owners[i].stream);
		owners[i].unconsumed = 0;
	}
}

static void receive(struct buf_pool *pool, struct span in)
{
	size_t piece = 1 + in.n / 5;

	while (in.n > 0) {
		size_t n = in.n < piece ? in.n : piece;
		/* A copy of its own, so that nothing reads behind it. */
		char *copy = malloc(n);
		memcpy(copy, in.p, n);
		int rv = h2_receive(session, (struct span){ .p = copy, .n = n });
		free(copy);
		write_all(pool);
		if (rv != 0)
			return;
		in.p += n;
		in.n -= n;
		pass_on();
	}
	if ((mode & GOES_AWAY) != 0)
		h2_goaway(session);
	write_all(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf_pool pool;

	if (n == 0)
		return 0;
	mode = data[0];
	n_owners = 0;
	buf_pool_init(&pool, 16);
	struct h2_shared *shared = h2_shared_new(&pool);
	session = (mode & IS_CLIENT) != 0
			  ? h2_client_new(shared, &limits, &events, NULL)
			  : h2_server_new(shared, &limits, &events, NULL);
	assert(session != NULL);
	if ((mode & IS_CLIENT) != 0)
		submit();
	write_all(&pool);
	if ((mode & SKIP_PREFACE) != 0)
		say_preface();
	receive(&pool, (struct span){ .p = (const char *)data + 1, .n = n - 1 });
	h2_free(session);
	h2_shared_free(shared);
	buf_pool_fini(&pool);
	return 0;
}
