/*
 * sluicectl status: two lines a migration, legacy above new, and below the table what
 * is not as it should be.
 */
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "ctl_priv.h"

enum {
	BAR = 10,
	FEW_SAMPLES = 200,
	DECISION_SIZE = 512,
	WIDE = 150, /* columns that leave room for a decision beside all the rest */
};

static const struct column columns[] = {
	{ .head = "MIGRATION" }, { .head = "PHASE" },
	{ .head = "WEIGHT", .right = true }, { .head = "POOL" },
	{ .head = "HEALTHY", .right = true }, { .head = "RPS", .right = true },
	{ .head = "ERRORS", .right = true }, { .head = "P50", .right = true },
	{ .head = "P95", .right = true }, { .head = "P99", .right = true },
	{ .head = "EVIDENCE" },
	{ .head = "LAST DECISION" }, /* on a narrow terminal it stands below */
};

enum { N_COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static enum colour phase_colour(const char *phase)
{
	if (strcmp(phase, "reverted") == 0 || strcmp(phase, "cutback") == 0)
		return COLOUR_BAD;
	if (strcmp(phase, "running") == 0 || strcmp(phase, "done") == 0)
		return COLOUR_GOOD;
	return COLOUR_WARN;
}

/* --- a pool's cells ------------------------------------------------------------ */

static void cell_pool(struct grid *t, const struct json *pool, const char *side)
{
	const char *name = json_text(pool, "name", "");

	if (strcmp(name, side) == 0)
		grid_cell(t, COLOUR_NONE, "%s", side);
	else
		grid_cell(t, COLOUR_NONE, "%s (%s)", side, name);
}

static void cell_healthy(struct grid *t, const struct json *pool)
{
	long long healthy = json_int(pool, "healthy", 0);
	long long all = json_int(pool, "servers_total", 0);
	enum colour some = healthy == 0 ? COLOUR_BAD : COLOUR_WARN;

	grid_cell(t, healthy < all ? some : COLOUR_NONE, "%lld/%lld", healthy, all);
}

static void cell_percentile(struct grid *t, const struct json *pool, const char *key)
{
	long long samples = json_int(pool, "samples", 0);
	char text[SHOW_SIZE];

	show_ms(json_number(pool, key, 0), text);
	if (samples == 0)
		grid_cell(t, COLOUR_NONE, "-");
	else
		grid_cell(
			t, COLOUR_NONE, "%s%s", samples < FEW_SAMPLES ? "~" : "", text);
}

static void cells_pool(struct grid *t, const struct json *pool, const char *side)
{
	double rps = json_number(pool, "rps", 0);
	double errors = json_number(pool, "error_percent", 0);

	cell_pool(t, pool, side);
	cell_healthy(t, pool);
	grid_cell(t, COLOUR_NONE, "%.1f", rps);
	if (rps > 0)
		grid_cell(t, errors > 0 ? COLOUR_WARN : COLOUR_NONE, "%.2f %%", errors);
	else
		grid_cell(t, COLOUR_NONE, "-");
	cell_percentile(t, pool, "p50_ms");
	cell_percentile(t, pool, "p95_ms");
	cell_percentile(t, pool, "p99_ms");
}

/* --- the migration's cells ------------------------------------------------------- */

static void cell_evidence(struct grid *t, const struct json *guard)
{
	const struct json *all = json_get(guard, "guards");
	char bar[BAR + 1] = "";
	long long most = 0;

	for (size_t i = 0; i < json_count(all); i++) {
		long long percent = json_int(json_at(all, i), "bar_percent", 0);

		most = percent > most ? percent : most;
	}
	if (json_count(all) == 0) {
		grid_cell(t, COLOUR_NONE, "no guard");
		return;
	}
	for (int i = 0; i < BAR; i++)
		bar[i] = most * BAR >= (i + 1LL) * 100 ? '#' : '.';
	grid_cell(t,
		most >= 100  ? COLOUR_BAD
		: most >= 50 ? COLOUR_WARN
			     : COLOUR_NONE,
		"[%s] %3lld %%", bar, most);
}

/* "advance 5 % -> 25 % by plan, 3m ago"; empty: there is none. */
static void decision_text(const struct json *d, char *out, size_t size)
{
	double from = json_number(d, "from_percent", 0);
	double to = json_number(d, "to_percent", 0);
	char move[3 * SHOW_SIZE] = "", ago[SHOW_SIZE];
	char from_text[SHOW_SIZE], to_text[SHOW_SIZE];

	*out = '\0';
	if (!json_has(d, "action"))
		return;
	show_percent(from, from_text);
	show_percent(to, to_text);
	if (from < to || from > to)
		snprintf(move, sizeof(move), " %s -> %s", from_text, to_text);
	show_ago(json_text(d, "time", ""), ago);
	snprintf(out, size, "%s%s by %s, %s", json_text(d, "action", ""), move,
		json_text(d, "actor", ""), ago);
}

static void cell_decision(struct grid *t, const struct json *d)
{
	char text[DECISION_SIZE];

	decision_text(d, text, sizeof(text));
	grid_cell(t, COLOUR_NONE, "%s", text[0] != '\0' ? text : "-");
}

static void cell_step(struct grid *t, const struct json *m)
{
	long long step = json_int(m, "step", 0);

	if (step > 0)
		grid_cell(t, COLOUR_NONE, "step %lld/%lld", step,
			(long long)json_int(m, "steps", 0));
	else
		grid_cell(t, COLOUR_NONE, "%s", "");
}

static void add_migration(struct grid *t, const struct json *m, bool wide)
{
	const struct json *pools = json_get(m, "pools");
	const struct json *last = json_get(m, "last_decision");
	const char *phase = json_text(m, "phase", "");
	char weight[SHOW_SIZE];

	show_percent(json_number(m, "weight_percent", 0), weight);
	grid_cell(t, COLOUR_BOLD, "%s", json_text(m, "name", ""));
	grid_cell(t, phase_colour(phase), "%s", phase);
	grid_cell(t, COLOUR_BOLD, "%s", weight);
	cells_pool(t, json_get(pools, "legacy"), "legacy");
	grid_cell(t, COLOUR_NONE, "%s", "");
	if (wide)
		cell_decision(t, last);

	grid_cell(t, COLOUR_NONE, "%s", "");
	cell_step(t, m);
	grid_cell(t, COLOUR_NONE, "%s", "");
	cells_pool(t, json_get(pools, "new"), "new");
	cell_evidence(t, json_get(m, "guard"));
	if (wide)
		grid_cell(t, COLOUR_NONE, "%s", json_text(last, "reason", ""));
}

/* What had no place in the table. */
static void print_last(const struct json *m)
{
	const struct json *last = json_get(m, "last_decision");
	char text[DECISION_SIZE];

	decision_text(last, text, sizeof(text));
	if (text[0] == '\0')
		return;
	printf("last: ");
	show_clean(stdout, json_text(m, "name", ""));
	printf(": ");
	show_clean(stdout, text);
	printf(": ");
	show_clean(stdout, json_text(last, "reason", ""));
	putchar('\n');
}

/* The table of n migrations. */
static void print_table(const struct json *const *shown, size_t n)
{
	size_t width = show_width();
	bool wide = width == 0 || width >= WIDE;
	struct grid *t = grid_new(columns, wide ? N_COLUMNS : N_COLUMNS - 1);

	for (size_t i = 0; i < n; i++)
		add_migration(t, shown[i], wide);
	if (n > 0)
		grid_print(t, stdout, show_colours(), wide ? width : 0);
	else
		puts("no migrations are configured");
	grid_free(t);
	for (size_t i = 0; !wide && i < n; i++)
		print_last(shown[i]);
}

static void print_all(const struct json *status)
{
	const struct json *all = json_get(status, "migrations");
	size_t n = json_count(all);
	const struct json **shown = mem_alloc((n + 1) * sizeof(*shown));

	for (size_t i = 0; i < n; i++)
		shown[i] = json_at(all, i);
	print_table(shown, n);
	ctl_notes(status, stdout);
	for (size_t i = 0; i < n; i++)
		ctl_migration_notes(shown[i], stdout);
	free(shown);
}

static void print_one(const struct json *status, const struct json *m)
{
	print_table(&m, 1);
	ctl_notes(status, stdout);
	ctl_migration_notes(m, stdout);
}

static enum ctl_exit show_one(const struct args *a, const struct json *status)
{
	const struct json *m = ctl_migration(status, a->word[1]);
	char *line;

	if (m == NULL)
		return ctl_complain_name(status, a->word[1]);
	if (a->value[OPTION_JSON] == NULL) {
		print_one(status, m);
		return CTL_DONE;
	}
	line = json_print(m);
	puts(line);
	free(line);
	return CTL_DONE;
}

enum ctl_exit verb_status(const struct args *a)
{
	struct err err = { .code = ERR_NONE };
	enum ctl_exit done = CTL_DONE;
	struct reply r;

	if (client_ask(args_socket(a), "/v1/status", NULL, &r, &err) != 0)
		return ctl_complain(CTL_UNREACHABLE, "%s", err.text);
	if (r.status != 200 || r.json == NULL)
		done = ctl_complain_reply(&r);
	else if (a->n_words > 1)
		done = show_one(a, r.json);
	else if (a->value[OPTION_JSON] != NULL)
		fputs(r.text, stdout);
	else
		print_all(r.json);
	client_reply_fini(&r);
	return done;
}
