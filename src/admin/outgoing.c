/*
 * From an answer to bytes: framing and writing.
 *
 * A long answer is sent as it is made, a slice each turn of the loop, in chunks; one
 * that is complete before anything was sent has a Content-Length.
 */
#include "sluice/base/clock.h"
#include "sluice/http/h1.h"

#include "admin_priv.h"

enum { SLICE_BYTES = 65536, SLICE_NS = 2000000 };

/* --- framing ------------------------------------------------------------------- */

static void put_head(struct outgoing *o, bool whole)
{
	const struct answer *a = &o->answer;
	struct text *t = &o->head;

	o->chunked = !whole && o->minor >= 1;
	o->keep = o->keep && (whole || o->chunked);
	text_print(t,
		"HTTP/1.1 %u %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\n",
		a->status, http_status_text(a->status), a->type);
	if (a->allow != NULL)
		text_print(t, "Allow: %s\r\n", a->allow);
	if (whole)
		text_print(t, "Content-Length: %zu\r\n", o->body.n);
	if (o->chunked)
		text_put(t, "Transfer-Encoding: chunked\r\n");
	if (!o->keep)
		text_put(t, "Connection: close\r\n");
	text_put(t, "\r\n");
	o->head_made = true;
}

static void put_chunk(struct outgoing *o, bool last)
{
	char size[H1_CHUNK_HEAD_MAX];

	if (o->body.n > 0) {
		text_add(&o->head, size, h1_chunk_head(size, o->body.n));
		text_put(&o->body, "\r\n");
	}
	if (last)
		text_put(&o->body, "0\r\n\r\n");
}

static void drop_page(struct outgoing *o)
{
	page_free(o->answer.page);
	o->answer.page = NULL;
}

/* Frames what the slice made. HEAD is answered with the head alone. */
static void frame(struct outgoing *o, bool last)
{
	if (!o->head_made && o->body.n == 0 && !last)
		return; /* still gathering */
	if (!o->head_made)
		put_head(o, last);
	if (o->head_only) {
		o->body.n = 0;
		drop_page(o);
	} else if (o->chunked) {
		put_chunk(o, last);
	}
}

/* --- making -------------------------------------------------------------------- */

/* All sessions together make pages for SLICE_NS a turn: twenty scrapers hold up the
 * guard's tick no longer than one. */
static uint64_t slice_left_ns(struct api *api, uint64_t turn_ns)
{
	if (api->turn_ns != turn_ns) {
		api->turn_ns = turn_ns;
		api->spent_ns = 0;
	}
	return api->spent_ns < SLICE_NS ? SLICE_NS - api->spent_ns : 0;
}

/* True when that was the last slice. */
static bool make_page(struct outgoing *o, struct api *api, uint64_t left_ns)
{
	struct page *p = o->answer.page;
	uint64_t start_ns = clock_mono_ns(), now_ns = start_ns;
	bool more = true;

	while (more && o->body.n < SLICE_BYTES && now_ns - start_ns < left_ns) {
		more = p->make(p, &o->body);
		now_ns = clock_mono_ns();
	}
	api->spent_ns += now_ns - start_ns;
	if (!more)
		drop_page(o);
	return !more;
}

void outgoing_make(struct outgoing *o, struct api *api, uint64_t turn_ns)
{
	uint64_t left_ns = slice_left_ns(api, turn_ns);
	bool last = o->answer.page == NULL;

	o->head.n = o->body.n = o->sent = 0;
	o->moved = true; /* whatever is slow now, it is not the peer */
	if (last)
		text_add(&o->body, o->answer.body.p, o->answer.body.n);
	else if (left_ns > 0)
		last = make_page(o, api, left_ns);
	frame(o, last);
}

/* --- writing ------------------------------------------------------------------- */

static size_t left(const struct outgoing *o)
{
	return o->head.n + o->body.n - o->sent;
}

ssize_t outgoing_write(struct outgoing *o, struct net_conn *c)
{
	size_t of_head = o->sent < o->head.n ? o->head.n - o->sent : 0;
	size_t of_body = left(o) - of_head;
	struct iovec iov[2];
	int n = 0;

	if (of_head > 0)
		iov[n++] = (struct iovec){ .iov_base = o->head.p + o->sent,
			.iov_len = of_head };
	if (of_body > 0)
		iov[n++] = (struct iovec){ .iov_base = o->body.p + o->body.n - of_body,
			.iov_len = of_body };

	ssize_t put = net_write(c, iov, n);
	if (put > 0) {
		o->sent += (size_t)put;
		o->moved = true;
	}
	return put;
}

bool outgoing_is_written(const struct outgoing *o)
{
	return left(o) == 0;
}

bool outgoing_is_over(const struct outgoing *o)
{
	return left(o) == 0 && o->head_made && o->answer.page == NULL;
}

bool outgoing_has_moved(struct outgoing *o)
{
	bool moved = o->moved;

	o->moved = false;
	return moved;
}

void outgoing_reset(struct outgoing *o)
{
	answer_fini(&o->answer);
	o->head.n = o->body.n = o->sent = 0;
	o->keep = o->head_only = o->head_made = o->chunked = o->moved = false;
	o->minor = 0;
}

void outgoing_fini(struct outgoing *o)
{
	answer_fini(&o->answer);
	text_fini(&o->head);
	text_fini(&o->body);
}
