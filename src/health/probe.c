/*
 * probe - the checks of one server, one after the other.
 *
 * Happy path: rest, resolve the name, connect, ask, read the answer's status, rest; in
 * HTTP/2 both at once: talk.
 * Ways to fail, each a failed check: the name does not resolve; the connection is
 * refused, reset or fails its handshake; no answer within the time-out; an answer
 * that is not HTTP, or has another status; a call of gRPC that says anything but that
 * it is serving. A TCP check ends when it is connected, a server without checks when
 * it has an address.
 *
 * What sluice itself lacks (memory, descriptors) says nothing about the server: such
 * a check has no verdict.
 */
#include "health_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"
#include "sluice/pool/pool.h"

enum verdict { AGAIN, WAIT, OVER };

static const struct config_health *settings(const struct probe *p)
{
	return &pool_config(p->pool)->health;
}

static enum verdict go(struct probe *p, enum probe_step next)
{
	p->step = next;
	return AGAIN;
}

/* --- the end of a check -------------------------------------------------- */

static void let_go(struct probe *p)
{
	if (p->lookup)
		net_resolve_cancel(p->lookup);
	p->lookup = NULL;
	if (p->conn)
		net_conn_close(p->conn);
	p->conn = NULL;
	probe_http_free(p->http);
	p->http = NULL;
	probe_h2_free(p->h2, net_loop_bufs(health_loop(p->health)));
	p->h2 = NULL;
}

/* Nine lengths of rest, not any number: the loop keeps a list for each duration. */
static uint32_t rest_ms(struct probe *p)
{
	const struct config_health *c = settings(p);
	int64_t interval = c->interval_ms ? c->interval_ms : 1000;
	int64_t jitter = interval * c->jitter_ppm / 1000000;

	p->dice = p->dice * 6364136223846793005u + 1442695040888963407u;
	int64_t ms = interval + jitter * ((int64_t)((p->dice >> 33) % 9) - 4) / 4;
	return ms < 1 ? 1 : (uint32_t)ms;
}

static void rest(struct probe *p)
{
	p->step = PROBE_REST;
	net_timer_set(&p->timer, rest_ms(p));
}

static void set_health(struct probe *p, enum server_health to, const char *why)
{
	bool was_out = server_is_ejected(p->server);
	bool changed = server_set_health(p->server, to, why);

	if (changed || (was_out && to == SERVER_UP))
		health_changed(p->health, p, to == SERVER_UP, why);
}

/* The first check decides alone (S10); then rise and fall count. An ejected server
 * that is up needs one pass of a check that began after it was thrown out. */
static void judge(struct probe *p, bool pass, const char *why)
{
	enum server_health now = server_health(p->server);
	uint32_t needed = pass ? settings(p)->rise : settings(p)->fall;

	p->streak = p->checked && pass == p->passing ? p->streak + 1 : 1;
	p->passing = pass;
	if (!p->checked || (pass && p->type == CONFIG_HEALTH_NONE))
		needed = 1;
	p->checked = true;
	bool enough = p->streak >= needed;

	if (pass && (now == SERVER_UP ? p->was_ejected : enough))
		set_health(p, SERVER_UP, why);
	else if (!pass && (now == SERVER_DOWN || enough))
		set_health(p, SERVER_DOWN, why);
}

static enum verdict conclude(struct probe *p, bool pass, const char *why)
{
	judge(p, pass, why);
	return OVER;
}

/* --- steps --------------------------------------------------------------- */

static enum verdict fail_late(struct probe *p)
{
	char why[64];

	(void)snprintf(
		why, sizeof(why), "no answer within %u ms", settings(p)->timeout_ms);
	return conclude(p, false, why);
}

static void on_resolved(void *arg, const struct sockaddr *sa, socklen_t len);
static void on_event(void *arg, unsigned events);

static enum verdict step_resolve(struct probe *p)
{
	const struct config_address *a = &p->config->address;

