/*
 * Forwarding to PostgreSQL, a step at a time.
 *
 * The happy path: off -> connect -> check -> clear -> send -> mark -> (send ...) ->
 * idle -> send ... A batch is marked delivered here after it is committed there, so what
 * is repeated after a crash meets ON CONFLICT DO NOTHING.
 *
 * Ways to fail:
 *   connect  refused, no answer in time, wrong password       -> rest
 *   check    read-only server, no tables, no right to insert  -> rest
 *   clear    no right to end what an earlier session left     -> idle
 *   send     connection lost, no answer in time, server error -> rest
 *            one row refused for what it is: it is set aside for ten minutes,
 *            loudly, and the batch sent again without it      -> send
 *   mark     our own disk is full: tried again each second    -> mark
 *   idle     connection lost, backend terminated              -> rest
 *   rest     waits from 0.1 s up to 2 s, with jitter          -> connect
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/clock.h"
#include "sluice/base/log.h"
#include "sluice/base/mem.h"
#include "sluice/base/step.h"

#include "journal_priv.h"

enum forward_step {
	FWD_OFF,
	FWD_REST,
	FWD_CONNECT,
	FWD_CHECK,
	FWD_CLEAR,
	FWD_SEND,
	FWD_MARK,
	FWD_IDLE
};

enum {
	CONNECT_MS = 10000,
	ANSWER_MS = 8000, /* above the server's own limits, which pg/session.c sets */
	MARK_MS = 1000,
	REST_MIN_MS = 200,
	REST_MAX_MS = 2000, /* a server that is back is seen within two seconds */
	REFUSED_MS = 600000,
	INSTANCE_SIZE = 256,
	STUCK_STEPS = 100000, /* far more than a whole outbox takes between two waits */
};

struct forward {
	struct store *store;
	void (*on_news)(void *);
	void *arg;

	char *conninfo;
	char instance[INSTANCE_SIZE];
	struct step_machine machine;
	bool hurry;
	unsigned failures; /* in a row, without a batch or a check that went well */
	struct net_timer deadline, again; /* again: for refused rows */
	struct outgoing out;
	enum journal_forward state;
	uint64_t away_since_us;
	char trouble[PG_TROUBLE_SIZE], refused_why[PG_TROUBLE_SIZE];
	char answer[PG_TROUBLE_SIZE]; /* to the question being asked */
	bool answer_is_error;
	char clear_sql[WIRE_CLEAR_SIZE];
};

static enum verdict go(struct forward *f, enum forward_step next, uint32_t ms)
{
	return step_go(&f->machine, next, ms);
}

static void disconnect(struct forward *f)
{
	pg_session_disconnect(f->out.session);
	f->store->in_flight_first = f->store->in_flight_last = 0;
}

/* A server that did not answer was away when it was asked. */
static void set_away(struct forward *f)
{
	uint64_t waited_us = f->machine.expired ? (uint64_t)ANSWER_MS * 1000 : 0;

	if (f->state == JOURNAL_AWAY)
		return;
	f->state = JOURNAL_AWAY;
	f->away_since_us = clock_wall_us() - waited_us;
}

/* While connected the only trouble is rows that were refused. */
static void say_refused(struct forward *f)
{
	f->trouble[0] = '\0';
	if (f->store->outbox.refused > 0)
		(void)snprintf(f->trouble, sizeof(f->trouble),
			"%llu rows refused by PostgreSQL: %.180s",
			(unsigned long long)f->store->outbox.refused, f->refused_why);
}

/* Only when something was done there: a server that takes connections and then
 * nothing is as good as away, and its grace runs. */
static void set_connected(struct forward *f)
{
	f->failures = 0;
	say_refused(f);
	if (f->state != JOURNAL_CONNECTED)
		log_info("journal forwarding", "instance=%s waiting=%llu", f->instance,
			(unsigned long long)f->store->outbox.waiting);
	f->state = JOURNAL_CONNECTED;
	f->away_since_us = 0;
	f->on_news(f->arg);
}

