/*
 * What a request for a tunnel (WebSocket, RFC 6455 and RFC 8441) must have, what goes
 * upstream for it, and whether the server agreed.
 */
#include <string.h>

#include "sluice/http/ws.h"

#include "tunnel/tunnel_priv.h"

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

bool upgrade_is_requested(struct exchange *r, struct http_own *refusal)
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

bool upgrade_is_accepted(const struct exchange *r)
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

bool upgrade_got_confused_2xx(const struct exchange *r)
{
	return r->upgrade != UPGRADE_NONE && r->from->raw &&
	       r->response.status / 100 == 2;
}
