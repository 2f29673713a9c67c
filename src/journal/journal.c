/*
 * Control's side of the journal: queue, wake the thread, and hand out on control's
 * loop what the thread has left.
 */
#include "sluice/journal.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/clock.h"
#include "sluice/base/mem.h"

#include "journal_priv.h"

static void ask_free(struct ask *a)
{
	entry_free_all(&a->entries);
	free(a->rows);
	free(a);
}

static void deliver(struct ask *a)
{
	bool ok = a->err.code == ERR_NONE;

	list_remove(&a->link);
	a->on_rows(a->arg, ok ? a->rows : NULL, ok ? a->n : 0, ok ? NULL : &a->err);
	ask_free(a);
}

static void on_thread_news(void *arg)
{
	struct journal *j = arg;
	struct journal_status status;
	struct link answers;

	list_init(&answers);
	(void)pthread_mutex_lock(&j->lock);
	uint64_t seq = j->committed_seq;
	bool changed = j->status_changed;

	j->committed_seq = 0;
	j->status_changed = false;
	status = j->status;
	entry_move_all(&answers, &j->answers);
	(void)pthread_mutex_unlock(&j->lock);

	if (seq > 0)
		j->owner.on_committed(j->owner.arg, seq);
	if (changed)
		j->owner.on_status(j->owner.arg, &status);
	LIST_EACH (&answers, it, next) {
		deliver(LIST_ENTRY(it, struct ask, link));
	}
}

int journal_open(struct journal **out, const struct config_journal *c,
	const struct journal_owner *owner, enum journal_found *found, struct err *lost)
{
	struct journal *j = mem_zero(sizeof(*j));

	*out = NULL;
	if (store_open(&j->store, c->path, found, lost) != 0) {
		free(j);
		return -1;
	}
	(void)pthread_mutex_init(&j->lock, NULL);
	list_init(&j->queue);
	list_init(&j->asks);
	list_init(&j->answers);
	j->owner = *owner;
	j->postgres = mem_text(c->postgres);
	j->store->forwarded = c->postgres[0] != '\0';
	if (j->store->forwarded)
		j->status = (struct journal_status){ .forward = JOURNAL_AWAY,
			.waiting = j->store->outbox.waiting,
			.away_since_us = clock_wall_us() };
	j->status.failing = j->store->failing;
	(void)snprintf(
		j->status.trouble, sizeof(j->status.trouble), "%s", j->store->trouble);
	j->to_control = net_waker_new(owner->loop, on_thread_news, j);
	thread_init(j);
	*out = j;
	return 0;
}

void journal_each_state(struct journal *j,
	void (*take)(void *arg, const struct journal_state *s), void *arg)
{
	assert(!j->started);
	store_each_state(j->store, take, arg);
}

/* SIGUSR1 is the cutback, and its handler may run on any thread that is not busy
 * with requests; all other signals are control's. */
int journal_start(struct journal *j, struct err *err)
{
	sigset_t mask, before;
	int error;

	assert(!j->started);
	(void)sigfillset(&mask);
	(void)sigdelset(&mask, SIGUSR1);
	(void)sigdelset(&mask, SIGBUS); /* of the live file, where it is read */
	(void)pthread_sigmask(SIG_SETMASK, &mask, &before);
	error = pthread_create(&j->thread, NULL, thread_main, j);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		return err_set(
			err, ERR_SYSTEM, "journal's thread: %s", strerror(error));
	j->started = true;
	return 0;
}

void journal_configure(struct journal *j, const struct config_journal *c)
{
	char *mine = mem_text(c->postgres);

	(void)pthread_mutex_lock(&j->lock);
	char *old = j->postgres;

	j->postgres = mine;
	(void)pthread_mutex_unlock(&j->lock);
	free(old);
	net_wake(j->to_thread);
}

static void queue(struct journal *j, struct link *list, struct link *what)
{
	(void)pthread_mutex_lock(&j->lock);
	list_push(list, what);
	(void)pthread_mutex_unlock(&j->lock);
	net_wake(j->to_thread);
}

uint64_t journal_append(struct journal *j, const struct decision *d,
	const struct journal_state *states, size_t n)
{
	struct entry *e = entry_of_decision(d, states, n);
	uint64_t seq = ++j->appended;

	e->seq = seq; /* e is the thread's as soon as it is queued */
	queue(j, &j->queue, &e->link);
	return seq;
}

/* The queue is full only when the disk has kept the thread waiting for long. */
void journal_sample(struct journal *j, const struct journal_sample *s)
{
	struct entry *e = entry_of_sample(s);

	(void)pthread_mutex_lock(&j->lock);
	bool room = j->queued_samples < JOURNAL_MEMORY_SAMPLES;

	if (room) {
		list_push(&j->queue, &e->link);
		j->queued_samples++;
	} else {
		j->overflowed++;
	}
	(void)pthread_mutex_unlock(&j->lock);
	if (room)
		net_wake(j->to_thread);
	else
		entry_free(e);
}

void journal_get_status(struct journal *j, struct journal_status *out)
{
	(void)pthread_mutex_lock(&j->lock);
	*out = j->status;
	(void)pthread_mutex_unlock(&j->lock);
}

void journal_ask(struct journal *j, const struct journal_query *q,
	void (*on_rows)(void *arg, const struct decision *rows, size_t n,
		const struct err *err),
	void *arg)
{
	struct ask *a = mem_zero(sizeof(*a));

	a->query = *q;
	a->on_rows = on_rows;
	a->arg = arg;
	list_init(&a->entries);
	queue(j, &j->asks, &a->link);
}

/* The commits may still take effect at the next start; questions are answered now. */
static void answer_all(struct journal *j)
{
	LIST_EACH (&j->asks, it, next) {
		struct ask *a = LIST_ENTRY(it, struct ask, link);

		(void)err_set(&a->err, ERR_REFUSED, "sluice is stopping");
		deliver(a);
	}
	LIST_EACH (&j->answers, it, next) {
		deliver(LIST_ENTRY(it, struct ask, link));
	}
}

void journal_close(struct journal *j, uint32_t ms)
{
	if (j == NULL)
		return;
	(void)pthread_mutex_lock(&j->lock);
	j->closing = true;
	j->closing_ms = ms;
	(void)pthread_mutex_unlock(&j->lock);
	net_wake(j->to_thread);
	if (j->started || journal_start(j, NULL) == 0)
		(void)pthread_join(j->thread, NULL);
	else
		(void)thread_main(j); /* what is queued is written all the same */
	answer_all(j);
	thread_fini(j);
	net_waker_free(j->to_control);
	(void)pthread_mutex_destroy(&j->lock);
	free(j->postgres);
	free(j);
}
