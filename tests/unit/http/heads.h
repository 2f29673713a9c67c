/*
 * Reading a head twice: at once, and byte by byte, each time from memory that is
 * exactly as large as what has come, and at another place. Both must say the same.
 */
#ifndef SLUICE_TESTS_HTTP_HEADS_H
#define SLUICE_TESTS_HTTP_HEADS_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/http/h1.h"

enum { MAX_FIELDS = 16, MAX_HEAD = 2048, MAX_TARGET = 64 };

struct reading {
	enum h1_result result;
	enum http_bad why;
	struct http_head head;
	struct http_field fields[MAX_FIELDS];
	char *bytes; /* head.base */
	struct reading *next;
};

static const struct h1_limits limits = {
	.head_bytes = MAX_HEAD, .field_count = MAX_FIELDS, .target_bytes = MAX_TARGET
};

/* method is the request's of the response to be read; HTTP_OTHER: a request is read. */
static void begin(struct reading *r, struct h1_parser *p, enum http_method method)
{
	*r = (struct reading){ .result = H1_MORE };
	r->head.fields = r->fields;
	r->head.max_fields = MAX_FIELDS;
	if (method == HTTP_OTHER)
		h1_request_start(p, &r->head, limits);
	else
		h1_response_start(p, &r->head, method, limits);
}

static void show(struct reading *r, struct h1_parser *p, struct span text)
{
	free(r->bytes);
	r->bytes = malloc(text.n + (text.n == 0));
	memcpy(r->bytes, text.p, text.n);
	r->result = h1_parse(p, &r->head, (struct span){ .p = r->bytes, .n = text.n });
	r->why = p->why;
}

static void read_at_once(struct reading *r, struct span text, enum http_method method)
{
	struct h1_parser p;

	begin(r, &p, method);
	show(r, &p, text);
}

static void read_bytewise(struct reading *r, struct span text, enum http_method method)
{
	struct h1_parser p;

	begin(r, &p, method);
	for (size_t n = 0; n <= text.n && r->result == H1_MORE; n++)
		show(r, &p, (struct span){ .p = text.p, .n = n });
}

static void assert_same_text(
	const struct reading *a, const struct reading *b, struct http_text x)
{
	cr_assert(span_eq(http_text(&a->head, x), http_text(&b->head, x)));
}

static void assert_same_field(const struct reading *a, const struct reading *b,
	const struct http_field *f, size_t i)
{
	const struct http_field *g = &b->fields[i];

	cr_assert(span_eq(http_field_name(&a->head, f), http_field_name(&b->head, g)));
	cr_assert(
		span_eq(http_field_value(&a->head, f), http_field_value(&b->head, g)));
	cr_assert_eq(f->id, g->id);
	cr_assert_eq(f->dropped, g->dropped);
}

static void assert_same(const struct reading *a, const struct reading *b)
{
	cr_assert_eq(a->result, b->result);
	cr_assert_eq(a->why, b->why, "%s, but bytewise %s", http_bad_name(a->why),
		http_bad_name(b->why));
	if (a->result != H1_DONE)
		return;
	assert_same_text(a, b, a->head.method_text);
	assert_same_text(a, b, a->head.target);
	assert_same_text(a, b, a->head.path);
	assert_same_text(a, b, a->head.host);
	assert_same_text(a, b, a->head.reason);
	cr_assert_eq(a->head.bytes, b->head.bytes);
	cr_assert_eq(a->head.framing, b->head.framing);
	cr_assert_eq(a->head.length, b->head.length);
	cr_assert_eq(a->head.keep_alive, b->head.keep_alive);
	cr_assert_eq(a->head.n_fields, b->head.n_fields);
	for (size_t i = 0; i < a->head.n_fields; i++)
		assert_same_field(a, b, &a->fields[i], i);
}

static struct reading *readings; /* of this test */

static struct reading *read_head(struct span text, enum http_method method)
{
	struct reading *r = malloc(sizeof *r), bytewise;

	read_at_once(r, text, method);
	read_bytewise(&bytewise, text, method);
	assert_same(r, &bytewise);
	free(bytewise.bytes);
	r->next = readings;
	readings = r;
	return r;
}

static void forget_all(void)
{
	for (struct reading *r = readings, *next; r != NULL; r = next) {
		next = r->next;
		free(r->bytes);
		free(r);
	}
}

#endif
