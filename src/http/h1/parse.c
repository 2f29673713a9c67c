/*
 * The head of a message, read in one pass. Each part takes what it can from the
 * cursor; where it starves it is called again, at the same place, with more.
 */
#include <assert.h>

#include "http_priv.h"

static void start(struct h1_parser *p, struct http_head *head, struct h1_limits limits)
{
	assert(limits.field_count <= head->max_fields);
	*head = (struct http_head){
		.fields = head->fields,
		.max_fields = head->max_fields,
		.is_text = true,
	};
	*p = (struct h1_parser){ .limits = limits };
}

void h1_request_start(
	struct h1_parser *p, struct http_head *head, struct h1_limits limits)
{
	start(p, head, limits);
	p->state = H1_START;
}

void h1_response_start(struct h1_parser *p, struct http_head *head,
	enum http_method method, struct h1_limits limits)
{
	start(p, head, limits);
	p->state = H1_STATUS;
	p->response = true;
	head->method = method;
}

static enum h1_turn take_head(
	struct h1_parser *p, struct http_head *head, struct h1_cursor *c)
{
	enum h1_turn turn = H1_ON;

	if (p->state < H1_STATUS)
		turn = h1_take_request_line(p, head, c);
	else if (p->state < H1_NAME)
		turn = h1_take_status_line(p, head, c);
	if (turn == H1_ON)
		turn = h1_take_fields(p, head, c);
	return turn;
}

/* The limit cut off what there was. */
static enum h1_result refuse_size(struct h1_parser *p)
{
	p->why = p->state == H1_TARGET ? HTTP_TARGET_TOO_LONG : HTTP_HEAD_TOO_LARGE;
	return H1_BAD;
}

enum h1_result h1_parse(struct h1_parser *p, struct http_head *head, struct span in)
{
	if (in.n == 0) /* and perhaps no memory */
		return H1_MORE;

	bool is_at_limit = in.n >= p->limits.head_bytes;
	struct h1_cursor c = {
		.base = in.p,
		.at = in.p + p->at,
		.end = in.p + (is_at_limit ? p->limits.head_bytes : in.n),
	};

	assert(p->state != H1_LAST && p->at <= in.n);
	head->base = in.p;
	enum h1_turn turn = take_head(p, head, &c);
	p->at = h1_offset(&c, c.at);
	switch (turn) {
	case H1_ON:
	case H1_STARVED:
		return is_at_limit ? refuse_size(p) : H1_MORE;
	case H1_REFUSED:
		return H1_BAD;
	case H1_WHOLE:
		break;
	}
	p->state = H1_LAST;
	head->bytes = p->at;
	return h1_conclude(p, head) ? H1_DONE : H1_BAD;
}
