/*
 * What only an attacker sends in numbers. The heads of frames are read before nghttp2
 * reads them: it says nothing of frames that it ignores, and what is refused here costs
 * no more than nine bytes of looking.
 *
 * Each kind has a bucket. It fills with time, and with honest work: a response that was
 * sent whole makes up for a reset, bytes that were sent for a window update.
 */
#include <nghttp2/nghttp2.h>

#include "sluice/base/clock.h"
#include "sluice/base/units.h"

#include "http_priv.h"

enum { TYPE_AT = 3, FLAGS_AT = 4, ID_AT = 5, PRIORITY_BYTES = 5 };
enum { CONTINUATIONS_MAX = 8 };
/* A window may hold thousands of small messages, and a peer that reads them together
 * answers to each of them at once. */
enum { EARNED_MAX = 1 << 14 };

static const struct {
	uint32_t burst, per_s;
} allowed[H2_N_FLOODS] = {
	[H2_FLOOD_RESETS] = { .burst = 200, .per_s = 50 },
	/* Of limits that are each exceeded once; never asked. */
	[H2_FLOOD_HEADERS] = { .burst = 1, .per_s = 0 },
	[H2_FLOOD_CONTROL] = { .burst = 1000, .per_s = 200 },
	[H2_FLOOD_EMPTY] = { .burst = 100, .per_s = 10 },
};

void h2_watch_start(struct h2 *h)
{
	uint64_t now_ms = clock_mono_ms();

	h->watch = (struct h2_watch){ .skip = h->server ? H2_MAGIC : 0 };
	for (unsigned i = 0; i < H2_N_FLOODS; i++)
		h->watch.bucket[i] = (struct h2_bucket){
			.left = allowed[i].burst,
			.since_ms = now_ms,
		};
}

static void refill(struct h2_bucket *b, enum h2_flood kind)
{
	uint64_t now_ms = clock_mono_ms();
	uint64_t n = (now_ms - b->since_ms) * allowed[kind].per_s / MS_PER_S;

	if (n == 0)
		return;
	b->left = n < allowed[kind].burst ? (uint32_t)n : allowed[kind].burst;
	b->since_ms = now_ms;
}

void h2_flooded(struct h2 *h, enum h2_flood kind)
{
	if (h->code != H2_NO_ERROR)
		return;
	h->code = H2_ENHANCE_YOUR_CALM;
	h->flood = kind;
}

void h2_spend(struct h2 *h, enum h2_flood kind)
{
	struct h2_bucket *b = &h->watch.bucket[kind];

	if (b->left == 0)
		refill(b, kind);
	if (b->left > 0)
		b->left--;
	else
		h2_flooded(h, kind);
}

void h2_refund(struct h2 *h, enum h2_flood kind, uint32_t n)
{
	struct h2_bucket *b = &h->watch.bucket[kind];
	uint32_t most = kind == H2_FLOOD_CONTROL ? EARNED_MAX : allowed[kind].burst;

	if (b->left < most)
		b->left = most - b->left > n ? b->left + n : most;
}

static void refuse(struct h2 *h, uint32_t code)
{
	if (h->code == H2_NO_ERROR)
		h->code = code;
}

/* nghttp2 skips PRIORITY unseen, since we announced that it means nothing here; a
 * malformed one is still an error (RFC 9113, 6.3). */
static void judge_priority(struct h2 *h, uint32_t length, uint32_t id)
{
	if (id == 0)
		refuse(h, H2_PROTOCOL_ERROR);
	else if (length != PRIORITY_BYTES)
		refuse(h, NGHTTP2_FRAME_SIZE_ERROR);
	h2_spend(h, H2_FLOOD_CONTROL);
}

/* --- streams that are over ------------------------------------------------ */

void h2_watch_reset(struct h2 *h, uint32_t id)
{
	struct h2_watch *w = &h->watch;
	uint32_t *place = &w->recent[w->n_recent++ % H2_RECENT];

	if (*place > w->forgotten)
		w->forgotten = *place;
	*place = id;
}

static bool was_reset_by_us(const struct h2_watch *w, uint32_t id)
{
	for (unsigned i = 0; i < H2_RECENT; i++)
		if (w->recent[i] == id)
			return true;
	return id <= w->forgotten;
}

