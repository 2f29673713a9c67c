/* log - one line an event. */
#include "sluice/base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sluice/base/json.h"

static int captured = -1;
static char line[16384];

static void set_up(void)
{
	captured = memfd_create("stderr", MFD_CLOEXEC);
	cr_assert_neq(captured, -1);
	cr_assert_neq(dup2(captured, STDERR_FILENO), -1);
}

static void tear_down(void)
{
	close(captured);
}

TestSuite(log, .init = set_up, .fini = tear_down);

/* All that was logged since the last call. */
static const char *logged(void)
{
	ssize_t n = pread(captured, line, sizeof(line) - 1, 0);

	cr_assert_neq(n, -1);
	line[n] = '\0';
	cr_assert_neq(ftruncate(captured, 0), -1);
	cr_assert_neq(lseek(captured, 0, SEEK_SET), -1);
	return line;
}

/* The same without the time, which is checked for its form. */
static const char *logged_after_time(void)
{
	const char *text = logged();
	const char *rest = strstr(text, "Z ");

	cr_assert_eq(strncmp(text, "time=20", 7), 0, "%s", text);
	cr_assert_not_null(rest);
	return rest + 2;
}

static struct json *logged_json(void)
{
	struct err err;
	const char *text = logged();
	struct json *j = json_parse(text, strlen(text), &err);

	cr_assert_not_null(j, "%s: %s", err.text, text);
	cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1);
	return j;
}

Test(log, a_line_has_time_level_phrase_and_pairs)
{
	log_info("shift advanced", "migration=%s from=%u to=%u%%", "checkout", 5u, 25u);

	cr_expect_str_eq(logged_after_time(), "level=info msg=\"shift advanced\" "
					      "migration=checkout from=5 to=25%\n");
}

Test(log, a_line_may_have_no_values)
{
	log_error("stopped", "");

	cr_expect_str_eq(logged_after_time(), "level=error msg=stopped\n");
}

Test(log, every_conversion_of_the_header_prints_what_printf_would)
{
	log_info("x",
		"s=%s d=%d i=%i u=%u x=%02x zu=%zu llu=%llu lu=%lu p=%" PRIu64
		" f=%.3f c=%c ld=%ld z=%zd n=%.*s a=%s:%u",
		"text", -1, 2, 4000000000u, 10u, (size_t)5, 18446744073709551615ull,
		6ul, UINT64_C(7), 0.125, 'y', -8l, (ssize_t)-9, 3, "cut here", "::1",
		80u);

	cr_expect_str_eq(logged_after_time(),
		"level=info msg=x s=text d=-1 i=2 u=4000000000 x=0a zu=5 "
		"llu=18446744073709551615 lu=6 p=7 f=0.125 c=y ld=-8 z=-9 n=cut "
		"a=::1:80\n");
}

Test(log, a_text_that_could_be_misread_is_quoted)
{
	log_info("x", "a=%s b=%s c=%s d=%s e=%s", "two words", "", "say \"no\"", "k=v",
		"line\nbreak\x1b[31m");

	cr_expect_str_eq(logged_after_time(), "level=info msg=x a=\"two words\" b=\"\" "
					      "c=\"say \\\"no\\\"\" d=\"k=v\" "
					      "e=\"line\\x0abreak\\x1b[31m\"\n");
}

Test(log, no_text_is_a_dash)
{
	const char *volatile none = NULL;

	log_info("x", "a=%s", none);

	cr_expect_str_eq(logged_after_time(), "level=info msg=x a=-\n");
}

Test(log, bytes_that_are_not_utf8_are_escaped_and_others_are_not)
{
	log_info("x", "a=%s b=%s", "gr\xc3\xbc\xc3\x9f", "\xff\xc3");

	cr_expect_str_eq(logged_after_time(),
		"level=info msg=x a=\"gr\xc3\xbc\xc3\x9f\" b=\"\\xff\\xc3\"\n");
}

Test(log, controls_of_latin_1_are_escaped_and_its_letters_are_not)
{
	log_info("x", "a=%s",
		"\xc2\x9b"
		"31m \xc2\xa0 \xc2\xa7");

	cr_expect_str_eq(logged_after_time(),
		"level=info msg=x a=\"\\x9b31m \xc2\xa0 \xc2\xa7\"\n");
}

Test(log, what_the_level_excludes_is_not_written)
{
	log_setup(LOG_WARN, LOG_TEXT);

	log_info("x", "");
	log_debug("x", "");
	cr_expect_str_empty(logged());
	log_warn("y", "");
	cr_expect_str_eq(logged_after_time(), "level=warn msg=y\n");

	cr_expect(log_wants(LOG_ERROR));
	cr_expect_not(log_wants(LOG_INFO));
}

Test(log, json_has_numbers_where_a_pair_is_a_bare_number)
{
	log_setup(LOG_INFO, LOG_JSON);

	log_info("shift advanced", "name=%s from=%u to=%d rate=%.2f share=%u%% hex=%x",
		"42", 5u, -25, 0.5, 7u, 16u);

	struct json *j = logged_json();
	cr_expect_str_eq(json_text(j, "level", "?"), "info");
	cr_expect_str_eq(json_text(j, "msg", "?"), "shift advanced");
	cr_expect_str_eq(json_text(j, "name", "?"), "42");
	cr_expect_eq(json_int(j, "from", 0), 5);
	cr_expect_eq(json_int(j, "to", 0), -25);
	cr_expect_eq(json_number(j, "rate", 0), 0.5);
	cr_expect_str_eq(json_text(j, "share", "?"), "7%");
	cr_expect_str_eq(json_text(j, "hex", "?"), "10");
	json_free(j);
}

