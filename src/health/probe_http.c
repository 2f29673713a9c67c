/*
 * probe_http - what an HTTP check says and what it understands: one GET on a
 * connection of its own, of whose answer only the status counts.
 */
#include "health_priv.h"

#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

static const struct h1_limits limits = {
	.head_bytes = sizeof((struct probe_http *)NULL)->bytes,
	.field_count = HTTP_MAX_FIELDS,
	.target_bytes = sizeof((struct probe_http *)NULL)->bytes,
};

static void expect_head(struct probe_http *h)
{
	h->head = (struct http_head){
		.fields = h->fields,
		.max_fields = HTTP_MAX_FIELDS,
	};
	h1_response_start(&h->parser, &h->head, HTTP_GET, limits);
}

const char *probe_host(const struct config_health *c, const struct config_address *a)
{
	if (c->host && c->host[0])
		return c->host;
	return a->sa.any.sa_family == AF_UNIX ? "localhost" : a->text;
}

struct probe_http *probe_http_new(
	const struct config_health *c, const struct config_address *a)
{
	struct probe_http *h = mem_zero(sizeof(*h));

	h->request = mem_print("GET %s HTTP/1.1\r\n"
			       "Host: %s\r\n"
			       "User-Agent: sluice-health\r\n"
			       "Accept: */*\r\n"
			       "Connection: close\r\n\r\n",
		c->path, probe_host(c, a));
	h->request_n = strlen(h->request);
	expect_head(h);
	return h;
}

void probe_http_free(struct probe_http *h)
{
	if (!h)
		return;
	free(h->request);
	free(h);
}

bool probe_is_expected(const struct config_health *c, unsigned status)
{
	for (size_t i = 0; i < c->n_status; i++) {
		if (c->status[i] == status)
			return true;
	}
	return false;
}

/* 103 and its like come before the answer. 101 is final: nobody asked for it. */
static bool is_interim(unsigned status)
{
	return status < 200 && status != 101;
}

enum probe_answer probe_http_take(
	struct probe_http *h, const struct config_health *c, size_t n)
{
	h->got += n;
	for (;;) {
		struct span in = { .p = h->bytes, .n = h->got };
		enum h1_result r = h1_parse(&h->parser, &h->head, in);

		if (r == H1_BAD)
			return ANSWER_BAD;
		if (r == H1_MORE)
			return h->got == sizeof(h->bytes) ? ANSWER_BAD : ANSWER_MORE;
		if (!is_interim(h->head.status))
			break;
		h->got -= h->head.bytes;
		memmove(h->bytes, h->bytes + h->head.bytes, h->got);
		expect_head(h);
	}
	return probe_is_expected(c, h->head.status) ? ANSWER_EXPECTED
						    : ANSWER_OTHER_STATUS;
}
