/*
 * Steps route and connect: from a checked head to an upstream connection that may be
 * written to.
 *
 * A kept connection is used without a question asked; that its server has closed it
 * meanwhile shows when it is used, and then the attempt fails like any other and is
 * tried again where that is allowed.
 */
#include <string.h>

#include "tunnel/tunnel_priv.h"

/* --- route
 * ----------------------------------------------------------------------------- */

/* False: no route. */
static bool find_route(struct exchange *r)
{
	const struct snapshot *s = r->use->snapshot;
	const struct config_route *route;
	struct span path = http_text(&r->head, r->head.path);
	char host[256];
	size_t host_n = 0;

	if (!http_host_name(
		    http_text(&r->head, r->head.host), host, sizeof(host), &host_n))
		host_n = 0;
	if (path.n == 0 || path.p[0] != '/')
		path = SPAN("/"); /* OPTIONS * */
	route = routes_find(s->routes, (struct span){ .p = host, .n = host_n }, path);
	if (route == NULL)
		return false;
	r->edits.route = &s->route_rules[route - s->config->routes];
	if (route->to_migration) {
		r->migration = s->migration[route->target];
		r->migration_config = &s->config->migrations[route->target];
	} else {
		r->pool = s->pool[route->target];
	}
	return true;
}

static bool asks_for_events(const struct http_head *h)
{
	const struct http_field *f =
		h->method == HTTP_GET ? http_find(h, HTTP_N_ACCEPT) : NULL;
	struct span all = f != NULL ? http_field_value(h, f) : (struct span){ .n = 0 };

	while (all.n > 0) {
		struct span one = span_cut(&all, ',');

		if (span_ieq(span_trim(span_cut(&one, ';')), SPAN("text/event-stream")))
			return true;
	}
	return false;
}

/* The request as it goes up, written once for all attempts; the client's own head is
 * not needed after that. HTTP/1.1 demands a Host: a client of HTTP/1.0 that sent none
 * gets the address that it asked, and at a Unix socket a name that servers take. */
static bool stage_head(struct exchange *r)
{
	struct client *c = r->client;
	char local[64];
	struct h1_forward f = {
		.client_ip = client_ip(c),
		.request_id = { .p = r->record.id, .n = r->record.id_n },
		.host = http_text(&r->head, r->head.host),
		.tls = net_conn_has_tls(c->conn),
		.trusted = r->trusted,
		.keep_alive = true,
		.upgrade = r->upgrade != UPGRADE_NONE,
		.forwarded = r->use->snapshot->config->headers.forwarded,
		.from_h2 = r->from == &client_h2,
		.via = span_of(r->use->snapshot->config->headers.via),
	};

	if (f.host.n == 0) {
		net_conn_local_text(c->conn, local, sizeof(local));
		f.host = local[0] != '\0' ? span_of(local) : SPAN("localhost");
	}
	r->up.keep = true;
	r->wants_events = asks_for_events(&r->head);
	if (h1_write_request(
		    net_loop_bufs(r->thread->loop), &r->up.bytes, &r->head, &f) != 0)
		return false;
	if (r->upgrade != UPGRADE_NONE && !upgrade_stage(r))
		return false;
	r->up_head_n = (uint32_t)buf_len(&r->up.bytes);
	if (!edit_request_for_route(r))
		return false;
	r->up_framing = r->head.framing;
	buf_drop(&r->in->bytes, r->head.bytes);
	r->head_dropped = true;
	r->record.ready_ns = net_loop_now_ns(r->thread->loop);
	return true;
}

static enum verdict no_server(struct exchange *r)
{
	thread_count(r->thread, STAT_NO_SERVER, 1);
	exchange_stop_waiting(r);
	if (!r->pool_busy)
		return answer(r, 503, "no backend is available");
	thread_count(r->thread, STAT_LIMIT_SERVER, 1);
	return answer(r, 503, "every backend is at its limit of requests");
}

/* Its place in the queue is somebody else's. */
static enum verdict leave_queue(struct exchange *r)
{
	thread_count(r->thread, STAT_CLIENT_GONE, 1);
	return exchange_leave(r, LEAVE_BROKEN);
}

