/*
 * sluicectl decisions: the journal of this machine, oldest first.
 */
#include <stdlib.h>
#include <string.h>

#include "sluice/base/clock.h"
#include "sluice/base/mem.h"
#include "sluice/base/span.h"
#include "sluice/shift/decision.h"

#include "ctl_priv.h"

static const struct column columns[] = {
	{ .head = "TIME (UTC)" },
	{ .head = "MIGRATION" },
	{ .head = "ACTION" },
	{ .head = "WEIGHT", .right = true },
	{ .head = "PHASE" },
	{ .head = "BY" },
	{ .head = "REASON" },
};

/* Adds "&key=value" to *target, escaped. */
static void add_parameter(char **target, const char *key, const char *value)
{
	char *escaped = mem_alloc(3 * strlen(value) + 1), *end = escaped;

	for (const char *c = value; *c != '\0'; c++)
		end += sprintf(end, "%%%02X", (unsigned char)*c);
	*end = '\0';
	char *longer = mem_print("%s%s%s=%s", *target,
		strchr(*target, '?') != NULL ? "&" : "?", key, escaped);
	free(escaped);
	free(*target);
	*target = longer;
}

static enum ctl_exit check(const struct args *a)
{
	const char *since = a->value[OPTION_SINCE], *limit = a->value[OPTION_LIMIT];
	uint64_t n;

	if (since != NULL && clock_parse(since, clock_wall_us(), &n) != 0)
		return ctl_complain(CTL_USAGE,
			"--since: expected 30m, 2h, 1d, 2026-01-31 or "
			"2026-01-31T12:34:56Z, got \"%s\"",
			since);
	if (limit != NULL && (!span_u64(span_of(limit), &n) || n < 1 || n > 1000))
		return ctl_complain(
			CTL_USAGE, "--limit: expected 1..1000, got \"%s\"", limit);
	return CTL_DONE;
}

/* "25 % -> 0 %", or one number when nothing moved. */
static void cell_weight(struct grid *t, const struct json *d)
{
	double from = json_number(d, "from_percent", 0);
	double to = json_number(d, "to_percent", 0);
	char from_text[SHOW_SIZE], to_text[SHOW_SIZE];

	show_percent(from, from_text);
	show_percent(to, to_text);
	if (from < to || from > to)
		grid_cell(t, COLOUR_NONE, "%s -> %s", from_text, to_text);
	else
		grid_cell(t, COLOUR_NONE, "%s", to_text);
}

static enum colour action_colour(const char *text)
{
	enum decision_action a;

	if (!decision_parse(text, &a))
		return COLOUR_NONE;
	if (decision_is_rollback(a))
		return COLOUR_BAD;
	return a == DECISION_ADVANCE || a == DECISION_DONE ? COLOUR_GOOD : COLOUR_NONE;
}

static void add_decision(struct grid *t, const struct json *d)
{
	const char *action = json_text(d, "action", "");
	const char *from = json_text(d, "phase_from", "");
	const char *to = json_text(d, "phase_to", "");
	const char *time = json_text(d, "time", "");
	bool moved = from[0] != '\0' && strcmp(from, to) != 0;

	/* To the second: "2026-01-31T12:34:56" as "2026-01-31 12:34:56". */
	grid_cell(
		t, COLOUR_NONE, "%.10s %.8s", time, strlen(time) > 11 ? time + 11 : "");
	grid_cell(t, COLOUR_NONE, "%s", json_text(d, "migration", ""));
	grid_cell(t, action_colour(action), "%s", action);
	if (json_text(d, "migration", "")[0] != '\0')
		cell_weight(t, d);
	else /* the process has none */
		grid_cell(t, COLOUR_NONE, "%s", "");
	grid_cell(t, COLOUR_NONE, "%s%s%s", moved ? from : "", moved ? " -> " : "", to);
	grid_cell(t, COLOUR_NONE, "%s", json_text(d, "actor", ""));
	grid_cell(t, COLOUR_NONE, "%s", json_text(d, "reason", ""));
}

static void print(const struct json *all)
{
	struct grid *t = grid_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < json_count(all); i++)
		add_decision(t, json_at(all, i));
	if (json_count(all) > 0)
		grid_print(t, stdout, show_colours(), show_width());
	else
		puts("no decisions");
	grid_free(t);
}

/* One object a line, as jq and grep like it. */
static void print_json(const struct json *all)
{
	for (size_t i = 0; i < json_count(all); i++) {
		char *line = json_print(json_at(all, i));

		puts(line);
		free(line);
	}
}

enum ctl_exit verb_decisions(const struct args *a)
{
	enum ctl_exit done = check(a);
	struct err err = { .code = ERR_NONE };
	struct reply r;
	char *target;

	if (done != CTL_DONE)
		return done;
	target = mem_text("/v1/decisions");
	if (a->value[OPTION_SINCE] != NULL)
		add_parameter(&target, "since", a->value[OPTION_SINCE]);
	if (a->value[OPTION_MIGRATION] != NULL)
		add_parameter(&target, "migration", a->value[OPTION_MIGRATION]);
	if (a->value[OPTION_LIMIT] != NULL)
		add_parameter(&target, "limit", a->value[OPTION_LIMIT]);
	if (client_ask(args_socket(a), target, NULL, &r, &err) != 0) {
		free(target);
		return ctl_complain(CTL_UNREACHABLE, "%s", err.text);
	}
	if (r.status != 200 || r.json == NULL)
		done = ctl_complain_reply(&r);
	else if (a->value[OPTION_JSON] != NULL)
		print_json(json_get(r.json, "decisions"));
	else
		print(json_get(r.json, "decisions"));
	client_reply_fini(&r);
	free(target);
	return done;
}
