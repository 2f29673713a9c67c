/*
 * When an attempt has failed: whether there is another one, and where (S25).
 *
 * A retry tries another server of the pool; a rescue sends what new has failed to
 * legacy. Both need that the client saw nothing and that the upstream either got
 * nothing or may get it twice.
 */
#include "sluice/base/units.h"

#include "exchange/exchange_priv.h"

/* A server that refuses without end is not asked without end. */
enum { UNPROCESSED_MAX = 64 };

bool retry_is_allowed(const struct retry_facts *f)
{
	if (f->response_begun || f->client_gone || !outcome_is_error(f->why))
		return false;
	if (!f->nothing_sent && !(f->repeatable && f->body_held))
		return false;
	if (f->rescue)
		return true;
	/* Another server is asked when this one could not be, not for what it said or
	 * for the time it took: that would be paid twice. */
	if (f->why != OUTCOME_CONNECT && f->why != OUTCOME_RESET &&
		f->why != OUTCOME_TLS && f->why != OUTCOME_TRUNCATED &&
		!(f->why == OUTCOME_TIMEOUT && f->nothing_sent))
		return false;
	return f->tries < f->max_tries;
}

static struct retry_facts facts_of(const struct exchange *r, enum outcome why)
{
	return (struct retry_facts){
		.why = why,
		.nothing_sent = !r->upstream_sent,
		.repeatable = r->repeatable,
		.body_held = !r->held_too_much,
		.response_begun = r->response_begun,
		.client_gone = r->client_gone_told,
		.tries = r->record.tries - r->record.tries_of_new,
		.max_tries = pool_config(r->pool)->retry_attempts,
	};
}

static bool may_rescue(struct exchange *r, struct retry_facts f)
{
	f.rescue = true;
	if (r->migration == NULL || r->side != SIDE_NEW || r->record.rescued ||
		!r->migration_config->rescue)
		return false;
	if (f.response_begun || f.client_gone)
		return false;
	if (!retry_is_allowed(&f) ||
		!migration_may_rescue(r->migration, r->thread->index,
			net_loop_now_ns(r->thread->loop))) {
		migration_add(
			r->migration, r->thread->index, SIDE_NEW, COUNT_NOT_RESCUED, 1);
		return false;
	}
	return true;
}

static void remember_tried(struct exchange *r)
{
	if (r->n_tried < sizeof(r->tried) / sizeof(r->tried[0]))
		r->tried[r->n_tried++] = r->server;
}

/* Back to the choice of a server; what was staged for upstream is sent again. */
static enum verdict again(struct exchange *r)
{
	struct buf_pool *bufs = net_loop_bufs(r->thread->loop);

	upstream_close(r);
	buf_release(bufs, &r->up_in);
	buf_release(bufs, &r->up_in_trailers);
	r->up.sent = 0;
	r->to_client = HALF_HEAD;
	r->response_parsing = false;
	r->record.status = 0;
	return exchange_go(r, EX_ROUTE);
}

static enum verdict rescue(struct exchange *r)
{
	migration_add(r->migration, r->thread->index, SIDE_NEW, COUNT_RESCUED, 1);
	r->record.rescued = true;
	r->record.tries_of_new = r->record.tries;
	r->n_tried = 0;
	return again(r);
}

static unsigned status_for(enum outcome why)
{
	if (why == OUTCOME_LOCAL)
		return 503;
	return why == OUTCOME_TIMEOUT ? 504 : 502;
}

static const char *text_for(const struct exchange *r, enum outcome why)
{
	switch (why) {
	case OUTCOME_CONNECT:
		return "the backend could not be reached";
	case OUTCOME_TLS:
		return "the TLS handshake with the backend failed";
	case OUTCOME_MALFORMED:
		return "the backend sent a response that is not valid HTTP";
	case OUTCOME_TIMEOUT:
		return r->upstream_was_ready
			       ? "the backend did not answer in time"
			       : "the backend could not be reached in time";
	case OUTCOME_RESET:
	case OUTCOME_TRUNCATED:
		return "the backend closed the connection before it had answered";
	case OUTCOME_LOCAL:
		return "there is no room for another connection here";
	case OUTCOME_OK:
	case OUTCOME_STATUS:
	case OUTCOME_STALL:
	case OUTCOME_GRPC:
	case OUTCOME_CLIENT_GONE:
	case N_OUTCOMES:
		break;
	}
	return "the backend failed";
}

static enum verdict give_up(struct exchange *r, enum outcome why)
{
	if (!r->response_begun && why != OUTCOME_CLIENT_GONE)
		return answer(r, status_for(why), text_for(r, why));
	/* Part of a response is out: only a broken connection tells that it is not all.
	 */
	if (outcome_is_error(why) || why == OUTCOME_LOCAL)
		record_write(r, ENDING_BROKEN);
	return exchange_leave(r, LEAVE_BROKEN);
}

/* The server has closed a kept connection just as it was used again: that is nobody's
 * failure, and a new connection is tried at once, if nothing is lost by it. */
static bool was_stale(const struct exchange *r, enum outcome why)
{
	return r->reused && why == OUTCOME_RESET && r->to_client == HALF_HEAD &&
	       r->interims == 0 &&
	       (!r->upstream_sent || (r->repeatable && !r->held_too_much));
}

static enum verdict again_fresh(struct exchange *r)
{
	attempt_end(r, OUTCOME_LOCAL);
	r->fresh = true;
	r->record.tries--;
	return again(r);
}

/* Its server says that it has not begun with it: it was refused, or came behind the last
 * one that a GOAWAY still takes (RFC 9113, 6.8 and 8.7). So that was no attempt, S45 (never
 * processed), as long as a connection may take to be made. */
static bool was_not_processed(const struct exchange *r)
{
	uint64_t age_ns = net_loop_now_ns(r->thread->loop) - r->record.ready_ns;
	uint32_t most_ms = thread_config(r->thread)->timeouts.connect_ms;

	return r->unprocessed && r->to_client == HALF_HEAD && r->interims == 0 &&
	       r->record.n_unprocessed < UNPROCESSED_MAX &&
	       age_ns < (uint64_t)most_ms * NS_PER_MS;
}

static enum verdict again_unprocessed(struct exchange *r)
{
	thread_count(r->thread, STAT_UNPROCESSED, 1);
	attempt_withdraw(r);
	r->unprocessed = false;
	r->record.n_unprocessed++;
	r->record.tries--;
	return again(r);
}

enum verdict attempt_failed(struct exchange *r, enum outcome why)
{
	struct retry_facts f = facts_of(r, why);

	if (was_not_processed(r))
		return again_unprocessed(r);
	if (was_stale(r, why))
		return again_fresh(r);
	attempt_end(r, why);
	remember_tried(r);
	if (retry_is_allowed(&f) && pool_may_retry(r->pool, r->thread->index,
					    net_loop_now_ns(r->thread->loop)))
		return again(r);
	if (outcome_is_error(why) && may_rescue(r, f))
		return rescue(r);
	return give_up(r, why);
}

bool retry_may_rescue(struct exchange *r)
{
	return may_rescue(r, facts_of(r, OUTCOME_STATUS));
}

/* The response is not for the client. */
enum verdict retry_rescue(struct exchange *r)
{
	attempt_end(r, OUTCOME_STATUS);
	r->to->drop(r);
	return rescue(r);
}
