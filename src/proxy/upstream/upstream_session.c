/*
 * A connection in HTTP/2 to a server, which the requests of one thread share.
 *
 * It is used until its server says goodbye (GOAWAY), until it was idle for too long, is
 * too old or has had its requests, or until its server has left the configuration, has
 * another address or is spoken to in another manner (a reload changed its TLS); then it
 * ends with its last request. What the requests of a turn have to say leaves together at
 * the end of the turn, and only there a session is freed.
 *
 * It fails by not being opened: those that wait fail, if there is no other one. It fails
 * by its connection, or by a frame that no server may send: all its requests fail.
 */
#include <assert.h>
#include <stdlib.h>

#include "upstream/upstream_priv.h"

enum {
	STREAM_WINDOW = 65535,
	/* The streams' windows bound what may come; this one never does. */
	CONNECTION_WINDOW = 1 << 26,
	WRITE_BYTES = 65536, /* of frames at once */
	WRITES_A_TURN = 8,   /* then the other connections have their turn */
};

static_assert(CONNECTION_WINDOW >= UPSTREAM_STREAMS_MAX * STREAM_WINDOW, "see there");

static struct server_sessions *place_of(const struct upstream_session *s)
{
	return server_sessions(s->server, s->thread->index);
}

/* Not here: in the middle of an event nothing is freed. */
static void end(struct upstream_session *s)
{
	if (s->h2 != NULL && !s->leaving)
		h2_goaway(s->h2);
	s->leaving = s->over = true;
	net_task_later(&s->task);
}

static bool is_unwanted(const struct upstream_session *s)
{
	return s->leaving || s->thread->draining || server_is_retired(s->server) ||
	       s->manner != server_manner(s->server) ||
	       s->place != server_place(s->server);
}

void upstream_session_rest(struct upstream_session *s)
{
	if (is_unwanted(s))
		end(s);
	else
		net_timer_set(
			&s->timer, thread_config(s->thread)->timeouts.upstream_idle_ms);
}

void upstream_session_leave(struct upstream_session *s)
{
	s->leaving = true;
	if (s->n_users == 0)
		end(s);
}

static void run_all(struct upstream_session *s)
{
	while (!list_empty(&s->runs)) {
		struct exchange *r = LIST_ENTRY(s->runs.next, struct exchange, h2.run);

		list_remove(&r->h2.run);
		exchange_run(r);
	}
}

/* --- bytes ------------------------------------------------------------------------ */

/* The connection has ended. */
static void lost(struct upstream_session *s)
{
	end(s);
	s->deaf = true;
	LIST_EACH (&s->unsent, it, next)
		upstream_h2_lost(LIST_ENTRY(it, struct exchange, h2.link));
	LIST_EACH (&s->users, it, next)
		upstream_h2_lost(LIST_ENTRY(it, struct exchange, h2.link));
}

static void receive(struct upstream_session *s)
{
	char *in = s->thread->received;
	ssize_t got;

	read_budget_begin(&s->read);
	do {
		got = net_read(s->conn, in, s->read.ask);
		if (got == NET_AGAIN)
			break;
		if (got <= 0) {
			net_conn_want_read(s->conn, false);
			lost(s);
			return;
		}
		if (h2_receive(s->h2, (struct span){ .p = in, .n = (size_t)got }) !=
			0) {
			net_conn_want_read(s->conn, false);
			end(s);
			return;
		}
		s->heard = h2_peer_is_known(s->h2);
	} while (read_budget_goes_on(&s->read, (size_t)got));
	net_conn_set_slow(s->conn, read_budget_is_dear(&s->read));
}

/* The first bytes of these are on their way; whether they were read, nobody knows. */
static void note_sent(struct upstream_session *s)
{
	LIST_EACH (&s->unsent, it, next)
		LIST_ENTRY(it, struct exchange, h2.link)->upstream_sent = true;
	list_take(&s->users, &s->unsent);
}

/* False: nothing more can be sent now. */
static bool send_frames(struct upstream_session *s)
{
	struct iovec v;
	ssize_t put;

	if (buf_len(&s->out) == 0 && !h2_write(s->h2, &s->out, WRITE_BYTES)) {
		thread_count(s->thread, STAT_LIMIT_MEMORY, 1);
		lost(s);
		return false;
	}
	if (buf_len(&s->out) == 0)
		return false;
	v = (struct iovec){ .iov_base = buf_head(&s->out),
		.iov_len = buf_len(&s->out) };
	put = net_write(s->conn, &v, 1);
	if (put == NET_BROKEN) {
		s->deaf = true; /* its last words may still be there to be read */
		return false;
	}
	if (put > 0) {
		buf_drop(&s->out, (size_t)put);
		note_sent(s);
	}
	if (buf_len(&s->out) == 0)
		return true;
	net_conn_want_write(s->conn);
	return false;
}

