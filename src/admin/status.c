/*
 * /v1/status: what sluice does right now, as one JSON object. Gathered one migration
 * at a time, anew when a reload comes in between, so that an answer never mixes two
 * configurations.
 */
#include <stdlib.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/base/json.h"
#include "sluice/base/mem.h"

#include "admin_priv.h"

struct status {
	struct body_source source;
	struct cursor cursor;
	struct text text;
	size_t next;
};

static void put_time(struct json *j, const char *key, uint64_t wall_us)
{
	char when[CLOCK_TEXT_SIZE];

	clock_text(wall_us, when);
	json_put_text(j, key, wall_us == 0 ? NULL : when);
}

static struct json *process_json(const struct admin_process *p)
{
	struct json *j = json_new_object();
	uint64_t now_us = clock_wall_us();
	bool sane = p->started_us != 0 && p->started_us < now_us;

	json_put_text(j, "version", SLUICE_VERSION);
	json_put_int(j, "pid", getpid());
	json_put_bool(j, "ready", p->ready);
	json_put_bool(j, "draining", p->draining);
	json_put_bool(j, "running_is_file", p->running_is_file);
	json_put_text(j, "reload_error", p->reload_error);
	json_put_text(j, "config_file", p->config_file);
	json_put_text(j, "config_hash", p->config_hash);
	put_time(j, "started", p->started_us);
	json_put_int(j, "uptime_s",
		sane ? (int64_t)((now_us - p->started_us) / 1000000) : 0);
	json_put_int(j, "workers", p->workers);
	json_put_int(j, "loop_lag_us", (int64_t)p->loop_lag_us);
	return j;
}

static const char *forward_text(enum journal_forward f)
{
	switch (f) {
	case JOURNAL_NO_FORWARD:
		return "none";
	case JOURNAL_CONNECTED:
		return "connected";
	case JOURNAL_AWAY:
		return "away";
	}
	return "none";
}

static struct json *journal_json(const struct journal_status *s)
{
	struct json *j = json_new_object();

	json_put_text(j, "forward", forward_text(s->forward));
	json_put_bool(j, "failing", s->failing);
	json_put_int(j, "committed", (int64_t)s->committed);
	json_put_int(j, "waiting", (int64_t)s->waiting);
	json_put_int(j, "dropped_samples", (int64_t)s->dropped);
	put_time(j, "away_since", s->away_since_us);
	json_put_text(j, "trouble", s->trouble);
	return j;
}

static void start(struct status *s)
{
	struct admin_process p = { .ready = false };
	struct json *process, *journal;

	s->cursor.ops->process(s->cursor.ops->arg, &p);
	process = process_json(&p);
	journal = journal_json(&p.journal);
	text_put(&s->text, "{\"process\":");
	text_take_json(&s->text, &process);
	text_put(&s->text, ",\"journal\":");
	text_take_json(&s->text, &journal);
	text_put(&s->text, ",\"migrations\":[");
}

static void add_migration(struct status *s)
{
	struct admin_migration m = { .config = NULL };

	s->cursor.ops->migration(s->cursor.ops->arg, s->next, &m);

	struct json *j = status_migration(&m);
	text_put(&s->text, s->next == 0 ? "" : ",");
	text_take_json(&s->text, &j);
	s->next++;
}

/* What was gathered goes out as it is, without a copy. */
static void hand_over(struct status *s, struct text *out)
{
	text_put(&s->text, "]}\n");
	if (out->n > 0) {
		text_add(out, s->text.p, s->text.n);
		return;
	}
	text_fini(out);
	*out = s->text;
	s->text = (struct text){ .p = NULL };
}

static bool status_make(struct body_source *source, struct text *out)
{
	struct status *s = (struct status *)(void *)source;

	if (cursor_moved(&s->cursor))
		s->next = s->text.n = 0;
	if (s->text.n == 0)
		start(s);
	if (s->next < s->cursor.migrations)
		add_migration(s);
	if (s->next < s->cursor.migrations)
		return true;
	hand_over(s, out);
	return false;
}

static void status_free(struct body_source *source)
{
	struct status *s = (struct status *)(void *)source;

	text_fini(&s->text);
	free(s);
}

struct body_source *status_source(const struct api *api)
{
	struct status *s = mem_zero(sizeof(*s));

	s->source = (struct body_source){ .make = status_make, .free = status_free };
	cursor_init(&s->cursor, &api->ops);
	return &s->source;
}