void exchange_stop_waiting(struct exchange *r)
{
	if (r->waiter.pool == NULL)
		return;
	pool_wait_stop(r->thread->index, &r->waiter);
	r->thread->n_queued--;
}

static void on_turn(struct pool_waiter *w)
{
	exchange_run(LIST_ENTRY(w, struct exchange, waiter));
}

/* A place in the queue of the pool that it wants now. */
static enum pool_place enter_queue(struct exchange *r)
{
	enum pool_place place;

	if (r->waiter.pool == r->wanted)
		return POOL_PLACE_BEHIND; /* it has one */
	exchange_stop_waiting(r);
	if (r->thread->n_queued >= r->use->snapshot->config->limits.pending)
		return POOL_PLACE_FULL;
	r->waiter.on_turn = on_turn;
	place = pool_wait(r->wanted, r->thread->index, &r->waiter);
	if (place != POOL_PLACE_FULL)
		r->thread->n_queued++;
	return place;
}

static void tell_queued(struct exchange *r)
{
	if (r->migration == NULL || r->queued_told)
		return;
	r->queued_told = true;
	migration_add(r->migration, r->thread->index,
		r->wants_new ? SIDE_NEW : SIDE_LEGACY, COUNT_QUEUED, 1);
}

static enum verdict begin_attempt(struct exchange *r)
{
	exchange_stop_waiting(r);
	attempt_begin(r);
	return exchange_go(r, EX_CONNECT);
}

/* Until a server is there, or the deadline. */
static enum verdict wait_in_queue(struct exchange *r)
{
	if (r->from->left(r))
		return leave_queue(r);
	if (r->expired)
		return no_server(r);
	switch (enter_queue(r)) {
	case POOL_PLACE_FULL:
		thread_count(r->thread, STAT_LIMIT_PENDING, 1);
		return no_server(r);
	case POOL_PLACE_FIRST:
		if (choose_server(r) == CHOSEN)
			return begin_attempt(r);
		break;
	case POOL_PLACE_BEHIND:
		break;
	}
	tell_queued(r);
	return WAIT;
}

enum verdict exchange_step_route(struct exchange *r)
{
	struct http_own refusal;

	if (!r->head_dropped) {
		if (!find_route(r)) {
			thread_count(r->thread, STAT_NO_ROUTE, 1);
			return answer(r, 404, "no route for this host and path");
		}
		if (upgrade_is_requested(r, &refusal) && refusal.status != 0)
			return answer(r, refusal.status, refusal.text);
		if (grpc_came_too_late(r))
			return answer(r, 504, "the call had no time left");
		if (!stage_head(r)) {
			thread_count(r->thread, STAT_LIMIT_MEMORY, 1);
			return answer(r, 503, "out of memory for this request");
		}
		if (r->upgrade != UPGRADE_NONE)
			return exchange_go(r, EX_ADMIT);
	}
	switch (choose_server(r)) {
	case CHOSEN:
		return begin_attempt(r);
	case CHOOSE_LATER:
		break;
	}
	return wait_in_queue(r);
}

/* --- connect
 * -------------------------------------------------------------------------- */

void upstream_close(struct exchange *r)
{
	if (r->to != NULL)
		r->to->close(r);
	r->to = NULL;
	r->upstream_ready = r->upstream_readable = r->upstream_eof = false;
	r->upstream_failed = r->upstream_sent = r->upstream_was_ready = false;
	r->upstream_deaf = r->reused = false;
}

/* For SNI and for the check of the certificate. */
static const char *server_name(const struct exchange *r)
{
	const struct config_pool *c = pool_config(r->pool);

	if (c->tls_server_name[0] != '\0')
		return c->tls_server_name;
	for (size_t i = 0; i < c->n_servers; i++) {
		if (pool_server(r->pool, i) == r->server)
			return c->servers[i].address.host;
	}
	return "";
}

/* The connection is this client's alone, and begins with who that is. */
static struct span proxy_header(
	const struct exchange *r, char out[static NET_PROXY_WRITE_MAX])
{
	enum config_proxy_header version = pool_config(r->pool)->proxy_header;
	union net_address local;

	if (version == CONFIG_PROXY_OFF)
		return (struct span){ .n = 0 };
	net_conn_local(r->client->conn, &local);
	return (struct span){ .p = out,
		.n = net_proxy_write((unsigned)version, net_conn_peer(r->client->conn),
			&local.any, out) };
}

