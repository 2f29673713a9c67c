/*
 * The upstream side of an exchange, in HTTP/1: a connection of its own, kept or new.
 *
 * A kept connection is used without a question asked; that its server has closed it
 * meanwhile shows when it is used, and then the request is sent again. For one that may
 * not be repeated it is looked at first: servers that close behind an answer without
 * saying so do it right then.
 */
#include "exchange/exchange_priv.h"

enum {
	READ_SMALL = 8192,
	READ_BULK = 65536,
	RUN_MAX = 1 << 20, /* then the other connections of the loop have their turn */
};

static struct buf_pool *bufs(const struct exchange *r)
{
	return net_loop_bufs(r->thread->loop);
}

/* --- connecting ----------------------------------------------------------------------
 */

static void on_event(void *arg, unsigned events)
{
	struct exchange *r = arg;

	if (events & NET_READ)
		r->upstream_readable = true;
	if (events & NET_OPEN)
		r->upstream_ready = true;
	if (events & NET_FAILED)
		r->upstream_failed = true;
	exchange_run(r);
}

static bool open_conn(struct exchange *r)
{
	struct net_owner owner = { .on_event = on_event, .arg = r };

	if (!r->fresh && !r->repeatable)
		server_drop_closed(r->server, r->thread->index);
	if (!r->fresh)
		r->upstream = server_take_idle(
			r->server, r->thread->index, pool_manner(r->pool));
	r->reused = r->upstream != NULL;
	if (!r->reused) {
		r->upstream = upstream_dial(r, owner);
		return r->upstream != NULL;
	}
	thread_count(r->thread, STAT_UPSTREAM_REUSES, 1);
	net_conn_own(r->upstream, owner);
	r->upstream_ready = true;
	return true;
}

static bool begin(struct exchange *r)
{
	net_conn_want_read(r->upstream, true);
	return r->up_framing != HTTP_UNTIL_CLOSE || stage_reframe(r, HTTP_CHUNKED);
}

static enum outcome connect_outcome(const struct exchange *r)
{
	return upstream_failure(r->thread, r->upstream);
}

/* --- the request ------------------------------------------------------------------ */

static enum sent send_up(struct exchange *r, bool *moved)
{
	return stage_send(&r->up, r->upstream, &r->in->bytes, moved);
}

static bool put_trailer(struct exchange *r, struct span line)
{
	return r->up_framing != HTTP_CHUNKED ||
	       stage_trailer(bufs(r), &r->up, line, &r->up_trailers_begun);
}

static bool put_end(struct exchange *r)
{
	return r->up_framing != HTTP_CHUNKED ||
	       stage_last(bufs(r), &r->up, &r->up_trailers_begun);
}

/* --- the response ----------------------------------------------------------------- */

static void start_parser(struct exchange *r)
{
	struct h1_limits limits = {
		.head_bytes = r->use->snapshot->config->limits.header_bytes,
		.field_count = r->use->snapshot->config->limits.header_count,
		.target_bytes = 0
	};

	r->response.fields = r->fields;
	r->response.max_fields = HTTP_MAX_FIELDS;
	h1_response_start(&r->parser, &r->response, r->head.method, limits);
	r->response_parsing = true;
}

static enum taken take_head(struct exchange *r, enum outcome *why)
{
	struct span in = { .p = buf_head(&r->up_in), .n = buf_len(&r->up_in) };

	(void)why; /* what does not parse is malformed */
	if (in.n == 0)
		return HUNGRY;
	if (!r->response_parsing)
		start_parser(r);
	switch (h1_parse(&r->parser, &r->response, in)) {
	case H1_MORE:
		return HUNGRY;
	case H1_BAD:
		return FAILED;
	case H1_DONE:
		break;
	}
	r->response_parsing = false;
	return TAKEN;
}

