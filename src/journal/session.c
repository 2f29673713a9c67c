/*
 * Sessions with PostgreSQL: libpq's connection together with the watcher of its
 * descriptor, how it is opened, and whether rows can be written in it.
 */
#include <stdio.h>

#include <libpq-fe.h>

#include "journal_priv.h"

bool session_is_conninfo(const char *text)
{
	char *said = NULL;
	PQconninfoOption *options = PQconninfoParse(text, &said);
	bool ok = options != NULL;

	PQconninfoFree(options);
	PQfreemem(said);
	return ok;
}

void session_init(
	struct session *s, struct net_loop *l, void (*on_event)(void *arg), void *arg)
{
	*s = (struct session){ .loop = l, .on_event = on_event, .arg = arg };
}

void session_end(struct session *s)
{
	net_resolve_cancel(s->lookup);
	net_fd_free(s->fd);
	PQfinish(s->conn);
	s->lookup = NULL;
	s->fd = NULL;
	s->conn = NULL;
	s->events = 0;
	s->objection[0] = '\0';
}

const char *session_trouble(const struct session *s)
{
	return s->objection[0] != '\0' ? s->objection : PQerrorMessage(s->conn);
}

/* --- reading and writing --- */

static void on_socket(void *arg, unsigned events)
{
	struct session *s = arg;

	s->events |= events;
	s->on_event(s->arg);
}

static void watch(struct session *s, unsigned events)
{
	if (s->fd == NULL)
		s->fd = net_fd_new(s->loop, PQsocket(s->conn), on_socket, s);
	net_fd_want(s->fd, events);
}

void session_ignore(struct session *s)
{
	watch(s, 0);
}

int session_flush(struct session *s)
{
	int left = PQflush(s->conn);

	if (left == -1)
		return -1;
	watch(s, left == 1 ? NET_READ | NET_WRITE : NET_READ);
	return 0;
}

int session_take_input(struct session *s)
{
	bool readable = (s->events & NET_READ) != 0;

	s->events = 0;
	if (readable && PQconsumeInput(s->conn) != 1)
		return -1;
	/* Parses what came: a last word of the server's ends the connection. */
	(void)PQisBusy(s->conn);
	if (PQstatus(s->conn) != CONNECTION_OK)
		return -1;
	return session_flush(s);
}

/* --- connecting --- */

static void on_notice(void *arg, const struct pg_result *r)
{
	(void)arg; /* without this libpq writes to stderr */
	(void)r;
}

/* Our settings come first and the operator's behind them, so that theirs win; what was
 * looked up comes last. The name stays beside its addresses: TLS verifies it. */
static enum session_result connect_now(struct session *s)
{
	static const char *const keys[] = { "client_encoding",
		"fallback_application_name", "keepalives_idle", "keepalives_interval",
		"keepalives_count", "tcp_user_timeout", "dbname", "host", "hostaddr",
		NULL };
	bool found = s->target.n > 0;
	const char *const values[] = { "UTF8", "sluice", "10", "5", "3", "20000",
		s->conninfo, found ? s->target.hosts : NULL,
		found ? s->target.addresses : NULL, NULL };

	s->conn = PQconnectStartParams(keys, values, 1);
	if (s->conn == NULL || PQstatus(s->conn) == CONNECTION_BAD)
		return SESSION_FAILED;
	(void)PQsetNoticeReceiver(s->conn, on_notice, NULL);
	watch(s, NET_WRITE);
	return SESSION_MORE;
}

static void on_address(void *arg, const struct sockaddr *sa, socklen_t len)
{
	struct session *s = arg;

	if (sa != NULL) {
		target_add(&s->target, sa, len);
		return;
	}
	s->lookup = NULL;
	s->on_event(s->arg);
}

static enum session_result looked_up(struct session *s)
{
	if (s->lookup != NULL)
		return SESSION_MORE;
	if (s->target.n > 0)
		return connect_now(s);
	(void)snprintf(s->objection, sizeof(s->objection),
		"no address found for %.200s", s->target.host);
	return SESSION_FAILED;
}

