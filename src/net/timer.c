/*
 * Timers: one list for each duration that is in use.
 *
 * Within a list, who is set later is due later, so setting a timer is moving it to the
 * end of its list, and only heads can be due. One libev timer, the alarm, rings at
 * the earliest head it knew of; that a timer was moved back since is found out then.
 * A request that sets and stops its deadlines so costs no heap and no system call.
 *
 * When all lists are taken (jitter makes a duration for each server that is checked),
 * further durations join another's list, each at its place by due time.
 */
#include <assert.h>

#include "sluice/base/units.h"
#include "sluice/net/loop.h"

#include "net_priv.h"

enum { LATE_NS = 50 * NS_PER_MS };

static struct net_timer *head_of(const struct timer_row *row)
{
	if (list_empty(&row->timers))
		return NULL;
	return LIST_ENTRY(row->timers.next, struct net_timer, link);
}

static void set_alarm(struct net_loop *l, uint64_t due_ns)
{
	struct timers *t = &l->timers;
	uint64_t in_ns = due_ns > l->now_ns ? due_ns - l->now_ns : 0;

	/* The turn may have begun some time ago, and libev counts from its own idea
	 * of now, which is read at the same moment. */
	ev_timer_stop(l->ev, &t->alarm);
	ev_timer_set(&t->alarm, (double)in_ns / 1e9 + 0.0005, 0.);
	ev_timer_start(l->ev, &t->alarm);
	t->alarm_ns = due_ns;
}

static struct net_timer *earliest(const struct timers *all)
{
	struct net_timer *first = NULL;

	for (unsigned i = 0; i < all->n_rows; i++) {
		struct net_timer *t = head_of(&all->row[i]);

		if (t != NULL && (first == NULL || t->due_ns < first->due_ns))
			first = t;
	}
	return first;
}

/* The process stood still (a suspended machine, a debugger, no CPU): what came meanwhile
 * came in time, and is there to be read. So the loop polls once more before anybody is
 * told that it is late; once, or a loop that is always slow would never tell. */
static bool gives_time(struct net_loop *l)
{
	bool is_late = l->now_ns > l->timers.alarm_ns + LATE_NS;

	l->timers.gave_time = is_late && !l->timers.gave_time;
	if (l->timers.gave_time)
		set_alarm(l, l->now_ns);
	return l->timers.gave_time;
}

static void on_alarm(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct net_loop *l = w->data;
	struct net_timer *t;

	(void)ev;
	(void)revents;
	if (gives_time(l))
		return;
	l->timers.alarm_ns = 0;
	/* One that is set to now by another, or by itself, is not due before now. */
	while ((t = earliest(&l->timers)) != NULL && t->due_ns < l->now_ns) {
		list_remove(&t->link);
		t->on_due(t->arg);
	}
	if (t != NULL && (l->timers.alarm_ns == 0 || t->due_ns < l->timers.alarm_ns))
		set_alarm(l, t->due_ns);
}

void timers_init(struct net_loop *l)
{
	for (unsigned i = 0; i < TIMER_ROWS; i++)
		list_init(&l->timers.row[i].timers);
	ev_timer_init(&l->timers.alarm, on_alarm, 0., 0.);
	/* After the bytes of a turn, which may make a timer undue. */
	ev_set_priority(&l->timers.alarm, EV_MINPRI);
	l->timers.alarm.data = l;
}

void timers_fini(struct net_loop *l)
{
	ev_timer_stop(l->ev, &l->timers.alarm);
}

/* The row of this duration; a row that nobody uses is taken over; with none left
 * the longest one that is shorter is shared: few in it are due later. */
static struct timer_row *row_for(struct timers *t, uint32_t ms)
{
	struct timer_row *spare = NULL, *shorter = &t->row[0];

	for (unsigned i = 0; i < t->n_rows; i++) {
		struct timer_row *row = &t->row[i];

		if (row->ms == ms)
			return row;
		if (list_empty(&row->timers))
			spare = row;
		else if (row->ms < ms && (shorter->ms > ms || row->ms > shorter->ms))
			shorter = row;
	}
	if (t->n_rows < TIMER_ROWS)
		spare = &t->row[t->n_rows++];
	if (spare == NULL)
		return shorter;
	spare->ms = ms;
	return spare;
}

void net_timer_init(
	struct net_timer *t, struct net_loop *l, void (*on_due)(void *), void *arg)
{
	list_init(&t->link);
	t->due_ns = 0;
	t->loop = l;
	t->on_due = on_due;
	t->arg = arg;
}

/* Behind all that are due no later: as a rule at the end. */
static void join(struct timer_row *row, struct net_timer *t)
{
	struct link *at = row->timers.prev;

	while (at != &row->timers &&
		LIST_ENTRY(at, struct net_timer, link)->due_ns > t->due_ns)
		at = at->prev;
	list_push_front(at, &t->link);
}

void net_timer_set(struct net_timer *t, uint32_t ms)
{
	struct net_loop *l = t->loop;

	list_remove(&t->link);
	t->due_ns = l->now_ns + (uint64_t)ms * NS_PER_MS;
	join(row_for(&l->timers, ms), t);
	if (l->timers.alarm_ns == 0 || t->due_ns < l->timers.alarm_ns)
		set_alarm(l, t->due_ns);
}

void net_timer_stop(struct net_timer *t)
{
	list_remove(&t->link);
}

bool net_timer_is_set(const struct net_timer *t)
{
	return !list_empty(&t->link);
}

void *net_timer_oldest(const struct net_loop *l, uint32_t ms, void (*on_due)(void *),
	uint32_t min_age_ms)
{
	/* Due so early, the timer was set that long ago. */
	const uint64_t due_ns =
		l->now_ns + (uint64_t)ms * NS_PER_MS - (uint64_t)min_age_ms * NS_PER_MS;

	for (unsigned i = 0; i < l->timers.n_rows; i++) {
		const struct timer_row *row = &l->timers.row[i];

		if (row->ms != ms)
			continue;
		LIST_EACH (&row->timers, it, next) {
			struct net_timer *t = LIST_ENTRY(it, struct net_timer, link);

			if (t->due_ns > due_ns)
				return NULL;
			if (t->on_due == on_due)
				return t->arg;
		}
	}
	return NULL;
}
