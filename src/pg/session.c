/*
 * A session with PostgreSQL: how it is opened, and how it is asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "pg_priv.h"

bool pg_is_conninfo(const char *text)
{
	char *said = NULL;
	PQconninfoOption *options = PQconninfoParse(text, &said);
	bool ok = options != NULL;

	PQconninfoFree(options);
	PQfreemem(said);
	return ok;
}

void pg_first_line(const char *said, char *out, size_t size)
{
	size_t n = strcspn(said, "\n");

	(void)snprintf(out, size, "%.*s", (int)n, said);
}

struct pg_session *pg_session_new(
	struct net_loop *l, void (*on_event)(void *arg), void *arg)
{
	struct pg_session *s = mem_zero(sizeof(*s));

	s->loop = l;
	s->on_event = on_event;
	s->arg = arg;
	return s;
}

void pg_session_free(struct pg_session *s)
{
	if (s == NULL)
		return;
	pg_session_disconnect(s);
	free(s);
}

void pg_session_disconnect(struct pg_session *s)
{
	net_resolve_cancel(s->lookup);
	net_fd_free(s->fd);
	PQfinish(s->conn);
	s->lookup = NULL;
	s->fd = NULL;
	s->conn = NULL;
	s->events = 0;
	s->has_settings = false;
	s->trouble[0] = '\0';
}

const char *pg_session_trouble(const struct pg_session *s)
{
	return s->trouble[0] != '\0' ? s->trouble : PQerrorMessage(s->conn);
}

static void on_notice(void *arg, const struct pg_result *r)
{
	(void)arg;
	(void)r;
}

void pg_ignore_notices(struct pg_conn *conn)
{
	(void)PQsetNoticeReceiver(conn, on_notice, NULL);
}

static void on_socket(void *arg, unsigned events)
{
	struct pg_session *s = arg;

	s->events |= events;
	s->on_event(s->arg);
}

static void watch(struct pg_session *s, unsigned events)
{
	if (s->fd == NULL)
		s->fd = net_fd_new(s->loop, PQsocket(s->conn), on_socket, s);
	net_fd_want(s->fd, events);
}

void pg_session_ignore(struct pg_session *s)
{
	watch(s, 0);
}

int pg_session_flush(struct pg_session *s)
{
	int left = PQflush(s->conn);

	if (left == -1)
		return -1;
	watch(s, left == 1 ? NET_READ | NET_WRITE : NET_READ);
	return 0;
}

int pg_session_take_input(struct pg_session *s)
{
	bool readable = (s->events & NET_READ) != 0;

	s->events = 0;
	if (readable && PQconsumeInput(s->conn) != 1)
		return -1;
	/* Parses what came: a last word of the server's ends the connection. */
	(void)PQisBusy(s->conn);
	if (PQstatus(s->conn) != CONNECTION_OK)
		return -1;
	return pg_session_flush(s);
}

/* Our settings come first and the operator's behind them, so that theirs win; the name
 * and what was looked up come last. A host's name stays beside its addresses: TLS
 * verifies it. */
static enum pg_progress connect_now(struct pg_session *s)
{
	static const char *const keys[] = { "client_encoding", "keepalives_idle",
		"keepalives_interval", "keepalives_count", "tcp_user_timeout", "dbname",
		"application_name", "host", "hostaddr", NULL };
	bool found = s->target.n > 0;
	const char *const values[] = { "UTF8", "10", "5", "3", "20000", s->conninfo,
		s->name, found ? s->target.hosts : NULL,
		found ? s->target.addresses : NULL, NULL };

	s->conn = PQconnectStartParams(keys, values, 1);
	if (s->conn == NULL || PQstatus(s->conn) == CONNECTION_BAD)
		return PG_FAILED;
	pg_ignore_notices(s->conn);
	watch(s, NET_WRITE);
	return PG_MORE;
}

static void on_address(void *arg, const struct sockaddr *sa, socklen_t len)
{
	struct pg_session *s = arg;

	if (sa != NULL) {
		target_add(&s->target, sa, len);
		return;
	}
	s->lookup = NULL;
	s->on_event(s->arg);
}

