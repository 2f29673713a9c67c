/*
 * A client connection: what lives between requests.
 *
 * Idle, it is this struct and nothing else; an exchange and buffers are there
 * only while a request is. All reading from the client is done here, so that its end
 * and its errors are seen in one place.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "proxy_priv.h"

/* What sluice answers itself waits for nothing: a client that asks for that as fast as
 * it can send would keep the thread to itself. */
enum { PIPELINE_BYTES = 4096, REQUESTS_A_TURN = 16 };

static void forget(struct client *c)
{
	struct thread *t = c->thread;

	net_timer_stop(&c->timer);
	list_remove(&c->link);
	buf_release(net_loop_bufs(t->loop), &c->in);
	if (c->counted)
		peers_leave(t->proxy->peers, net_conn_peer(c->conn));
	thread_count(t, STAT_CONNECTIONS_OPEN, -1);
	atomic_fetch_sub_explicit(&t->load, 1, memory_order_relaxed);
}

static void end(struct client *c, void (*how)(struct net_conn *))
{
	struct net_conn *conn = c->conn;

	assert(conn != NULL);
	forget(c);
	c->conn = NULL;
	how(conn);
}

void client_close(struct client *c)
{
	end(c, net_conn_close);
}

void client_linger(struct client *c)
{
	end(c, net_conn_linger);
}

void client_abort(struct client *c)
{
	end(c, net_conn_abort);
}

struct span client_ip(struct client *c)
{
	const struct sockaddr *sa = net_conn_peer(c->conn);
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

	if (c->ip_n == 0) {
		if (sa->sa_family == AF_INET)
			inet_ntop(AF_INET, &in4->sin_addr, c->ip, sizeof(c->ip));
		else if (sa->sa_family == AF_INET6 &&
			 IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], c->ip,
				sizeof(c->ip));
		else if (sa->sa_family == AF_INET6)
			inet_ntop(AF_INET6, &in6->sin6_addr, c->ip, sizeof(c->ip));
		else
			memcpy(c->ip, "unix", sizeof("unix"));
		c->ip_n = (uint8_t)strlen(c->ip);
	}
	return (struct span){ .p = c->ip, .n = c->ip_n };
}

ssize_t client_read(struct client *c, size_t room)
{
	ssize_t got;

	if (!buf_reserve(net_loop_bufs(c->thread->loop), &c->in, room))
		return NET_AGAIN;
	room = buf_room(&c->in);
	got = net_read(c->conn, buf_tail(&c->in), room);
	c->readable = got == (ssize_t)room;
	if (got > 0)
		c->in.tail += (uint32_t)got;
	if (got == NET_EOF)
		c->eof = true;
	return got;
}

bool client_left(struct client *c)
{
	if (!c->readable || c->eof || buf_len(&c->in) >= PIPELINE_BYTES)
		return false;
	return client_read(c, PIPELINE_BYTES) == NET_BROKEN;
}

/* Waits for the next request, or for the first one. */
static void rest(struct client *c)
{
	if (buf_len(&c->in) == 0)
		buf_release(net_loop_bufs(c->thread->loop), &c->in);
	net_conn_want_read(c->conn, true);
	net_timer_set(&c->timer, thread_config(c->thread)->timeouts.client_idle_ms);
}

static bool has_more(const struct client *c)
{
	return c->readable || buf_len(&c->in) > 0;
}

void client_next(struct client *c)
{
	unsigned n = 0;

	if (c->looping)
		return; /* the loop below goes on when its exchange is over */
	c->looping = true;
	while (c->conn != NULL && c->exchange == NULL && has_more(c) &&
		n++ < REQUESTS_A_TURN) {
		net_timer_stop(&c->timer);
		exchange_begin(c);
	}
	c->looping = false;
	if (c->conn == NULL || c->exchange != NULL)
		return;
	if (c->thread->draining && c->served)
		client_linger(c);
	else if (has_more(c))
		net_timer_set(&c->timer, 0); /* after the others */
	else
		rest(c);
}

static void on_open(struct client *c)
{
	thread_count(c->thread, STAT_HANDSHAKES, 1);
	rest(c);
}

static void on_event(void *arg, unsigned events)
{
	struct client *c = arg;

	if (events & NET_FAILED) {
		thread_count(c->thread, STAT_HANDSHAKE_FAILURES, 1);
		client_close(c);
		return;
	}
	if (events & NET_READ)
		c->readable = true;
	if (events & NET_OPEN)
		on_open(c);
	if (c->exchange != NULL)
		exchange_run(c->exchange);
	else
		client_next(c);
}

static void on_timer(void *arg)
{
	struct client *c = arg;

	if (has_more(c)) {
		client_next(c);
		return;
	}
	if (!net_conn_is_open(c->conn))
		thread_count(c->thread, STAT_TIMEOUT_HANDSHAKE, 1);
	else
		thread_count(c->thread, STAT_TIMEOUT_IDLE, 1);
	/* A slow reader may not have all of its last answer yet. */
	if (net_conn_is_flushed(c->conn))
		client_close(c);
	else
		client_linger(c);
}

void client_accept(
	struct thread *t, struct net_conn *conn, const struct config_listener *l)
{
	struct client *c = net_conn_user(conn);

	c->conn = conn;
	c->thread = t;
	c->redirect = l->redirect;
	c->redirect_port = l->redirect_port;
	c->counted = thread_config(t)->limits.connections_per_client > 0;
	list_init(&c->link);
	list_push(&t->clients, &c->link);
	net_timer_init(&c->timer, t->loop, on_timer, c);
	net_conn_own(conn, (struct net_owner){ .on_event = on_event, .arg = c });
	thread_count(t, STAT_CONNECTIONS, 1);
	thread_count(t, STAT_CONNECTIONS_OPEN, 1);
	atomic_fetch_add_explicit(&t->load, 1, memory_order_relaxed);
	if (net_conn_has_tls(conn))
		net_timer_set(&c->timer, thread_config(t)->timeouts.tls_handshake_ms);
	else
		rest(c);
}
