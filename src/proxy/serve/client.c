/*
 * A client connection: what lives between requests.
 *
 * Idle, it is this struct and nothing else; an exchange and buffers are there
 * only while a request is. All reading from the client is done here, so that its end
 * and its errors are seen in one place.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/exchange_priv.h"

/* What sluice answers itself waits for nothing: a client that asks for that as fast as
 * it can send would keep the thread to itself. */
enum {
	REQUESTS_A_TURN = 16,
	DISMISS_MS = 1000,     /* for a first request that is on its way */
	MOST_LINGERING = 1024, /* of a thread: descriptors without an owner */
	IDLE_AGE_MS = 500, /* so long at least before it makes room for another one */
};

/* Returns where it ends. */
static const char *write_ip(
	const struct sockaddr *sa, char out[static INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

	if (sa->sa_family == AF_INET)
		inet_ntop(AF_INET, &in4->sin_addr, out, INET6_ADDRSTRLEN);
	else if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], out, INET6_ADDRSTRLEN);
	else if (sa->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, out, INET6_ADDRSTRLEN);
	else
		memcpy(out, "unix", sizeof("unix"));
	return out + strlen(out);
}

static bool has_long_ip(const struct client *c)
{
	return c->ip_n > sizeof(c->short_ip);
}

static void forget_ip(struct client *c)
{
	if (has_long_ip(c))
		free(c->long_ip);
	c->ip_n = 0;
}

/* Once a connection: each of its requests is asked for it. */
static void find_ip(struct client *c)
{
	char text[INET6_ADDRSTRLEN];

	c->ip_n = (uint8_t)(write_ip(net_conn_peer(c->conn), text) - text);
	if (has_long_ip(c))
		c->long_ip = mem_text_n(text, c->ip_n);
	else
		memcpy(c->short_ip, text, c->ip_n);
}

struct span client_ip(struct client *c)
{
	if (c->ip_n == 0)
		find_ip(c);
	return (struct span){ .p = has_long_ip(c) ? c->long_ip : c->short_ip,
		.n = c->ip_n };
}

static void forget(struct client *c)
{
	struct thread *t = c->thread;

	if (c->streams != NULL)
		streams_free(c);
	net_timer_stop(&c->timer);
	list_remove(&c->link);
	buf_release(net_loop_bufs(t->loop), &c->in.bytes);
	forget_ip(c);
	if (c->counted)
		peers_conn_release(t->proxy->peers, net_conn_peer(c->conn));
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

void client_bound_linger(struct thread *t)
{
	const struct config *config = thread_config(t);

	net_loop_linger(t->loop, &(struct net_linger){ .ms = config->timeouts.linger_ms,
					 .rate = config->limits.client_rate,
					 .most = MOST_LINGERING });
}

void client_linger(struct client *c)
{
	end(c, net_conn_linger);
}

void client_linger_briefly(struct client *c)
{
	end(c, net_conn_linger_briefly);
}

void client_abort(struct client *c)
{
	end(c, net_conn_abort);
}

ssize_t client_read(struct client *c, size_t room)
{
	ssize_t got;

	if (!buf_reserve(net_loop_bufs(c->thread->loop), &c->in.bytes, room))
		return NET_AGAIN;
	room = buf_room(&c->in.bytes);
	got = net_read(c->conn, buf_tail(&c->in.bytes), room);
	c->in.readable = got == (ssize_t)room;
	if (got > 0)
		c->in.bytes.tail += (uint32_t)got;
	if (got == NET_EOF)
		c->in.eof = true;
	return got;
}

/* Waits for the next request, or for the first one. */
static void rest(struct client *c)
{
	if (buf_len(&c->in.bytes) == 0)
		buf_release(net_loop_bufs(c->thread->loop), &c->in.bytes);
	net_conn_want_read(c->conn, true);
	net_timer_set(&c->timer,
		c->leaving ? DISMISS_MS
			   : thread_config(c->thread)->timeouts.client_idle_ms);
}

/* What was read already are its first bytes. */
static void begin_h2(struct client *c)
{
	struct buf *in = &c->in.bytes;

	if (!streams_begin(c)) {
		client_close(c);
		return;
	}
	if (c->leaving)
		streams_drain(c);
	if (buf_len(in) > 0)
		streams_receive(
			c, (struct span){ .p = buf_head(in), .n = buf_len(in) });
	buf_release(net_loop_bufs(c->thread->loop), in);
}

/* Prior knowledge (RFC 9113, 3.3): the first bytes tell. False: they are not there. */
static bool knows_h2(struct client *c)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	size_t whole = sizeof(preface) - 1, n;

	if (c->in.readable && !c->in.eof && client_read(c, whole) == NET_BROKEN) {
		client_close(c);
		return false;
	}
	n = buf_len(&c->in.bytes) < whole ? buf_len(&c->in.bytes) : whole;
	if (n == 0 || memcmp(buf_head(&c->in.bytes), preface, n) != 0) {
		c->h2c = false;
		return true;
	}
	if (n < whole && !c->in.eof) {
		net_conn_want_read(c->conn, true);
		return false;
	}
	begin_h2(c);
	return false;
}

static bool has_more(const struct client *c)
{
	return c->in.readable || buf_len(&c->in.bytes) > 0;
}

