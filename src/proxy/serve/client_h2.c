/*
 * The client's side of an exchange, in HTTP/2: one stream of its connection.
 *
 * Bytes do not wait here for a socket but for a window: what is staged is taken when
 * the session lets it go, at the end of the loop's turn, so that the frames of all
 * streams of a turn leave in one send.
 */
#include <stdio.h>

#include "exchange/exchange_priv.h"

enum { VIA_MAX = 80 }; /* a pseudonym has at most 64 */

static struct h2 *session(const struct exchange *r)
{
	return streams_session(r->client->streams);
}

static enum verdict read_head(struct exchange *r)
{
	return head_is_whole(r);
}

/* Bytes come by themselves, as far as the window lets them. */
static enum flow read_body(struct exchange *r, enum outcome *why)
{
	(void)why;
	return r->in->eof ? FLOW_END : FLOW_WAIT;
}

/* A reset ends the exchange at once, whatever it waits for. */
static bool left(struct exchange *r)
{
	(void)r;
	return false;
}

static bool has_body(const struct http_head *h)
{
	return h->framing != HTTP_NO_BODY &&
	       !(h->framing == HTTP_LENGTH && h->length == 0);
}

static struct span via(const struct exchange *r, char *out, size_t out_n)
{
	const char *pseudonym = r->use->snapshot->config->headers.via;
	const char *version = r->response.minor == 0 ? "1.0" : "1.1";
	int n;

	if (pseudonym[0] == '\0')
		return (struct span){ .n = 0 };
	n = snprintf(
		out, out_n, "%s %s", r->to == &upstream_h2 ? "2" : version, pseudonym);
	return (struct span){ .p = out, .n = (size_t)n };
}

static bool put_head(struct exchange *r, bool interim)
{
	bool body = has_body(&r->response);
	char line[VIA_MAX];
	struct http_added added = { .via = via(r, line, sizeof(line)) };

	if (r->stream == 0)
		return true; /* who would have read it is gone */
	if (!interim) {
		added.date = response_half_date(r);
		edit_response_fields(r, &added);
	}
	if (h2_respond(session(r), r->stream, &r->response, interim || body, &added) !=
		0)
		return false;
	streams_flush_later(r->client->streams);
	if (interim)
		return true;
	r->down_framing = body ? HTTP_UNTIL_CLOSE : HTTP_NO_BODY;
	r->down_ended = !body;
	return true;
}

static bool put_own(struct exchange *r, const struct http_own *own)
{
	int done = 0;

	if (r->stream != 0)
		done = r->grpc ? grpc_answer(r, session(r), own)
			       : h2_answer(session(r), r->stream, own);
	if (done != 0)
		return false;
	r->down_ended = true;
	streams_flush_later(r->client->streams);
	return true;
}

static bool put_trailer(struct exchange *r, struct span line)
{
	return stage_keep_line(net_loop_bufs(r->thread->loop), &r->down_trailers, line);
}

static bool put_end(struct exchange *r)
{
	(void)r;
	return true;
}

/* Its window tells when it has come that far. */
static size_t room(struct exchange *r)
{
	(void)r;
	return SIZE_MAX;
}

static enum sent send_down(struct exchange *r)
{
	if (r->stream == 0 && !r->down_ended)
		return SENT_BROKEN;
	if (stage_is_empty(&r->down) && (r->to_client != HALF_DONE || r->down_ended))
		return SENT_ALL;
	h2_resume(session(r), r->stream);
	streams_flush_later(r->client->streams);
	return SENT_SOME;
}

/* The client may send as much as was passed on. */
static void settle(struct exchange *r)
{
	uint64_t head = r->head_dropped ? 0 : r->head.bytes;
	uint64_t used = r->mux.came - (buf_len(&r->in->bytes) - head);

	if (used == r->mux.freed || r->stream == 0)
		return;
	h2_consumed(session(r), r->stream, used - r->mux.freed);
	r->mux.freed = used;
	streams_flush_later(r->client->streams);
}

static void leave(struct client *c, int32_t stream, enum leaving how, bool keep)
{
	(void)keep;
	streams_forget(c->streams, stream, how);
}

const struct client_side client_h2 = {
	.raw = true,
	.read_head = read_head,
	.read_body = read_body,
	.left = left,
	.put_head = put_head,
	.put_own = put_own,
	.put_trailer = put_trailer,
	.put_end = put_end,
	.room = room,
	.send = send_down,
	.settle = settle,
	.leave = leave,
};
