/*
 * control - the worker from start to stop: what is opened in which order, and closed
 * in the reverse one.
 *
 * The admin socket comes first, because it tells soonest whether another process serves
 * this configuration already; then the journal, which is for one process alone. Weights
 * are touched when nothing can fail any more, and before any listener accepts; that
 * they do when every server has been checked once (S10).
 */
#include "sluice/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "sluice/base/clock.h"
#include "sluice/base/log.h"
#include "sluice/base/mem.h"
#include "sluice/base/reserve.h"
#include "sluice/health.h"
#include "sluice/net/loop.h"
#include "sluice/pool/stats.h"
#include "sluice/proxy.h"

#include "control_priv.h"

/* --- health's callbacks -------------------------------------------------- */

static void on_change(void *arg, struct server *s, bool up, const char *why)
{
	struct control *c = arg;

	log_line(up ? LOG_INFO : LOG_WARN, up ? "server is up" : "server is down",
		"pool=%s server=%s reason=%s", server_pool_name(s), server_address(s),
		why);
	proxy_nudge(c->proxy);
}

static void on_settled(void *arg)
{
	struct control *c = arg;

	if (c->draining)
		return;
	proxy_accept(c->proxy);
	c->ready = true;
	c->notify->ready();
	log_info("ready", "config=%s migrations=%zu workers=%u", c->file, c->n_tracks,
		c->config->workers);
}

/* --- start --------------------------------------------------------------- */

static void set_log(struct config *c)
{
	log_setup((enum log_level)c->log_level, (enum log_format)c->log_format);
}

static int open_state(struct control *c, const struct config *config, struct err *err)
{
	const struct admin_ops ops = view_ops(c);

	c->loop = net_loop_new(0);
	if (admin_open(&c->admin, c->loop, &config->admin, &ops, err) != 0)
		return -1;
	if (control_store_open(c, &config->journal, err) != 0)
		return -1;
	signals_open(c);
	c->loader = loader_new(c->loop, c->file, reload_finish, c);
	return 0;
}

static int open_traffic(struct control *c, struct err *err)
{
	const struct health_owner owner = {
		.on_change = on_change,
		.on_settled = on_settled,
		.arg = c,
	};
	unsigned workers = c->config->workers;

	c->stats = stats_new(workers);
	c->registry = registry_new(workers, c->live);
	if (control_store_words(c, c->config, err) != 0)
		return -1;
	snapshot_bind(c->snapshot, c->registry);
	c->proxy = proxy_new(workers, c->registry, c->stats);
	if (proxy_start(c->proxy, err) != 0)
		return -1;
	descriptors_share(c);
	if (proxy_publish(c->proxy, c->snapshot, err) != 0)
		return -1;
	tracks_follow(c);
	c->health = health_new(c->loop, &owner);
	health_update(c->health, snapshot_pools(c->snapshot), c->config->n_pools);
	return 0;
}

static void tell_start(struct control *c)
{
	char reason[REASON_SIZE];

	if (c->lost_why.code != ERR_NONE)
		(void)snprintf(reason, sizeof(reason),
			"kept state was lost, nothing goes to new until a person says "
			"so: %.500s",
			c->lost_why.text);
	else
		(void)snprintf(reason, sizeof(reason), "%s",
			c->first_start ? "first start, the file's weights hold"
				       : "started from what was kept");
	record_process(c,
		c->lost_why.code != ERR_NONE ? DECISION_LOST : DECISION_START_UP,
		(struct actor){ ACTOR_START, NULL }, reason, NULL);
	log_info("started", "config=%s state=%s", c->file, reason);
}

static int begin(struct control *c, struct err *err)
{
	tracks_hear_file(c);
	tell_start(c); /* with the states after that */
	if (live_cutback_wanted(c->live) != live_cutback_done(c->live))
		commands_cutback_all(c, (struct actor){ ACTOR_SIGNAL, NULL },
			"a cutback that came before the start, or in it");
	if (journal_start(c->journal, err) != 0)
		return -1;
	c->ticker = net_ticker_new(c->loop, TICK_MS, NET_FIRST, tick, c);
	net_wake(c->waker); /* for signals that came before it */
	return 0;
}

static void close_all(struct control *c)
{
	net_ticker_free(c->ticker);
	health_free(c->health);
	loader_free(c->loader);
	admin_close(c->admin);
	tracks_free(c);
	snapshot_unref(c->snapshot); /* the proxy has its own */
	proxy_free(c->proxy);
	registry_free(c->registry);
	stats_free(c->stats);
	signals_close(c);
	control_store_close(c);
	net_waker_free(c->waker); /* a handler may have run on the journal's thread */
	net_loop_free(c->loop);
	free(c->reload_error);
	free(c->file);
}

/* Takes from l what is kept. */
static int open_all(struct control *c, struct loaded *l, struct err *err)
{
	c->snapshot = l->snapshot;
	l->snapshot = NULL;
	c->config = snapshot_config(c->snapshot);
	c->file = mem_text(c->config->file);
	if (descriptors_check(c->config, err) != 0 ||
		open_state(c, c->config, err) != 0)
		return -1;
	admin_know_users(c->admin, l->users);
	l->users = NULL;
	return open_traffic(c, err);
}

static int run(struct control *c, struct loaded *l)
{
	struct err err = { .code = ERR_NONE };

	if (open_all(c, l, &err) != 0 || begin(c, &err) != 0) {
		(void)fprintf(stderr, "sluice: %s\n", err.text);
		return 1;
	}
	net_loop_run(c->loop);
	log_info("stopped", "");
	return 0;
}

int control_run(const char *config_file, const struct service_notify *notify)
{
	struct control c = {
		.notify = notify,
		.lock_fd = -1,
		.started_us = clock_wall_us(),
		.running_is_file = true,
	};
	struct loaded l;
	int status = 1;

	signals_catch();
	reserve_open();
	reserve_entitle();
	list_init(&c.shelf);
	c.io = shifter_io_real(&c);
	if (loader_load_files(&l, config_file, set_log) == 0)
		status = run(&c, &l);
	check_print(&l.problems);
	close_all(&c);
	loader_loaded_fini(&l);
	reserve_close();
	return status;
}
