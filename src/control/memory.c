/*
 * memory - a migration's state as JSON, the plan it runs by, and what a process that
 * starts makes of what it finds (S2, S6, S42).
 */
#include "sluice/control/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/json.h"
#include "sluice/base/units.h"

enum { VERSION = 1 };

/* --- JSON ---------------------------------------------------------------- */

static const char *const on_timeout_names[] = {
	[ON_TIMEOUT_HOLD] = "hold",
	[ON_TIMEOUT_ADVANCE] = "advance",
	[ON_TIMEOUT_REVERT] = "revert",
};

static struct json *step_json(const struct shift_step *s)
{
	struct json *j = json_new_array();

	json_add_int(j, s->new_ppm);
	json_add_int(j, s->hold_ms);
	json_add_int(j, s->timeout_ms);
	return j;
}

static struct json *plan_json(const struct shift_plan *p)
{
	struct json *j = json_new_object();
	struct json *steps = json_new_array();

	json_put_text(j, "on_timeout", on_timeout_names[p->on_timeout]);
	for (unsigned i = 0; i < p->n_steps; i++)
		json_add(steps, step_json(&p->step[i]));
	json_put(j, "steps", steps);
	return j;
}

struct json *memory_json(const struct memory *m)
{
	struct json *j = json_new_object();

	json_put_int(j, "version", VERSION);
	json_put_text(j, "phase", shift_phase_text(m->state.phase));
	json_put_int(j, "step", m->state.step);
	json_put_int(j, "person_ppm", m->state.person_ppm);
	json_put_int(j, "passed_ppm", m->state.passed_ppm);
	json_put_bool(j, "timed_out", m->state.timed_out);
	json_put(j, "plan", plan_json(&m->plan));
	json_put_int(j, "file_ppm", m->file_ppm);
	json_put_bool(j, "plan_seen", m->plan_seen);
	json_put_int(j, "run", m->run);
	json_put_bool(j, "hard", m->hard);
	json_put(j, "pools", roles_json(&m->roles));
	return j;
}

char *memory_print(const struct memory *m)
{
	struct json *j = memory_json(m);
	char *text = json_print(j);

	json_free(j);
	return text;
}

/* False when it is not 0..max. */
static bool take_number(uint32_t *out, int64_t value, uint32_t max)
{
	if (value < 0 || value > max)
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool take(uint32_t *out, const struct json *j, const char *key, uint32_t max)
{
	return take_number(out, json_int(j, key, -1), max);
}

static bool take_at(uint32_t *out, const struct json *j, size_t i, uint32_t max)
{
	double value = json_number_at(j, i);

	return value >= 0 && value <= max && take_number(out, (int64_t)value, max);
}

static bool read_step(struct shift_step *s, const struct json *j)
{
	return json_count(j) == 3 && take_at(&s->new_ppm, j, 0, PPM) &&
	       take_at(&s->hold_ms, j, 1, UINT32_MAX) &&
	       take_at(&s->timeout_ms, j, 2, UINT32_MAX);
}

static bool read_on_timeout(enum shift_on_timeout *out, const char *text)
{
	for (unsigned i = ON_TIMEOUT_HOLD; i <= ON_TIMEOUT_REVERT; i++) {
		if (strcmp(text, on_timeout_names[i]) == 0) {
			*out = (enum shift_on_timeout)i;
			return true;
		}
	}
	return false;
}

static bool read_plan(struct shift_plan *p, const struct json *j)
{
	const struct json *steps = json_get(j, "steps");
	size_t n = json_count(steps);

	if (n > SHIFT_MAX_STEPS ||
		!read_on_timeout(&p->on_timeout, json_text(j, "on_timeout", "")))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!read_step(&p->step[i], json_at(steps, i)))
			return false;
	}
	p->n_steps = (unsigned)n;
	return true;
}

static bool is_pinned(enum shift_phase p)
{
	return p == SHIFT_RUNNING || p == SHIFT_WAITING || p == SHIFT_PAUSED ||
	       p == SHIFT_DONE;
}

static bool read_state(struct shift_state *s, const struct json *j)
{
	s->timed_out = json_bool(j, "timed_out", false);
	return shift_phase_parse(json_text(j, "phase", ""), &s->phase) &&
	       take(&s->step, j, "step", SHIFT_MAX_STEPS - 1) &&
	       take(&s->person_ppm, j, "person_ppm", PPM) &&
	       take(&s->passed_ppm, j, "passed_ppm", PPM);
}

