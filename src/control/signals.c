/*
 * signals - what the kernel brings: SIGHUP reloads, SIGUSR1 cuts back, SIGTERM,
 * SIGINT and SIGQUIT drain (a second one stops at once).
 *
 * The handler of SIGUSR1 sets the word that every data thread reads, by itself: a
 * cutback works while control stands still. All else is done here on the loop.
 *
 * The handlers stand before anything else of the start. What comes while there is
 * nothing yet to obey with is counted, and obeyed then.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "sluice/base/log.h"
#include "sluice/control.h"
#include "sluice/net/loop.h"
#include "sluice/proxy.h"

#include "control_priv.h"

/* A handler has no argument. */
static struct {
	struct live *_Atomic live;
	struct net_waker *_Atomic waker;
	atomic_uint cutbacks, hups, ends; /* not obeyed yet */
} wire;

/* Either a handler finds the live file, or signals_open finds what a handler counted. */
static void obey_cutbacks(void)
{
	struct live *live = atomic_load(&wire.live);

	if (live && atomic_exchange(&wire.cutbacks, 0) > 0)
		live_cutback_all(live);
}

/* The second one does not wait for the end of a slow start: nothing runs yet. */
static void note_end(const struct net_waker *waker)
{
	if (atomic_fetch_add(&wire.ends, 1) > 0 && !waker)
		_exit(1);
}

static void on_signal(int signal)
{
	const int saved = errno;
	struct net_waker *waker = atomic_load(&wire.waker);

	if (signal == SIGUSR1) {
		atomic_fetch_add(&wire.cutbacks, 1);
		obey_cutbacks();
	} else if (signal == SIGHUP) {
		atomic_fetch_add(&wire.hups, 1);
	} else {
		note_end(waker);
	}
	if (waker)
		net_wake(waker);
	errno = saved;
}

static void on_drained(void *arg)
{
	struct control *c = arg;

	log_info("drained", "");
	net_loop_stop(c->loop);
}

static void begin_drain(void *arg)
{
	struct control *c = arg;

	log_info("draining", "ms=%u", c->config->timeouts.drain_ms);
	proxy_drain(c->proxy, c->loop, c->config->timeouts.drain_ms, on_drained, c);
}

/* A balancer in front asks GET /readyz: it hears of the end before connections are
 * refused. Before the first "ready" there is none to tell. */
static void drain(struct control *c)
{
	uint32_t delay_ms = c->ready ? c->config->timeouts.drain_delay_ms : 0;

	if (c->draining) {
		log_warn("stopping at once", "");
		net_loop_stop(c->loop);
		return;
	}
	c->draining = true;
	c->notify->stopping();
	record_process(c, DECISION_STOP, (struct actor){ ACTOR_SIGNAL, NULL },
		"drain and stop", NULL);
	if (delay_ms == 0) {
		begin_drain(c);
		return;
	}
	log_info("not ready any more, still accepting", "ms=%u", delay_ms);
	net_timer_set(&c->drain_delay, delay_ms);
}

static void on_wake(void *arg)
{
	struct control *c = arg;

	if (live_cutback_wanted(c->live) != live_cutback_done(c->live))
		commands_cutback_all(
			c, (struct actor){ ACTOR_SIGNAL, NULL }, "SIGUSR1");
	for (unsigned n = atomic_exchange(&wire.ends, 0); n > 0; n--)
		drain(c);
	if (atomic_exchange(&wire.hups, 0) > 0)
		reload_ask(c);
}

void signals_catch(void)
{
	static const int caught[] = { SIGUSR1, SIGHUP, SIGTERM, SIGINT, SIGQUIT };
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigfillset(&a.sa_mask);
	sigdelset(&a.sa_mask, SIGBUS); /* a cutback writes to the live file */
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		(void)sigaction(caught[i], &a, NULL);
}

void signals_open(struct control *c)
{
	net_timer_init(&c->drain_delay, c->loop, begin_drain, c);
	c->waker = net_waker_new(c->loop, on_wake, c);
	net_waker_priority(c->waker, NET_FIRST);
	atomic_store(&wire.live, c->live);
	obey_cutbacks();
	atomic_store(&wire.waker, c->waker);
}

/* The signals stay caught, by a handler that finds nothing to do. */
void signals_close(struct control *c)
{
	atomic_store(&wire.live, NULL);
	atomic_store(&wire.waker, NULL);
	if (c->waker != NULL)
		net_timer_stop(&c->drain_delay);
}
