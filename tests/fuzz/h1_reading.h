/* Reading a head in one piece, and in as many as the fuzzer likes: the same must come
 * out. */
#ifndef SLUICE_TESTS_FUZZ_H1_READING_H
#define SLUICE_TESTS_FUZZ_H1_READING_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/http/h1.h"

enum { MAX_FIELDS = 64, MAX_HEAD = 16384, MAX_TARGET = 1024 };

struct reading {
	enum h1_result result;
	enum http_bad why;
	struct http_head head;
	struct http_field fields[MAX_FIELDS];
};

/* HTTP_OTHER: a request. step: how many more bytes are shown each time. */
static inline void read_in_steps(
	struct reading *r, struct span text, enum http_method method, size_t step)
{
	static const struct h1_limits limits = { .head_bytes = MAX_HEAD,
		.field_count = MAX_FIELDS,
		.target_bytes = MAX_TARGET };
	struct h1_parser p;
	size_t n = 0;

	*r = (struct reading){ .result = H1_MORE };
	r->head.fields = r->fields;
	r->head.max_fields = MAX_FIELDS;
	if (method == HTTP_OTHER)
		h1_request_start(&p, &r->head, limits);
	else
		h1_response_start(&p, &r->head, method, limits);
	do {
		n = step < text.n - n ? n + step : text.n;
		r->result =
			h1_parse(&p, &r->head, (struct span){ .p = text.p, .n = n });
	} while (r->result == H1_MORE && n < text.n);
	r->why = p.why;
}

static inline void assert_same_field(
	const struct http_field *f, const struct http_field *g)
{
	assert(f->name == g->name && f->name_n == g->name_n);
	assert(f->value == g->value && f->value_n == g->value_n);
	assert(f->id == g->id && f->dropped == g->dropped);
}

static inline void assert_same(const struct reading *a, const struct reading *b)
{
	const struct http_head *h = &a->head, *g = &b->head;

	assert(a->result == b->result && a->why == b->why);
	if (a->result != H1_DONE)
		return;
	assert(h->n_fields == g->n_fields && h->bytes == g->bytes);
	for (size_t i = 0; i < h->n_fields; i++)
		assert_same_field(&a->fields[i], &b->fields[i]);
	assert(h->framing == g->framing && h->length == g->length);
	assert(h->keep_alive == g->keep_alive && h->upgrade == g->upgrade);
	assert(h->target.at == g->target.at && h->target.n == g->target.n);
	assert(h->host.at == g->host.at && h->host.n == g->host.n);
	assert(h->reason.at == g->reason.at && h->reason.n == g->reason.n);
}

/* True: text is a whole head, and r has it. */
static inline bool read_both_ways(
	struct reading *r, struct span text, enum http_method method, size_t step)
{
	struct reading other;

	read_in_steps(r, text, method, text.n);
	read_in_steps(&other, text, method, step == 0 ? 1 : step);
	assert_same(r, &other);
	return r->result == H1_DONE;
}

static inline size_t count(const struct reading *r, struct span name)
{
	size_t n = 0;

	for (size_t i = 0; i < r->head.n_fields; i++)
		n += span_ieq(http_field_name(&r->head, &r->fields[i]), name);
	return n;
}

#endif
