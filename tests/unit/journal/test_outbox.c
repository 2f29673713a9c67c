/*
 * What waits for a PostgreSQL that is not there: bounded where it may be, and what
 * is dropped is told.
 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sluice/base/clock.h"

#include "scene.h"

/* A port on which nobody listens, so that forwarding is wished for and fails. */
static const char nowhere[] = "host=127.0.0.1 port=1 dbname=sluice user=sluice";

TestSuite(outbox, .init = scene_begin, .fini = scene_end, .timeout = 300);

static uint64_t wanted_rows;

static bool has_committed_rows(void)
{
	return scene_look().committed >= wanted_rows;
}

static void samples(const char *migration, unsigned n)
{
	while (n > 0) {
		unsigned some = n < 5000 ? n : 5000;

		wanted_rows = scene_look().committed + some;
		for (unsigned i = 0; i < some; i++)
			scene_sample(migration);
		scene_until(has_committed_rows);
		n -= some;
	}
}

static void old_sample(const char *migration)
{
	struct journal_sample s = { .wall_us = clock_wall_us() -
					       UINT64_C(8) * 86400 * 1000000 };

	(void)snprintf(s.migration, sizeof(s.migration), "%s", migration);
	journal_sample(scene.j, &s);
}

Test(outbox, without_postgresql_nothing_waits_for_it)
{
	scene_open("");

	scene_until_committed(scene_append("checkout", "advance"));

	cr_assert_eq(scene_look().forward, JOURNAL_NO_FORWARD);
	cr_assert_eq(scene_look().waiting, 0);
	cr_assert_eq(scene_look().away_since_us, 0);
}

Test(outbox, while_postgresql_is_away_rows_wait_and_the_reason_is_told)
{
	scene_open(nowhere);

	scene_until_committed(scene_append("checkout", "advance"));
	scene_sample("checkout");
	scene_until_waiting_is(2);

	cr_assert_eq(scene_look().forward, JOURNAL_AWAY);
	cr_assert_gt(scene_look().away_since_us, 0);
}

static bool has_trouble(void)
{
	return scene_look().trouble[0] != '\0';
}

/* Takes connections, by the kernel's grace, and never says a word. */
static int listen_silently(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&at, n), 0);
	cr_assert_eq(listen(fd, 8), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

Test(outbox, a_server_that_takes_the_connection_and_says_nothing_is_away)
{
	char silent[96];
	uint16_t port;
	int fd = listen_silently(&port);

	(void)snprintf(silent, sizeof(silent),
		"host=127.0.0.1 port=%u dbname=sluice user=sluice", port);
	scene_open(silent);
	scene_until_committed(scene_append("checkout", "advance"));

	scene_until(has_trouble);

	cr_assert_str_eq(scene_look().trouble, "no answer to the connection attempt");
	cr_assert_eq(scene_look().forward, JOURNAL_AWAY);
	cr_assert_eq(scene_look().waiting, 1);
	(void)close(fd);
}

Test(outbox, a_text_that_is_no_connection_string_is_never_repeated)
{
	scene_open("hunter2 is my password");

	scene_until(has_trouble);

	cr_assert_str_eq(
		scene_look().trouble, "journal.postgres is no connection string");
}

Test(outbox, what_waits_is_still_waiting_after_a_restart)
{
	scene_open(nowhere);
	scene_append_many("checkout", 30);
	scene_until_committed(30);
	scene_close();

	scene_open(nowhere);
	scene_until_waiting_is(30);
}

Test(outbox, decisions_made_before_there_was_a_postgresql_wait_for_it_too)
{
	struct config_journal later = { .path = scene.path,
		.postgres = (char *)(uintptr_t)nowhere };

	scene_open("");
	scene_append_many("checkout", 30);
	scene_until_committed(30);

	journal_configure(scene.j, &later);

	scene_until_waiting_is(30);
}

Test(outbox, samples_beyond_the_bound_are_dropped_oldest_first_and_a_row_tells_how_many)
{
	scene_open(nowhere);
	scene_until_committed(scene_append("checkout", "start"));
	samples("early", 1500);
	samples("late", 99000);

	scene_until_committed(scene_append("checkout", "advance"));

	long long dropped = (long long)scene_look().dropped;
	cr_assert_geq(dropped, 1000);
	cr_assert_eq(scene_sql("SELECT count(*) FROM sample"), 100500 - dropped);
	cr_assert_eq(scene_sql("SELECT count(*) FROM sample WHERE migration = 'early'"),
		1500 - dropped);
	cr_assert_eq(
		scene_sql("SELECT count(*) FROM decision WHERE migration <> ''"), 2);
	cr_assert_eq(scene_sql("SELECT sum(evidence ->> 'samples') FROM decision"
			       " WHERE action = 'dropped'"),
		dropped);
	cr_assert_eq((long long)scene_look().waiting, 100500 - dropped + 3);
}

static bool is_pruned(void)
{
	return scene_sql("SELECT count(*) FROM sample") == 1;
}

Test(outbox, samples_older_than_a_week_go_when_nobody_waits_for_them)
{
	scene_open("");
	old_sample("checkout");
	scene_sample("checkout");
	scene_until_committed(scene_append("checkout", "advance"));
	scene_close();

	scene_open("");

	scene_until(is_pruned);
	cr_assert_eq(scene_sql("SELECT count(*) FROM decision"), 1);
	cr_assert_eq(scene_sql("SELECT count(*) FROM outbox"), 2);
	cr_assert_eq(scene_look().dropped, 0);
}
