/*
 * The journal thread: takes what control has queued, commits it, answers
 * questions, and lets the forward have its turns.
 *
 * While the disk fails everything waits here in memory, in order: decisions
 * without a bound, samples up to one. Each second it is tried again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sluice/base/log.h"
#include "sluice/base/reserve.h"

#include "journal_priv.h"

enum {
	RETRY_MS = 1000,
	PRUNE_MS = 3600000,
};

/* --- what control sees --- */

static void publish(struct journal *j)
{
	const struct store *s = j->store;
	struct forward_view f = forward_look(j->forward);
	bool off = f.state == JOURNAL_NO_FORWARD;
	struct journal_status now = { .forward = f.state,
		.failing = s->failing || net_timer_is_set(&j->retry),
		.committed = s->committed,
		.waiting = off ? 0 : s->outbox.waiting,
		.dropped = s->dropped,
		.away_since_us = f.away_since_us };

	(void)snprintf(now.trouble, sizeof(now.trouble), "%s",
		s->trouble[0] != '\0' ? s->trouble : f.trouble);
	(void)pthread_mutex_lock(&j->lock);
	bool changed =
		now.failing != j->status.failing || now.forward != j->status.forward;

	j->status = now;
	j->status_changed = j->status_changed || changed;
	(void)pthread_mutex_unlock(&j->lock);
	if (changed)
		net_wake(j->to_control);
}

static void acknowledge(struct journal *j, uint64_t seq)
{
	if (seq == 0)
		return;
	(void)pthread_mutex_lock(&j->lock);
	j->committed_seq = seq;
	(void)pthread_mutex_unlock(&j->lock);
	net_wake(j->to_control);
}

/* --- the disk --- */

static uint64_t last_seq(const struct journal *j)
{
	for (const struct link *it = j->pending.prev; it != &j->pending;
		it = it->prev) {
		const struct entry *e = LIST_ENTRY(it, struct entry, link);

		if (e->kind == ENTRY_DECISION)
			return e->seq;
	}
	return 0;
}

static void commit(struct journal *j)
{
	struct err err = { .code = ERR_NONE };
	uint64_t seq = last_seq(j);

	if (list_empty(&j->pending))
		return;
	if (store_commit(j->store, &j->pending, &err) != 0) {
		net_timer_set(&j->retry, RETRY_MS);
		publish(j);
		return;
	}
	net_timer_stop(&j->retry);
	entry_free_all(&j->pending);
	j->pending_samples = 0;
	publish(j);
	acknowledge(j, seq);
	forward_kick(j->forward);
}

static void end_when_finished(struct journal *j)
{
	if (j->ending && list_empty(&j->pending) && forward_is_finished(j->forward))
		net_loop_stop(j->loop);
}

static void on_retry(void *arg)
{
	commit(arg);
	end_when_finished(arg);
}

static void on_prune(void *arg)
{
	struct journal *j = arg;
	struct err err = { .code = ERR_NONE };

	/* A failure is in the store's status, and the next commit tries the disk. */
	(void)outbox_prune(j->store, &err);
	net_timer_set(&j->prune, PRUNE_MS);
	publish(j);
}

static void drop_oldest_sample(struct journal *j)
{
	LIST_EACH (&j->pending, it, next) {
		struct entry *e = LIST_ENTRY(it, struct entry, link);

		if (e->kind != ENTRY_SAMPLE)
			continue;
		list_remove(&e->link);
		entry_free(e);
		j->pending_samples--;
		j->store->dropped++;
		j->store->untold++;
		return;
	}
}

static void add_pending(struct journal *j, struct link *taken)
{
	bool failing = net_timer_is_set(&j->retry);

	LIST_EACH (taken, it, next) {
		list_remove(it);
		list_push(&j->pending, it);
		if (LIST_ENTRY(it, struct entry, link)->kind == ENTRY_SAMPLE)
			j->pending_samples++;
		if (failing && j->pending_samples > JOURNAL_MEMORY_SAMPLES)
			drop_oldest_sample(j);
	}
}

/* --- what control wants --- */

static void answer(struct journal *j, struct link *asks)
{
	if (list_empty(asks))
		return;
	LIST_EACH (asks, it, next) {
		store_answer(j->store, LIST_ENTRY(it, struct ask, link));
	}
	(void)pthread_mutex_lock(&j->lock);
	entry_move_all(&j->answers, asks);
	(void)pthread_mutex_unlock(&j->lock);
	net_wake(j->to_control);
}

static void on_last_call(void *arg)
{
	struct journal *j = arg;

	net_loop_stop(j->loop);
}

static void start_ending(struct journal *j, uint32_t ms)
{
	if (j->ending)
		return;
	j->ending = true;
	net_timer_set(&j->last_call, ms);
	forward_hurry(j->forward);
	end_when_finished(j);
}

static void on_forward_news(void *arg)
{
	struct journal *j = arg;

	publish(j);
	end_when_finished(j);
}

static void thread_take(void *arg)
{
	struct journal *j = arg;
	struct link entries, asks;

	list_init(&entries);
	list_init(&asks);
	(void)pthread_mutex_lock(&j->lock);
	entry_move_all(&entries, &j->queue);
	entry_move_all(&asks, &j->asks);
	char *postgres = j->postgres;
	bool closing = j->closing;
	uint32_t closing_ms = j->closing_ms;

	j->postgres = NULL;
	j->queued_samples = 0;
	j->store->dropped += j->overflowed;
	j->store->untold += j->overflowed;
	j->overflowed = 0;
	(void)pthread_mutex_unlock(&j->lock);

	add_pending(j, &entries);
	if (closing || !net_timer_is_set(&j->retry))
		commit(j);
	answer(j, &asks);
	if (postgres != NULL)
		forward_configure(j->forward, postgres);
	free(postgres);
	if (closing)
		start_ending(j, closing_ms);
}

/* --- the thread itself --- */

void thread_init(struct journal *j)
{
	j->loop = net_loop_new(0);
	j->to_thread = net_waker_new(j->loop, thread_take, j);
	list_init(&j->pending);
	net_timer_init(&j->retry, j->loop, on_retry, j);
	net_timer_init(&j->prune, j->loop, on_prune, j);
	net_timer_init(&j->last_call, j->loop, on_last_call, j);
	j->forward = forward_new(j->loop, j->store, on_forward_news, j);
}

/* What could not be committed until now is lost, and is at least counted. */
static void count_lost(const struct journal *j)
{
	unsigned long long decisions = 0, samples = 0;

	for (const struct link *it = j->pending.next; it != &j->pending;
		it = it->next) {
		if (LIST_ENTRY(it, struct entry, link)->kind == ENTRY_DECISION)
			decisions++;
		else
			samples++;
	}
	if (decisions + samples > 0)
		log_error("journal closed with rows that could not be committed",
			"decisions=%llu samples=%llu reason=%s", decisions, samples,
			j->store->trouble);
}

void thread_fini(struct journal *j)
{
	count_lost(j);
	entry_free_all(&j->pending);
	forward_free(j->forward);
	net_timer_stop(&j->retry);
	net_timer_stop(&j->prune);
	net_timer_stop(&j->last_call);
	net_waker_free(j->to_thread);
	net_loop_free(j->loop);
	store_close(j->store);
}

void *thread_main(void *arg)
{
	struct journal *j = arg;

	(void)pthread_setname_np(pthread_self(), "journal");
	reserve_entitle();
	net_timer_set(&j->prune, RETRY_MS);
	net_wake(j->to_thread); /* for what was queued before */
	net_loop_run(j->loop);
	return NULL;
}