static bool is_bulk(const struct exchange *r)
{
	return r->to_client == HALF_BODY && r->record.bytes_out > READ_BULK / 2 &&
	       (r->response_body.framing != HTTP_LENGTH ||
		       r->response_body.left > READ_BULK / 2);
}

/* How much to read. Of a large body not more than the client's side takes at once: so a
 * slow client has what TLS has made for it, and no buffer beside that. */
static size_t read_size(struct exchange *r)
{
	size_t most = BUF_LARGE - buf_len(&r->up_in), room;

	if (!is_bulk(r))
		return READ_SMALL;
	room = r->from->room(r);
	return room < most ? room : most;
}

static enum taken read_up(struct exchange *r, size_t *run, enum outcome *why)
{
	size_t room;
	ssize_t got;

	if (!r->upstream_readable || *run > RUN_MAX) {
		r->upstream_readable = false; /* if more is there, it is told again */
		return HUNGRY;
	}
	room = read_size(r);
	if (room == 0)
		return HUNGRY;
	*why = OUTCOME_LOCAL;
	if (!buf_reserve(bufs(r), &r->up_in, room))
		return FAILED;
	if (room <= READ_SMALL || room > buf_room(&r->up_in))
		room = buf_room(&r->up_in);
	got = net_read(r->upstream, buf_tail(&r->up_in), room);
	r->upstream_readable = got == (ssize_t)room;
	if (got == NET_AGAIN)
		return HUNGRY;
	*why = OUTCOME_RESET;
	if (got == NET_BROKEN)
		return FAILED;
	r->upstream_eof = got == NET_EOF;
	if (got > 0) {
		r->up_in.tail += (uint32_t)got;
		*run += (size_t)got;
	}
	return TAKEN;
}

/* An event that nobody can use now would come back at every turn: what was not read is
 * asked for again when there is room. */
static void settle(struct exchange *r)
{
	if (r->upstream_ready)
		net_conn_want_read(
			r->upstream, !r->upstream_readable && !r->upstream_eof);
	if (r->up_in.data != NULL && buf_len(&r->up_in) == 0)
		buf_release(bufs(r), &r->up_in);
}

/* --- the end ---------------------------------------------------------------------- */

static void give_back(struct exchange *r)
{
	struct net_conn *c = r->upstream;
	struct server_keeping keeping = upstream_keeping(r);

	r->upstream = NULL;
	server_take_back(r->server, r->thread->index, &c, &keeping);
}

static bool request_is_out(const struct exchange *r)
{
	return r->to_upstream == HALF_DONE && stage_is_empty(&r->up) &&
	       net_conn_is_flushed(r->upstream) && !r->upstream_failed;
}

static void keep(struct exchange *r)
{
	if (r->upstream_keep && request_is_out(r) && !r->upstream_eof &&
		!r->upstream_readable && buf_len(&r->up_in) == 0)
		give_back(r);
}

/* What is left of the response is read and dropped, so that the connection may stay. */
static void drop(struct exchange *r)
{
	struct rest rest = {
		.conn = r->upstream,
		.server = r->server,
		.use = r->use,
		.body = r->response_body,
		.in = r->up_in,
		.keeping = upstream_keeping(r),
	};

	if (!r->upstream_keep || !request_is_out(r))
		return;
	r->upstream = NULL;
	r->up_in = (struct buf){ .data = NULL };
	drain_rest(r->thread, &rest);
}

static void close_conn(struct exchange *r)
{
	if (r->upstream != NULL)
		net_conn_close(r->upstream);
	r->upstream = NULL;
}

const struct upstream_side upstream_h1 = {
	.open = open_conn,
	.begin = begin,
	.connect_outcome = connect_outcome,
	.send = send_up,
	.put_trailer = put_trailer,
	.put_end = put_end,
	.take_head = take_head,
	.read = read_up,
	.settle = settle,
	.keep = keep,
	.spare = give_back,
	.drop = drop,
	.close = close_conn,
};
