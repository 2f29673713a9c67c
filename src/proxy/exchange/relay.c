/*
 * Step relay: two halves, each at its own pace, and whose move it is.
 *
 * A half stops taking while the other side's buffer is full: that is the whole of
 * back-pressure. Early responses, half-closed clients and 100-continue are ordinary
 * cases of two halves.
 */
#include "tunnel/tunnel_priv.h"

/* The attempt is over and the client, who is not to blame for a half-sent answer, is
 * told by the way its connection ends. */
static enum verdict drop_client(struct exchange *r, enum outcome why)
{
	attempt_end(r, why);
	return exchange_leave(r, LEAVE_BROKEN);
}

/* Something that the client sent, or did not send, ends the request. */
static enum verdict refuse(struct exchange *r, unsigned status, const char *text)
{
	if (r->response_begun)
		return drop_client(r, OUTCOME_LOCAL);
	attempt_end(r, OUTCOME_LOCAL);
	return answer(r, status, text);
}

static enum verdict failed(struct exchange *r, enum outcome why)
{
	if (r->refusal != 0)
		return refuse(r, r->refusal, r->refusal_text);
	if (why == OUTCOME_CLIENT_GONE)
		return drop_client(r, why);
	return attempt_failed(r, why);
}

static enum awaited whose_move(const struct exchange *r)
{
	/* Of HTTP/2 the end, too, may have to wait until it is let go. What the upstream
	 * has sent is not read where there is no room for it. */
	if (!stage_is_empty(&r->down) || r->to_client == HALF_DONE ||
		(r->to_client == HALF_BODY && r->upstream_readable))
		return AWAIT_CLIENT_READS;
	if (r->to_client == HALF_HEAD)
		return request_half_awaits_client(r) ? AWAIT_CLIENT_BODY
						     : AWAIT_RESPONSE;
	return AWAIT_STREAM;
}

/* A promised body that the pool lets stand still is an error before it is given up. */
static bool may_stall(const struct exchange *r)
{
	return r->promised && !r->attempt.stalled && r->to_upstream == HALF_DONE;
}

/* Events and messages come when there is something to say. */
static bool is_endless(const struct exchange *r)
{
	return r->is_events || r->grpc;
}

/* Of the time that a client has to take something. */
static uint32_t first_look_ms(const struct config_timeouts *t)
{
	return t->stream_idle_ms / 8 + 1;
}

static uint32_t limit_ms(const struct exchange *r)
{
	const struct config_timeouts *t = &r->use->snapshot->config->timeouts;

	switch (r->awaited) {
	case AWAIT_CLIENT_BODY:
		return r->grpc ? t->tunnel_idle_ms : t->client_body_ms;
	case AWAIT_RESPONSE:
		return t->response_head_ms;
	case AWAIT_STREAM:
		if (is_endless(r))
			return t->tunnel_idle_ms;
		if (may_stall(r) && t->stall_ms < t->stream_idle_ms)
			return t->stall_ms;
		return t->stream_idle_ms;
	case AWAIT_CLIENT_READS:
		return r->from->unread != NULL ? first_look_ms(t) : t->stream_idle_ms;
	case AWAIT_NOBODY:
		break;
	}
	return t->stream_idle_ms;
}

/* Progress, or another's move, starts the time anew. */
static void set_deadline(struct exchange *r, enum awaited now)
{
	if (!r->moved && now == r->awaited)
		return;
	r->moved = false;
	r->awaited = now;
	r->unread_seen = false;
	r->deadline_ms = limit_ms(r);
	if (!r->response_begun)
		r->deadline_ms = grpc_limit_ms(r, r->deadline_ms);
}

/* Nobody has failed: it has had nothing to say for too long. */
static enum verdict end_silence(struct exchange *r)
{
	thread_count(r->thread, STAT_TIMEOUT_STREAM, 1);
	record_write(r, ENDING_WHOLE);
	attempt_end(r, OUTCOME_OK);
	return exchange_leave(r, LEAVE_BROKEN);
}

static enum verdict stalled(struct exchange *r)
{
	const struct config_timeouts *t = &r->use->snapshot->config->timeouts;

	if (may_stall(r) && t->stall_ms < t->stream_idle_ms) {
		attempt_stalled(r);
		r->deadline_ms = t->stream_idle_ms - t->stall_ms;
		return WAIT;
	}
	thread_count(r->thread, STAT_TIMEOUT_STREAM, 1);
	return attempt_failed(r, OUTCOME_TIMEOUT);
}

static enum verdict late_body(struct exchange *r)
{
	thread_count(r->thread, STAT_TIMEOUT_BODY, 1);
	return refuse(r, 408, "the request body did not come in time");
}