enum session_result session_start(struct session *s, const char *conninfo)
{
	if (!session_is_conninfo(conninfo)) {
		wire_trouble("journal.postgres is no connection string", s->objection,
			sizeof(s->objection));
		return SESSION_FAILED;
	}
	s->conninfo = conninfo;
	if (target_of(&s->target, conninfo))
		s->lookup = net_resolve_all(
			s->loop, s->target.host, TARGET_PORT, on_address, s);
	return s->lookup != NULL ? SESSION_MORE : connect_now(s);
}

enum session_result session_go_on(struct session *s)
{
	if (s->conn == NULL)
		return looked_up(s);
	if (s->events == 0)
		return SESSION_MORE;
	s->events = 0;
	/* libpq may close the socket and open another one with the same number. */
	net_fd_free(s->fd);
	s->fd = NULL;
	switch (PQconnectPoll(s->conn)) {
	case PGRES_POLLING_READING:
		watch(s, NET_READ);
		return SESSION_MORE;
	case PGRES_POLLING_WRITING:
	case PGRES_POLLING_ACTIVE: /* no longer used by libpq */
		watch(s, NET_WRITE);
		return SESSION_MORE;
	case PGRES_POLLING_OK:
		return SESSION_READY;
	case PGRES_POLLING_FAILED:
		break;
	}
	return SESSION_FAILED;
}

/* --- the check --- */

/* What the writer must have and no more. to_regclass follows search_path and says
 * NULL where the schema may not be used. */
static const char check_sql[] =
	"SET statement_timeout = 15000;"
	"SET lock_timeout = 10000;"
	"SELECT set_config('synchronous_commit', 'on', false)"
	" WHERE current_setting('synchronous_commit') = 'off';"
	"SELECT CASE"
	" WHEN current_setting('transaction_read_only') = 'on'"
	" THEN 'the server is read-only'"
	" WHEN bool_or(to_regclass(t) IS NULL)"
	" THEN 'no table ' || min(t) FILTER (WHERE to_regclass(t) IS NULL)"
	" || ': run: sluicectl db migrate'"
	" WHEN bool_or(NOT has_table_privilege(to_regclass(t), 'INSERT'))"
	" THEN 'no right to INSERT into '"
	" || min(t) FILTER (WHERE NOT has_table_privilege(to_regclass(t), 'INSERT'))"
	" ELSE '' END "
	"FROM unnest(ARRAY['decision', 'migration_tracking', 'migration_metrics',"
	" 'migration_rollback']) AS t";

enum session_result session_ask(struct session *s)
{
	/* Not before: it would wipe what libpq says of a failing connection. */
	if (PQsetnonblocking(s->conn, 1) == 0 && PQsendQuery(s->conn, check_sql) == 1 &&
		session_flush(s) == 0)
		return SESSION_MORE;
	return SESSION_FAILED;
}

/* The last answer is the one that counts; an error is an objection too. */
static void read_answer(struct session *s, const struct pg_result *r)
{
	if (PQresultStatus(r) == PGRES_FATAL_ERROR)
		wire_trouble(
			PQresultErrorMessage(r), s->objection, sizeof(s->objection));
	else if (PQntuples(r) == 1)
		wire_trouble(PQgetvalue(r, 0, 0), s->objection, sizeof(s->objection));
}

enum session_result session_answered(struct session *s)
{
	if (session_take_input(s) != 0)
		return SESSION_FAILED;
	while (!PQisBusy(s->conn)) {
		struct pg_result *r = PQgetResult(s->conn);

		if (r == NULL)
			return s->objection[0] == '\0' &&
					       PQenterPipelineMode(s->conn) == 1
				       ? SESSION_READY
				       : SESSION_FAILED;
		read_answer(s, r);
		PQclear(r);
	}
	return SESSION_MORE;
}