/* Half to whole of the doubled time, so that a fleet does not return in step. */
static uint32_t rest_ms(const struct forward *f)
{
	uint32_t ms =
		f->failures < 4 ? (uint32_t)REST_MIN_MS << f->failures : REST_MAX_MS;
	uint8_t eighths;

	digest_random(&eighths, sizeof(eighths));
	return ms / 2 + ms / 16 * (eighths % 8u);
}

static enum verdict fail(struct forward *f, const char *why)
{
	char said[PG_TROUBLE_SIZE];

	pg_first_line(why, said, sizeof(said));
	if (f->state == JOURNAL_CONNECTED || strcmp(said, f->trouble) != 0)
		log_warn("journal not forwarding", "reason=%s waiting=%llu", said,
			(unsigned long long)f->store->outbox.waiting);
	memcpy(f->trouble, said, sizeof(said));
	disconnect(f);
	set_away(f);
	(void)go(f, FWD_REST, rest_ms(f));
	f->failures++;
	f->on_news(f->arg);
	return AGAIN;
}

static enum verdict fail_session(struct forward *f)
{
	return fail(f, pg_session_trouble(f->out.session));
}

static enum verdict not_ready(struct forward *f, enum pg_progress r)
{
	return r == PG_MORE ? WAIT : fail_session(f);
}

static enum verdict step_off(void *object)
{
	(void)object;
	return WAIT;
}

static enum verdict step_rest(void *object)
{
	struct forward *f = object;

	if (!f->machine.expired)
		return WAIT;
	return go(f, FWD_CONNECT, CONNECT_MS);
}

static enum pg_progress connect_named(struct forward *f)
{
	char name[WIRE_SESSION_SIZE];

	wire_name_session(f->store->key, f->instance, name);
	wire_clear_sql(name, f->clear_sql);
	return pg_session_connect(f->out.session, f->conninfo, name);
}

static enum verdict exchange_step_connect(void *object)
{
	struct forward *f = object;
	enum pg_progress r;

	if (f->machine.expired)
		return fail(f, "no answer to the connection attempt");
	r = f->machine.entered ? connect_named(f) : pg_session_go_on(f->out.session);
	return r == PG_READY ? go(f, FWD_CHECK, ANSWER_MS) : not_ready(f, r);
}

static enum pg_progress ask(struct forward *f, const char *sql)
{
	struct pg_session *s = f->out.session;

	return f->machine.entered
		       ? pg_session_ask(s, sql)
		       : pg_session_answer(s, f->answer, &f->answer_is_error);
}

static enum verdict step_check(void *object)
{
	struct forward *f = object;
	enum pg_progress r;

	if (f->machine.expired)
		return fail(f, "no answer from the server");
	r = ask(f, wire_check_sql);
	if (r != PG_READY)
		return not_ready(f, r);
	return f->answer[0] == '\0' ? go(f, FWD_CLEAR, ANSWER_MS) : fail(f, f->answer);
}

static void tell_cleared(const struct forward *f)
{
	if (f->answer_is_error)
		log_warn("journal could not end its lost sessions", "reason=%s",
			f->answer);
	else if (strcmp(f->answer, "0") != 0)
		log_info("journal ended its lost sessions", "sessions=%s", f->answer);
}

static enum verdict step_clear(void *object)
{
	struct forward *f = object;
	enum pg_progress r;

	if (f->machine.expired)
		return fail(f, "no answer from the server");
	r = ask(f, f->clear_sql);
	if (r == PG_READY) {
		tell_cleared(f);
		r = pg_session_start_batches(f->out.session);
	}
	return r == PG_READY ? go(f, FWD_IDLE, 0) : not_ready(f, r);
}

/* Another process with the same journal (one that drains) has taken them. */
static enum verdict recount(struct forward *f)
{
	struct err err = { .code = ERR_NONE };

	if (outbox_count(f->store, &err) != 0)
		return fail(f, err.text);
	return go(f, FWD_IDLE, 0);
}

