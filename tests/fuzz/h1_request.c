/*
 * Requests: no input crashes, how they are cut makes no difference, and what goes on is
 * a good request that says the same.
 */
#include "h1_reading.h"

static const struct h1_forward forward = { .client_ip = { .p = "10.0.0.9", .n = 8 },
	.request_id = { .p = "id", .n = 2 },
	.host = { .p = "up:80", .n = 5 } };

static void assert_goes_on(const struct reading *from, struct h1_forward f)
{
	struct buf_pool pool;
	struct buf out = { .data = NULL };
	struct reading to;

	buf_pool_init(&pool, 1);
	assert(h1_write_request(&pool, &out, &from->head, &f) == 0);
	struct span text = { .p = buf_head(&out), .n = buf_len(&out) };
	if (from->head.n_fields < MAX_FIELDS - 8 && text.n < MAX_HEAD) {
		assert(read_both_ways(&to, text, HTTP_OTHER, 1));
		assert(to.head.bytes == text.n && to.head.minor == 1);
		assert(to.head.method == from->head.method);
		assert(to.head.framing == from->head.framing);
		assert(to.head.length == from->head.length);
		assert(span_eq(http_text(&to.head, to.head.target),
			http_text(&from->head, from->head.target)));
		assert(span_eq(http_text(&to.head, to.head.host), f.host));
		assert(to.head.expect_continue == from->head.expect_continue);
		assert(to.head.upgrade == (f.upgrade && from->head.upgrade));
		assert(to.head.te_trailers == from->head.te_trailers ||
			to.head.upgrade);
		assert(count(&to, SPAN("X-Forwarded-For")) == 1);
		assert(count(&to, SPAN("X-Request-Id")) == 1);
		assert(count(&to, SPAN("Connection")) <= 1);
		assert(count(&to, SPAN("Keep-Alive")) == 0);
		if (f.forwarded)
			assert(count(&to, SPAN("Forwarded")) == 1);
		else
			assert(f.trusted || count(&to, SPAN("Forwarded")) == 0);
		assert(f.via.n == 0 || count(&to, SPAN("Via")) >= 1);
	}
	buf_release(&pool, &out);
	buf_pool_fini(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span text = { .p = (const char *)data, .n = n };
	struct reading r;

	if (!read_both_ways(&r, text, HTTP_OTHER, n % 7))
		return 0;

	struct h1_forward trusting = forward;
	trusting.trusted = trusting.upgrade = trusting.keep_alive = true;
	assert_goes_on(&r, forward);
	assert_goes_on(&r, trusting);
	trusting.via = SPAN("edge");
	trusting.forwarded = true;
	assert_goes_on(&r, trusting);
	return 0;
}