void client_next(struct client *c)
{
	unsigned n = 0;

	if (c->looping || c->streams != NULL || c->tunnel != NULL)
		return; /* the loop below goes on when its exchange is over */
	if (c->h2c && !knows_h2(c))
		return;
	c->looping = true;
	while (c->conn != NULL && c->exchange == NULL && has_more(c) &&
		n++ < REQUESTS_A_TURN) {
		net_timer_stop(&c->timer);
		client_h1_begin(c);
	}
	c->looping = false;
	if (c->conn == NULL || c->exchange != NULL)
		return;
	if (c->leaving && c->served)
		client_linger(c);
	else if (has_more(c))
		net_timer_set(&c->timer, 0); /* after the others */
	else
		rest(c);
}

void client_served(struct client *c, bool keep)
{
	c->served = true;
	if (!keep || (c->in.eof && buf_len(&c->in.bytes) == 0))
		client_linger(c);
}

static void on_open(struct client *c)
{
	if (net_conn_has_tls(c->conn))
		thread_count(c->thread, STAT_HANDSHAKES, 1);
	if (span_eq(net_conn_alpn(c->conn), SPAN("h2")))
		begin_h2(c);
	else
		rest(c);
}

/* A PROXY header says who it is: now the client's limits can be asked, before TLS. */
static void on_peer(struct client *c)
{
	unsigned admission = listener_admit(
		c->thread, net_conn_peer(c->conn), net_conn_has_tls(c->conn));

	forget_ip(c);
	c->counted = (admission & NET_ADMIT_COUNTED) != 0;
	if (admission == NET_REFUSE)
		client_close(c);
}

/* A peer that leaves before its PROXY header, as a balancer's check does, is nobody's
 * failure. */
static void count_failure(const struct client *c)
{
	enum net_failure why = net_conn_failure(c->conn);

	if (why == NET_REFUSED)
		thread_count(c->thread, STAT_PROXY_HEADER_BAD, 1);
	else if (why != NET_RESET || net_conn_has_tls(c->conn))
		thread_count(c->thread, STAT_HANDSHAKE_FAILURES, 1);
}

/* A browser that was sent to http:// with the port of https:// shows this. */
static void explain_tls(struct net_conn *conn)
{
	net_conn_farewell(conn,
		SPAN("HTTP/1.1 400 Bad Request\r\n"
		     "Content-Type: text/plain; charset=utf-8\r\n"
		     "Content-Length: 56\r\nConnection: close\r\n\r\n"
		     "This port speaks HTTPS: write https:// in place of http\n"));
}

/* While nobody reads from it, because its server does not read either. */
static void gone(struct client *c)
{
	if (c->exchange != NULL)
		exchange_abandon(c->exchange);
}

static void on_event(void *arg, unsigned events)
{
	struct client *c = arg;

	if (events & NET_FAILED) {
		count_failure(c);
		end(c, net_conn_failure(c->conn) == NET_NOT_TLS ? explain_tls
								: net_conn_close);
		return;
	}
	if (events & NET_PEER) {
		on_peer(c);
		return;
	}
	if (events & NET_GONE) {
		gone(c);
		return;
	}
	if (events & NET_OPEN)
		on_open(c);
	if (c->conn == NULL)
		return;
	if (c->streams != NULL) {
		streams_event(c, events);
		return;
	}
	if (events & NET_READ)
		c->in.readable = true;
	if (c->exchange != NULL)
		exchange_run(c->exchange);
	else
		client_next(c);
}

static void on_timer(void *arg)
{
	struct client *c = arg;

	if (c->streams != NULL) {
		streams_due(c);
		return;
	}
	if (has_more(c)) {
		c->h2c = false; /* the rest of that preface would be here */
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

bool client_close_idle(struct thread *t)
{
	struct client *c = net_timer_oldest(t->loop,
		thread_config(t)->timeouts.client_idle_ms, on_timer, IDLE_AGE_MS);

	/* An HTTP/2 session with streams has its timer elsewhere, a first request's head
	 * that is half there is the exchange's. */
	if (c == NULL || c->exchange != NULL || c->tunnel != NULL)
		return false;
	client_close(c);
	thread_count(t, STAT_LIMIT_IDLE_CLOSED, 1);
	return true;
}

void client_dismiss(struct client *c)
{
	c->leaving = true;
	if (c->streams != NULL)
		streams_drain(c);
	else if (c->exchange != NULL || c->tunnel != NULL)
		return; /* what it has asked for is answered, and that is its last */
	else if (c->served)
		client_linger(c);
	else
		net_timer_set(&c->timer, DISMISS_MS);
}

void client_accept(
	struct thread *t, struct net_conn *conn, const struct config_listener *l)
{
	struct client *c = net_conn_user(conn);

	c->conn = conn;
	c->thread = t;
	c->redirect = l->redirect;
	c->redirect_port = l->redirect_port;
	c->h2c = l->h2c;
	c->counted = (net_conn_admission(conn) & NET_ADMIT_COUNTED) != 0;
	list_init(&c->link);
	list_push(&t->clients, &c->link);
	net_timer_init(&c->timer, t->loop, on_timer, c);
	net_conn_own(conn, (struct net_owner){ .on_event = on_event, .arg = c });
	thread_count(t, STAT_CONNECTIONS, 1);
	thread_count(t, STAT_CONNECTIONS_OPEN, 1);
	atomic_fetch_add_explicit(&t->load, 1, memory_order_relaxed);
	if (!net_conn_is_open(conn)) /* TLS, a PROXY header, or both */
		net_timer_set(&c->timer, thread_config(t)->timeouts.tls_handshake_ms);
	else
		rest(c);
}
