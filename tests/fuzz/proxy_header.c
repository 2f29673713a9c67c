/*
 * PROXY headers: no input crashes, how it is cut makes no difference, and what was read
 * and is written again says the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* In memory of its own, so that a sanitizer sees a read behind the end. */
static enum net_proxy_result read_part(
	const uint8_t *data, size_t n, struct net_proxy *out)
{
	char *part = malloc(n + 1);
	enum net_proxy_result result;

	memcpy(part, data, n);
	result = net_proxy_read((struct span){ .p = part, .n = n }, out);
	free(part);
	return result;
}

/* A verdict is final, and is given at the same byte however they come. */
static void assert_cuts_agree(const uint8_t *data, size_t n,
	const struct net_proxy *whole, enum net_proxy_result result)
{
	struct net_proxy part;
	size_t most = n < 600 ? n : 600;

	for (size_t i = 0; i < most; i++) {
		enum net_proxy_result r = read_part(data, i, &part);

		assert(r != NET_PROXY_BAD || result == NET_PROXY_BAD);
		assert((r == NET_PROXY_DONE) ==
			(result == NET_PROXY_DONE && i >= whole->bytes));
	}
}

static void assert_same(const union net_address *a, const union net_address *b)
{
	if (a->any.sa_family == b->any.sa_family)
		assert(memcmp(a, b, sizeof(*a)) == 0);
	else /* IPv4 that came in IPv6's clothes */
		assert(a->any.sa_family == AF_INET6 && b->any.sa_family == AF_INET);
}

static void assert_written_again(const struct net_proxy *h, unsigned version)
{
	char out[NET_PROXY_WRITE_MAX];
	struct net_proxy again;
	size_t n = net_proxy_write(version, &h->client.any, &h->local.any, out);

	assert(n <= sizeof(out));
	assert(read_part((const uint8_t *)out, n, &again) == NET_PROXY_DONE);
	assert(again.bytes == n && again.has_client == h->has_client);
	assert_same(&h->client, &again.client);
	assert_same(&h->local, &again.local);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct net_proxy h;
	enum net_proxy_result result = read_part(data, n, &h);

	assert(result != NET_PROXY_MORE || n < NET_PROXY_MAX);
	assert_cuts_agree(data, n, &h, result);
	if (result != NET_PROXY_DONE)
		return 0;
	assert(h.bytes > 0 && h.bytes <= n && h.bytes <= NET_PROXY_MAX);
	assert_written_again(&h, 1);
	assert_written_again(&h, 2);
	return 0;
}