/* nghttp2 ignores DATA and HEADERS of a stream that it does not know any more; but who
 * ended it has nothing more to say on it (RFC 9113, 5.1), and an id that was left out
 * can't be used later (5.1.1). A request that comes after our last GOAWAY is no error. */
static void judge_known(struct h2 *h, uint32_t id)
{
	const struct h2_watch *w = &h->watch;

	if (h->drain != 0 || nghttp2_session_get_stream_user_data(h->ng, (int32_t)id))
		return;
	if (id >= w->gap_from && id < w->gap_to)
		refuse(h, H2_PROTOCOL_ERROR);
	else if (!was_reset_by_us(w, id))
		refuse(h, NGHTTP2_STREAM_CLOSED);
}

/* at: nghttp2 has not got the whole of the frame's head when it has all before this.
 * What came before must have been done to know the stream. */
static void judge_stream(struct h2 *h, uint32_t id, bool is_headers, const char *at)
{
	struct h2_watch *w = &h->watch;

	if (!h->server || id % 2 == 0)
		return;
	if (id <= w->last) {
		h2_feed(h, at);
		if (h->code == H2_NO_ERROR)
			judge_known(h, id);
	} else if (is_headers) {
		if (id > w->last + 2) {
			w->gap_from = w->last + 1;
			w->gap_to = id;
		}
		w->last = id;
	}
}

/* --- frames --------------------------------------------------------------- */

static void judge_block(struct h2 *h, uint32_t length, unsigned flags)
{
	struct h2_watch *w = &h->watch;

	w->in_block = (flags & NGHTTP2_FLAG_END_HEADERS) == 0;
	if (length == 0)
		h2_spend(h, H2_FLOOD_EMPTY);
	if (++w->continuations > CONTINUATIONS_MAX)
		h2_flooded(h, H2_FLOOD_HEADERS);
}

static uint32_t number(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void judge(struct h2 *h, const unsigned char *head, const char *at)
{
	struct h2_watch *w = &h->watch;
	uint32_t length = number(head) >> 8, id = number(head + ID_AT) & INT32_MAX;
	unsigned flags = head[FLAGS_AT];

	w->skip = length;
	switch (head[TYPE_AT]) {
	case NGHTTP2_DATA:
		if (length == 0 && (flags & NGHTTP2_FLAG_END_STREAM) == 0)
			h2_spend(h, H2_FLOOD_EMPTY);
		judge_stream(h, id, false, at);
		break;
	case NGHTTP2_HEADERS:
		h2_refund(h, H2_FLOOD_CONTROL, 2);
		w->in_block = (flags & NGHTTP2_FLAG_END_HEADERS) == 0;
		w->continuations = 0;
		judge_stream(h, id, true, at);
		break;
	case NGHTTP2_CONTINUATION:
		judge_block(h, length, flags);
		break;
	case NGHTTP2_PRIORITY:
		judge_priority(h, length, id);
		break;
	case NGHTTP2_RST_STREAM: /* a server may refuse and take as much as it likes */
	case NGHTTP2_WINDOW_UPDATE:
		if (h->server)
			h2_spend(h, H2_FLOOD_CONTROL);
		break;
	default:
		h2_spend(h, H2_FLOOD_CONTROL);
		break;
	}
}

/* Of a frame's head that comes in pieces. */
static void take_byte(struct h2 *h, const char *at)
{
	struct h2_watch *w = &h->watch;

	w->head[w->head_n++] = (unsigned char)*at;
	if (w->head_n < H2_FRAME_HEAD)
		return;
	w->head_n = 0;
	judge(h, w->head, at);
}

void h2_watch_in(struct h2 *h, struct span in)
{
	struct h2_watch *w = &h->watch;
	const char *at = in.p, *end = in.p + in.n;

	w->fed = in.p;
	while (at < end && h->code == H2_NO_ERROR) {
		size_t n = (size_t)(end - at);

		if (w->skip > 0) {
			n = n < w->skip ? n : w->skip;
			w->skip -= (uint32_t)n;
			at += n;
		} else if (w->head_n == 0 && n >= H2_FRAME_HEAD) {
			judge(h, (const unsigned char *)at, at);
			at += H2_FRAME_HEAD;
		} else {
			take_byte(h, at);
			at++;
		}
	}
	h2_feed(h, end);
}