int memory_read(struct memory *m, const struct json *j, struct err *err)
{
	struct memory r = {
		.plan_seen = json_bool(j, "plan_seen", true),
		.hard = json_bool(j, "hard", false),
		.roles = roles_read(json_get(j, "pools")),
	};
	uint32_t version;

	if (!take(&version, j, "version", VERSION) || version != VERSION)
		return err_set(err, ERR_FORMAT, "state of another version");
	if (!read_state(&r.state, j) || !read_plan(&r.plan, json_get(j, "plan")))
		return err_set(err, ERR_FORMAT, "state or plan is damaged");
	if (!take(&r.file_ppm, j, "file_ppm", PPM) ||
		!take(&r.run, j, "run", UINT32_MAX))
		return err_set(err, ERR_FORMAT, "file_ppm or run is damaged");
	if (is_pinned(r.state.phase) && r.state.step >= r.plan.n_steps)
		return err_set(
			err, ERR_FORMAT, "the plan has no step %u", r.state.step);
	r.generation = m->generation;
	*m = r;
	return 0;
}

int memory_parse(struct memory *m, const char *text, struct err *err)
{
	struct json *j = json_parse(text, strlen(text), err);
	int rc = j ? memory_read(m, j, err) : -1;

	json_free(j);
	return rc;
}

/* --- the plan ------------------------------------------------------------ */

uint32_t memory_new_ppm(const struct memory *m)
{
	return shift_new_ppm(&m->state, &m->plan);
}

static enum live_latch latch_of(enum shift_phase p)
{
	if (p == SHIFT_REVERTED)
		return LIVE_REVERTED;
	return p == SHIFT_CUTBACK ? LIVE_CUTBACK : LIVE_OPEN;
}

struct live_value memory_live(const struct memory *m)
{
	return (struct live_value){
		.new_ppm = memory_new_ppm(m),
		.latch = latch_of(m->state.phase),
		.generation = m->generation,
	};
}

struct shift_plan memory_file_plan(const struct config_migration *c)
{
	static const enum shift_on_timeout on_timeout[] = {
		[CONFIG_TIMEOUT_HOLD] = ON_TIMEOUT_HOLD,
		[CONFIG_TIMEOUT_ADVANCE] = ON_TIMEOUT_ADVANCE,
		[CONFIG_TIMEOUT_REVERT] = ON_TIMEOUT_REVERT,
	};
	struct shift_plan p = { .on_timeout = on_timeout[c->plan.on_timeout] };

	assert(c->plan.n_steps <= SHIFT_MAX_STEPS);
	p.n_steps = (unsigned)c->plan.n_steps;
	for (unsigned i = 0; i < p.n_steps; i++) {
		const struct config_step *s = &c->plan.steps[i];

		p.step[i] = (struct shift_step){
			.new_ppm = s->new_ppm,
			.hold_ms = s->hold_ms,
			.timeout_ms = s->timeout_ms,
		};
	}
	return p;
}

static bool plans_equal(const struct shift_plan *a, const struct shift_plan *b)
{
	if (a->n_steps != b->n_steps || a->on_timeout != b->on_timeout)
		return false;
	for (unsigned i = 0; i < a->n_steps; i++) {
		const struct shift_step *s = &a->step[i], *t = &b->step[i];

		if (s->new_ppm != t->new_ppm || s->hold_ms != t->hold_ms ||
			s->timeout_ms != t->timeout_ms)
			return false;
	}
	return true;
}

bool memory_adopt_plan(struct memory *m, const struct shift_plan *file)
{
	if (is_pinned(m->state.phase))
		return !plans_equal(&m->plan, file);
	m->plan = *file;
	return false;
}

/* Without a plan a migration is manual at the file's weight; that nobody chose. */
bool memory_autostarts(struct memory *m, const struct config_migration *c)
{
	const struct shift_state *s = &m->state;
	bool first = c->plan.n_steps > 0 && !m->plan_seen;
	bool untouched = s->phase == SHIFT_IDLE ||
			 (s->phase == SHIFT_MANUAL && s->person_ppm == m->file_ppm);

	if (first)
		m->plan_seen = true;
	return first && untouched && c->plan.autostart;
}

/* --- at start (S2) ------------------------------------------------------- */