	if (p->name == NAME_FOUND)
		server_set_sockaddr(p->server, (struct sockaddr *)&p->sa, p->sa_len);
	if (p->name == NAME_FOUND && p->type == CONFIG_HEALTH_NONE && p->n_found <= 1)
		return conclude(p, true, "not checked");
	if (p->name == NAME_FOUND)
		return go(p, PROBE_CONNECT);
	if (p->name == NAME_UNKNOWN || p->expired)
		return conclude(p, false, "name does not resolve");
	if (!p->lookup)
		p->lookup = net_resolve_all(
			health_loop(p->health), a->host, a->port, on_resolved, p);
	return WAIT;
}

static const char *failure_text(enum net_failure f)
{
	switch (f) {
	case NET_REFUSED:
		return "connection refused";
	case NET_RESET:
		return "connection reset";
	case NET_TLS:
		return "TLS handshake failed";
	case NET_TIMEOUT:
		return "connect timed out";
	case NET_FINE:
	case NET_RESOURCES:
	case NET_NOT_TLS: /* of clients alone */
		break;
	}
	return "connection failed";
}

/* A check speaks for nobody, and says so where a server wants to be told. */
static struct span proxy_header(
	const struct config_pool *c, char out[static NET_PROXY_WRITE_MAX])
{
	if (c->proxy_header == CONFIG_PROXY_OFF)
		return (struct span){ .n = 0 };
	return (struct span){ .p = out,
		.n = net_proxy_write((unsigned)c->proxy_header, NULL, NULL, out) };
}

static struct net_conn *dial(struct probe *p)
{
	char header[NET_PROXY_WRITE_MAX];
	const struct config_pool *c = pool_config(p->pool);
	const char *name = c->tls_server_name && c->tls_server_name[0]
				   ? c->tls_server_name
				   : p->config->address.host;

	return net_connect(health_loop(p->health), (struct sockaddr *)&p->sa, p->sa_len,
		&(struct net_target){
			.tls = pool_check_tls(p->pool),
			.server_name = name,
			.owner = { .on_event = on_event, .arg = p },
			.prefix = proxy_header(c, header),
		});
}

static bool speaks_h2(const struct probe *p)
{
	return p->type == CONFIG_HEALTH_GRPC ||
	       pool_config(p->pool)->protocol == CONFIG_H2;
}

static enum verdict begin_talk(struct probe *p)
{
	if (net_conn_has_tls(p->conn) && !span_eq(net_conn_alpn(p->conn), SPAN("h2")))
		return conclude(p, false, "HTTP/2 was not agreed on");
	p->h2 = probe_h2_new(health_h2(p->health), settings(p), &p->config->address,
		net_conn_has_tls(p->conn));
	if (p->h2 == NULL)
		return OVER;
	net_conn_want_read(p->conn, true);
	return go(p, PROBE_TALK);
}

/* A server without checks needs no more than an address that takes connections. */
static enum verdict not_connected(struct probe *p)
{
	enum net_failure f = net_conn_failure(p->conn);

	if (f == NET_RESOURCES)
		return OVER;
	if (probe_name_next(p)) {
		net_conn_close(p->conn);
		p->conn = NULL;
		return AGAIN;
	}
	return conclude(p, p->type == CONFIG_HEALTH_NONE,
		p->type == CONFIG_HEALTH_NONE ? "not checked" : failure_text(f));
}

/* What does not answer at all takes a check's whole time: the next one begins with
 * another address. */
static enum verdict not_connected_in_time(struct probe *p)
{
	if (probe_name_next(p))
		server_set_sockaddr(p->server, (struct sockaddr *)&p->sa, p->sa_len);
	return p->type == CONFIG_HEALTH_NONE ? conclude(p, true, "not checked")
					     : fail_late(p);
}

