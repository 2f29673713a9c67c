/*
 * The parser against the plain one: what one takes the other takes, and in the same
 * way. The first byte chooses request, response, response to HEAD, or chunked body.
 */
#include "h1_decoding.h"
#include "h1_plain.h"
#include "h1_reading.h"

/* The real one may refuse what is cut off sooner than the plain one, which waits. */
static bool assert_agree(enum h1_result result, enum plain_verdict verdict)
{
	switch (verdict) {
	case PLAIN_CUT_OFF:
		assert(result != H1_DONE);
		break;
	case PLAIN_GOOD:
		assert(result == H1_DONE);
		break;
	case PLAIN_BAD:
		assert(result == H1_BAD);
		break;
	}
	return result == H1_DONE;
}

static void assert_same_fields(const struct reading *r, const struct plain_head *plain)
{
	assert(r->head.n_fields == plain->n_fields);
	for (size_t i = 0; i < plain->n_fields; i++) {
		const struct http_field *f = &r->fields[i];

		assert(span_eq(http_field_name(&r->head, f), plain->fields[i].name));
		assert(span_eq(http_field_value(&r->head, f), plain->fields[i].value));
	}
}

static void assert_same_head(const struct reading *r, const struct plain_head *plain)
{
	const struct http_head *h = &r->head;

	assert(h->bytes == plain->bytes && h->minor == plain->minor);
	assert(h->framing == plain->framing && h->length == plain->length);
	assert(h->keep_alive == plain->keep_alive);
	assert_same_fields(r, plain);
}

static void compare_request(struct span text)
{
	static struct plain_head plain;
	struct reading r;

	read_in_steps(&r, text, HTTP_OTHER, text.n);
	if (!assert_agree(r.result, plain_request(text, &plain)))
		return;
	assert_same_head(&r, &plain);
	assert(span_eq(http_text(&r.head, r.head.method_text), plain.method));
	assert(span_eq(http_text(&r.head, r.head.target), plain.target));
	assert(span_eq(http_text(&r.head, r.head.path), span_cut(&plain.target, '?')));
	assert(span_eq(http_text(&r.head, r.head.host), plain.host) ||
		(r.head.host.n == 0 && plain.host.n == 0));
}

static void compare_response(struct span text, bool is_head)
{
	static struct plain_head plain;
	struct reading r;

	read_in_steps(&r, text, is_head ? HTTP_HEAD : HTTP_GET, text.n);
	if (!assert_agree(r.result, plain_response(text, is_head, &plain)))
		return;
	assert_same_head(&r, &plain);
	assert(r.head.status == plain.status);
}

static void compare_chunked(struct span text)
{
	static struct decoding d;
	static char out[OUT_MAX];
	size_t out_n, bytes;

	decode_in_steps(&d, text, text.n);
	if (!assert_agree(d.result, plain_chunked(text, out, &out_n, &bytes)))
		return;
	assert(d.used == bytes && d.data_n == out_n);
	assert(memcmp(d.data, out, out_n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0 || n > MAX_HEAD)
		return 0;

	struct span text = { .p = (const char *)data + 1, .n = n - 1 };
	switch (data[0] % 4) {
	case 0:
		compare_request(text);
		break;
	case 1:
		compare_response(text, false);
		break;
	case 2:
		compare_response(text, true);
		break;
	default:
		compare_chunked(text);
	}
	return 0;
}
