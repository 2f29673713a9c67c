/*
 * probe_h2 - a check in HTTP/2, on a connection of its own: one GET, of whose answer
 * only the status counts, or one call of grpc.health.v1.Health/Check, of which the
 * call's status and the message do.
 */
#include "health_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

enum {
	WINDOW = 65535,
	WRITE_BYTES = 16384,
	STATUS_OK = 200,
	FRAME_SIZE_ERROR = 6,
	FIELDS = 16
};

static const struct h2_limits limits = {
	.header_bytes = PROBE_HEAD_MAX,
	.field_count = HTTP_MAX_FIELDS,
	.stream_window = WINDOW,
	.connection_window = WINDOW,
};

/* --- events -------------------------------------------------------------- */

/* Of a call, in the trailers; in the head when there is nothing else. */
static void take_code(struct probe_h2 *h, const struct http_head *head)
{
	for (const struct http_field *f = head->fields;
		f < head->fields + head->n_fields; f++) {
		if (span_ieq(http_field_name(head, f), SPAN("grpc-status")))
			h->has_code = span_u64(http_field_value(head, f), &h->code);
	}
}

static void on_response(void *owner, const struct http_head *head)
{
	struct probe_h2 *h = owner;

	if (head->status < 200)
		return;
	h->status = head->status;
	take_code(h, head);
}

/* Of a GET nobody reads it; what a check answers fits one window. */
static void on_data(void *owner, struct span data)
{
	struct probe_h2 *h = owner;
	size_t room = sizeof(h->message) - h->message_n;

	h->too_long |= data.n > room;
	if (data.n > room)
		data.n = room;
	memcpy(h->message + h->message_n, data.p, data.n);
	h->message_n += data.n;
}

static void on_trailers(void *owner, const struct http_head *trailers)
{
	take_code(owner, trailers);
}

static void on_end(void *owner)
{
	((struct probe_h2 *)owner)->ended = true;
}

static void on_reset(void *owner, uint32_t code)
{
	struct probe_h2 *h = owner;

	h->reset = !h->ended;
	h->reset_code = code;
}

static void on_closed(void *owner)
{
	(void)owner;
}

static size_t on_pull(void *owner, size_t max, bool *end)
{
	struct probe_h2 *h = owner;
	size_t n = h->ask_n - h->asked;

	*end = n <= max;
	return n < max ? n : max;
}

static void on_take(void *owner, char *out, size_t n)
{
	struct probe_h2 *h = owner;

	memcpy(out, h->ask + h->asked, n);
	h->asked += n;
}

static void on_goaway(void *arg)
{
	(void)arg; /* this one request it answers, or resets */
}

static void on_flood(void *arg, enum h2_flood kind)
{
	(void)arg;
	(void)kind;
}

static const struct h2_events events = {
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

/* --- the question -------------------------------------------------------- */

static char *head_of(const struct config_health *c, const struct config_address *a)
{
	if (c->type == CONFIG_HEALTH_GRPC)
		return mem_print("POST /grpc.health.v1.Health/Check HTTP/1.1\r\n"
				 "Host: %s\r\n"
				 "User-Agent: sluice-health\r\n"
				 "Content-Type: application/grpc\r\n"
				 "TE: trailers\r\nConnection: TE\r\n"
				 "Grpc-Timeout: %um\r\n\r\n",
			probe_host(c, a), c->timeout_ms);
	return mem_print("GET %s HTTP/1.1\r\n"
			 "Host: %s\r\n"
			 "User-Agent: sluice-health\r\n"
			 "Accept: */*\r\n\r\n",
		c->path, probe_host(c, a));
}

static bool submit(struct probe_h2 *h, const char *text, bool https)
{
	const struct h1_limits any = { .head_bytes = (uint32_t)strlen(text),
		.field_count = FIELDS,
		.target_bytes = (uint32_t)strlen(text) };
	struct http_field fields[FIELDS];
	struct http_head head = { .fields = fields, .max_fields = FIELDS };
	const struct h2_request request = {
		.head = &head, .https = https, .has_body = h->is_call, .owner = h
	};
	struct h1_parser parser;

	h1_request_start(&parser, &head, any);
	return h1_parse(&parser, &head, span_of(text)) == H1_DONE &&
	       h2_submit(h->session, &request) >= 0;
}

struct probe_h2 *probe_h2_new(struct h2_shared *shared, const struct config_health *c,
	const struct config_address *a, bool https)
{
	struct probe_h2 *h = mem_zero(sizeof(*h));
	char *text = head_of(c, a);
	bool begun;

	h->is_call = c->type == CONFIG_HEALTH_GRPC;
	if (h->is_call)
		h->ask_n = probe_grpc_ask(h->ask, c->service);
	h->session = h2_client_new(shared, &limits, &events, h);
	begun = h->session != NULL && submit(h, text, https);
	free(text);
	if (begun)
		return h;
	probe_h2_free(h, NULL);
	return NULL;
}

void probe_h2_free(struct probe_h2 *h, struct buf_pool *bufs)
{
	if (h == NULL)
		return;
	h2_free(h->session);
	if (bufs != NULL)
		buf_release(bufs, &h->out);
	free(h);
}

bool probe_h2_write(struct probe_h2 *h)
{
	return buf_len(&h->out) > 0 || h2_write(h->session, &h->out, WRITE_BYTES);
}

bool probe_h2_take(struct probe_h2 *h, struct span in)
{
	return h2_receive(h->session, in) == 0;
}

/* --- the answer ---------------------------------------------------------- */

static enum probe_answer say(struct probe_h2 *h, bool pass, const char *why)
{
	(void)snprintf(h->why, sizeof(h->why), "%s", why);
	return pass ? ANSWER_EXPECTED : ANSWER_BAD;
}

static enum probe_answer judge_call(struct probe_h2 *h)
{
	struct span message = { .p = h->message, .n = h->message_n };
	uint64_t serving;

	if (h->has_code && h->code != 0) {
		(void)snprintf(h->why, sizeof(h->why), "grpc-status %u (%s)",
			(unsigned)h->code, probe_grpc_code(h->code));
		return ANSWER_BAD;
	}
	if (!h->has_code || h->too_long || !probe_grpc_read(message, &serving))
		return say(h, false, "the answer is not gRPC");
	return say(h, serving == GRPC_SERVING, probe_grpc_serving(serving));
}

enum probe_answer probe_h2_judge(struct probe_h2 *h, const struct config_health *c)
{
	if (h->reset && (h->reset_code == H2_PROTOCOL_ERROR ||
				h->reset_code == FRAME_SIZE_ERROR))
		return say(h, false, "the answer is not HTTP/2");
	if (h->reset) {
		(void)snprintf(h->why, sizeof(h->why), "reset with HTTP/2's code %u",
			(unsigned)h->reset_code);
		return ANSWER_BAD;
	}
	if (h->status == 0 || (h->is_call && !h->ended && h->status == STATUS_OK))
		return ANSWER_MORE;
	if (h->is_call && h->status == STATUS_OK)
		return judge_call(h);
	(void)snprintf(h->why, sizeof(h->why), "status %u", h->status);
	return !h->is_call && probe_is_expected(c, h->status) ? ANSWER_EXPECTED
							      : ANSWER_BAD;
}