static enum verdict exchange_step_connect(struct probe *p)
{
	if (!p->conn) {
		p->events = 0;
		p->conn = dial(p);
		return p->conn ? WAIT : OVER;
	}
	if (p->events & NET_FAILED)
		return not_connected(p);
	if (p->events & NET_OPEN) {
		server_set_sockaddr(p->server, (struct sockaddr *)&p->sa, p->sa_len);
		if (p->type == CONFIG_HEALTH_NONE)
			return conclude(p, true, "not checked");
		if (p->type == CONFIG_HEALTH_TCP)
			return conclude(p, true, "connected");
		if (speaks_h2(p))
			return begin_talk(p);
		p->http = probe_http_new(settings(p), &p->config->address);
		return go(p, PROBE_ASK);
	}
	return p->expired ? not_connected_in_time(p) : WAIT;
}

static enum verdict step_ask(struct probe *p)
{
	struct probe_http *h = p->http;

	while (h->sent < h->request_n) {
		struct iovec v = { .iov_base = h->request + h->sent,
			.iov_len = h->request_n - h->sent };
		ssize_t n = net_write(p->conn, &v, 1);

		if (n == NET_BROKEN)
			return conclude(p, false, "connection reset");
		if (n <= 0) {
			net_conn_want_write(p->conn);
			return p->expired ? fail_late(p) : WAIT;
		}
		h->sent += (size_t)n;
	}
	net_conn_want_read(p->conn, true);
	return go(p, PROBE_ANSWER);
}

static enum verdict conclude_status(struct probe *p, bool pass)
{
	char why[32];

	(void)snprintf(why, sizeof(why), "status %u", (unsigned)p->http->head.status);
	return conclude(p, pass, why);
}

/* What has come is read before the clock is asked: when sluice itself was late, the
 * server was not. */
static enum verdict step_answer(struct probe *p)
{
	struct probe_http *h = p->http;
	ssize_t n = net_read(p->conn, h->bytes + h->got, sizeof(h->bytes) - h->got);

	if (n == NET_AGAIN)
		return p->expired ? fail_late(p) : WAIT;
	if (n == NET_EOF)
		return conclude(p, false, "closed without an answer");
	if (n < 0)
		return conclude(p, false, "connection reset");
	switch (probe_http_take(h, settings(p), (size_t)n)) {
	case ANSWER_MORE:
		break;
	case ANSWER_EXPECTED:
		return conclude_status(p, true);
	case ANSWER_OTHER_STATUS:
		return conclude_status(p, false);
	case ANSWER_BAD:
		return conclude(p, false, "the answer is not HTTP");
	}
	return AGAIN;
}

/* AGAIN: all is sent that can be now. */
static enum verdict send_frames(struct probe *p)
{
	struct buf *out = &p->h2->out;

	for (;;) {
		if (!probe_h2_write(p->h2))
			return OVER;
		if (buf_len(out) == 0)
			return AGAIN;

		struct iovec v = { .iov_base = buf_head(out), .iov_len = buf_len(out) };
		ssize_t n = net_write(p->conn, &v, 1);

		if (n == NET_BROKEN)
			return AGAIN; /* why, it may have said */
		if (n == NET_AGAIN) {
			net_conn_want_write(p->conn);
			return AGAIN;
		}
		buf_drop(out, (size_t)n);
	}
}

static enum verdict step_talk(struct probe *p)
{
	char in[16384];
	ssize_t n;

	if (send_frames(p) == OVER)
		return OVER;
	switch (probe_h2_judge(p->h2, settings(p))) {
	case ANSWER_EXPECTED:
		return conclude(p, true, p->h2->why);
	case ANSWER_OTHER_STATUS:
	case ANSWER_BAD:
		return conclude(p, false, p->h2->why);
	case ANSWER_MORE:
		break;
	}
	n = net_read(p->conn, in, sizeof(in));
	if (n == NET_AGAIN)
		return p->expired ? fail_late(p) : WAIT;
	if (n == NET_EOF)
		return conclude(p, false, "closed without an answer");
	if (n < 0)
		return conclude(p, false, "connection reset");
	return probe_h2_take(p->h2, (struct span){ .p = in, .n = (size_t)n })
		       ? AGAIN
		       : conclude(p, false, "the answer is not HTTP/2");
}

