/*
 * An attempt: one try at one server, its age, and the one place where its outcome is
 * counted.
 *
 * The age runs from the complete request head (a retry: from the decision) to the first
 * byte of the final response head. It stands still while the upstream could take
 * request bytes that the client has not sent: slow clients cannot fake a slow server.
 * Who is late is counted when it is known, not when it is over: a thread walks what it
 * awaits every 100 ms.
 */
#include "exchange/exchange_priv.h"

enum { NS_PER_US = 1000, GONE_AFTER_US = 1000000 };

static void count(struct exchange *r, enum side_count what)
{
	if (r->migration != NULL)
		migration_add(r->migration, r->thread->index, r->attempt.side, what, 1);
}

static void count_marked(struct exchange *r, enum side_count what)
{
	migration_add_marked(r->migration, r->thread->index, r->attempt.side, what,
		&r->attempt.mark);
}

void attempt_begin(struct exchange *r)
{
	struct attempt *a = &r->attempt;

	*a = (struct attempt){ .running = true, .side = r->side };
	/* The first one has waited since the head was complete; a queue counts, and the
	 * time of those that were none does not. */
	a->begun_ns = r->record.tries == 0 && r->record.n_unprocessed == 0
			      ? r->record.ready_ns
			      : net_loop_now_ns(r->thread->loop);
	r->record.tries++;
	if (r->record.tries > 1) {
		thread_count(r->thread, STAT_RETRIES, 1);
		if (r->record.tries >
			r->record.tries_of_new + 1) /* else it is the rescue */
			count(r, COUNT_RETRIES);
	}
	if (r->migration == NULL)
		return;
	a->mark = migration_mark(r->migration, r->side);
	thread_await(r->thread, &r->awaiting);
}

void attempt_pause(struct exchange *r, bool on)
{
	struct attempt *a = &r->attempt;
	uint64_t now_ns = net_loop_now_ns(r->thread->loop);

	if (on && a->pause_since_ns == 0)
		a->pause_since_ns = now_ns;
	if (!on && a->pause_since_ns != 0) {
		a->paused_ns += now_ns - a->pause_since_ns;
		a->pause_since_ns = 0;
	}
}

uint64_t attempt_age_us(const struct exchange *r)
{
	const struct attempt *a = &r->attempt;
	uint64_t until_ns = a->pause_since_ns != 0 ? a->pause_since_ns
						   : net_loop_now_ns(r->thread->loop);

	return (until_ns - a->begun_ns - a->paused_ns) / NS_PER_US;
}

/* Slow as soon as the age passes the threshold, answered or not; once a guard. */
void attempt_check_late(struct exchange *r)
{
	struct attempt *a = &r->attempt;
	uint64_t age_us = attempt_age_us(r);

	if (a->mark.slow_us > 0 && !a->slow && age_us > a->mark.slow_us) {
		a->slow = true;
		count_marked(r, GUARD_LAT_N);
		count_marked(r, GUARD_LAT_K);
	}
	if (a->mark.ratio_slow_us > 0 && !a->ratio_slow &&
		age_us > a->mark.ratio_slow_us) {
		a->ratio_slow = true;
		count_marked(r, GUARD_RATIO_N);
		count_marked(r, GUARD_RATIO_K);
	}
}

void attempt_first_byte(struct exchange *r)
{
	struct attempt *a = &r->attempt;

	if (a->first_byte)
		return;
	a->first_byte = true;
	list_remove(&r->awaiting);
	if (r->migration == NULL)
		return;
	attempt_check_late(r);
	if (a->mark.slow_us > 0 && !a->slow)
		count_marked(r, GUARD_LAT_N);
	if (a->mark.ratio_slow_us > 0 && !a->ratio_slow)
		count_marked(r, GUARD_RATIO_N);
	migration_latency(r->migration, r->thread->index, a->side, attempt_age_us(r));
}

static void count_error(struct exchange *r)
{
	count(r, COUNT_ERRORS);
	count_marked(r, GUARD_N);
	count_marked(r, GUARD_K);
	if (!r->client_gone_told) /* else it has failed for the floor already */
		count_marked(r, GUARD_CF);
}

