#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <sqlite3.h>

#include "sluice/base/clock.h"

enum { PATIENCE_MS = 60000, LOOK_MS = 2 };

struct scene scene;

static struct rows answer;
static bool answered;

static void on_committed(void *arg, uint64_t seq)
{
	(void)arg;
	scene.committed = seq;
	scene.acknowledged++;
}

static void on_status(void *arg, const struct journal_status *s)
{
	(void)arg;
	scene.status = *s;
	scene.statuses++;
}

void scene_begin(void)
{
	memset(&scene, 0, sizeof(scene));
	(void)snprintf(scene.dir, sizeof(scene.dir), "/tmp/sluice-journal-XXXXXX");
	cr_assert_not_null(mkdtemp(scene.dir));
	(void)snprintf(scene.path, sizeof(scene.path), "%s/journal.db", scene.dir);
	scene.loop = net_loop_new(0);
}

void scene_end(void)
{
	char command[128];

	scene_close();
	net_loop_free(scene.loop);
	(void)snprintf(command, sizeof(command), "rm -rf %s", scene.dir);
	cr_assert_eq(system(command), 0);
}

int scene_try_open(const char *postgres)
{
	struct config_journal c = { .path = scene.path,
		.postgres = (char *)(uintptr_t)postgres };
	struct journal_owner owner = {
		.loop = scene.loop, .on_committed = on_committed, .on_status = on_status
	};

	return journal_open(&scene.j, &c, &owner, &scene.found, &scene.lost);
}

void scene_open(const char *postgres)
{
	cr_assert_eq(scene_try_open(postgres), 0, "%s", scene.lost.text);
	cr_assert_eq(journal_start(scene.j, NULL), 0);
}

void scene_close(void)
{
	journal_close(scene.j, 5000);
	scene.j = NULL;
	scene.appended = scene.committed = 0;
	scene.acknowledged = 0;
}

static bool (*is_done)(void);
static uint64_t give_up_ms;

static void on_look(void *arg)
{
	(void)arg;
	if (is_done() || clock_mono_ms() > give_up_ms)
		net_loop_stop(scene.loop);
}

void scene_until(bool (*done)(void))
{
	struct net_ticker *t =
		net_ticker_new(scene.loop, LOOK_MS, NET_NORMAL, on_look, NULL);

	is_done = done;
	give_up_ms = clock_mono_ms() + PATIENCE_MS;
	net_loop_run(scene.loop);
	net_ticker_free(t);
	cr_assert(done(), "waited in vain; trouble: %s", scene_look().trouble);
}

static uint64_t wanted;

static bool is_committed(void)
{
	return scene.committed >= wanted;
}

void scene_until_committed(uint64_t seq)
{
	wanted = seq;
	scene_until(is_committed);
}

void scene_until_all_committed(void)
{
	scene_until_committed(scene.appended);
}

struct journal_status scene_look(void)
{
	struct journal_status s = { .failing = false };

	if (scene.j != NULL)
		journal_get_status(scene.j, &s);
	return s;
}

static bool is_waiting(void)
{
	return scene_look().waiting == wanted;
}

void scene_until_waiting_is(uint64_t rows)
{
	wanted = rows;
	scene_until(is_waiting);
}

static bool is_forward(void)
{
	return scene_look().forward == (enum journal_forward)wanted &&
	       scene.status.forward == (enum journal_forward)wanted;
}

void scene_until_forward_is(enum journal_forward f)
{
	wanted = f;
	scene_until(is_forward);
}

static const char *wanted_trouble;

static bool has_trouble(void)
{
	return strstr(scene_look().trouble, wanted_trouble) != NULL;
}

void scene_until_trouble_tells(const char *text)
{
	wanted_trouble = text;
	scene_until(has_trouble);
}

struct decision scene_decision(const char *migration, const char *action)
{
	return (struct decision){ .migration = migration,
		.action = action,
		.phase_from = "running",
		.phase_to = "running",
		.from_ppm = 50000,
		.to_ppm = 250000,
		.actor = "plan",
		.reason = "held and passed",
		.evidence_json = "{\"first_bad_us\":1700000000123456,\"n\":7}",
		.config_hash = "0123abcd",
		.generation = 42 };
}

uint64_t scene_put(const struct decision *d)
{
	return scene.appended = journal_append(scene.j, d, NULL, 0);
}

uint64_t scene_append(const char *migration, const char *action)
{
	struct decision d = scene_decision(migration, action);

	return scene_put(&d);
}

void scene_append_many(const char *migration, unsigned n)
{
	char reason[32];

	for (unsigned i = 1; i <= n; i++) {
		struct decision d = scene_decision(migration, "advance");

		(void)snprintf(reason, sizeof(reason), "number %u", i);
		d.reason = reason;
		d.generation = i;
		(void)scene_put(&d);
	}
}

void scene_sample(const char *migration)
{
	struct journal_sample s = { .interval_ms = 10000,
		.new_ppm = 250000,
		.legacy = { .requests = 300,
			.attempts = 301,
			.errors = 1,
			.p95_us = 900 },
		.new_ = { .requests = 100,
			.attempts = 100,
			.errors = 2,
			.p95_us = 800 },
		.spilled = 3,
		.rescued = 2,
		.evidence = 0.25 };

	(void)snprintf(s.migration, sizeof(s.migration), "%s", migration);
	journal_sample(scene.j, &s);
}

uint64_t scene_append_with_state(
	const char *migration, uint64_t generation, const char *json)
{
	struct decision d = scene_decision(migration, "advance");
	struct journal_state s = { .generation = generation, .json = json };

	(void)snprintf(s.migration, sizeof(s.migration), "%s", migration);
	return scene.appended = journal_append(scene.j, &d, &s, 1);
}

static void keep_text(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from != NULL ? from : "");
}

static void on_rows(
	void *arg, const struct decision *rows, size_t n, const struct err *err)
{
	(void)arg;
	answered = true;
	answer.failed = err != NULL;
	for (answer.n = 0; answer.n < n; answer.n++) {
		struct row *to = &answer.row[answer.n];
		const struct decision *d = &rows[answer.n];

		keep_text(to->migration, sizeof(to->migration), d->migration);
		keep_text(to->action, sizeof(to->action), d->action);
		keep_text(to->reason, sizeof(to->reason), d->reason);
		keep_text(to->actor, sizeof(to->actor), d->actor);
		keep_text(to->evidence, sizeof(to->evidence), d->evidence_json);
		keep_text(to->id, sizeof(to->id), d->id);
		to->generation = d->generation;
	}
}

static bool is_answered(void)
{
	return answered;
}

const struct rows *scene_ask(const char *migration, uint64_t since_us, unsigned limit)
{
	struct journal_query q = { .since_us = since_us, .limit = limit };

	(void)snprintf(q.migration, sizeof(q.migration), "%s", migration);
	answered = false;
	journal_ask(scene.j, &q, on_rows, NULL);
	scene_until(is_answered);
	return &answer;
}

long long scene_sql(const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	long long value = -1;

	if (sqlite3_open_v2(scene.path, &db, SQLITE_OPEN_READWRITE, NULL) ==
			SQLITE_OK &&
		sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK) {
		int r = sqlite3_step(st);

		value = r == SQLITE_ROW    ? sqlite3_column_int64(st, 0)
			: r == SQLITE_DONE ? 0
					   : -1;
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return value;
}
