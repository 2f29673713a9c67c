/*
 * From an answer to bytes: framing and writing.
 *
 * A long answer is sent as it is made, a slice each turn of the loop, in chunks; one
 * that is complete before anything was sent has a Content-Length.
 */
#include "sluice/base/clock.h"
#include "sluice/http/h1.h"

#include "httpd_priv.h"

enum { SLICE_BYTES = 65536, SLICE_NS = 2000000 };

/* --- framing ------------------------------------------------------------------- */

static void put_head(struct response *r, bool whole)
{
	const struct httpd_answer *a = &r->answer;
	struct text *t = &r->head;

	r->chunked = !whole && r->minor >= 1;
	r->keep = r->keep && (whole || r->chunked);
	text_print(t,
		"HTTP/1.1 %u %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\n",
		a->status, http_status_text(a->status), a->type);
	if (a->allow != NULL)
		text_print(t, "Allow: %s\r\n", a->allow);
	if (whole)
		text_print(t, "Content-Length: %zu\r\n", r->body.n);
	if (r->chunked)
		text_put(t, "Transfer-Encoding: chunked\r\n");
	if (!r->keep)
		text_put(t, "Connection: close\r\n");
	text_put(t, "\r\n");
	r->head_made = true;
}

static void put_chunk(struct response *r, bool last)
{
	char size[H1_CHUNK_HEAD_MAX];

	if (r->body.n > 0) {
		text_add(&r->head, size, h1_chunk_head(size, r->body.n));
		text_put(&r->body, "\r\n");
	}
	if (last)
		text_put(&r->body, "0\r\n\r\n");
}

static void drop_source(struct response *r)
{
	httpd_source_free(r->answer.source);
	r->answer.source = NULL;
}

/* Frames what the slice made. HEAD is answered with the head alone. */
static void frame(struct response *r, bool last)
{
	if (!r->head_made && r->body.n == 0 && !last)
		return; /* still gathering */
	if (!r->head_made)
		put_head(r, last);
	if (r->head_only) {
		r->body.n = 0;
		drop_source(r);
	} else if (r->chunked) {
		put_chunk(r, last);
	}
}

/* --- making -------------------------------------------------------------------- */

/* All sessions together make bodies for SLICE_NS a turn: twenty scrapers hold up the
 * guard's tick no longer than one. */
static uint64_t slice_left_ns(struct httpd *h, uint64_t turn_ns)
{
	if (h->turn_ns != turn_ns) {
		h->turn_ns = turn_ns;
		h->spent_ns = 0;
	}
	return h->spent_ns < SLICE_NS ? SLICE_NS - h->spent_ns : 0;
}

/* True when that was the last slice. */
static bool make_body(struct response *r, struct httpd *h, uint64_t left_ns)
{
	struct body_source *b = r->answer.source;
	uint64_t start_ns = clock_mono_ns(), now_ns = start_ns;
	bool more = true;

	while (more && r->body.n < SLICE_BYTES && now_ns - start_ns < left_ns) {
		more = b->make(b, &r->body);
		now_ns = clock_mono_ns();
	}
	h->spent_ns += now_ns - start_ns;
	if (!more)
		drop_source(r);
	return !more;
}

void response_make(struct response *r, struct httpd *h, uint64_t turn_ns)
{
	uint64_t left_ns = slice_left_ns(h, turn_ns);
	bool last = r->answer.source == NULL;

	r->head.n = r->body.n = r->sent = 0;
	r->moved = true; /* whatever is slow now, it is not the peer */
	if (last)
		text_add(&r->body, r->answer.body.p, r->answer.body.n);
	else if (left_ns > 0)
		last = make_body(r, h, left_ns);
	frame(r, last);
}

/* --- writing ------------------------------------------------------------------- */

static size_t left(const struct response *r)
{
	return r->head.n + r->body.n - r->sent;
}

ssize_t response_write(struct response *r, struct net_conn *c)
{
	size_t of_head = r->sent < r->head.n ? r->head.n - r->sent : 0;
	size_t of_body = left(r) - of_head;
	struct iovec iov[2];
	int n = 0;

	if (of_head > 0)
		iov[n++] = (struct iovec){ .iov_base = r->head.p + r->sent,
			.iov_len = of_head };
	if (of_body > 0)
		iov[n++] = (struct iovec){ .iov_base = r->body.p + r->body.n - of_body,
			.iov_len = of_body };

	ssize_t put = net_write(c, iov, n);
	if (put > 0) {
		r->sent += (size_t)put;
		r->moved = true;
	}
	return put;
}

bool response_is_written(const struct response *r)
{
	return left(r) == 0;
}

bool response_is_over(const struct response *r)
{
	return left(r) == 0 && r->head_made && r->answer.source == NULL;
}

bool response_has_moved(struct response *r)
{
	bool moved = r->moved;

	r->moved = false;
	return moved;
}

void response_reset(struct response *r)
{
	httpd_answer_fini(&r->answer);
	r->head.n = r->body.n = r->sent = 0;
	r->keep = r->head_only = r->head_made = r->chunked = r->moved = false;
	r->minor = 0;
}

void response_fini(struct response *r)
{
	httpd_answer_fini(&r->answer);
	text_fini(&r->head);
	text_fini(&r->body);
}
