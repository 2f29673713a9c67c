/*
 * Forwarding to PostgreSQL, a step at a time.
 *
 * The happy path: off -> connect -> check -> send -> mark -> (send ...) -> idle ->
 * send ... A batch is marked delivered here after it is committed there, so what
 * is repeated after a crash meets ON CONFLICT DO NOTHING.
 *
 * Ways to fail:
 *   connect  refused, no answer in time, wrong password       -> rest
 *   check    read-only server, no tables, no right to insert  -> rest
 *   send     connection lost, no answer in time, server error -> rest
 *            one row refused for what it is: it is set aside for ten minutes,
 *            loudly, and the batch sent again without it      -> send
 *   mark     our own disk is full: tried again each second    -> mark
 *   idle     connection lost, backend terminated              -> rest
 *   rest     waits from 0.2 s up to 10 s, with jitter         -> connect
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "sluice/base/clock.h"
#include "sluice/base/log.h"
#include "sluice/base/mem.h"

#include "journal_priv.h"

enum step { FWD_OFF, FWD_REST, FWD_CONNECT, FWD_CHECK, FWD_SEND, FWD_MARK, FWD_IDLE };

enum {
	CONNECT_MS = 10000,
	ANSWER_MS = 20000,
	MARK_MS = 1000,
	REST_MIN_MS = 200,
	REST_MAX_MS = 10000,
	REFUSED_MS = 600000,
	INSTANCE_SIZE = 256,
};

enum verdict { AGAIN, WAIT };

struct forward {
	struct net_loop *loop;
	struct store *store;
	void (*on_news)(void *);
	void *arg;

	char *conninfo;
	char instance[INSTANCE_SIZE];
	enum step step;
	bool entered; /* the step has not run yet */
	bool expired; /* the step's deadline is over */
	bool hurry;
	unsigned failures; /* in a row, without a batch or a check that went well */
	struct net_timer deadline, again; /* again: for refused rows */
	struct session session;
	struct pipeline batch;
	unsigned rows; /* the most that the next batch may have */

	enum journal_forward state;
	uint64_t away_since_us;
	char trouble[PIPELINE_TEXT], refused_why[PIPELINE_TEXT];
};

static enum verdict go(struct forward *f, enum step next, uint32_t ms)
{
	f->step = next;
	f->entered = true;
	f->expired = false;
	if (ms > 0)
		net_timer_set(&f->deadline, ms);
	else
		net_timer_stop(&f->deadline);
	return AGAIN;
}

static void hang_up(struct forward *f)
{
	session_end(&f->session);
	f->store->flying_first = f->store->flying_last = 0;
}

/* --- what others see --- */

/* A server that did not answer was away when it was asked. */
static void set_away(struct forward *f)
{
	uint64_t waited_us = f->expired ? (uint64_t)ANSWER_MS * 1000 : 0;

	if (f->state == JOURNAL_AWAY)
		return;
	f->state = JOURNAL_AWAY;
	f->away_since_us = clock_wall_us() - waited_us;
}

/* While connected the only trouble is rows that were refused. */
static void say_refused(struct forward *f)
{
	f->trouble[0] = '\0';
	if (f->store->spool.refused > 0)
		(void)snprintf(f->trouble, sizeof(f->trouble),
			"%llu rows refused by PostgreSQL: %.180s",
			(unsigned long long)f->store->spool.refused, f->refused_why);
}

static void arrive(struct forward *f)
{
	f->state = JOURNAL_CONNECTED;
	f->away_since_us = 0;
	log_info("journal forwarding", "instance=%s waiting=%llu", f->instance,
		(unsigned long long)f->store->spool.waiting);
}

/* Only when something was done there: a server that takes connections and then
 * nothing is as good as away, and its grace runs. */
static void set_connected(struct forward *f)
{
	f->failures = 0;
	say_refused(f);
	if (f->state != JOURNAL_CONNECTED)
		arrive(f);
	f->on_news(f->arg);
}

/* Half to whole of the doubled time, so that a fleet does not return in step. */
static uint32_t rest_ms(const struct forward *f)
{
	uint32_t ms =
		f->failures < 6 ? (uint32_t)REST_MIN_MS << f->failures : REST_MAX_MS;
	uint8_t eighths;

	digest_random(&eighths, sizeof(eighths));
	return ms / 2 + ms / 16 * (eighths % 8u);
}

