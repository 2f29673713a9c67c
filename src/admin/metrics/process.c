/*
 * The metrics that there is one of: the process, its data threads' sums, the journal
 * and this room itself.
 */
#include <math.h>
#include <stdio.h>

#include "sluice/base/clock.h"
#include "sluice/pool/stats.h"

#include "metrics/metrics_priv.h"

static void one(struct text *t, const char *name, const char *help, double value)
{
	metrics_head(t, name, "gauge", help);
	metrics_value(t, name, "", value);
}

static void total(struct text *t, const char *name, const char *help, uint64_t value)
{
	metrics_head(t, name, "counter", help);
	text_print(t, "%s %llu\n", name, (unsigned long long)value);
}

static void show_process(struct text *t, const struct admin_process *p)
{
	metrics_head(t, "sluice_build_info", "gauge", "The program that runs.");
	text_print(t, "sluice_build_info{version=\"%s\"} 1\n", SLUICE_VERSION);
	one(t, "sluice_start_time_seconds", "When sluice started, since 1970.",
		(double)p->started_us / 1e6);
	one(t, "sluice_ready", "1 while listeners accept and sluice does not drain.",
		p->ready && !p->draining);
	one(t, "sluice_draining", "1 from SIGTERM on.", p->draining);
	one(t, "sluice_config_is_file",
		"0 when the file was refused and an older configuration runs.",
		p->running_is_file);
	one(t, "sluice_workers", "Data threads.", p->workers);
	one(t, "sluice_control_lag_seconds",
		"The control loop's longest standstill of the last minute.",
		(double)p->loop_lag_us / 1e6);
}

static void show_stats(struct text *t, const struct stats *s)
{
	char name[128];

	for (unsigned i = 0; i < N_STATS; i++) {
		enum stats_item which = (enum stats_item)i;
		bool gauge = stats_is_gauge(which) != 0;

		snprintf(name, sizeof(name), "sluice_%s%s", stats_name(which),
			gauge ? "" : "_total");
		if (gauge)
			one(t, name, stats_help(which),
				(double)(int64_t)stats_sum(s, which));
		else
			total(t, name, stats_help(which), stats_sum(s, which));
	}
}

/* How evenly the data threads share the connections. */
static void show_threads(struct text *t, const struct stats *s, unsigned workers)
{
	metrics_head(t, "sluice_thread_connections_open", "gauge",
		"Client connections that a data thread has now.");
	for (unsigned i = 0; i < workers; i++)
		text_print(t, "sluice_thread_connections_open{thread=\"%u\"} %lld\n", i,
			(long long)stats_of(s, i, STAT_CONNECTIONS_OPEN));
}

static void show_reuse(struct text *t, const struct stats *s)
{
	double reuses = (double)stats_sum(s, STAT_UPSTREAM_REUSES);
	double all = reuses + (double)stats_sum(s, STAT_UPSTREAM_CONNECTS);

	one(t, "sluice_upstream_reuse_ratio",
		"Attempts that took a kept connection, of all since start.",
		all > 0 ? reuses / all : (double)NAN);
}

static double away_s(const struct journal_status *j)
{
	uint64_t now_us = clock_wall_us();

	if (j->away_since_us == 0 || j->away_since_us > now_us)
		return 0;
	return (double)(now_us - j->away_since_us) / 1e6;
}

static void show_journal(struct text *t, const struct journal_status *j)
{
	total(t, "sluice_journal_committed_total", "Rows committed to SQLite.",
		j->committed);
	total(t, "sluice_journal_dropped_total",
		"Metric samples dropped because the outbox was full; decisions never "
		"are.",
		j->dropped);
	one(t, "sluice_journal_waiting_rows", "Rows not yet forwarded to PostgreSQL.",
		(double)j->waiting);
	one(t, "sluice_journal_failing",
		"1 while SQLite cannot commit: plans do not advance.", j->failing);
	one(t, "sluice_journal_forward_configured", "1 when PostgreSQL is configured.",
		j->forward != JOURNAL_NO_FORWARD);
	one(t, "sluice_journal_forward_connected", "1 while PostgreSQL takes rows.",
		j->forward == JOURNAL_CONNECTED);
	one(t, "sluice_journal_away_seconds", "How long PostgreSQL has been away.",
		away_s(j));
}

static void show_admin(struct text *t, const struct api *api)
{
	total(t, "sluice_admin_requests_total", "Requests to this interface.",
		api->httpd.requests);
	total(t, "sluice_admin_refused_requests_total",
		"Requests to this interface that were answered with an error.",
		api->httpd.refused_requests);
	total(t, "sluice_admin_refused_connections_total",
		"Connections to this interface that were closed inside a request to "
		"make room.",
		api->httpd.refused_connections);
	one(t, "sluice_admin_connections_open", "Connections to this interface.",
		api->httpd.connections);
}

void metrics_process(const struct api *api, struct text *out)
{
	struct admin_process p = { .ready = false };
	const struct stats *s = api->ops.stats(api->ops.arg);

	api->ops.process(api->ops.arg, &p);
	show_process(out, &p);
	if (s != NULL) {
		show_stats(out, s);
		show_threads(out, s, p.workers);
		show_reuse(out, s);
	}
	show_journal(out, &p.journal);
	show_admin(out, api);
}
