/*
 * Plays the golden vectors of docs/guard.md through the engine and compares its
 * whole state after each item.
 *
 * The file is the one kept beside this source, or the one that GUARD_VECTORS names. A
 * line for each case, then a summary; exit status 1 on any difference, and on a file
 * that cannot be read or is no vectors file. A case stops at its first difference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/err.h"
#include "sluice/base/json.h"
#include "sluice/base/mem.h"
#include "sluice/shift.h"

#include "vectors.h"

static const double exact = 9007199254740992.0; /* 2^53 */

enum { MAX_FILE_BYTES = 256 << 20 };

/* --- reading ------------------------------------------------------------------ */

static int64_t whole(double x)
{
	if (x != x)
		return 0;
	return (int64_t)(x > exact ? exact : x < -exact ? -exact : x);
}

static int read_u32(
	const struct json *o, const char *key, uint32_t *value, struct err *err)
{
	double x = json_number(o, key, *value);

	if (!(x >= 0.0 && x <= UINT32_MAX))
		return err_set(err, ERR_FORMAT, "%s: %g is out of range", key, x);
	*value = (uint32_t)x;
	return 0;
}

static int read_guard(const struct json *o, struct guard_params *p, struct err *err)
{
	const char *type = json_text(o, "type", "abs");

	*p = guard_defaults();
	if (o == NULL || (strcmp(type, "abs") != 0 && strcmp(type, "rel") != 0))
		return err_set(err, ERR_FORMAT, "guard: no such type: %s", type);
	p->relative = strcmp(type, "rel") == 0;
	p->p0 = json_number(o, "p0", p->p0);
	p->rho = json_number(o, "rho", p->rho);
	p->p_min = json_number(o, "p_min", p->p_min);
	p->h = json_number(o, "h", p->h);
	p->cap_rps = json_number(o, "cap_rps", p->cap_rps);
	p->alpha_promote = json_number(o, "alpha_promote", p->alpha_promote);
	if (read_u32(o, "dwell_ms", &p->dwell_ms, err) != 0 ||
		read_u32(o, "min_bad", &p->min_bad, err) != 0 ||
		read_u32(o, "bin_min", &p->bin_min, err) != 0)
		return -1;

	const char *bad = guard_check(p);

	return bad == NULL ? 0
			   : err_set(err, ERR_FORMAT, "guard: %s out of range", bad);
}

static int read_engine(const struct json *o, struct engine_params *p, struct err *err)
{
	*p = engine_defaults();
	p->settle = json_number(o, "settle", p->settle);
	if (read_u32(o, "min_hold_ms", &p->min_hold_ms, err) != 0 ||
		read_u32(o, "max_hold_ms", &p->max_hold_ms, err) != 0 ||
		read_u32(o, "floor_fails", &p->floor_fails, err) != 0 ||
		read_u32(o, "floor_ticks", &p->floor_ticks, err) != 0)
		return err_wrap(err, "engine");
	return 0;
}

static int read_pivot(const struct json *spec, struct stage *t, struct err *err)
{
	const struct json *o = json_get(spec, "pivot");
	int64_t guard = json_int(spec, "pivot_guard", -1);

	t->has_pivot = o != NULL;
	if (o == NULL)
		return 0;
	if (guard < 0 || guard >= t->engine.n_guards)
		return err_set(err, ERR_FORMAT, "pivot_guard: no such guard");
	t->pivot_guard = (unsigned)guard;
	pivot_init(&t->pivot, json_number(o, "q0_ms", 400.0),
		json_number(o, "quantile", 0.95), json_number(o, "rho_lat", 1.25),
		json_number(o, "t_min_ms", 20.0));
	return 0;
}

static int set_stage(const struct json *spec, struct stage *t, struct err *err)
{
	const struct json *guards = json_get(spec, "guards");
	struct guard_params params[GUARD_MAX];
	struct engine_params engine;
	size_t n = json_count(guards);

	if (guards == NULL || n > GUARD_MAX)
		return err_set(
			err, ERR_FORMAT, "guards: expected at most %d", GUARD_MAX);
	for (size_t i = 0; i < n; i++) {
		if (read_guard(json_at(guards, i), &params[i], err) != 0)
			return -1;
	}
	if (read_engine(json_get(spec, "engine"), &engine, err) != 0)
		return -1;
	engine_init(&t->engine, &engine, params, (unsigned)n);
	return read_pivot(spec, t, err);
}

/* --- playing ------------------------------------------------------------------ */

static int play_event(const struct json *item, struct stage *t, struct err *err)
{
	const char *event = json_text(item, "event", "");
	int64_t guard = json_int(item, "guard", -1);
	struct guard_params p;

	if (strcmp(event, "start") == 0) {
		engine_start(&t->engine);
		return 0;
	}
	if (strcmp(event, "step") == 0) {
		engine_step(&t->engine);
		return 0;
	}
	if (strcmp(event, "config") != 0)
		return err_set(err, ERR_FORMAT, "no such event: %s", event);
	if (guard < 0 || guard >= t->engine.n_guards)
		return err_set(err, ERR_FORMAT, "config: no such guard");
	if (read_guard(json_get(item, "config"), &p, err) != 0)
		return -1;
	engine_config(&t->engine, (unsigned)guard, &p);
	return 0;
}

