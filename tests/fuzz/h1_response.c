/*
 * Responses: as for requests. The first byte chooses the method of the request and what
 * kind of client there is.
 */
#include "h1_reading.h"

static enum http_framing framing_for(const struct http_head *h, bool old_client)
{
	if (old_client && h->framing == HTTP_CHUNKED)
		return HTTP_UNTIL_CLOSE;
	return !old_client && h->framing == HTTP_UNTIL_CLOSE ? HTTP_CHUNKED
							     : h->framing;
}

static void assert_goes_on(const struct reading *from, bool old_client)
{
	struct h1_answer a = { .client_minor = old_client ? 0 : 1,
		.framing = framing_for(&from->head, old_client),
		.keep_alive = !old_client,
		.interim = from->head.status < 200 };
	struct buf_pool pool;
	struct buf out = { .data = NULL };
	struct reading to;

	buf_pool_init(&pool, 1);
	assert(h1_write_response(&pool, &out, &from->head, &a) == 0);
	struct span text = { .p = buf_head(&out), .n = buf_len(&out) };
	if (from->head.n_fields < MAX_FIELDS - 4 && text.n < MAX_HEAD) {
		assert(read_both_ways(&to, text, from->head.method, 1));
		assert(to.head.bytes == text.n && to.head.minor == 1);
		assert(to.head.status == from->head.status);
		assert(to.head.framing == a.framing);
		assert(a.framing != HTTP_LENGTH || to.head.length == from->head.length);
		assert(a.interim || a.framing == HTTP_UNTIL_CLOSE ||
			to.head.keep_alive == a.keep_alive);
		assert(to.head.upgrade == from->head.upgrade);
		assert(count(&to, SPAN("Connection")) <= 1);
		assert(count(&to, SPAN("Keep-Alive")) == 0);
	}
	buf_release(&pool, &out);
	buf_pool_fini(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct reading r;

	if (n == 0)
		return 0;

	struct span text = { .p = (const char *)data + 1, .n = n - 1 };
	enum http_method method = (data[0] & 1) != 0 ? HTTP_HEAD : HTTP_GET;
	if (read_both_ways(&r, text, method, n % 7))
		assert_goes_on(&r, (data[0] & 2) != 0);
	return 0;
}
