/*
 * Who is served first in a turn of the loop, and for how long the others.
 *
 * Established connections come first. Those that have shown nothing yet (a PROXY header
 * or a handshake is under way), and those whose owner has found them to cost more than
 * they bring (net_conn_set_slow), come after them and share LATE_US of a turn. What is
 * left then waits in a queue, first come, first served, while the loop goes on without a
 * sleep: thousands of handshakes delay a request by LATE_US and one step, and get all of
 * the thread where nothing else is to be done.
 *
 * A connection in the queue is not watched for input, so that epoll does not announce it
 * in each turn.
 */
#include "sluice/base/clock.h"
#include "sluice/base/units.h"
#include "sluice/net/conn.h"

#include "net_priv.h"

enum { LATE_US = 500 };

enum fair_class fair_of(const struct net_conn *c)
{
	return (enum fair_class)ev_priority(&c->io);
}

void fair_set(struct net_conn *c, enum fair_class class)
{
	int events = ev_is_active(&c->io) ? c->io.events & (EV_READ | EV_WRITE) : 0;

	ev_io_stop(c->loop->ev, &c->io);
	ev_set_priority(&c->io, (int)class);
	if (events != 0)
		conn_wait(c, events);
}

void fair_begin_turn(struct fair *f)
{
	f->until_ns = 0;
}

/* The first one of a turn may go on in any case. */
static bool is_used_up(struct fair *f)
{
	uint64_t now = clock_mono_ns();

	if (f->until_ns == 0)
		f->until_ns = now + LATE_US * NS_PER_US;
	return now >= f->until_ns;
}

/* The next one's place in the queue is in the watcher's data; the last one has itself
 * there, so that NULL is a connection that is in none. */
bool fair_is_deferred(const struct net_conn *c)
{
	return c->io.data != NULL;
}

bool fair_defers(struct net_conn *c)
{
	struct fair *f = &c->loop->fair;

	if (fair_is_deferred(c))
		return true;
	if (fair_of(c) != FAIR_LATE || (f->first == NULL && !is_used_up(f)))
		return false;
	if (f->first == NULL)
		f->first = c;
	else
		f->last->io.data = c;
	f->last = c;
	c->io.data = c;
	return true;
}

static struct net_conn *pop(struct fair *f)
{
	struct net_conn *c = f->first;

	f->first = c == f->last ? NULL : c->io.data;
	c->io.data = NULL;
	return c;
}

void fair_run(struct net_loop *l)
{
	struct fair *f = &l->fair;

	while (f->first != NULL && !is_used_up(f))
		conn_resume(pop(f));
}

void fair_fini(struct fair *f)
{
	while (f->first != NULL)
		conn_resume(pop(f));
}

bool fair_is_idle(const struct fair *f)
{
	return f->first == NULL;
}
