/*
 * Header rules of routes and pools.
 *
 * Of a request the route's are done once, the pool's with each attempt, on the head as it
 * was before: an attempt may be followed by one in another pool. Of a final response the
 * pool's come first. Where there are no rules nothing is looked at.
 */
#include "exchange/exchange_priv.h"

static struct buf_pool *bufs(const struct exchange *r)
{
	return net_loop_bufs(r->thread->loop);
}

static const struct rules *pool_rules(const struct exchange *r)
{
	const struct snapshot *s = r->use->snapshot;

	return &s->pool_rules[pool_config(r->pool) - s->config->pools];
}

static bool edit_head(struct exchange *r, const struct http_edit *e)
{
	size_t n = r->up_head_n;

	if (!http_edit_text(e, bufs(r), &r->up.bytes, 0, &n))
		return false;
	r->up_head_n = (uint32_t)n;
	return true;
}

bool edit_request_for_route(struct exchange *r)
{
	return r->edits.route->request == NULL || edit_head(r, r->edits.route->request);
}

static bool keep_plain(struct exchange *r)
{
	struct span head = { .p = buf_head(&r->up.bytes), .n = r->up_head_n };

	if (!buf_reserve(bufs(r), &r->edits.plain, head.n))
		return false;
	buf_add_span(&r->edits.plain, head);
	return true;
}

/* The head as it was, in the place of the one that another pool had. */
static bool restore_plain(struct exchange *r)
{
	struct buf *plain = &r->edits.plain;
	struct stage out = { .keep = r->up.keep };
	struct span head = { .p = buf_head(plain), .n = buf_len(plain) };
	struct span body = { .p = buf_head(&r->up.bytes) + r->up_head_n,
		.n = buf_len(&r->up.bytes) - r->up_head_n };

	if (!stage_data(bufs(r), &out, head, false) ||
		!stage_data(bufs(r), &out, body, false)) {
		stage_fini(bufs(r), &out);
		return false;
	}
	buf_release(bufs(r), &r->up.bytes);
	r->up.bytes = out.bytes;
	r->up_head_n = (uint32_t)head.n;
	return true;
}

bool edit_request_for_pool(struct exchange *r)
{
	const struct http_edit *e = pool_rules(r)->request;

	if (e == r->edits.pool)
		return true;
	if (r->edits.pool != NULL ? !restore_plain(r) : !keep_plain(r))
		return false;
	r->edits.pool = NULL;
	if (e != NULL && !edit_head(r, e))
		return false;
	r->edits.pool = e;
	return true;
}

/* --- responses -------------------------------------------------------------------- */

const struct http_edit *edit_own(const struct exchange *r)
{
	return r->edits.route != NULL ? r->edits.route->response : NULL;
}

/* The pool's rules are of its servers, whose response it is. */
bool edit_response(struct exchange *r, struct buf *out, const struct h1_answer *a)
{
	const struct http_edit *pool = pool_rules(r)->response;
	const struct http_edit *route = r->edits.route->response;
	size_t from = buf_len(out), n;

	if (h1_write_response(bufs(r), out, &r->response, a) != 0)
		return false;
	n = buf_len(out) - from;
	return (pool == NULL || http_edit_text(pool, bufs(r), out, from, &n)) &&
	       (route == NULL || http_edit_text(route, bufs(r), out, from, &n));
}

void edit_response_fields(struct exchange *r, struct http_added *added)
{
	added->first = pool_rules(r)->response;
	added->last = r->edits.route->response;
	if (added->first != NULL)
		http_edit_drop(added->first, &r->response);
	if (added->last != NULL)
		http_edit_drop(added->last, &r->response);
}
