#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/hash.h"
#include "sluice/base/mem.h"

#include "fixture.h"

static struct fixture *fixture;
static struct got answer;

static void open_with(unsigned migrations)
{
	fixture = fixture_open(migrations);
	fixture_start(fixture);
}

static void scrape(void)
{
	answer = client_ask(fixture, "GET", "/metrics", NULL);
	cr_assert_eq(answer.status, 200);
}

static void teardown(void)
{
	got_fini(&answer);
	fixture_close(fixture);
}

TestSuite(metrics, .fini = teardown, .timeout = 120);

/* The value of a series, written as it stands there. */
static double value_of(const char *series)
{
	char *line = mem_print("\n%s ", series);
	const char *at = strstr(answer.body, line);
	size_t n = strlen(line);

	free(line);
	cr_assert_not_null(at, "no series %s", series);
	return strtod(at + n, NULL);
}

/* --- what promtool would say ---------------------------------------------------- */

struct checker {
	struct hash_table *families, *series;
	char family[128], type[16];
};

static void take_help(struct checker *c, const char *line)
{
	cr_assert_eq(sscanf(line, "# HELP %127s", c->family), 1);
	cr_assert_eq(strncmp(c->family, "sluice_", 7), 0, "%s", line);
	cr_assert_null(hash_table_put(c->families, span_of(c->family), c),
		"%s comes twice", c->family);
	cr_assert(strlen(line) > strlen("# HELP ") + strlen(c->family) + 5, "%s", line);
	c->type[0] = '\0';
}

static void take_type(struct checker *c, const char *line)
{
	char name[128];
	size_t n = strlen(c->family);
	bool total = n > 6 && strcmp(c->family + n - 6, "_total") == 0;

	cr_assert_eq(sscanf(line, "# TYPE %127s %15s", name, c->type), 2);
	cr_assert_str_eq(name, c->family, "TYPE follows its HELP");
	cr_assert_eq(total, strcmp(c->type, "counter") == 0, "%s", line);
}

/* The end of {a="b",c="d"}; every label is named, quoted and escaped. */
static const char *check_labels(const char *p)
{
	while (*p++ != '}') {
		cr_assert(isalpha((unsigned char)*p));
		while (isalnum((unsigned char)*p) || *p == '_')
			p++;
		cr_assert_eq(strncmp(p, "=\"", 2), 0, "%s", p);
		for (p += 2; *p != '"'; p++) {
			cr_assert(*p >= 0x20 && *p < 0x7f, "%s", p);
			p += *p == '\\';
		}
		p++;
		cr_assert(*p == ',' || *p == '}', "%s", p);
	}
	return p;
}

static void take_sample(struct checker *c, const char *line)
{
	size_t n = strcspn(line, "{ "), family_n = strlen(c->family);
	const char *p = line + n;
	char *end;

	cr_assert_eq(
		strncmp(line, c->family, family_n), 0, "%s in %s", line, c->family);
	cr_assert(n == family_n || strcmp(c->type, "histogram") == 0, "%s", line);
	p = *p == '{' ? check_labels(p) : p;
	cr_assert_null(hash_table_put(c->series,
			       (struct span){ .p = line, .n = (size_t)(p - line) }, c),
		"%s comes twice", line);
	cr_assert_eq(*p, ' ', "%s", line);
	(void)strtod(p + 1, &end);
	cr_assert_eq(*end, '\0', "%s", line);
}

static void check(void)
{
	struct checker c = { .families = hash_table_new(64),
		.series = hash_table_new(1024) };

	for (char *line = strtok(answer.body, "\n"); line != NULL;
		line = strtok(NULL, "\n")) {
		if (strncmp(line, "# HELP ", 7) == 0)
			take_help(&c, line);
		else if (strncmp(line, "# TYPE ", 7) == 0)
			take_type(&c, line);
		else
			take_sample(&c, line);
	}
	cr_assert_gt(hash_table_count(c.families), 60);
	hash_table_free(c.families);
	hash_table_free(c.series);
}

/* --- tests ------------------------------------------------------------------------ */

Test(metrics, are_valid_prometheus_text)
{
	open_with(3);

	scrape();

	check();
}

Test(metrics, are_whole_with_five_hundred_migrations)
{
	open_with(500);

	scrape();

	cr_assert(strstr(answer.head, "Transfer-Encoding: chunked") != NULL);
	cr_assert_eq(value_of("sluice_migration_generation{migration=\"m499\"}"), 7);
	check();
}

