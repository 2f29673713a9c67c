/*
 * Compares the state of an engine with what a vector expects, field by field, and says
 * which is the first that differs. A field that is missing differs.
 */
#include "vectors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double tolerance = 1e-9;

static bool is_near(double want, double got)
{
	return fabs(want - got) <= tolerance * fmax(1.0, fabs(want));
}

static int same_real(const struct json *o, const char *key, double got, struct err *err)
{
	double want = json_number(o, key, NAN);

	if (is_near(want, got))
		return 0;
	return err_set(
		err, ERR_FORMAT, "%s: expected %.17g, got %.17g", key, want, got);
}

static int same_int(const struct json *o, const char *key, int64_t got, struct err *err)
{
	double want = json_number(o, key, NAN);

	if (want == (double)got)
		return 0;
	return err_set(err, ERR_FORMAT, "%s: expected %.17g, got %lld", key, want,
		(long long)got);
}

static int same_text(
	const struct json *o, const char *key, const char *got, struct err *err)
{
	const char *want = json_text(o, key, "nothing");

	if (strcmp(want, got) == 0)
		return 0;
	return err_set(
		err, ERR_FORMAT, "%s: expected \"%s\", got \"%s\"", key, want, got);
}

static int same_bool(const struct json *o, const char *key, bool got, struct err *err)
{
	if (json_bool(o, key, !got) == got)
		return 0;
	return err_set(err, ERR_FORMAT, "%s: expected %s", key, got ? "false" : "true");
}

static int same_length(
	const struct json *o, const char *key, size_t got, struct err *err)
{
	size_t want = json_count(json_get(o, key));

	if (want == got)
		return 0;
	return err_set(
		err, ERR_FORMAT, "%s: expected %zu values, got %zu", key, want, got);
}

static int same_reals(const struct json *o, const char *key, const double *got,
	size_t n, struct err *err)
{
	if (same_length(o, key, n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		double want = json_number_at(json_get(o, key), i);

		if (!is_near(want, got[i]))
			return err_set(err, ERR_FORMAT,
				"%s[%zu]: expected %.17g, got %.17g", key, i, want,
				got[i]);
	}
	return 0;
}

static int same_ints(const struct json *o, const char *key, const int64_t *got,
	size_t n, struct err *err)
{
	if (same_length(o, key, n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		double want = json_number_at(json_get(o, key), i);

		if (want != (double)got[i])
			return err_set(err, ERR_FORMAT,
				"%s[%zu]: expected %.17g, got %lld", key, i, want,
				(long long)got[i]);
	}
	return 0;
}

static int same_guard(const struct json *want, const struct guard *g, struct err *err)
{
	if (same_reals(want, "S", g->s, GUARD_HARM_BANK, err) != 0 ||
		same_ints(want, "age_ms", g->age_ms, GUARD_HARM_BANK, err) != 0 ||
		same_ints(want, "bad", g->bad, GUARD_HARM_BANK, err) != 0 ||
		same_ints(want, "n", g->n, GUARD_HARM_BANK, err) != 0 ||
		same_ints(want, "bin", g->bin, 5, err) != 0)
		return -1;
	if (same_real(want, "evidence", guard_evidence(g), err) != 0 ||
		same_real(want, "promo_log", guard_promote_log(g), err) != 0 ||
		same_real(want, "promo", guard_promote(g), err) != 0)
		return -1;
	if (same_bool(want, "proven", g->proven, err) != 0)
		return -1;
	return same_int(want, "n_need", (int64_t)guard_need(&g->p), err);
}

static int same_guards(const struct json *want, const struct engine *e, struct err *err)
{
	const struct json *guards = json_get(want, "guards");

	if (same_length(want, "guards", e->n_guards, err) != 0)
		return -1;
	for (unsigned i = 0; i < e->n_guards; i++) {
		if (same_guard(json_at(guards, i), &e->guard[i], err) != 0)
			return err_wrap(err, "guard %u", i);
	}
	return 0;
}

static int same_pivot(const struct json *want, const struct stage *t, struct err *err)
{
	if (!t->has_pivot)
		return 0;
	if (same_real(want, "pivot_ms", pivot_legacy_ms(&t->pivot), err) != 0)
		return -1;
	return same_real(want, "pivot_new_ms", pivot_new_ms(&t->pivot), err);
}

/* The names of the vectors, which are not those of code, API and journal. */
static const char *verdict_name(enum shift_verdict v)
{
	static const char *const names[] = {
		[VERDICT_HOLD] = "HOLD",
		[VERDICT_PASS] = "PROMOTE",
		[VERDICT_BREACH] = "REVERT",
		[VERDICT_INCONCLUSIVE] = "INCONCLUSIVE",
	};

	return names[v];
}

static void print_reason(const struct engine *e, char *out, size_t n)
{
	static const char *const formats[] = {
		[BECAUSE_NOTHING] = "",
		[BECAUSE_FLOOR] = "floor",
		[BECAUSE_GUARD] = "guard ",
		[BECAUSE_TOO_LITTLE_TRAFFIC] = "too little traffic: guard ",
		[BECAUSE_TOO_CLOSE] = "too close to threshold: guard ",
		[BECAUSE_NOT_SETTLED] = "evidence not settled",
	};
	const char *text = formats[e->reason];
	size_t length = strlen(text);

	if (length > 0 && text[length - 1] == ' ')
		snprintf(out, n, "%s%u", text, e->reason_guard);
	else
		snprintf(out, n, "%s", text);
}

static int same_change(const struct json *want, int64_t changed_at, struct err *err)
{
	if (!json_has(want, "changed_at_rep"))
		return err_set(err, ERR_FORMAT, "changed_at_rep: missing");
	if (json_number(want, "changed_at_rep", 0.0) == (double)changed_at)
		return 0;
	return err_set(err, ERR_FORMAT, "changed_at_rep: got %lld (0 for null)",
		(long long)changed_at);
}

int same_state(const struct json *want, const struct stage *t, int64_t changed_at,
	struct err *err)
{
	const struct engine *e = &t->engine;
	const int64_t run[] = { e->run, e->run_ticks };
	char reason[64];

	print_reason(e, reason, sizeof(reason));
	if (same_text(want, "verdict", verdict_name(e->verdict), err) != 0 ||
		same_text(want, "reason", reason, err) != 0 ||
		same_change(want, changed_at, err) != 0)
		return -1;
	if (same_ints(want, "run", run, 2, err) != 0 ||
		same_int(want, "elapsed_ms", e->elapsed_ms, err) != 0)
		return -1;
	if (same_guards(want, e, err) != 0)
		return -1;
	return same_pivot(want, t, err);
}