Test(log, json_stays_valid_with_numbers_that_json_does_not_know)
{
	log_setup(LOG_INFO, LOG_JSON);

	log_info("x", "a=%f b=%f c=%03u d=%3u", NAN, -INFINITY, 7u, 7u);

	struct json *j = logged_json();
	cr_expect_str_eq(json_text(j, "a", "?"), "nan");
	cr_expect_str_eq(json_text(j, "b", "?"), "-inf");
	cr_expect_str_eq(json_text(j, "c", "?"), "007");
	cr_expect_str_eq(json_text(j, "d", "?"), "  7");
	json_free(j);
}

Test(log, json_escapes_controls_and_replaces_what_is_not_utf8)
{
	log_setup(LOG_INFO, LOG_JSON);

	log_info("x", "a=%s b=%s c=%c", "q\"\\\n\x1f", "a\xff\xc3", '\x7f');

	struct json *j = logged_json();
	cr_expect_str_eq(json_text(j, "a", "?"), "q\"\\\n\x1f");
	cr_expect_str_eq(json_text(j, "b", "?"), "a\xef\xbf\xbd\xef\xbf\xbd");
	cr_expect_str_eq(json_text(j, "c", "?"), "\x7f");
	json_free(j);
}

/* Logs a text of n times unit and a pair behind it, and gives the line's parts. */
static struct json *logged_long(const char *unit, size_t n)
{
	size_t unit_n = strlen(unit);
	char *text = malloc(n * unit_n + 1);

	cr_assert_not_null(text);
	text[n * unit_n] = '\0';
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * unit_n, unit, unit_n);
	log_info("x", "a=%s z=%u", text, 1u);
	free(text);
	return logged_json();
}

/* Each length around the limit, so that the end falls on every place of a pair. */
Test(log, a_json_line_of_any_length_is_valid_and_says_when_it_was_cut)
{
	log_setup(LOG_INFO, LOG_JSON);
	size_t whole = 0, cut = 0;

	for (size_t n = 3900; n < 4200; n++) {
		struct json *j = logged_long("a", n);
		bool all = json_int(j, "z", 0) == 1;

		cr_assert_neq(all, json_bool(j, "cut", false), "%zu", n);
		cr_assert_leq(strlen(line), 4096);
		whole += all;
		cut += !all;
		json_free(j);
	}

	cr_expect_gt(whole, 0);
	cr_expect_gt(cut, 0);
}

Test(log, a_cut_never_falls_inside_a_character_or_an_escape)
{
	log_setup(LOG_INFO, LOG_JSON);

	for (size_t n = 650; n < 1400; n++) {
		json_free(logged_long("\xf0\x9f\x8c\x8a", n));
		json_free(logged_long("\x01", n));
		json_free(logged_long("\xff", n));
	}
}

Test(log, a_text_line_that_was_cut_says_so_and_ends_in_a_newline)
{
	log_info("x", "a=%05000d b=%u", 1, 2u);
	log_info("x", "a=%s b=%u", "", 2u);

	const char *text = logged();
	const char *newline = strchr(text, '\n');
	cr_assert_not_null(newline);
	cr_expect_eq(strncmp(newline - 9, " cut=true", 9), 0, "%s", text);
	cr_expect_not_null(strstr(newline, "a=\"\" b=2\n"));
}

Test(log, a_phrase_that_is_too_long_is_cut_as_well)
{
	char *phrase = malloc(10000);
	cr_assert_not_null(phrase);
	memset(phrase, 'p', 9999);
	phrase[9999] = '\0';
	log_setup(LOG_INFO, LOG_JSON);

	log_line(LOG_INFO, phrase, "a=%u", 1u);

	struct json *j = logged_json();
	cr_expect(json_bool(j, "cut", false));
	cr_expect_not(json_has(j, "a"));
	json_free(j);
	free(phrase);
}

/* A pipe whose reader sleeps takes the place of stderr. */
static int full_pipe(void)
{
	static const char page[4096];
	int ends[2];

	cr_assert_neq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), -1);
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	cr_assert_neq(fcntl(ends[1], F_SETFL, 0), -1);
	cr_assert_neq(dup2(ends[1], STDERR_FILENO), -1);
	return ends[0];
}

Test(log, a_reader_that_sleeps_holds_up_nobody_and_hears_what_it_missed, .timeout = 10)
{
	int reader = full_pipe();
	log_info("one", "");
	log_info("two", "");

	while (read(reader, line, sizeof(line)) > 0)
		;
	log_info("three", "a=%d", 1);

	ssize_t n = read(reader, line, sizeof(line) - 1);
	cr_assert_gt(n, 0);
	line[n] = '\0';
	cr_assert_not_null(strstr(line, "msg=three lost=2 a=1\n"), "%s", line);
}

Test(log, errno_is_left_as_it_was)
{
	errno = ENOENT;

	log_info("x", "a=%f", 1.5);

	cr_expect_eq(errno, ENOENT);
}

Test(log, a_gate_lets_the_first_line_through_and_counts_those_it_holds)
{
	static struct log_gate gate;

	bool first = log_open_gate(&gate);
	unsigned held_at_first = log_held(&gate);
	bool second = log_open_gate(&gate);
	bool third = log_open_gate(&gate);
	atomic_store(&gate.last_ms, gate.last_ms - 1000);
	bool later = log_open_gate(&gate);

	cr_expect(first);
	cr_expect_eq(held_at_first, 0);
	cr_expect_not(second);
	cr_expect_not(third);
	cr_expect(later);
	cr_expect_eq(log_held(&gate), 2);
}