static enum verdict start_batch(struct forward *f)
{
	struct err err = { .code = ERR_NONE };
	struct outgoing *o = &f->out;

	if (outgoing_take(o, f->store, &err) != 0)
		return fail(f, err.text);
	if (o->rows == 0)
		return recount(f);
	f->store->in_flight_first = o->row[0];
	f->store->in_flight_last = o->row[o->rows - 1];
	return pg_batch_send(&o->batch, o->session) == 0 ? WAIT : fail_session(f);
}

static enum verdict set_row_aside(struct forward *f)
{
	static struct log_gate refusals;
	struct err err = { .code = ERR_NONE };
	uint64_t seq = outgoing_refused(&f->out);
	const char *why = f->out.batch.trouble;

	if (log_open_gate(&refusals))
		log_error("journal row refused by postgresql",
			"seq=%llu reason=%s repeated=%u", (unsigned long long)seq, why,
			log_held(&refusals));
	if (outbox_refuse(f->store, seq, why, &err) != 0)
		return fail(f, err.text);
	(void)snprintf(f->refused_why, sizeof(f->refused_why), "%s", why);
	if (!net_timer_is_set(&f->again))
		net_timer_set(&f->again, REFUSED_MS);
	f->on_news(f->arg);
	return go(f, FWD_IDLE, 0);
}

static enum verdict fail_batch(struct forward *f)
{
	char why[PG_TROUBLE_SIZE];

	(void)snprintf(why, sizeof(why), "%.200s%s", f->out.batch.trouble,
		outgoing_advice(&f->out));
	return fail(f, why);
}

/* Any answer says that the server is there and works. */
static void extend(struct forward *f, unsigned answered_before)
{
	if (f->out.batch.answered > answered_before)
		net_timer_set(&f->deadline, ANSWER_MS);
}

static enum verdict step_send(void *object)
{
	struct forward *f = object;
	struct outgoing *o = &f->out;

	if (f->machine.entered)
		return start_batch(f);
	if (f->machine.expired) {
		/* The server may be slow, not gone. */
		o->max_rows = o->max_rows > 4 ? o->max_rows / 4 : 1;
		return fail(f, "no answer from the server");
	}
	if (pg_session_take_input(o->session) != 0)
		return fail_session(f);

	unsigned before = o->batch.answered;

	switch (pg_batch_receive(&o->batch, o->session)) {
	case PG_BATCH_MORE:
		extend(f, before);
		return WAIT;
	case PG_BATCH_DONE:
		return go(f, FWD_MARK, MARK_MS);
	case PG_BATCH_REFUSED:
		return set_row_aside(f);
	case PG_BATCH_FAILED:
		break;
	}
	return fail_batch(f);
}

/* Until the mark is on the disk nothing more is read from it: what was delivered
 * would be sent again and again. */
static enum verdict step_mark(void *object)
{
	struct forward *f = object;
	struct outgoing *o = &f->out;
	struct err err = { .code = ERR_NONE };

	if (!f->machine.entered && !f->machine.expired)
		return WAIT;
	if (outbox_delivered(f->store, o->row, o->rows, &err) != 0) {
		pg_session_ignore(o->session); /* the server's next word can wait */
		f->machine.expired = false;
		net_timer_set(&f->deadline, MARK_MS);
		return WAIT;
	}
	o->max_rows = o->max_rows < OUTGOING_ROWS / 2 ? o->max_rows * 2 : OUTGOING_ROWS;
	set_connected(f);
	return go(f, FWD_IDLE, 0);
}

static enum verdict step_idle(void *object)
{
	struct forward *f = object;

	f->store->in_flight_first = f->store->in_flight_last = 0;
	if (pg_session_take_input(f->out.session) != 0)
		return fail_session(f);
	if (f->store->outbox.waiting > 0)
		return go(f, FWD_SEND, ANSWER_MS);
	if (f->machine.entered)
		set_connected(f);
	return WAIT;
}

