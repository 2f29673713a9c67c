/*
 * The notes below the table: one line for everything that an operator should know,
 * with the way out where there is one.
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "sluice/shift/decision.h"

#include "ctl_priv.h"

static void note(FILE *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(FILE *f, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fputs("note: ", f);
	show_clean(f, text);
	fputc('\n', f);
}

static void process_notes(const struct json *p, FILE *f)
{
	if (json_bool(p, "draining", false))
		note(f, "sluice is draining: it stops when its connections are done");
	else if (!json_bool(p, "ready", true))
		note(f, "not ready: servers are not checked yet");
	if (!json_bool(p, "running_is_file", true))
		note(f,
			"running configuration is not the file: %s; correct %s and "
			"send SIGHUP",
			json_text(p, "reload_error", ""),
			json_text(p, "config_file", ""));
}

static void journal_notes(const struct json *j, FILE *f)
{
	if (json_bool(j, "failing", false))
		note(f,
			"the journal cannot be written: %s; traffic and cutback go on, "
			"plans do not advance",
			json_text(j, "trouble", ""));
	if (strcmp(json_text(j, "forward", ""), "away") == 0)
		note(f,
			"PostgreSQL is away since %s: %lld rows wait on this machine; "
			"%s",
			json_text(j, "away_since", "?"),
			(long long)json_int(j, "waiting", 0),
			json_text(j, "trouble", ""));
	else if (strcmp(json_text(j, "forward", ""), "connected") == 0 &&
		 json_text(j, "trouble", "")[0] != '\0')
		note(f, "PostgreSQL does not take all: %s",
			json_text(j, "trouble", ""));
}

static void server_notes(const struct json *pool, FILE *f)
{
	const struct json *all = json_get(pool, "servers");

	for (size_t i = 0; i < json_count(all); i++) {
		const struct json *s = json_at(all, i);
		const char *address = json_text(s, "address", "");
		const char *name = json_text(pool, "name", "");

		if (strcmp(json_text(s, "health", ""), "down") == 0)
			note(f, "server %s of pool %s is down: %s", address, name,
				json_text(s, "reason", ""));
		else if (json_bool(s, "ejected", false))
			note(f,
				"server %s of pool %s is ejected: it failed several "
				"times in a row",
				address, name);
	}
}

static void guard_notes(const char *name, const struct json *guard, FILE *f)
{
	const struct json *all = json_get(guard, "guards");

	for (size_t i = 0; i < json_count(all); i++) {
		const struct json *g = json_at(all, i);

		if (json_int(g, "bar_percent", 0) > 0)
			note(f, "%s: %s %s", name, json_text(g, "name", ""),
				json_text(g, "text", ""));
	}
}

/* What came after it, or a restart, hides in the table why it is latched. */
static void latch_note(const char *name, const struct json *m, FILE *f)
{
	const struct json *last = json_get(m, "last_decision");
	bool told = decision_text_is_rollback(json_text(last, "action", "")) &&
		    strcmp(json_text(last, "phase_from", ""),
			    json_text(last, "phase_to", "")) != 0;

	note(f,
		"%s is latched%s: all traffic is on legacy; sluicectl resume %s "
		"clears the latch and moves nothing",
		name, json_bool(m, "hard", false) ? " (hard)" : "", name);
	if (!told)
		note(f, "%s: why it is latched: sluicectl decisions --migration %s",
			name, name);
}

static bool is_relative(const struct json *guard)
{
	const char *name = json_text(guard, "name", "");

	return strcmp(name, "error_ratio") == 0 || strcmp(name, "p95_ratio") == 0;
}

/* The guard whose proof is farthest away; NULL: all have it. At 100 % legacy has
 * nothing to compare with, and the relative ones are not asked (GUARD 9). */
static const struct json *slowest_guard(const struct json *m)
{
	const struct json *all = json_get(json_get(m, "guard"), "guards");
	bool alone = json_number(m, "weight_percent", 0) >= 100;
	const struct json *slowest = NULL;

	for (size_t i = 0; i < json_count(all); i++) {
		const struct json *g = json_at(all, i);

		if (strcmp(json_text(g, "mode", ""), "enforce") == 0 &&
			!(alone && is_relative(g)) &&
			json_int(g, "needs", 0) > json_int(slowest, "needs", 0))
			slowest = g;
	}
	return slowest;
}