/* The requests of which bytes have gone stage more, and that goes too. */
static void flush(struct upstream_session *s)
{
	bool more = true;

	for (int n = 0; n < WRITES_A_TURN && more && !s->deaf; n++) {
		more = send_frames(s);
		run_all(s);
	}
	if (more && !s->deaf && h2_wants_write(s->h2))
		net_task_later(&s->task);
	if (buf_len(&s->out) == 0)
		buf_release(net_loop_bufs(s->thread->loop), &s->out);
	if (h2_is_over(s->h2))
		end(s);
}

/* --- life ------------------------------------------------------------------------- */

/* What came for them they still have. */
static void detach(struct link *users)
{
	LIST_EACH (users, it, next) {
		struct exchange *r = LIST_ENTRY(it, struct exchange, h2.link);

		list_remove(&r->h2.link);
		r->h2.session = NULL;
		r->h2.stream = 0;
	}
}

static void session_free(struct upstream_session *s)
{
	detach(&s->unsent);
	detach(&s->users);
	list_remove(&s->link);
	list_remove(&s->of_thread);
	net_timer_stop(&s->timer);
	net_task_cancel(&s->task);
	h2_free(s->h2);
	buf_release(net_loop_bufs(s->thread->loop), &s->out);
	net_conn_close(s->conn);
	server_note_session(s->server, s->thread->index, -1);
	free(s);
}

static void on_task(void *arg)
{
	struct upstream_session *s = arg;

	if (s->h2 != NULL)
		flush(s);
	upstream_serve(place_of(s));
	if (s->over && list_empty(&s->runs))
		session_free(s);
	else if (s->over || (s->h2 != NULL && s->n_users == 0 && is_unwanted(s)))
		end(s); /* at the next turn */
}

/* It took too long to connect, or nobody needed it for long. */
static void on_timer(void *arg)
{
	end(arg);
}

static enum outcome agreed(const struct net_conn *c)
{
	return !net_conn_has_tls(c) || span_eq(net_conn_alpn(c), SPAN("h2"))
		       ? OUTCOME_OK
		       : OUTCOME_TLS;
}

static enum outcome begin(struct upstream_session *s)
{
	const struct config_limits *l = &thread_config(s->thread)->limits;
	const struct h2_limits limits = {
		.header_bytes = l->header_bytes,
		.field_count = l->header_count,
		.stream_window = STREAM_WINDOW,
		.connection_window = CONNECTION_WINDOW,
	};

	if (agreed(s->conn) != OUTCOME_OK)
		return agreed(s->conn);
	s->h2 = h2_client_new(s->thread->h2, &limits, &upstream_h2_events, s);
	if (s->h2 == NULL)
		return OUTCOME_LOCAL;
	net_conn_want_read(s->conn, true);
	net_timer_set(&s->timer, thread_config(s->thread)->timeouts.upstream_idle_ms);
	return OUTCOME_OK;
}

static void on_event(void *arg, unsigned events)
{
	struct upstream_session *s = arg;
	enum outcome why = OUTCOME_OK;

	if (events & NET_FAILED)
		why = upstream_failure(s->thread, s->conn);
	else if (events & NET_OPEN)
		why = begin(s);
	if (why != OUTCOME_OK) {
		end(s);
		upstream_fail_waiting(place_of(s), why);
		return;
	}
	if (events & NET_READ)
		receive(s);
	run_all(s);
	net_task_later(&s->task);
}

bool upstream_session_open(struct exchange *r)
{
	struct upstream_session *s = mem_try_zero(sizeof(*s));
	struct net_owner owner = { .on_event = on_event, .arg = s };

	if (s == NULL)
		return false;
	s->place = server_place(r->server);
	s->begun_ns = net_loop_now_ns(r->thread->loop);
	s->conn = upstream_dial(r, owner);
	if (s->conn == NULL) {
		free(s);
		return false;
	}
	s->thread = r->thread;
	read_budget_init(&s->read);
	s->server = r->server;
	s->manner = pool_manner(r->pool);
	list_init(&s->unsent);
	list_init(&s->users);
	list_init(&s->runs);
	list_push(&place_of(s)->all, &s->link);
	list_push(&s->thread->sessions, &s->of_thread);
	server_note_session(s->server, s->thread->index, 1);
	net_task_init(&s->task, s->thread->loop, on_task, s);
	net_timer_init(&s->timer, s->thread->loop, on_timer, s);
	net_timer_set(&s->timer, thread_config(s->thread)->timeouts.connect_ms);
	return true;
}

void upstream_sessions_sweep(struct thread *t)
{
	LIST_EACH (&t->sessions, it, next) {
		struct upstream_session *s =
			LIST_ENTRY(it, struct upstream_session, of_thread);

		if (s->n_users == 0 && s->h2 != NULL && is_unwanted(s))
			end(s);
	}
}

void upstream_sessions_close(struct thread *t)
{
	LIST_EACH (&t->sessions, it, next) {
		struct upstream_session *s =
			LIST_ENTRY(it, struct upstream_session, of_thread);

		if (s->h2 != NULL && !s->deaf) {
			h2_goaway(s->h2);
			flush(s);
		}
		session_free(s);
	}
}