static enum verdict fail(struct forward *f, const char *why)
{
	char said[PIPELINE_TEXT];

	wire_trouble(why, said, sizeof(said));
	if (f->state == JOURNAL_CONNECTED || strcmp(said, f->trouble) != 0)
		log_warn("journal not forwarding", "reason=%s waiting=%llu", said,
			(unsigned long long)f->store->spool.waiting);
	memcpy(f->trouble, said, sizeof(said));
	hang_up(f);
	set_away(f);
	(void)go(f, FWD_REST, rest_ms(f));
	f->failures++;
	f->on_news(f->arg);
	return AGAIN;
}

/* --- the callbacks --- */

static void forward_run(struct forward *f);

static void on_session(void *arg)
{
	forward_run(arg);
}

static void on_deadline(void *arg)
{
	struct forward *f = arg;

	f->expired = true;
	forward_run(f);
}

/* --- the steps --- */

static enum verdict step_off(struct forward *f)
{
	(void)f;
	return WAIT;
}

static enum verdict step_rest(struct forward *f)
{
	if (!f->expired)
		return WAIT;
	return go(f, FWD_CONNECT, CONNECT_MS);
}

static enum verdict step_connect(struct forward *f)
{
	enum session_result r;

	if (f->expired)
		return fail(f, "no answer to the connection attempt");
	r = f->entered ? session_start(&f->session, f->conninfo)
		       : session_go_on(&f->session);
	switch (r) {
	case SESSION_MORE:
		return WAIT;
	case SESSION_READY:
		return go(f, FWD_CHECK, ANSWER_MS);
	case SESSION_FAILED:
		break;
	}
	return fail(f, session_trouble(&f->session));
}

static enum verdict step_check(struct forward *f)
{
	enum session_result r;

	if (f->expired)
		return fail(f, "no answer from the server");
	r = f->entered ? session_ask(&f->session) : session_answered(&f->session);
	switch (r) {
	case SESSION_MORE:
		return WAIT;
	case SESSION_READY:
		return go(f, FWD_IDLE, 0);
	case SESSION_FAILED:
		break;
	}
	return fail(f, session_trouble(&f->session));
}

/* Another process with the same journal (one that drains) has taken them. */
static enum verdict recount(struct forward *f)
{
	struct err err = { .code = ERR_NONE };

	if (spool_count(f->store, &err) != 0)
		return fail(f, err.text);
	return go(f, FWD_IDLE, 0);
}

static enum verdict start_batch(struct forward *f)
{
	struct err err = { .code = ERR_NONE };
	struct pipeline *p = &f->batch;

	p->max_rows = f->rows;
	if (pipeline_send(p, f->session.conn, f->instance, f->store, &err) != 0)
		return fail(f, err.text);
	if (p->rows == 0)
		return recount(f);
	f->store->flying_first = p->row[0];
	f->store->flying_last = p->row[p->rows - 1];
	if (PQpipelineSync(f->session.conn) != 1)
		return fail(f, session_trouble(&f->session));
	return session_flush(&f->session) == 0 ? WAIT
					       : fail(f, session_trouble(&f->session));
}

static enum verdict set_row_aside(struct forward *f)
{
	static struct log_gate refusals;
	struct err err = { .code = ERR_NONE };

	if (log_open_gate(&refusals))
		log_error("journal row refused by postgresql",
			"seq=%llu reason=%s repeated=%u",
			(unsigned long long)f->batch.refused_seq, f->batch.trouble,
			log_held(&refusals));
	if (spool_refuse(f->store, f->batch.refused_seq, f->batch.trouble, &err) != 0)
		return fail(f, err.text);
	memcpy(f->refused_why, f->batch.trouble, sizeof(f->refused_why));
	if (!net_timer_is_set(&f->again))
		net_timer_set(&f->again, REFUSED_MS);
	f->on_news(f->arg);
	return go(f, FWD_IDLE, 0);
}

