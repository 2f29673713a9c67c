/*
 * signals - what the kernel brings: SIGHUP reloads, SIGUSR1 cuts back, SIGTERM,
 * SIGINT and SIGQUIT drain (a second one stops at once).
 *
 * The handler of SIGUSR1 sets the word that every data thread reads, by itself: a
 * cutback works while control stands still. All else is done here on the loop.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "sluice/base/log.h"
#include "sluice/control.h"
#include "sluice/net/loop.h"
#include "sluice/proxy.h"

#include "control_priv.h"

/* A handler has no argument. */
static struct {
	struct live *_Atomic live;
	struct net_waker *_Atomic waker;
	atomic_uint hups, ends;
} wire;

static void on_signal(int signal)
{
	const int saved = errno;
	struct live *live = atomic_load(&wire.live);
	struct net_waker *waker = atomic_load(&wire.waker);

	if (signal == SIGUSR1 && live)
		live_cutback_all(live);
	else if (signal == SIGHUP)
		atomic_fetch_add(&wire.hups, 1);
	else if (signal != SIGUSR1)
		atomic_fetch_add(&wire.ends, 1);
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

static void drain(struct control *c)
{
	if (c->draining) {
		log_warn("stopping at once", "");
		net_loop_stop(c->loop);
		return;
	}
	c->draining = true;
	c->hooks->stopping();
	log_info("draining", "ms=%u", c->config->timeouts.drain_ms);
	record_process(c, "stop", "signal", "drain and stop", NULL);
	proxy_drain(c->proxy, c->loop, c->config->timeouts.drain_ms, on_drained, c);
}

static void on_wake(void *arg)
{
	struct control *c = arg;

	if (live_cutback_wanted(c->live) != live_cutback_done(c->live))
		cutback_all(c, "signal", "SIGUSR1");
	for (unsigned n = atomic_exchange(&wire.ends, 0); n > 0; n--)
		drain(c);
	if (atomic_exchange(&wire.hups, 0) > 0)
		reload(c);
}

void signals_open(struct control *c)
{
	static const int caught[] = { SIGUSR1, SIGHUP, SIGTERM, SIGINT, SIGQUIT };
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	c->waker = net_waker_new(c->loop, on_wake, c);
	net_waker_priority(c->waker, NET_FIRST);
	atomic_store(&wire.live, c->live);
	atomic_store(&wire.waker, c->waker);
	sigfillset(&a.sa_mask);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		(void)sigaction(caught[i], &a, NULL);
}

/* The signals stay caught, by a handler that finds nothing to do. */
void signals_close(void)
{
	atomic_store(&wire.live, NULL);
	atomic_store(&wire.waker, NULL);
}
