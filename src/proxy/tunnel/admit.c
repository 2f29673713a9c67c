/*
 * Step admit: a request that wants to become a tunnel (WebSocket) is looked at, and waits
 * for its turn, first at its listener, then in its migration.
 *
 * Thousands may come back in the same second, when a server or a network has failed them
 * all. So many a second are let in; some wait here, in order; the rest is told to come
 * again. None of that is a pool's failure, and no pool hears of it.
 */
#include <string.h>

#include "sluice/http/ws.h"

#include "tunnel/tunnel_priv.h"

enum { ADMIT_MS = 10 };

/* --- the handshake ---------------------------------------------------------------- */

/* The only field of this name; false: none or several. */
static bool only(const struct http_head *h, struct span name, struct span *value)
{
	unsigned n = 0;

	for (size_t i = 0; i < h->n_fields; i++) {
		if (!span_ieq(http_field_name(h, &h->fields[i]), name))
			continue;
		*value = http_field_value(h, &h->fields[i]);
		n++;
	}
	return n == 1;
}

/* Over HTTP/2 there is no key, but the server must see one (RFC 8441, 5). */
static bool take_key(struct exchange *r)
{
	struct span key;

	if (r->head.upgrade) {
		if (!only(&r->head, SPAN("Sec-WebSocket-Key"), &key) || !ws_is_key(key))
			return false;
		memcpy(r->ws_key, key.p, key.n);
		return true;
	}
	ws_make_key(r->ws_key);
	for (size_t i = 0; i < r->head.n_fields; i++) {
		struct http_field *f = &r->head.fields[i];

		if (span_ieq(http_field_name(&r->head, f), SPAN("Sec-WebSocket-Key")))
			f->dropped = true;
	}
	return true;
}

static const struct config_tunnels *tunnels_of(const struct exchange *r)
{
	return r->migration != NULL ? &r->migration_config->tunnels : NULL;
}

bool upgrade_is_asked(struct exchange *r, struct http_own *refusal)
{
	const struct config_tunnels *t = tunnels_of(r);
	struct span version;

	*refusal = (struct http_own){ .status = 0 };
	if (!r->head.tunnel)
		return false;
	if (!only(&r->head, SPAN("Sec-WebSocket-Version"), &version) ||
		!span_eq(version, SPAN("13"))) {
		refusal->status = 426;
		refusal->text = "this is not the version 13 of WebSocket";
	} else if (!take_key(r)) {
		refusal->status = 400;
		refusal->text = "a WebSocket needs one Sec-WebSocket-Key of 16 bytes";
	} else if (t != NULL && !t->enabled) {
		thread_count(r->thread, STAT_LIMIT_UPGRADES, 1);
		refusal->status = 503;
		refusal->text = "no tunnels (WebSocket) here at present";
	}
	r->upgrade = UPGRADE_AT_LISTENER;
	return true;
}

bool upgrade_stage(struct exchange *r)
{
	static const struct span before = {
		.p = "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: ",
		.n = sizeof("Upgrade: websocket\r\nConnection: upgrade\r\n"
			    "Sec-WebSocket-Key: ") -
		     1
	};
	struct buf *head = &r->up.bytes;

	if (r->head.upgrade)
		return true; /* the client's own lines were written */
	if (!buf_reserve(net_loop_bufs(r->thread->loop), head,
		    before.n + WS_KEY_SIZE + strlen("\r\n\r\n")))
		return false;
	head->tail -= (uint32_t)strlen("\r\n"); /* the empty line moves behind */
	buf_add_span(head, before);
	buf_add(head, r->ws_key, WS_KEY_SIZE);
	buf_add_span(head, SPAN("\r\n\r\n"));
	return true;
}

bool upgrade_is_agreed(const struct exchange *r)
{
	const struct http_head *h = &r->response;
	char wanted[WS_ACCEPT_SIZE];
	struct span protocol, accept;

	if (r->upgrade != UPGRADE_ADMITTED || !h->upgrade)
		return false;
	ws_accept((struct span){ .p = r->ws_key, .n = WS_KEY_SIZE }, wanted);
	return only(h, SPAN("Upgrade"), &protocol) &&
	       span_ieq(protocol, SPAN("websocket")) &&
	       only(h, SPAN("Sec-WebSocket-Accept"), &accept) &&
	       span_eq(accept, (struct span){ .p = wanted, .n = sizeof(wanted) });
}