static enum verdict late_response(struct exchange *r)
{
	thread_count(r->thread, STAT_TIMEOUT_RESPONSE, 1);
	return attempt_failed(r, OUTCOME_TIMEOUT);
}

/* The kernel holds up to megabytes for a client, and is silent until a third of it has
 * gone: that may take a slow one longer than its time. So it is looked at twice, soon
 * after it was full and at the end; in between, some must have gone. Where it is filled
 * up at each look (plain), that shows by what it took. */
static bool takes_on(struct exchange *r)
{
	const struct config_timeouts *t = &r->use->snapshot->config->timeouts;
	bool first = !r->unread_seen, moved = r->moved;
	size_t before = r->unread;

	if (r->from->unread == NULL)
		return moved;
	r->moved = false;
	r->unread_seen = true;
	r->unread = r->from->unread(r);
	if (!first && !moved && r->unread >= before)
		return false;
	if (!first && !moved)
		r->tally->went += before - r->unread;
	r->deadline_ms = t->stream_idle_ms - (first ? t->stream_idle_ms / 8 : 0);
	return true;
}

static enum verdict late_reader(struct exchange *r)
{
	r->expired = false;
	if (takes_on(r))
		return WAIT;
	thread_count(r->thread, STAT_TIMEOUT_STREAM, 1);
	return drop_client(r, OUTCOME_CLIENT_GONE);
}

static enum verdict late(struct exchange *r)
{
	r->expired = false;
	switch (r->awaited) {
	case AWAIT_CLIENT_BODY:
		return late_body(r);
	case AWAIT_RESPONSE:
		return late_response(r);
	case AWAIT_STREAM:
		if (is_endless(r))
			return end_silence(r);
		return request_half_awaits_client(r) ? late_body(r) : stalled(r);
	case AWAIT_NOBODY:
	case AWAIT_CLIENT_READS:
		break;
	}
	return late_reader(r);
}

/* A call's messages and events come when there is something to say, and only then. */
static bool is_slow(struct exchange *r, struct credit *c, bool waiting, uint64_t bytes)
{
	const struct config *config = r->use->snapshot->config;
	struct credit_terms terms = { .rate = config->limits.client_rate,
		.grace_ms = config->timeouts.client_slow_ms };

	if (terms.rate == 0 || is_endless(r))
		return false;
	return !credit_lasts(
		c, &terms, waiting, bytes, net_loop_now_ns(r->thread->loop));
}

static bool sends_slowly(struct exchange *r)
{
	if (r->to_upstream == HALF_DONE && r->sends.since_ns == 0)
		return false;
	return is_slow(r, &r->sends, request_half_awaits_client(r), r->tally->came);
}

static bool takes_slowly(struct exchange *r, bool its_move)
{
	if (!its_move && r->takes.since_ns == 0)
		return false;
	return is_slow(r, &r->takes, its_move, r->tally->went);
}

/* Before a wait. Bytes come, or are taken, but so few at a time that it would never
 * end: then it does now. */
static enum verdict review(struct exchange *r)
{
	enum awaited now = whose_move(r);

	if (sends_slowly(r)) {
		thread_count(r->thread, STAT_TIMEOUT_SLOW, 1);
		return refuse(r, 408, "the request body came too slowly");
	}
	if (takes_slowly(r, now == AWAIT_CLIENT_READS)) {
		thread_count(r->thread, STAT_TIMEOUT_SLOW, 1);
		return drop_client(r, OUTCOME_CLIENT_GONE);
	}
	set_deadline(r, now);
	return WAIT;
}

/* Our own answer: nothing is upstream. */
static enum verdict relay_own(struct exchange *r)
{
	switch (r->from->send(r)) {
	case SENT_ALL:
		return exchange_go(r, EX_FINISH);
	case SENT_SOME:
		break;
	case SENT_BROKEN:
		return drop_client(r, OUTCOME_CLIENT_GONE);
	}
	if (r->expired && late_reader(r) == OVER)
		return OVER;
	set_deadline(r, whose_move(r));
	return WAIT;
}

enum verdict exchange_step_relay(struct exchange *r)
{
	enum outcome why = OUTCOME_OK;
	enum verdict v = WAIT;

	if (r->record.own)
		return relay_own(r);
	if (request_half(r, &why) == FLOW_FAILED)
		return failed(r, why);
	switch (response_half(r, &why)) {
	case FLOW_END:
		return exchange_go(r, EX_FINISH);
	case FLOW_FAILED:
		return failed(r, why);
	case FLOW_RESCUE:
		return retry_rescue(r);
	case FLOW_WAIT:
		break;
	}
	if (r->from->left(r))
		return drop_client(r, OUTCOME_CLIENT_GONE);
	if (r->expired)
		v = late(r);
	return v == WAIT ? review(r) : v;
}