static int read_counts(const struct json *item, unsigned n_guards,
	struct guard_counts *counts, struct err *err)
{
	const struct json *rows = json_get(item, "counts");

	if (json_count(rows) != n_guards)
		return err_set(err, ERR_FORMAT, "counts: one row a guard expected");
	for (unsigned i = 0; i < n_guards; i++) {
		const struct json *row = json_at(rows, i);

		if (json_count(row) != 4)
			return err_set(err, ERR_FORMAT, "counts: a row has 4 numbers");
		counts[i] = (struct guard_counts){
			.n1 = whole(json_number_at(row, 0)),
			.k1 = whole(json_number_at(row, 1)),
			.n0 = whole(json_number_at(row, 2)),
			.k0 = whole(json_number_at(row, 3)),
		};
	}
	return 0;
}

/* Leaves in changed_at the repetition at which the verdict first differed, or 0. */
static int play_ticks(
	const struct json *item, struct stage *t, int64_t *changed_at, struct err *err)
{
	struct guard_counts counts[GUARD_MAX] = { { 0 } };
	const struct json *conn = json_get(item, "conn");
	int64_t ok = conn == NULL ? 1 : whole(json_number_at(conn, 0));
	int64_t failed = conn == NULL ? 0 : whole(json_number_at(conn, 1));
	int64_t dt_ms = whole(json_number(item, "dt_ms", 100.0));
	int64_t rep = json_int(item, "rep", 1);

	if (read_counts(item, t->engine.n_guards, counts, err) != 0)
		return -1;
	for (int64_t i = 1; i <= rep; i++) {
		enum shift_verdict was = t->engine.verdict;

		engine_tick(&t->engine, dt_ms, ok, failed, counts);
		if (*changed_at == 0 && t->engine.verdict != was)
			*changed_at = i;
		if (t->has_pivot)
			pivot_tick(&t->pivot, counts[t->pivot_guard].n0,
				counts[t->pivot_guard].k0);
	}
	return 0;
}

static int play_item(
	const struct json *item, struct stage *t, int64_t *changed_at, struct err *err)
{
	bool has_event = json_has(item, "event");

	if (!has_event && !json_has(item, "counts"))
		return err_set(err, ERR_FORMAT, "neither event nor counts");
	if (has_event && play_event(item, t, err) != 0)
		return -1;
	if (!json_has(item, "counts"))
		return 0;
	return play_ticks(item, t, changed_at, err);
}

/* --- cases -------------------------------------------------------------------- */

static int play_case(const struct json *spec, struct err *err)
{
	const struct json *input = json_get(spec, "input");
	const struct json *expect = json_get(spec, "expect");
	struct stage stage = { 0 };

	if (set_stage(spec, &stage, err) != 0)
		return -1;
	if (input == NULL || json_count(input) != json_count(expect))
		return err_set(err, ERR_FORMAT, "one expect for each input expected");
	for (size_t i = 0; i < json_count(input); i++) {
		int64_t changed_at = 0;

		if (play_item(json_at(input, i), &stage, &changed_at, err) != 0 ||
			same_state(json_at(expect, i), &stage, changed_at, err) != 0)
			return err_wrap(err, "item %zu", i);
	}
	return 0;
}

static int play_all(const struct json *cases)
{
	size_t passed = 0, failed = 0;

	for (size_t i = 0; i < json_count(cases); i++) {
		const struct json *spec = json_at(cases, i);
		const char *name = json_text(spec, "name", "(no name)");
		struct err err = { 0 };

		if (play_case(spec, &err) == 0) {
			printf("ok %s\n", name);
			passed++;
		} else {
			printf("FAILED %s: %s\n", name, err.text);
			failed++;
		}
	}
	printf("%zu passed, %zu failed\n", passed, failed);
	return failed == 0 && passed > 0 ? 0 : 1;
}

static struct json *read_file(const char *path, struct err *err)
{
	FILE *f = fopen(path, "rb");
	size_t n = 0, size = 0, got = 1;
	char *text = NULL;

	if (f == NULL) {
		err_errno(err, "cannot read");
		return NULL;
	}
	while (got > 0 && n < MAX_FILE_BYTES) {
		if (size - n < 65536)
			text = mem_grow(text, size = 2 * size + 65536);
		got = fread(text + n, 1, size - n, f);
		n += got;
	}

	struct json *j = ferror(f) == 0 ? json_parse(text, n, err) : NULL;

	if (ferror(f) != 0)
		err_errno(err, "cannot read");
	fclose(f);
	free(text);
	return j;
}

static int play_file(const char *path, struct err *err)
{
	struct json *file = read_file(path, err);
	const struct json *cases = file == NULL ? NULL : json_get(file, "cases");
	int status = 1;

	if (file == NULL || json_int(file, "format", 1) != 1 || json_count(cases) == 0)
		err_wrap(err, "%s: no vectors of format 1", path);
	else
		status = play_all(cases);
	json_free(file);
	return status;
}

int main(void)
{
	const char *named = getenv("GUARD_VECTORS");
	struct err err = { 0 };
	int status = play_file(named != NULL ? named : KEPT_VECTORS, &err);

	if (err.text[0] != '\0')
		printf("FAILED %s\n0 passed, 1 failed\n", err.text);
	return status;
}