bool upgrade_is_misunderstood(const struct exchange *r)
{
	return r->upgrade != UPGRADE_NONE && r->from->raw &&
	       r->response.status / 100 == 2;
}

/* --- the two doors ---------------------------------------------------------------- */

struct gate {
	struct bucket *bucket; /* NULL: it stands open */
	const struct config_bucket *config;
};

/* A listener that has left the configuration meters nobody any more. */
static struct gate gate_of_listener(const struct exchange *r)
{
	const struct snapshot *s = r->use->snapshot;

	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listener[i].sockets->id == r->client->door)
			return (struct gate){ &s->listener[i].sockets->upgrades,
				&s->config->listeners[i].upgrades };
	}
	return (struct gate){ .bucket = NULL };
}

static struct gate gate_of(const struct exchange *r)
{
	if (r->upgrade == UPGRADE_AT_LISTENER)
		return gate_of_listener(r);
	if (r->upgrade == UPGRADE_AT_MIGRATION && r->migration != NULL)
		return (struct gate){ migration_upgrades(r->migration),
			&r->migration_config->tunnels.bucket };
	return (struct gate){ .bucket = NULL };
}

static bool may_pass(const struct exchange *r, struct gate g)
{
	if (g.bucket == NULL)
		return true;
	if (r->waits_at == NULL && g.config->rate > 0 && bucket_is_awaited(g.bucket))
		return false;
	return bucket_take(g.bucket, g.config, net_loop_now_ns(r->thread->loop));
}

void upgrade_leave(struct exchange *r)
{
	if (r->waits_at != NULL)
		bucket_leave(r->waits_at);
	r->waits_at = NULL;
}

static enum verdict refuse(struct exchange *r)
{
	list_remove(&r->link);
	upgrade_leave(r);
	thread_count(r->thread, STAT_LIMIT_UPGRADES, 1);
	return answer(r, 503, "too many tunnels (WebSocket) begin at present");
}

static void run_waiting(void *arg)
{
	struct thread *t = arg;

	LIST_EACH (&t->upgrades, it, next) {
		struct exchange *r = LIST_ENTRY(it, struct exchange, link);
		struct gate g = gate_of(r);

		if (bucket_has(g.bucket, g.config, net_loop_now_ns(t->loop)))
			exchange_run(r);
	}
	if (list_empty(&t->upgrades)) {
		net_ticker_free(t->upgrade_ticker);
		t->upgrade_ticker = NULL;
	}
}

static enum verdict wait_for_turn(struct exchange *r, struct gate g)
{
	struct thread *t = r->thread;

	if (r->waits_at == NULL) {
		if (!bucket_join(g.bucket, g.config))
			return refuse(r);
		r->waits_at = g.bucket;
		list_push(&t->upgrades, &r->link);
	}
	if (t->upgrade_ticker == NULL)
		t->upgrade_ticker =
			net_ticker_new(t->loop, ADMIT_MS, NET_LAST, run_waiting, t);
	return WAIT;
}

/* It has no use for an answer once its own half is closed. */
static bool has_left(struct exchange *r)
{
	return r->from->left(r) || r->in->eof;
}

enum verdict step_admit(struct exchange *r)
{
	while (r->upgrade != UPGRADE_ADMITTED) {
		struct gate g = gate_of(r);

		if (r->waits_at != NULL && has_left(r)) {
			thread_count(r->thread, STAT_CLIENT_GONE, 1);
			return exchange_leave(r, LEAVE_BROKEN);
		}
		if (r->expired)
			return refuse(r);
		if (!may_pass(r, g))
			return wait_for_turn(r, g);
		upgrade_leave(r);
		list_remove(&r->link);
		r->upgrade++;
	}
	r->ready_ns = net_loop_now_ns(r->thread->loop); /* our wait is no pool's */
	return go(r, EX_ROUTE);
}