/* A step whose hold is over and that nothing holds waits for proof: for how much. */
static void proof_note(const char *name, const struct json *m, FILE *f)
{
	const struct json *g = slowest_guard(m);
	long long elapsed_ms = json_int(m, "step_elapsed_ms", 0);
	double rps = json_number(json_get(json_get(m, "pools"), "new"), "rps", 0);
	double counting = fmin(rps, json_number(g, "cap_rps", rps));
	long long needs = json_int(g, "needs", 0);
	char at_this_rate[64] = "";

	if (elapsed_ms < json_int(m, "step_hold_ms", 0) || g == NULL)
		return;
	if (counting > 0)
		(void)snprintf(at_this_rate, sizeof(at_this_rate),
			", some %.0f s at this rate", ceil((double)needs / counting));
	note(f,
		"%s does not advance: after %lld s in its step %s needs about %lld "
		"more good requests%s",
		name, elapsed_ms / 1000, json_text(g, "name", ""), needs, at_this_rate);
}

static void plan_notes(const char *name, const struct json *m, FILE *f)
{
	const char *held = json_text(m, "held_text", NULL);

	if (strcmp(json_text(m, "phase", ""), "running") == 0) {
		if (held != NULL)
			note(f, "%s does not advance: %s", name, held);
		else
			proof_note(name, m, f);
	}
	if (json_bool(m, "plan_pending", false))
		note(f,
			"%s: the file's plan is not the one that runs; abort and start "
			"take the new one",
			name);
}

/* ERRORS are of attempts: whether anybody saw them is another question. */
static void user_notes(const char *name, const struct json *m, FILE *f)
{
	const struct json *pools = json_get(m, "pools");
	long long legacy = json_int(json_get(pools, "legacy"), "user_errors", 0);
	long long new_ = json_int(json_get(pools, "new"), "user_errors", 0);
	long long rescued = json_int(m, "rescued", 0);
	long long window_s = (json_int(m, "window_ms", 0) + 500) / 1000;

	if (legacy + new_ > 0)
		note(f,
			"%s: users saw %lld errors of new and %lld of legacy in the "
			"last %lld s; legacy rescued %lld requests of new",
			name, new_, legacy, window_s, rescued);
	else if (rescued > 0)
		note(f,
			"%s: no user saw an error in the last %lld s; legacy rescued "
			"%lld requests of new",
			name, window_s, rescued);
}

static long long tunnels_of(const struct json *m, const char *side)
{
	const struct json *pool = json_get(json_get(m, "pools"), side);

	return json_int(json_get(pool, "tunnels"), "open", 0);
}

static void tunnel_notes(const char *name, const struct json *m, FILE *f)
{
	long long legacy = tunnels_of(m, "legacy"), new_ = tunnels_of(m, "new");

	if (new_ > 0 && json_bool(m, "latched", false))
		note(f,
			"%s: %lld tunnels (WebSocket) to new are still open; sluicectl "
			"cutback %s --hard closes them",
			name, new_, name);
	else if (legacy + new_ > 0)
		note(f, "%s: %lld tunnels (WebSocket) to legacy, %lld to new", name,
			legacy, new_);
}

void ctl_migration_notes(const struct json *m, FILE *f)
{
	const char *name = json_text(m, "name", "");
	double weight = json_number(m, "weight_percent", 0);
	double effective = json_number(m, "effective_percent", weight);

	if (json_bool(m, "latched", false))
		latch_note(name, m, f);
	else if (fabs(effective - weight) > 0.00005)
		note(f, "%s: %g %% in effect, not %g %%", name, effective, weight);
	plan_notes(name, m, f);
	user_notes(name, m, f);
	guard_notes(name, json_get(m, "guard"), f);
	tunnel_notes(name, m, f);
	server_notes(json_get(json_get(m, "pools"), "legacy"), f);
	server_notes(json_get(json_get(m, "pools"), "new"), f);
}

void ctl_notes(const struct json *status, FILE *f)
{
	process_notes(json_get(status, "process"), f);
	journal_notes(json_get(status, "journal"), f);
}
