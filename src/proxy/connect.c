/*
 * Steps route and connect: from a checked head to an upstream connection that may be
 * written to.
 *
 * A kept connection is used without a question asked; that its server has closed it
 * meanwhile shows when it is used, and then the attempt fails like any other and is
 * tried again where that is allowed.
 */
#include <string.h>

#include "proxy_priv.h"

enum { MAX_QUEUED = 1024 };

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
	if (route->to_migration) {
		r->migration = s->migration[route->target];
		r->migration_config = &s->config->migrations[route->target];
	} else {
		r->pool = s->pool[route->target];
	}
	return true;
}

/* The request as it goes up, written once for all attempts; the client's own head is
 * not needed after that. HTTP/1.1 demands a Host: a client of HTTP/1.0 that sent none
 * gets the address that it asked. */
static bool stage_head(struct exchange *r)
{
	struct client *c = r->client;
	char local[64];
	struct h1_forward f = {
		.client_ip = client_ip(c),
		.request_id = { .p = r->id, .n = r->id_n },
		.host = http_text(&r->head, r->head.host),
		.tls = net_conn_has_tls(c->conn),
		.trusted = r->trusted,
		.keep_alive = true,
	};

	if (f.host.n == 0) {
		net_conn_local_text(c->conn, local, sizeof(local));
		f.host = span_of(local);
	}
	r->up.keep = true;
	if (h1_write_request(
		    net_loop_bufs(r->thread->loop), &r->up.bytes, &r->head, &f) != 0)
		return false;
	buf_drop(&c->in, r->head.bytes);
	r->head_dropped = true;
	r->ready_ns = net_loop_now_ns(r->thread->loop);
	return true;
}

static enum verdict no_server(struct exchange *r)
{
	thread_count(r->thread, STAT_NO_SERVER, 1);
	if (!r->pool_busy)
		return answer(r, 503, "no backend is available");
	thread_count(r->thread, STAT_LIMIT_SERVER, 1);
	return answer(r, 503, "every backend is at its limit of requests");
}

/* Its place in the queue is somebody else's. */
static enum verdict leave_queue(struct exchange *r)
{
	struct client *c = r->client;

	thread_count(r->thread, STAT_CLIENT_GONE, 1);
	exchange_end(r);
	client_abort(c);
	return OVER;
}

/* Until a server is there, or the deadline. */
static enum verdict wait_in_queue(struct exchange *r)
{
	if (client_left(r->client))
		return leave_queue(r);
	if (r->expired || r->thread->n_queued >= MAX_QUEUED)
		return no_server(r);
	if (r->migration != NULL && !r->queued_told) {
		r->queued_told = true;
		migration_add(r->migration, r->thread->index,
			r->wants_new ? SIDE_NEW : SIDE_LEGACY, COUNT_QUEUED, 1);
	}
	if (list_empty(&r->link))
		thread_queue(r->thread, &r->link);
	return WAIT;
}

enum verdict step_route(struct exchange *r)
{
	if (!r->head_dropped) {
		if (!find_route(r)) {
			thread_count(r->thread, STAT_NO_ROUTE, 1);
			return answer(r, 404, "no route for this host and path");
		}
		if (!stage_head(r)) {
			thread_count(r->thread, STAT_LIMIT_MEMORY, 1);
			return answer(r, 503, "out of memory for this request");
		}
	}
	switch (choose_server(r)) {
	case CHOSEN:
		list_remove(&r->link);
		attempt_begin(r);
		return go(r, EX_CONNECT);
	case CHOOSE_LATER:
		break;
	}
	return wait_in_queue(r);
}

/* --- connect
 * -------------------------------------------------------------------------- */

void upstream_close(struct exchange *r)
{
	if (r->upstream != NULL)
		net_conn_close(r->upstream);
	r->upstream = NULL;
	r->upstream_ready = r->upstream_readable = r->upstream_eof = false;
	r->upstream_failed = r->upstream_sent = r->upstream_was_ready = false;
	r->upstream_deaf = r->reused = false;
}

void on_upstream_event(void *arg, unsigned events)
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

static const char *server_name_of(const struct exchange *r)
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

/* False: not even begun. */
static bool open_upstream(struct exchange *r)
{
	struct net_owner owner = { .on_event = on_upstream_event, .arg = r };
	struct net_target target = { .tls = pool_tls(r->pool), .owner = owner };
	struct sockaddr_storage sa;
	socklen_t len;

	if (!r->fresh)
		r->upstream = server_take_idle(r->server, r->thread->index);
	r->reused = r->upstream != NULL;
	if (r->reused) {
		thread_count(r->thread, STAT_UPSTREAM_REUSES, 1);
		net_conn_own(r->upstream, owner);
		r->upstream_ready = true;
		return true;
	}
	if (!server_sockaddr(r->server, &sa, &len))
		return false;
	if (target.tls != NULL)
		target.server_name = server_name_of(r);
	thread_count(r->thread, STAT_UPSTREAM_CONNECTS, 1);
	server_note_connect(r->server, r->thread->index);
	r->upstream = net_connect(
		r->thread->loop, (const struct sockaddr *)&sa, len, &target);
	return r->upstream != NULL;
}

/* Descriptors, ports, memory: that is no failure of the server's (S21). */
static enum outcome no_resources(const struct exchange *r)
{
	thread_count(r->thread, STAT_LIMIT_DESCRIPTORS, 1);
	return OUTCOME_LOCAL;
}

static enum outcome connect_outcome(const struct exchange *r)
{
	switch (net_conn_failure(r->upstream)) {
	case NET_TLS:
		return OUTCOME_TLS;
	case NET_RESOURCES:
		return no_resources(r);
	case NET_FINE:
	case NET_REFUSED:
	case NET_RESET:
	case NET_TIMEOUT:
		break;
	}
	return OUTCOME_CONNECT;
}

/* A cutback came while connecting, and nothing was sent: legacy gets the request, and
 * the connection is kept. */
static enum verdict turn_back(struct exchange *r)
{
	struct net_conn *c = r->upstream;

	attempt_end(r, OUTCOME_LOCAL);
	r->upstream = NULL;
	server_take_back(r->server, r->thread->index, &c,
		pool_config(r->pool)->keepalive,
		r->use->snapshot->config->timeouts.upstream_idle_ms);
	upstream_close(r);
	return go(r, EX_ROUTE);
}

enum verdict step_connect(struct exchange *r)
{
	if (r->upstream == NULL && !open_upstream(r))
		return attempt_failed(r, no_resources(r));
	if (r->upstream_failed)
		return attempt_failed(r, connect_outcome(r));
	if (r->expired) {
		thread_count(r->thread, STAT_TIMEOUT_CONNECT, 1);
		return attempt_failed(r, OUTCOME_TIMEOUT);
	}
	if (!r->upstream_ready)
		return WAIT;
	if (choice_was_cut_back(r))
		return turn_back(r);
	r->upstream_was_ready = true;
	net_conn_want_read(r->upstream, true);
	return go(r, EX_RELAY);
}
