/*
 * checks - how the servers of a pool are asked whether they are well.
 */
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

enum { MOST_STATUSES = 32 };

static void statuses_fini(const struct key *k, void *base)
{
	struct config_health *h = base;

	(void)k;
	free(h->status);
	h->status = NULL;
	h->n_status = 0;
}

static void statuses_preset(const struct key *k, void *base)
{
	struct config_health *h = base;

	(void)k;
	h->status = mem_zero(MOST_STATUSES * sizeof(*h->status));
	h->status[0] = 200;
	h->n_status = 1;
}

static void statuses_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	struct config_health *h = base;
	int n = config_setting_length(s);

	(void)k;
	if (s->type != CONFIG_TYPE_ARRAY && s->type != CONFIG_TYPE_LIST) {
		complain_type(rd, s, "an array of statuses, as [ 200, 204 ]");
		return;
	}
	if (n < 1 || n > MOST_STATUSES) {
		complain(rd, s, "expected 1..%d statuses, got %d", MOST_STATUSES, n);
		return;
	}
	h->n_status = 0;
	for (int i = 0; i < n; i++) {
		config_setting_t *entry = config_setting_get_elem(s, (unsigned)i);
		long long status = config_setting_get_int64(entry);

		if (entry->type == CONFIG_TYPE_INT && status >= 200 && status <= 599)
			h->status[h->n_status++] = (uint16_t)status;
		else
			complain_type(rd, entry, "a status in 200..599");
	}
}

static void statuses_print(struct printer *p, const struct key *k, const void *base)
{
	const struct config_health *h = base;

	(void)k;
	fputs("[ ", p->f);
	for (size_t i = 0; i < h->n_status; i++)
		fprintf(p->f, "%u%s", h->status[i], i + 1 < h->n_status ? ", " : " ");
	fputc(']', p->f);
}

static const struct kind kind_statuses = {
	.name = "array of integers",
	.preset = statuses_preset,
	.read = statuses_read,
	.print = statuses_print,
	.fini = statuses_fini,
};

static const struct word health_types[] = {
	{ .text = "http", .value = CONFIG_HEALTH_HTTP },
	{ .text = "tcp", .value = CONFIG_HEALTH_TCP },
	{ .text = "none", .value = CONFIG_HEALTH_NONE },
	{ .text = "grpc", .later = true },
	{ 0 },
};

static const struct key health_keys[] = {
	{
		.name = "type",
		.kind = &kind_choice,
		AT(config_health, type),
		.words = health_types,
		.preset = CONFIG_HEALTH_HTTP,
		.help = "what a check does: a request, a connect, or nothing; without "
			"a health group, nothing",
	},
	{
		.name = "path",
		.kind = &kind_text,
		AT(config_health, path),
		.text = "/api/health",
		.high = 1024,
		.help = "what an http check asks for",
	},
	{
		.name = "host",
		.kind = &kind_text,
		AT(config_health, host),
		.high = 260,
		.help = "the Host it sends; empty = the server's address",
	},
	{
		.name = "status",
		.kind = &kind_statuses,
		.text = "[ 200 ]",
		.help = "the answers that mean healthy, 200..599",
	},
	{
		.name = "interval",
		.kind = &kind_duration,
		AT(config_health, interval_ms),
		.preset = 2 * SECOND,
		.low = 10,
		.high = HOUR,
		.help = "from the start of one check to the start of the next",
	},
	{
		.name = "jitter",
		.kind = &kind_percent_ppm,
		AT(config_health, jitter_ppm),
		.preset = 10,
		.high = 100,
		.help = "percent by which an interval may be shorter or longer, so "
			"that checks do not march in step",
	},
	{
		.name = "timeout",
		.kind = &kind_duration,
		AT(config_health, timeout_ms),
		.preset = 1 * SECOND,
		.low = 1,
		.high = HOUR,
		.help = "a check without an answer by then has failed",
	},
	{
		.name = "rise",
		.kind = &kind_integer,
		AT(config_health, rise),
		.preset = 2,
		.low = 1,
		.high = 100,
		.help = "checks in a row that bring a server back",
	},
	{
		.name = "fall",
		.kind = &kind_integer,
		AT(config_health, fall),
		.preset = 3,
		.low = 1,
		.high = 100,
		.help = "failed checks in a row that take a server out",
	},
};

bool path_is_valid(const char *path)
{
	if (*path != '/')
		return false;
	for (; *path != '\0'; path++)
		if (*path <= 0x20 || *path > 0x7e || *path == '#')
			return false;
	return true;
}

static void check_health(struct reader *rd, void *base, config_setting_t *s)
{
	const struct config_health *h = base;

	if (!path_is_valid(h->path))
		complain_member(rd, s, "path",
			"expected a path from \"/\" without blanks or \"#\", got "
			"\"%.60s\"",
			h->path);
	for (const char *p = h->host; *p != '\0'; p++)
		if (*p <= 0x20 || *p > 0x7e || strchr("/?#@", *p) != NULL) {
			complain_member(rd, s, "host",
				"expected a host name, with \":PORT\" if needed, got "
				"\"%.60s\"",
				h->host);
			return;
		}
}

const struct table table_health = {
	TABLE_KEYS(health_keys),
	.check = check_health,
};