const char *memory_origin_text(enum memory_origin o)
{
	switch (o) {
	case ORIGIN_FIRST:
		return "first seen, the file's weight holds";
	case ORIGIN_KEPT:
		return "as it was";
	case ORIGIN_LIVE:
		return "the live file knew of a later change than the journal";
	case ORIGIN_DOUBT:
		return "journal and live file disagree, the lower weight holds";
	case ORIGIN_LOST:
		return "what was kept is lost, nothing goes to new until a person says "
		       "so";
	}
	return "";
}

static struct shift_state latched_state(enum live_latch latch)
{
	return (struct shift_state){
		.phase = latch == LIVE_REVERTED ? SHIFT_REVERTED : SHIFT_CUTBACK,
	};
}

/* A weight that nobody can explain: as if a person had set it, so no plan moves it. */
static struct shift_state unexplained(uint32_t ppm)
{
	return (struct shift_state){ .phase = SHIFT_MANUAL, .person_ppm = ppm };
}

static struct shift_state live_state(struct live_value v)
{
	return v.latch != LIVE_OPEN ? latched_state(v.latch) : unexplained(v.new_ppm);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static enum memory_origin start_lost(struct memory *m, const struct memory_found *f)
{
	bool kept_latched = f->kept && shift_is_latched(f->kept->state.phase);

	if (f->live.generation > 0 && f->live.latch != LIVE_OPEN)
		m->state = latched_state(f->live.latch);
	else if (!kept_latched)
		m->state = unexplained(0);
	m->plan_seen = true;
	m->generation = later(f->live.generation, m->generation) + 1;
	return ORIGIN_LOST;
}

static enum memory_origin start_first(
	struct memory *m, const struct config_migration *c)
{
	m->state = shift_first(&m->plan, c->new_ppm);
	m->generation = 1;
	return ORIGIN_FIRST;
}

/* The state of a later change is not known, only what it did: a plan that was walking
 * may have been paused, so it walks no more; a latch that is open was cleared. */
static enum memory_origin start_live(struct memory *m, struct live_value live)
{
	const enum shift_phase p = m->state.phase;
	bool moved = live.new_ppm != memory_new_ppm(m) || live.latch != latch_of(p);
	bool walking = p == SHIFT_RUNNING || p == SHIFT_WAITING;

	if (shift_is_latched(p) && live.latch == LIVE_OPEN && live.new_ppm == 0)
		m->state = (struct shift_state){ .phase = SHIFT_IDLE };
	else if (moved || walking)
		m->state = live_state(live);
	m->generation = live.generation;
	return ORIGIN_LIVE;
}

static enum memory_origin start_both(struct memory *m, struct live_value live)
{
	struct live_value kept = memory_live(m);

	if (live.generation > kept.generation)
		return start_live(m, live);
	if (live.generation < kept.generation)
		return ORIGIN_KEPT;
	if (live.new_ppm == kept.new_ppm && live.latch == kept.latch)
		return ORIGIN_KEPT;
	if (kept.latch == LIVE_OPEN &&
		(live.latch != LIVE_OPEN || live.new_ppm < kept.new_ppm))
		m->state = live_state(live);
	m->generation++;
	return ORIGIN_DOUBT;
}

/* The journal has no row of it: a crash before its first commit. */
static enum memory_origin start_live_only(
	struct memory *m, struct live_value live, const struct config_migration *c)
{
	if (live.latch == LIVE_OPEN && live.new_ppm > c->new_ppm)
		live.new_ppm = c->new_ppm;
	m->state = live_state(live);
	m->plan_seen = true; /* by whoever made the word */
	m->generation = live.generation + 1;
	return ORIGIN_LIVE;
}

enum memory_origin memory_at_start(struct memory *out, const struct memory_found *f,
	const struct config_migration *c)
{
	const struct shift_plan file = memory_file_plan(c);
	struct memory m = { .file_ppm = c->new_ppm, .plan = file };
	enum memory_origin origin;

	if (f->kept)
		m = *f->kept;
	if (f->lost)
		origin = start_lost(&m, f);
	else if (f->kept && f->live.generation > 0)
		origin = start_both(&m, f->live);
	else if (f->kept)
		origin = ORIGIN_KEPT;
	else if (f->live.generation > 0)
		origin = start_live_only(&m, f->live, c);
	else
		origin = start_first(&m, c);
	(void)memory_adopt_plan(&m, &file);
	*out = m;
	return origin;
}
