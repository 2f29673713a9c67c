/*
 * The journal between three threads: control appends, asks and reloads, the
 * journal's own commits and forwards (to the PostgreSQL of the first argument, else
 * to a port where nobody is), and a third reads the status as a data thread may.
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/base/log.h"
#include "sluice/journal.h"
#include "sluice/net/loop.h"

enum { ROUNDS = 200, A_ROUND = 10, PATIENCE_MS = 60000 };

static char nowhere[] = "host=127.0.0.1 port=1 dbname=sluice user=sluice";
static char *server = nowhere;
static char none[] = "";

struct story {
	struct net_loop *loop;
	struct journal *j;
	struct config_journal config;
	unsigned rounds;
	size_t answered, asked;
	uint64_t committed, appended;
	uint64_t give_up_ms;
	_Atomic bool over;
	_Atomic unsigned signals_seen;
};

static struct story story;

static void on_signal(int number)
{
	(void)number;
	atomic_fetch_add(&story.signals_seen, 1);
}

static void on_committed(void *arg, uint64_t seq)
{
	(void)arg;
	assert(seq > story.committed && seq <= story.appended);
	story.committed = seq;
}

static void on_status(void *arg, const struct journal_status *s)
{
	(void)arg;
	assert(!s->failing);
}

static void on_rows(
	void *arg, const struct decision *rows, size_t n, const struct err *err)
{
	(void)arg;
	assert(err == NULL);
	assert(n == 0 || strcmp(rows[0].action, "advance") == 0);
	story.answered++;
}

static void append_some(void)
{
	const struct decision d = { .migration = "checkout",
		.action = "advance",
		.phase_from = "running",
		.phase_to = "running",
		.actor = "plan",
		.reason = "held and passed",
		.evidence_json = "{\"n\":1}",
		.config_hash = "00" };
	const struct journal_state s = { .migration = "checkout", .json = "{}" };
	const struct journal_sample m = { .migration = "checkout" };

	for (int i = 0; i < A_ROUND; i++) {
		story.appended = journal_append(story.j, &d, &s, 1);
		journal_sample(story.j, &m);
	}
}

static void reload(void)
{
	story.config.postgres = story.rounds % 2 == 0 ? server : none;
	journal_configure(story.j, &story.config);
}

static void on_tick(void *arg)
{
	const struct journal_query q = { .limit = 5 };

	(void)arg;
	assert(clock_mono_ms() < story.give_up_ms);
	if (story.rounds < ROUNDS) {
		story.rounds++;
		append_some();
		journal_ask(story.j, &q, on_rows, NULL);
		story.asked++;
		if (story.rounds % 20 == 0)
			reload();
	} else if (story.committed == story.appended && story.answered == story.asked) {
		net_loop_stop(story.loop);
	}
}

static void *read_status(void *arg)
{
	struct journal_status s;

	(void)arg;
	while (!atomic_load(&story.over)) {
		journal_get_status(story.j, &s);
		assert(s.trouble[sizeof(s.trouble) - 1] == '\0');
		(void)kill(getpid(), SIGUSR1);
		(void)usleep(1000);
	}
	return NULL;
}

static int use_server(char *conninfo)
{
	struct err err;
	int from, to;

	server = conninfo;
	if (journal_migrate(conninfo, &from, &to, &err) == 0)
		return 0;
	(void)fprintf(stderr, "%s\n", err.text);
	return -1;
}

int main(int argc, char **argv)
{
	struct journal_owner owner = { .on_committed = on_committed,
		.on_status = on_status };
	char dir[] = "/tmp/sluice-threads-XXXXXX", path[64], command[64];
	enum journal_found found;
	struct err err;
	pthread_t reader;

	(void)signal(SIGUSR1, on_signal);
	log_setup(LOG_ERROR, LOG_TEXT);
	if (mkdtemp(dir) == NULL || (argc > 1 && use_server(argv[1]) != 0))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/journal.db", dir);
	story.config = (struct config_journal){ .path = path, .postgres = none };
	story.loop = net_loop_new(0);
	owner.loop = story.loop;
	story.give_up_ms = clock_mono_ms() + PATIENCE_MS;
	if (journal_open(&story.j, &story.config, &owner, &found, &err) != 0)
		return 1;
	assert(journal_start(story.j, NULL) == 0);
	(void)pthread_create(&reader, NULL, read_status, NULL);
	struct net_ticker *t = net_ticker_new(story.loop, 2, NET_NORMAL, on_tick, NULL);

	net_loop_run(story.loop);
	atomic_store(&story.over, true);
	(void)pthread_join(reader, NULL);
	net_ticker_free(t);
	append_some();
	journal_close(story.j, 100);
	net_loop_free(story.loop);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert(story.committed == (uint64_t)ROUNDS * A_ROUND);
	return system(command) == 0 ? 0 : 1;
}