static enum verdict step_send(struct forward *f)
{
	if (f->entered)
		return start_batch(f);
	if (f->expired) {
		f->rows = f->rows > 4 ? f->rows / 4 : 1; /* it may be slow, not gone */
		return fail(f, "no answer from the server");
	}
	if (session_take_input(&f->session) != 0)
		return fail(f, session_trouble(&f->session));
	switch (pipeline_receive(&f->batch, f->session.conn)) {
	case PIPELINE_MORE:
		return WAIT;
	case PIPELINE_DONE:
		return go(f, FWD_MARK, MARK_MS);
	case PIPELINE_REFUSED:
		return set_row_aside(f);
	case PIPELINE_FAILED:
		break;
	}
	return fail(f, f->batch.trouble);
}

/* Until the mark is on the disk nothing more is read from it: what was delivered
 * would be sent again and again. */
static enum verdict step_mark(struct forward *f)
{
	struct err err = { .code = ERR_NONE };

	if (!f->entered && !f->expired)
		return WAIT;
	f->expired = false;
	if (spool_delivered(f->store, f->batch.row, f->batch.rows, &err) != 0) {
		session_ignore(&f->session); /* whatever the server says now can wait */
		net_timer_set(&f->deadline, MARK_MS);
		return WAIT;
	}
	f->rows = f->rows < PIPELINE_ROWS / 2 ? f->rows * 2 : PIPELINE_ROWS;
	set_connected(f);
	return go(f, FWD_IDLE, 0);
}

static enum verdict step_idle(struct forward *f)
{
	f->store->flying_first = f->store->flying_last = 0;
	if (session_take_input(&f->session) != 0)
		return fail(f, session_trouble(&f->session));
	if (f->store->spool.waiting > 0)
		return go(f, FWD_SEND, ANSWER_MS);
	if (f->entered)
		set_connected(f);
	return WAIT;
}

static enum verdict (*const steps[])(struct forward *) = {
	[FWD_OFF] = step_off,
	[FWD_REST] = step_rest,
	[FWD_CONNECT] = step_connect,
	[FWD_CHECK] = step_check,
	[FWD_SEND] = step_send,
	[FWD_MARK] = step_mark,
	[FWD_IDLE] = step_idle,
};

static void forward_run(struct forward *f)
{
	enum verdict v = AGAIN;

	while (v == AGAIN) {
		enum step at = f->step;
		bool entered = f->entered;

		v = steps[at](f);
		if (v == WAIT && entered)
			f->entered = false;
	}
}

/* --- the outside --- */

void forward_kick(struct forward *f)
{
	if (f->step == FWD_IDLE)
		forward_run(f);
}

static void on_again(void *arg)
{
	struct forward *f = arg;
	struct err err = { .code = ERR_NONE };

	if (spool_unrefuse(f->store, &err) != 0)
		net_timer_set(&f->again, REFUSED_MS);
	forward_kick(f);
}

struct forward *forward_new(
	struct net_loop *l, struct store *s, void (*on_news)(void *), void *arg)
{
	struct forward *f = mem_zero(sizeof(*f));

	f->loop = l;
	f->store = s;
	f->on_news = on_news;
	f->arg = arg;
	f->rows = PIPELINE_ROWS;
	f->state = JOURNAL_NO_FORWARD;
	f->conninfo = mem_text("");
	session_init(&f->session, l, on_session, f);
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
	hang_up(f);
	free(f->conninfo);
	free(f);
}

void forward_configure(struct forward *f, const char *conninfo)
{
	struct err err = { .code = ERR_NONE };
	bool off = conninfo[0] == '\0';

	if (strcmp(conninfo, f->conninfo) == 0)
		return;
	hang_up(f);
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
		(void)spool_unrefuse(f->store, &err); /* else in ten minutes */
		(void)go(f, FWD_CONNECT, CONNECT_MS);
	}
	f->on_news(f->arg);
	forward_run(f);
}

void forward_hurry(struct forward *f)
{
	f->hurry = true;
	f->failures = 0;
	if (f->step != FWD_REST)
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
	return f->step == FWD_OFF || (f->hurry && f->step == FWD_REST) ||
	       (f->step == FWD_IDLE && f->store->spool.waiting == 0);
}