static enum verdict step_rest(struct probe *p)
{
	(void)p;
	return WAIT;
}

static enum verdict (*const steps[])(struct probe *) = {
	[PROBE_REST] = step_rest,
	[PROBE_RESOLVE] = step_resolve,
	[PROBE_CONNECT] = exchange_step_connect,
	[PROBE_ASK] = step_ask,
	[PROBE_ANSWER] = step_answer,
	[PROBE_TALK] = step_talk,
};

/* The only place where a probe moves on; every callback ends here. */
static void run(struct probe *p)
{
	enum verdict v = AGAIN;

	assert(!p->running);
	p->running = true;
	while (v == AGAIN)
		v = steps[p->step](p);
	p->running = false;
	if (v == OVER) {
		let_go(p);
		rest(p);
		health_over(p->health, p);
	}
}

/* --- callbacks ----------------------------------------------------------- */

static void on_resolved(void *arg, const struct sockaddr *sa, socklen_t len)
{
	struct probe *p = arg;

	if (sa != NULL) {
		probe_name_add(p, sa, len);
		return;
	}
	p->lookup = NULL;
	p->name = p->n_found > 0 ? NAME_FOUND : NAME_UNKNOWN;
	if (p->name == NAME_FOUND)
		probe_name_begin(p);
	run(p);
}

static void on_event(void *arg, unsigned events)
{
	struct probe *p = arg;

	p->events |= events;
	run(p);
}

static void on_timer(void *arg)
{
	struct probe *p = arg;

	if (p->step == PROBE_REST) {
		health_queue(p->health, p);
		return;
	}
	p->expired = true;
	run(p);
}

/* --- the probe ----------------------------------------------------------- */

void probe_begin(struct probe *p)
{
	const struct config_address *a = &p->config->address;

	assert(p->step == PROBE_REST);
	p->type = settings(p)->type;
	/* Without checks the pool itself ends an ejection, after a while. */
	p->was_ejected = p->type != CONFIG_HEALTH_NONE && server_is_ejected(p->server);
	p->expired = false;
	p->n_found = p->n_left = 0;
	p->name = a->numeric ? NAME_FOUND : NAME_ASKED;
	if (a->numeric) {
		memcpy(&p->sa, &a->sa, a->sa_len);
		p->sa_len = a->sa_len;
	}
	net_timer_set(
		&p->timer, settings(p)->timeout_ms ? settings(p)->timeout_ms : 1000);
	p->step = PROBE_RESOLVE;
	run(p);
}

static void look_at(struct probe *p, const struct pool *pool, size_t i)
{
	p->pool = pool;
	p->config = &pool_config(pool)->servers[i];
	assert(strcmp(p->config->address.text, server_address(p->server)) == 0);
}

struct probe *probe_new(struct health *h, const struct pool *pool, size_t i)
{
	struct probe *p = mem_zero(sizeof(*p));

	p->health = h;
	p->server = pool_server(pool, i);
	look_at(p, pool, i);
	p->dice = server_id(p->server) * 0x9e3779b97f4a7c15u;
	list_init(&p->link);
	list_init(&p->waiting);
	net_timer_init(&p->timer, health_loop(h), on_timer, p);
	return p;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	let_go(p);
	net_timer_stop(&p->timer);
	list_remove(&p->waiting);
	list_remove(&p->link);
	free(p);
}

/* A check under way goes on with what it began with; a changed setting is tried at
 * once instead of after the old interval. */
void probe_move(struct probe *p, const struct pool *pool, size_t i)
{
	const struct config_health *was = settings(p);
	const struct config_health *is = &pool_config(pool)->health;
	bool same = was->type == is->type && was->interval_ms == is->interval_ms &&
		    was->timeout_ms == is->timeout_ms;

	look_at(p, pool, i);
	if (!same && p->step == PROBE_REST && list_empty(&p->waiting))
		health_queue(p->health, p);
}
