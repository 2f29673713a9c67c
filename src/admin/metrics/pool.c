/*
 * The metrics of pools and of their servers.
 */
#include <stdlib.h>

#include "sluice/pool/server.h"

#include "metrics/metrics_priv.h"

struct pool_row {
	struct labels labels;
	struct pool_capacity capacity;
	size_t servers;
	struct tunnel_counts tunnels;
};

struct server_row {
	struct labels labels;
	bool up, ejected;
	struct server_counts counts;
};

static void forget(void *row)
{
	free(((struct labels *)row)->text);
}

/* --- pools --------------------------------------------------------------------- */

static double servers(const void *row)
{
	return (double)((const struct pool_row *)row)->servers;
}

static double usable(const void *row)
{
	return ((const struct pool_row *)row)->capacity.n_usable;
}

static double usable_share(const void *row)
{
	const struct pool_capacity *c = &((const struct pool_row *)row)->capacity;

	return c->total == 0 ? 0 : (double)c->usable / c->total;
}

static double out_by_ejection(const void *row)
{
	return ((const struct pool_row *)row)->capacity.n_ejected;
}

static double tunnels_open(const void *row)
{
	return (double)((const struct pool_row *)row)->tunnels.open;
}

static double tunnels_begun(const void *row)
{
	return (double)((const struct pool_row *)row)->tunnels.begun;
}

static double messages_in(const void *row)
{
	return (double)((const struct pool_row *)row)->tunnels.messages_in;
}

static double messages_out(const void *row)
{
	return (double)((const struct pool_row *)row)->tunnels.messages_out;
}

static double bytes_in(const void *row)
{
	return (double)((const struct pool_row *)row)->tunnels.bytes_in;
}

static double bytes_out(const void *row)
{
	return (double)((const struct pool_row *)row)->tunnels.bytes_out;
}

static const struct family pool_families[] = {
	{ .name = "sluice_pool_servers",
		.type = "gauge",
		.help = "Servers of the pool.",
		.value = servers },
	{ .name = "sluice_pool_usable_servers",
		.type = "gauge",
		.help = "Servers known to be up, and not ejected.",
		.value = usable },
	{ .name = "sluice_pool_usable_ratio",
		.type = "gauge",
		.help = "The usable servers' share of the pool's capacity, by weight.",
		.value = usable_share },
	{ .name = "sluice_pool_ejected_servers",
		.type = "gauge",
		.help = "Servers that are out because of failures in a row.",
		.value = out_by_ejection },
	{ .name = "sluice_pool_tunnels_open",
		.type = "gauge",
		.help = "Tunnels (WebSocket) to the pool's servers, open now.",
		.value = tunnels_open },
	{ .name = "sluice_pool_tunnels_total",
		.type = "counter",
		.help = "Tunnels to the pool's servers that began.",
		.value = tunnels_begun },
	{ .name = "sluice_pool_tunnel_received_messages_total",
		.type = "counter",
		.help = "Messages from clients through tunnels to the pool.",
		.value = messages_in },
	{ .name = "sluice_pool_tunnel_sent_messages_total",
		.type = "counter",
		.help = "Messages to clients through tunnels to the pool.",
		.value = messages_out },
	{ .name = "sluice_pool_tunnel_received_bytes_total",
		.type = "counter",
		.help = "Bytes from clients through tunnels to the pool.",
		.value = bytes_in },
	{ .name = "sluice_pool_tunnel_sent_bytes_total",
		.type = "counter",
		.help = "Bytes to clients through tunnels to the pool.",
		.value = bytes_out },
};

void metrics_take_pool(void *row, const struct pool *p)
{
	struct pool_row *r = row;
	struct text label = { .p = NULL };

	metrics_label(&label, "pool", pool_config(p)->name);
	r->labels.text = label.p;
	r->capacity = pool_capacity(p, false);
	r->servers = pool_n_servers(p);
	r->tunnels = (struct tunnel_counts){ .begun = 0 };
	for (size_t i = 0; i < r->servers; i++)
		server_add_tunnels(pool_server(p, i), &r->tunnels);
}

const struct family_group metrics_pools = {
	.families = pool_families,
	.n_families = sizeof(pool_families) / sizeof(pool_families[0]),
	.row_bytes = sizeof(struct pool_row),
	.fini = forget,
};

/* --- servers ------------------------------------------------------------------- */

static double up(const void *row)
{
	return ((const struct server_row *)row)->up;
}

static double ejected(const void *row)
{
	return ((const struct server_row *)row)->ejected;
}

static double in_flight(const void *row)
{
	return ((const struct server_row *)row)->counts.in_flight;
}

static double idle(const void *row)
{
	return ((const struct server_row *)row)->counts.idle;
}

static double requests(const void *row)
{
	return (double)((const struct server_row *)row)->counts.requests;
}

static double connects(const void *row)
{
	return (double)((const struct server_row *)row)->counts.connects;
}

static double reuses(const void *row)
{
	return (double)((const struct server_row *)row)->counts.reuses;
}

static double failures(const void *row)
{
	return (double)((const struct server_row *)row)->counts.failures;
}

static double ejections(const void *row)
{
	return (double)((const struct server_row *)row)->counts.ejections;
}

static const struct family server_families[] = {
	{ .name = "sluice_server_up",
		.type = "gauge",
		.help = "1 when the last checks passed; 0 when down or not checked "
			"yet.",
		.value = up },
	{ .name = "sluice_server_ejected",
		.type = "gauge",
		.help = "1 while out because of failures in a row.",
		.value = ejected },
	{ .name = "sluice_server_in_flight",
		.type = "gauge",
		.help = "Attempts under way.",
		.value = in_flight },
	{ .name = "sluice_server_idle_connections",
		.type = "gauge",
		.help = "Kept connections that wait for a request.",
		.value = idle },
	{ .name = "sluice_server_requests_total",
		.type = "counter",
		.help = "Attempts sent to the server.",
		.value = requests },
	{ .name = "sluice_server_connects_total",
		.type = "counter",
		.help = "Connections opened.",
		.value = connects },
	{ .name = "sluice_server_reuses_total",
		.type = "counter",
		.help = "Attempts on a kept connection.",
		.value = reuses },
	{ .name = "sluice_server_failures_total",
		.type = "counter",
		.help = "Attempts that could not connect or were reset.",
		.value = failures },
	{ .name = "sluice_server_ejections_total",
		.type = "counter",
		.help = "Times the server was ejected.",
		.value = ejections },
};

void metrics_take_server(void *row, const struct server *s)
{
	struct server_row *r = row;
	struct text label = { .p = NULL };

	metrics_label(&label, "pool", server_pool_name(s));
	metrics_label(&label, "server", server_address(s));
	r->labels.text = label.p;
	r->up = server_health(s) == SERVER_UP;
	r->ejected = server_is_ejected(s);
	server_sum(s, &r->counts);
}

const struct family_group metrics_servers = {
	.families = server_families,
	.n_families = sizeof(server_families) / sizeof(server_families[0]),
	.row_bytes = sizeof(struct server_row),
	.fini = forget,
};
