/*
 * What the sessions of a thread share. nghttp2 asks for memory some eight times a
 * stream; here each size has its free list, so that this costs a handful of
 * instructions, and a session that ends leaves its memory to the next.
 */
#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "sluice/base/mem.h"

#include "http_priv.h"

/* The first size is 1 << SMALLEST_BITS, the following twice as large each; the last
 * one is what nghttp2 packs a frame into, once a session. What is larger than that
 * comes from the system. */
enum {
	SMALLEST_BITS = 6,
	LAST = H2_SIZES - 1,
	FRAME_BYTES = 16896,
	KEEP_BYTES = 1 << 21
};
enum { SMALLER_MAX = 1 << (SMALLEST_BITS + LAST - 1) };

enum { ACKS_MAX = 200, SETTINGS_MAX = 32 };
/* nghttp2 1.52 counts each piece in which the head of one comes; h2/flood.c counts
 * frames. */
enum { CONTINUATIONS_MAX = 1000 };
enum { HEAD_MAX = 1 << 18 }; /* of ours, as HTTP/1 limits what comes in */

struct piece {
	_Alignas(16) size_t bytes; /* that the holder may use */
};

static unsigned size_of(size_t bytes)
{
	if (bytes <= 1 << SMALLEST_BITS)
		return 0;
	if (bytes <= SMALLER_MAX)
		return 64u - (unsigned)__builtin_clzll(bytes - 1) - SMALLEST_BITS;
	return bytes <= FRAME_BYTES ? LAST : H2_SIZES;
}

static void *take(size_t n, void *shared)
{
	struct h2_shared *s = shared;
	size_t bytes = n + sizeof(struct piece);
	unsigned size = size_of(bytes);
	struct piece *p;

	if (size < H2_SIZES) {
		bytes = s->size[size].object_bytes;
		p = slab_take(&s->size[size]);
	} else {
		p = mem_try(bytes);
	}
	if (p == NULL)
		return NULL;
	p->bytes = bytes - sizeof(*p);
	return p + 1;
}

static void give(void *memory, void *shared)
{
	struct h2_shared *s = shared;

	if (memory == NULL)
		return;

	struct piece *p = (struct piece *)memory - 1;
	unsigned size = size_of(p->bytes + sizeof(*p));
	if (size < H2_SIZES)
		slab_give(&s->size[size], p);
	else
		free(p);
}

static void *take_cleared(size_t n, size_t each, void *shared)
{
	if (each != 0 && n > SIZE_MAX / each)
		return NULL;

	void *memory = take(n * each, shared);
	if (memory != NULL)
		memset(memory, 0, n * each);
	return memory;
}

static void *grow(void *memory, size_t n, void *shared)
{
	size_t had = memory == NULL ? 0 : ((struct piece *)memory - 1)->bytes;

	if (memory != NULL && n <= had)
		return memory;

	void *larger = take(n, shared);
	if (larger == NULL)
		return NULL;
	if (memory != NULL)
		memcpy(larger, memory, had);
	give(memory, shared);
	return larger;
}

static void fill_options(nghttp2_option *o)
{
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
	nghttp2_option_set_max_settings(o, SETTINGS_MAX);
	nghttp2_option_set_max_continuations(o, CONTINUATIONS_MAX);
	nghttp2_option_set_max_send_header_block_length(o, HEAD_MAX);
	/* Ours knows which resets are abuse (h2/flood.c); this one would also cut off
	 * a client of gRPC that gives up many calls. */
	nghttp2_option_set_stream_reset_rate_limit(o, UINT32_MAX, UINT32_MAX);
}

struct h2_shared *h2_shared_new(struct buf_pool *bufs)
{
	struct h2_shared *s = mem_zero(sizeof *s);

	s->bufs = bufs;
	for (unsigned i = 0; i < H2_SIZES; i++) {
		size_t bytes =
			i == LAST ? FRAME_BYTES : (size_t)1 << (SMALLEST_BITS + i);

		slab_init(&s->size[i], bytes, 0, KEEP_BYTES / bytes);
	}
	slab_init(&s->sessions, sizeof(struct h2), 0, KEEP_BYTES / sizeof(struct h2));
	slab_init(&s->streams, sizeof(struct h2_stream), 0,
		KEEP_BYTES / sizeof(struct h2_stream));
	slab_init(&s->heads, sizeof(struct h2_head), 0,
		KEEP_BYTES / sizeof(struct h2_head));
	if (nghttp2_session_callbacks_new(&s->callbacks) != 0 ||
		nghttp2_option_new(&s->options) != 0)
		abort(); /* as mem_* does */
	h2_receive_callbacks(s->callbacks);
	h2_send_callbacks(s->callbacks);
	fill_options(s->options);
	return s;
}

void h2_shared_free(struct h2_shared *s)
{
	if (s == NULL)
		return;
	nghttp2_option_del(s->options);
	nghttp2_session_callbacks_del(s->callbacks);
	slab_fini(&s->heads);
	slab_fini(&s->streams);
	slab_fini(&s->sessions);
	for (unsigned i = 0; i < H2_SIZES; i++)
		slab_fini(&s->size[i]);
	free(s);
}

size_t h2_shared_trim(struct h2_shared *s)
{
	size_t bytes =
		slab_trim(&s->heads) + slab_trim(&s->streams) + slab_trim(&s->sessions);

	for (unsigned i = 0; i < H2_SIZES; i++)
		bytes += slab_trim(&s->size[i]);
	return bytes;
}

int h2_shared_open(struct h2 *h)
{
	struct h2_shared *s = h->shared;
	nghttp2_mem mem = {
		.mem_user_data = s,
		.malloc = take,
		.free = give,
		.calloc = take_cleared,
		.realloc = grow,
	};
	int rv;

	if (h->server)
		rv = nghttp2_session_server_new3(
			&h->ng, s->callbacks, h, s->options, &mem);
	else
		rv = nghttp2_session_client_new3(
			&h->ng, s->callbacks, h, s->options, &mem);
	return rv == 0 ? 0 : -1;
}