static enum pg_progress looked_up(struct pg_session *s)
{
	if (s->lookup != NULL)
		return PG_MORE;
	if (s->target.n > 0)
		return connect_now(s);
	(void)snprintf(s->trouble, sizeof(s->trouble), "no address found for %.200s",
		s->target.host);
	return PG_FAILED;
}

enum pg_progress pg_session_connect(
	struct pg_session *s, const char *conninfo, const char *name)
{
	if (!pg_is_conninfo(conninfo)) {
		(void)snprintf(s->trouble, sizeof(s->trouble),
			"journal.postgres is no connection string");
		return PG_FAILED;
	}
	s->conninfo = conninfo;
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	if (target_of(&s->target, conninfo))
		s->lookup = net_resolve_all(
			s->loop, s->target.host, TARGET_PORT, on_address, s);
	return s->lookup != NULL ? PG_MORE : connect_now(s);
}

enum pg_progress pg_session_go_on(struct pg_session *s)
{
	if (s->conn == NULL)
		return looked_up(s);
	if (s->events == 0)
		return PG_MORE;
	s->events = 0;
	/* libpq may close the socket and open another one with the same number. */
	net_fd_free(s->fd);
	s->fd = NULL;
	switch (PQconnectPoll(s->conn)) {
	case PGRES_POLLING_READING:
		watch(s, NET_READ);
		return PG_MORE;
	case PGRES_POLLING_WRITING:
	case PGRES_POLLING_ACTIVE: /* no longer used by libpq */
		watch(s, NET_WRITE);
		return PG_MORE;
	case PGRES_POLLING_OK:
		return PG_READY;
	case PGRES_POLLING_FAILED:
		break;
	}
	return PG_FAILED;
}

/* Settings that the session itself makes, so that the server gives up what was lost:
 * a lost network leaves the server's end in an open transaction, which keeps the keys of
 * its rows. set_config and not SET, because an older server lacks some of them, and not
 * options=, which is the operator's and which PgBouncer refuses. */
static const char settings[] =
	"SELECT set_config(v.name, v.value, false) FROM (VALUES"
	" ('TimeZone', 'UTC'),"
	" ('statement_timeout', '6s'),"
	" ('lock_timeout', '5s'),"
	" ('idle_in_transaction_session_timeout', '10s'),"
	" ('tcp_keepalives_idle', '10'),"
	" ('tcp_keepalives_interval', '5'),"
	" ('tcp_keepalives_count', '3'),"
	" ('tcp_user_timeout', '20000')) AS v (name, value)"
	" WHERE EXISTS (SELECT FROM pg_settings AS s WHERE s.name = v.name);";

static int send_question(struct pg_session *s, const char *sql)
{
	char *whole = mem_print("%s%s", s->has_settings ? "" : settings, sql);
	int ok = PQsendQuery(s->conn, whole);

	free(whole);
	s->has_settings = true;
	return ok == 1 ? pg_session_flush(s) : -1;
}

enum pg_progress pg_session_ask(struct pg_session *s, const char *sql)
{
	/* Not before: it would wipe what libpq says of a failing connection. */
	if (PQsetnonblocking(s->conn, 1) == 0 && send_question(s, sql) == 0)
		return PG_MORE;
	return PG_FAILED;
}

static void read_answer(
	const struct pg_result *r, char out[static PG_TROUBLE_SIZE], bool *refused)
{
	*refused = PQresultStatus(r) == PGRES_FATAL_ERROR;
	if (*refused)
		pg_first_line(PQresultErrorMessage(r), out, PG_TROUBLE_SIZE);
	else
		pg_first_line(PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "", out,
			PG_TROUBLE_SIZE);
}

enum pg_progress pg_session_answer(
	struct pg_session *s, char out[static PG_TROUBLE_SIZE], bool *refused)
{
	if (pg_session_take_input(s) != 0)
		return PG_FAILED;
	while (!PQisBusy(s->conn)) {
		struct pg_result *r = PQgetResult(s->conn);

		if (r == NULL)
			return PG_READY;
		read_answer(r, out, refused);
		PQclear(r);
	}
	return PG_MORE;
}

enum pg_progress pg_session_start_batches(struct pg_session *s)
{
	return PQenterPipelineMode(s->conn) == 1 ? PG_READY : PG_FAILED;
}