bool attempt_is_bad_status(const struct config_errors *e, unsigned status)
{
	if (e == NULL || e->n_status == 0)
		return status >= 500 && status != 501 && status != 505;
	for (size_t i = 0; i < e->n_status; i++) {
		if (e->status[i] == status)
			return true;
	}
	return false;
}

bool attempt_got_bad_status(const struct exchange *r)
{
	return attempt_is_bad_status(
		r->migration != NULL ? &r->migration_config->errors : NULL,
		r->record.status);
}

/* A promised body stands still: one error at this moment, whatever comes (S23). */
void attempt_stalled(struct exchange *r)
{
	if (!r->attempt.running || r->attempt.stalled)
		return;
	r->attempt.stalled = true;
	if (r->migration == NULL)
		return;
	count(r, COUNT_ATTEMPTS);
	count_error(r);
	migration_outcome(
		r->migration, r->thread->index, r->attempt.side, OUTCOME_STALL);
}

/* Known late, it counts now, in the run in which it was routed (S28). */
void attempt_count_late_error(
	struct migration *m, unsigned thread, enum side side, const struct mark *mark)
{
	migration_add(m, thread, side, COUNT_ERRORS, 1);
	migration_add_marked(m, thread, side, GUARD_N, mark);
	migration_add_marked(m, thread, side, GUARD_K, mark);
	migration_add_marked(m, thread, side, GUARD_CF, mark);
	migration_outcome(m, thread, side, OUTCOME_RESET);
}

static void count_failed_floor(struct exchange *r)
{
	if (r->migration == NULL || r->attempt.first_byte || r->client_gone_told ||
		attempt_age_us(r) < GONE_AFTER_US)
		return;
	r->client_gone_told = true;
	count_marked(r, GUARD_CF);
}

/* A client that left after a second or more without a first byte is one failure for
 * the floor, once (S19). */
void attempt_count_failed_floor(struct exchange *r)
{
	if (r->attempt.running)
		count_failed_floor(r);
}

/* In front of the guards: what this end says of the pool. */
static void count_guards(struct exchange *r, enum outcome o)
{
	if (outcome_is_error(o)) {
		if (o == OUTCOME_TIMEOUT && !r->attempt.first_byte) {
			attempt_check_late(
				r); /* a sample at the time-out's value (S20) */
			migration_latency(r->migration, r->thread->index,
				r->attempt.side, attempt_age_us(r));
		}
		count_error(r);
		return;
	}
	if (o == OUTCOME_OK) {
		count_marked(r, GUARD_N);
		count_marked(r, GUARD_OK);
		return;
	}
	if (o == OUTCOME_CLIENT_GONE && !r->attempt.first_byte) {
		attempt_check_late(r);
		count_failed_floor(r);
	}
}

void attempt_withdraw(struct exchange *r)
{
	struct attempt *a = &r->attempt;

	if (!a->running)
		return;
	a->running = false;
	list_remove(&r->awaiting);
	server_release(r->server, r->thread->index);
}

/* Set once: the first word counts. */
void attempt_end(struct exchange *r, enum outcome o)
{
	struct attempt *a = &r->attempt;

	if (!a->running)
		return;
	a->running = false;
	list_remove(&r->awaiting);
	list_remove(&r->grouped); /* it ends by itself */
	server_release(r->server, r->thread->index);
	if (o == OUTCOME_OK || o == OUTCOME_STATUS)
		server_note_answer(r->server);
	else if (o == OUTCOME_CONNECT || o == OUTCOME_RESET || o == OUTCOME_TLS ||
		 (o == OUTCOME_TIMEOUT && !r->upstream_was_ready))
		(void)server_note_failure(r->server);
	if (o == OUTCOME_CLIENT_GONE)
		thread_count(r->thread, STAT_CLIENT_GONE, 1);
	if (r->migration == NULL || a->stalled)
		return;
	count(r, COUNT_ATTEMPTS);
	count_guards(r, o);
	migration_outcome(r->migration, r->thread->index, a->side, o);
}