Test(metrics, tell_weight_phase_and_evidence_of_a_migration)
{
	open_with(1);

	scrape();

	cr_assert_eq(value_of("sluice_migration_weight_ratio{migration=\"m0\"}"), 0.25);
	cr_assert_eq(
		value_of("sluice_migration_phase{migration=\"m0\",phase=\"running\"}"),
		1);
	cr_assert_eq(
		value_of("sluice_migration_phase{migration=\"m0\",phase=\"idle\"}"), 0);
	cr_assert_eq(
		value_of("sluice_migration_held{migration=\"m0\",reason=\"spill\"}"),
		1);
	cr_assert_eq(
		value_of("sluice_migration_guard_evidence_ratio{migration=\"m0\",guard="
			 "\"error_rate\",mode=\"enforce\"}"),
		0);
}

Test(metrics, count_latencies_into_seconds)
{
	open_with(1);
	migration_latency(fixture->migrations[0], 0, SIDE_NEW, 200);
	migration_latency(fixture->migrations[0], 0, SIDE_NEW, 3000);
	migration_latency(fixture->migrations[0], 1, SIDE_NEW, 40000);
	migration_latency(fixture->migrations[0], 1, SIDE_NEW, 60000000);

	scrape();

#define LATENCY "sluice_migration_latency_seconds"
#define NEW "migration=\"m0\",side=\"new\""
	cr_assert_eq(value_of(LATENCY "_bucket{" NEW ",le=\"0.0001\"}"), 0);
	cr_assert_eq(value_of(LATENCY "_bucket{" NEW ",le=\"0.00025\"}"), 1);
	cr_assert_eq(value_of(LATENCY "_bucket{" NEW ",le=\"0.0025\"}"), 1);
	cr_assert_eq(value_of(LATENCY "_bucket{" NEW ",le=\"0.005\"}"), 2);
	cr_assert_eq(value_of(LATENCY "_bucket{" NEW ",le=\"0.05\"}"), 3);
	cr_assert_eq(value_of(LATENCY "_bucket{" NEW ",le=\"30\"}"), 3);
	cr_assert_eq(value_of(LATENCY "_bucket{" NEW ",le=\"+Inf\"}"), 4);
	cr_assert_eq(value_of(LATENCY "_count{" NEW "}"), 4);
	cr_assert_float_eq(value_of(LATENCY "_sum{" NEW "}"), 60.0432, 0.6);
}

Test(metrics, count_what_each_side_did)
{
	open_with(1);
	migration_add(fixture->migrations[0], 0, SIDE_LEGACY, COUNT_REQUESTS, 5);
	migration_add(fixture->migrations[0], 1, SIDE_LEGACY, COUNT_REQUESTS, 6);
	migration_add(fixture->migrations[0], 0, SIDE_NEW, COUNT_STATUS_5XX, 2);
	migration_outcome(fixture->migrations[0], 0, SIDE_NEW, OUTCOME_TIMEOUT);

	scrape();

	cr_assert_eq(value_of("sluice_migration_requests_total{migration=\"m0\",side="
			      "\"legacy\"}"),
		11);
	cr_assert_eq(value_of("sluice_migration_responses_total{migration=\"m0\",side="
			      "\"new\",class=\"5xx\"}"),
		2);
	cr_assert_eq(value_of("sluice_migration_outcomes_total{migration=\"m0\",side="
			      "\"new\",outcome=\"timeout\"}"),
		1);
}

Test(metrics, tell_which_servers_are_up)
{
	open_with(1);

	scrape();

	cr_assert_eq(
		value_of("sluice_server_up{pool=\"new0\",server=\"127.0.0.1:9101\"}"),
		0);
	cr_assert_eq(value_of("sluice_pool_servers{pool=\"legacy0\"}"), 2);
}

Test(metrics, a_scraper_that_does_not_read_holds_up_nobody)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

	open_with(300);
	int stuck = client_open(fixture);
	client_send(stuck, request, strlen(request));
	scrape();

	check();
	close(stuck);
}

Test(metrics, a_reload_in_the_middle_gives_no_series_twice)
{
	static const char request[] =
		"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

	open_with(300);
	int fd = client_open(fixture);
	client_send(fd, request, strlen(request));
	for (int i = 0; i < 20; i++) {
		struct got a = client_ask(fixture, "GET", "/healthz", NULL);

		atomic_fetch_add(&fixture->reloads, 1);
		got_fini(&a);
	}
	answer = client_receive(fd, false);

	check();
	close(fd);
}
