/*
 * From a request to its answer: the table of what can be asked, at the end, and all that
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

static void get_healthz(struct api *api, struct span query, struct httpd_answer *out)
{
	(void)api; /* a process that answers is alive */
	(void)query;
	httpd_answer_text(out, 200, "ok\n");
}

static void get_readyz(struct api *api, struct span query, struct httpd_answer *out)
{
	struct admin_process p = { .ready = false };

	(void)query;
	api->ops.process(api->ops.arg, &p);
	if (p.draining)
		httpd_answer_text(out, 503, "not ready: draining\n");
	else if (!p.ready)
		httpd_answer_text(out, 503, "not ready: servers are not checked yet\n");
	else
		httpd_answer_text(out, 200, "ready\n");
}

static void get_metrics(struct api *api, struct span query, struct httpd_answer *out)
{
	(void)query; /* scrapers add parameters of their own */
	out->status = 200;
	out->type = "text/plain; version=0.0.4; charset=utf-8";
	out->source = metrics_source(api);
}

static void get_status(struct api *api, struct span query, struct httpd_answer *out)
{
	if (query.n > 0) {
		httpd_answer_error(out, 400, "ask for /v1/status alone",
			"/v1/status has no parameters");
		return;
	}
	out->status = 200;
	out->type = "application/json";
	out->source = status_source(api);
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

static void get_decisions(struct api *api, struct span query, struct httpd_answer *out)
{
	struct journal_query q = { .limit = DEFAULT_ROWS };
	struct journal *j = api->ops.journal(api->ops.arg);

	while (query.n > 0) {
		const char *wrong = take_parameter(&q, span_cut(&query, '&'));

		if (wrong == NULL)
			continue;
		httpd_answer_error(out, 400,
			"/v1/decisions?since=2h&migration=NAME&limit=100; all may be "
			"left out",
			"%s", wrong);
		return;
	}
	if (j == NULL) {
		httpd_answer_error(out, 503, "try again when sluice is ready",
			"the journal is not open");
		return;
	}
	out->status = 200;
	out->type = "application/json";
	out->pending = pending_query_new(j, &q);
}

/* --- the table ---------------------------------------------------------------- */

struct route {
	const char *path; /* a part that is * stands for a migration's name */
	enum api_role needs;
	void (*get)(struct api *api, struct span query, struct httpd_answer *out);
	enum shift_command command; /* of a POST, when get is NULL */
};

static const struct route routes[] = {
	{ .path = "/healthz", .needs = API_READER, .get = get_healthz },
	{ .path = "/readyz", .needs = API_READER, .get = get_readyz },
	{ .path = "/metrics", .needs = API_READER, .get = get_metrics },
	{ .path = "/v1/status", .needs = API_READER, .get = get_status },
	{ .path = "/v1/decisions", .needs = API_READER, .get = get_decisions },
	{ .path = "/v1/cutback", .needs = API_OPERATOR, .command = COMMAND_CUTBACK },
	{ .path = "/v1/migrations/*/cutback",
		.needs = API_OPERATOR,
		.command = COMMAND_CUTBACK },
	{ .path = "/v1/migrations/*/weight",
		.needs = API_OPERATOR,
		.command = COMMAND_WEIGHT },
	{ .path = "/v1/migrations/*/start",
		.needs = API_OPERATOR,
		.command = COMMAND_START },
	{ .path = "/v1/migrations/*/pause",
		.needs = API_OPERATOR,
		.command = COMMAND_PAUSE },
	{ .path = "/v1/migrations/*/resume",
		.needs = API_OPERATOR,
		.command = COMMAND_RESUME },
	{ .path = "/v1/migrations/*/abort",
		.needs = API_OPERATOR,
		.command = COMMAND_ABORT },
};

static bool matches(const char *pattern, struct span path, struct span *name)
{
	struct span rest = span_of(pattern);

	while (rest.n > 0 || path.n > 0) {
		struct span want = span_cut(&rest, '/'), part = span_cut(&path, '/');

		if (!span_eq(want, SPAN("*"))) {
			if (!span_eq(want, part))
				return false;
			continue;
		}
		if (part.n == 0 || part.n >= CONFIG_NAME_SIZE)
			return false;
		*name = part;
	}
	return true;
}

static const struct route *find_route(struct span path, struct span *name)
{
	bool bare = path.n > 0 && path.p[path.n - 1] != '/';

	for (size_t i = 0; bare && i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (matches(routes[i].path, path, name))
			return &routes[i];
	}
	return NULL;
}

/* --- dispatch ------------------------------------------------------------------- */

static void refuse_method(struct httpd_answer *out, const char *allow)
{
	httpd_answer_error(out, 405, what_there_is, "this path takes %s only", allow);
	out->allow = allow;
}

static void refuse_role(const struct api *api, struct httpd_answer *out)
{
	char hint[256];

	snprintf(hint, sizeof(hint),
		"use sluicectl, or the Unix socket: curl --unix-socket %s",
		api->socket);
	httpd_answer_error(out, 403, hint, "this port only reads");
}

/* A POST to what only shows is told first that nothing can be changed here. */
static bool may(const struct route *r, const struct httpd_request *q)
{
	return q->role >= r->needs &&
	       (q->role >= API_OPERATOR || q->method != HTTP_POST);
}

static bool takes(const struct route *r, enum http_method m)
{
	if (r->get == NULL)
		return m == HTTP_POST;
	return m == HTTP_GET || m == HTTP_HEAD;
}

/* S48 (cutback has no precondition): its body is no reason to refuse it. */
static bool may_be_faulty(const struct route *r)
{
	return r->get == NULL && r->command == COMMAND_CUTBACK;
}

static bool is_refused(const struct api *api, const struct route *r,
	const struct httpd_request *q, struct httpd_answer *out)
{
	const struct httpd_fault *f = &q->fault;

	if (r == NULL)
		httpd_answer_error(out, 404, what_there_is, "no such path");
	else if (!may(r, q))
		refuse_role(api, out);
	else if (!takes(r, q->method))
		refuse_method(out, r->get != NULL ? "GET, HEAD" : "POST");
	else if (f->status != 0 && !may_be_faulty(r))
		httpd_answer_error(out, f->status, f->hint, "%s", f->text);
	return out->status != 0;
}

void api_answer(void *arg, const struct httpd_request *q, struct httpd_answer *out)
{
	struct api *api = arg;
	struct span query = q->target, name = { .n = 0 };
	const struct route *r = find_route(span_cut(&query, '?'), &name);

	if (is_refused(api, r, q, out))
		return;
	if (r->get != NULL)
		r->get(api, query, out);
	else if (query.n > 0 && r->command != COMMAND_CUTBACK)
		httpd_answer_error(out, 400, "put the fields into a JSON body",
			"a change takes no parameters in its path");
	else
		change_answer(api, q,
			&(struct api_command){
				.command = r->command, .migration = name },
			out);
}