struct net_conn *upstream_dial(struct exchange *r, struct net_owner owner)
{
	char header[NET_PROXY_WRITE_MAX];
	struct net_target target = { .tls = pool_tls(r->pool),
		.owner = owner,
		.prefix = proxy_header(r, header) };
	struct sockaddr_storage sa;
	socklen_t len;

	if (!server_sockaddr(r->server, &sa, &len))
		return NULL;
	if (target.tls != NULL)
		target.server_name = server_name(r);
	if (!net_loop_may_open(r->thread->loop))
		thread_close_idle(r->thread);
	thread_count(r->thread, STAT_UPSTREAM_CONNECTS, 1);
	server_note_connect(r->server, r->thread->index);
	return net_connect(r->thread->loop, (const struct sockaddr *)&sa, len, &target);
}

struct server_keeping upstream_keeping(const struct exchange *r)
{
	return (struct server_keeping){
		.max = pool_config(r->pool)->keepalive,
		.idle_ms = r->use->snapshot->config->timeouts.upstream_idle_ms,
		.age_ms = pool_config(r->pool)->keepalive_age_ms,
		.requests = pool_config(r->pool)->keepalive_requests,
		.manner = pool_manner(r->pool),
	};
}

enum outcome upstream_failure(struct thread *t, const struct net_conn *c)
{
	switch (net_conn_failure(c)) {
	case NET_TLS:
		return OUTCOME_TLS;
	case NET_RESOURCES:
		thread_count(t, STAT_LIMIT_DESCRIPTORS, 1);
		return OUTCOME_LOCAL;
	case NET_FINE:
	case NET_REFUSED:
	case NET_RESET:
	case NET_TIMEOUT:
	case NET_NOT_TLS: /* of clients alone */
		break;
	}
	return OUTCOME_CONNECT;
}

/* False: not even begun. */
static bool open_upstream(struct exchange *r)
{
	r->to = pool_config(r->pool)->protocol == CONFIG_H2 ? &upstream_h2
							    : &upstream_h1;
	return r->to->open(r);
}

/* A cutback came while connecting, and nothing was sent: legacy gets the request, the
 * connection is kept, and the try does not count. */
static enum verdict turn_back(struct exchange *r)
{
	attempt_end(r, OUTCOME_LOCAL);
	r->record.tries--;
	r->to->spare(r);
	upstream_close(r);
	return exchange_go(r, EX_ROUTE);
}

/* A server of HTTP/2 has said that it does not know extended CONNECT, or said nothing. */
static bool takes_no_tunnel(const struct exchange *r)
{
	return r->upgrade != UPGRADE_NONE && r->to == &upstream_h2 &&
	       !upstream_h2_takes_tunnels(r);
}

static enum verdict no_tunnel_there(struct exchange *r)
{
	attempt_end(r, OUTCOME_LOCAL);
	r->to->spare(r);
	upstream_close(r);
	return answer(r, 501, "the server takes no tunnels (WebSocket) over HTTP/2");
}

enum verdict exchange_step_connect(struct exchange *r)
{
	if (r->to == NULL && !open_upstream(r)) {
		/* Descriptors, ports, memory: that is no failure of the server's. */
		thread_count(r->thread, STAT_LIMIT_DESCRIPTORS, 1);
		return attempt_failed(r, OUTCOME_LOCAL);
	}
	if (r->upstream_failed)
		return attempt_failed(r, r->to->connect_outcome(r));
	if (r->expired) {
		thread_count(r->thread, STAT_TIMEOUT_CONNECT, 1);
		return attempt_failed(r, OUTCOME_TIMEOUT);
	}
	if (!r->upstream_ready)
		return WAIT;
	if (choose_was_cut_back(r))
		return turn_back(r);
	r->upstream_was_ready = true;
	if (takes_no_tunnel(r))
		return no_tunnel_there(r);
	if (!edit_request_for_pool(r) || !r->to->begin(r))
		return attempt_failed(r, OUTCOME_LOCAL);
	return exchange_go(r, EX_RELAY);
}
