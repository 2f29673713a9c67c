/*
 * From a request to its answer: the table of what can be asked, and everything that
 * can be wrong with a path, a method or a query. Changes are in change.c.
 */
#include <stdio.h>
#include <string.h>

#include "sluice/base/clock.h"
#include "sluice/base/json.h"

#include "admin_priv.h"

enum { DEFAULT_ROWS = 100, MAX_ROWS = 1000 };

static const char what_there_is[] =
	"GET /healthz, /readyz, /metrics, /v1/status, "
	"/v1/decisions?since=&migration=&limit=; POST /v1/cutback, "
	"/v1/migrations/NAME/{start,pause,resume,abort,cutback,weight}";

static void get_healthz(struct api *api, struct span query, struct answer *out)
{
	(void)api; /* who answers is alive */
	(void)query;
	answer_text(out, 200, "ok\n");
}

static void get_readyz(struct api *api, struct span query, struct answer *out)
{
	struct admin_process p = { .ready = false };

	(void)query;
	api->ops.process(api->ops.arg, &p);
	if (p.draining)
		answer_text(out, 503, "not ready: draining\n");
	else if (!p.ready)
		answer_text(out, 503, "not ready: servers are not checked yet\n");
	else
		answer_text(out, 200, "ready\n");
}

static void get_metrics(struct api *api, struct span query, struct answer *out)
{
	(void)query; /* scrapers add parameters of their own */
	out->status = 200;
	out->type = "text/plain; version=0.0.4; charset=utf-8";
	out->page = metrics_page(api);
}

static void get_status(struct api *api, struct span query, struct answer *out)
{
	if (query.n > 0) {
		answer_error(out, 400, "ask for /v1/status alone",
			"/v1/status has no parameters");
		return;
	}
	out->status = 200;
	out->type = "application/json";
	out->page = status_page(api);
}

/* --- the query of decisions ------------------------------------------------ */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded with a NUL behind it; false: garbled, or too long for out. */
static bool decode(struct span s, char *out, size_t out_n)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			if (s.n - i < 3 || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
				return false;
			c = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (c == '\0' || n + 1 >= out_n)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

static const char *take_since(struct journal_query *q, const char *value)
{
	if (clock_parse(value, clock_wall_us(), &q->since_us) == 0)
		return NULL;
	return "since: expected 10m, 2h, 1d, 2026-01-31 or 2026-01-31T12:34:56Z";
}

static const char *take_migration(struct journal_query *q, const char *value)
{
	if (strlen(value) >= sizeof(q->migration))
		return "migration: expected a name of at most 63 characters";
	snprintf(q->migration, sizeof(q->migration), "%s", value);
	return NULL;
}

static const char *take_limit(struct journal_query *q, const char *value)
{
	uint64_t n;

	if (!span_u64(span_of(value), &n) || n < 1 || n > MAX_ROWS)
		return "limit: expected 1..1000";
	q->limit = (unsigned)n;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*take)(struct journal_query *q, const char *value);
} parameters[] = {
	{ "since", take_since },
	{ "migration", take_migration },
	{ "limit", take_limit },
};

/* NULL, or what is wrong. */
static const char *take_parameter(struct journal_query *q, struct span pair)
{
	struct span name = span_cut(&pair, '=');
	char value[128];

	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (!span_eq(name, span_of(parameters[i].name)))
			continue;
		if (!decode(pair, value, sizeof(value)))
			return "a value is too long or its %-escapes are garbled";
		return parameters[i].take(q, value);
	}
	return "unknown parameter: expected since, migration or limit";
}

static void get_decisions(struct api *api, struct span query, struct answer *out)
{
	struct journal_query q = { .limit = DEFAULT_ROWS };
	struct journal *j = api->ops.journal(api->ops.arg);

	while (query.n > 0) {
		const char *wrong = take_parameter(&q, span_cut(&query, '&'));

		if (wrong == NULL)
			continue;
		answer_error(out, 400,
			"/v1/decisions?since=2h&migration=NAME&limit=100; all may be "
			"left out",
			"%s", wrong);
		return;
	}
	if (j == NULL) {
		answer_error(out, 503, "try again when sluice is ready",
			"the journal is not open");
		return;
	}
	out->status = 200;
	out->type = "application/json";
	out->ticket = ticket_ask(j, &q);
}

/* --- dispatch --------------------------------------------------------------- */

static const struct {
	const char *path;
	void (*get)(struct api *api, struct span query, struct answer *out);
} pages[] = {
	{ "/healthz", get_healthz },
	{ "/readyz", get_readyz },
	{ "/metrics", get_metrics },
	{ "/v1/status", get_status },
	{ "/v1/decisions", get_decisions },
};

static bool is_change(struct span path)
{
	return span_eq(path, SPAN("/v1/cutback")) ||
	       span_starts(path, SPAN("/v1/migrations/"));
}

static void refuse_method(struct answer *out, const char *allow)
{
	answer_error(out, 405, what_there_is, "this path takes %s only", allow);
	out->allow = allow;
}

static void answer_change(
	struct api *api, const struct call *c, struct span path, struct answer *out)
{
	char hint[256];

	if (c->method != HTTP_POST) {
		refuse_method(out, "POST");
		return;
	}
	if (c->read_only) {
		snprintf(hint, sizeof(hint),
			"use sluicectl, or the Unix socket: curl --unix-socket %s",
			api->socket);
		answer_error(out, 403, hint, "this port only reads");
		return;
	}
	path.p += strlen("/v1/");
	path.n -= strlen("/v1/");
	change_answer(api, c, path, out);
}

static void answer_path(struct api *api, const struct call *c, struct answer *out)
{
	struct span query = c->target;
	struct span path = span_cut(&query, '?');

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (!span_eq(path, span_of(pages[i].path)))
			continue;
		if (c->method == HTTP_GET || c->method == HTTP_HEAD)
			pages[i].get(api, query, out);
		else if (c->read_only && c->method == HTTP_POST)
			answer_error(out, 403, what_there_is, "this port only reads");
		else
			refuse_method(out, "GET, HEAD");
		return;
	}
	if (is_change(path))
		answer_change(api, c, path, out);
	else
		answer_error(out, 404, what_there_is, "no such path");
}

/* S48 (cutback has no precondition): its body is no reason to refuse it. */
static bool may_be_faulty(const struct call *c)
{
	struct span path = c->target;

	return c->method == HTTP_POST && change_is_cutback(span_cut(&path, '?'));
}

void api_answer(struct api *api, const struct call *c, struct answer *out)
{
	api->requests++;
	if (c->fault.status != 0 && !may_be_faulty(c))
		answer_error(out, c->fault.status, c->fault.hint, "%s", c->fault.text);
	else
		answer_path(api, c, out);
	if (out->status >= 400)
		api->refused_requests++;
}