static const struct step steps[] = {
	[FWD_OFF] = { "off", step_off },
	[FWD_REST] = { "rest", step_rest },
	[FWD_CONNECT] = { "connect", exchange_step_connect },
	[FWD_CHECK] = { "check", step_check },
	[FWD_CLEAR] = { "clear", step_clear },
	[FWD_SEND] = { "send", step_send },
	[FWD_MARK] = { "mark", step_mark },
	[FWD_IDLE] = { "idle", step_idle },
};

static void forward_run(struct forward *f)
{
	enum verdict v = step_run(&f->machine, f, STUCK_STEPS);
	uint32_t ms;

	assert(v == WAIT); /* a forward has no end, and must not be stuck */
	if (!step_deadline(&f->machine, &ms))
		return;
	if (ms > 0)
		net_timer_set(&f->deadline, ms);
	else
		net_timer_stop(&f->deadline);
}

static void on_session(void *arg)
{
	forward_run(arg);
}

static void on_deadline(void *arg)
{
	struct forward *f = arg;

	f->machine.expired = true;
	forward_run(f);
}

void forward_kick(struct forward *f)
{
	if ((enum forward_step)f->machine.now == FWD_IDLE)
		forward_run(f);
}

static void on_again(void *arg)
{
	struct forward *f = arg;
	struct err err = { .code = ERR_NONE };

	if (outbox_unrefuse(f->store, &err) != 0)
		net_timer_set(&f->again, REFUSED_MS);
	forward_kick(f);
}

struct forward *forward_new(
	struct net_loop *l, struct store *s, void (*on_news)(void *), void *arg)
{
	struct forward *f = mem_zero(sizeof(*f));

	f->store = s;
	f->on_news = on_news;
	f->arg = arg;
	f->out.max_rows = OUTGOING_ROWS;
	f->state = JOURNAL_NO_FORWARD;
	f->conninfo = mem_text("");
	f->out.session = pg_session_new(l, on_session, f);
	f->out.instance = f->instance;
	step_init(&f->machine, steps, FWD_OFF, 0);
	net_timer_init(&f->deadline, l, on_deadline, f);
	net_timer_init(&f->again, l, on_again, f);
	wire_name_instance(s->path, f->instance, sizeof(f->instance));
	return f;
}

void forward_free(struct forward *f)
{
	if (f == NULL)
		return;
	net_timer_stop(&f->deadline);
	net_timer_stop(&f->again);
	pg_session_free(f->out.session);
	free(f->conninfo);
	free(f);
}

void forward_configure(struct forward *f, const char *conninfo)
{
	struct err err = { .code = ERR_NONE };
	bool off = conninfo[0] == '\0';

	if (strcmp(conninfo, f->conninfo) == 0)
		return;
	disconnect(f);
	free(f->conninfo);
	f->conninfo = mem_text(conninfo);
	f->failures = 0;
	f->trouble[0] = '\0';
	f->store->forwarded = !off;
	if (off) {
		f->state = JOURNAL_NO_FORWARD;
		f->away_since_us = 0;
		(void)go(f, FWD_OFF, 0);
	} else {
		set_away(f);
		(void)outbox_unrefuse(f->store, &err); /* else in ten minutes */
		(void)go(f, FWD_CONNECT, CONNECT_MS);
	}
	f->on_news(f->arg);
	forward_run(f);
}

void forward_hurry(struct forward *f)
{
	f->hurry = true;
	f->failures = 0;
	if ((enum forward_step)f->machine.now != FWD_REST)
		return;
	(void)go(f, FWD_CONNECT, CONNECT_MS);
	forward_run(f);
}

struct forward_view forward_look(const struct forward *f)
{
	return (struct forward_view){ .state = f->state,
		.away_since_us = f->away_since_us,
		.trouble = f->trouble };
}

bool forward_is_finished(const struct forward *f)
{
	return (enum forward_step)f->machine.now == FWD_OFF ||
	       (f->hurry && (enum forward_step)f->machine.now == FWD_REST) ||
	       ((enum forward_step)f->machine.now == FWD_IDLE &&
		       f->store->outbox.waiting == 0);
}
