/*
 * The two clocks of the system, and RFC 3339 text for the one that people
 * read.
 */
#include "sluice/base/clock.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "sluice/base/span.h"
#include "sluice/base/units.h"

/* The last moment that has a year of four digits: 9999-12-31T23:59:59. */
#define LAST_S UINT64_C(253402300799)

static uint64_t read_ns(clockid_t id)
{
	struct timespec now;
	int rc = clock_gettime(id, &now);

	assert(rc == 0);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
	return read_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t clock_wall_us(void)
{
	return read_ns(CLOCK_REALTIME) / 1000;
}

/* Writes value as exactly n digits and what ends them; returns what follows. */
static char *put_digits(char *out, uint64_t value, size_t n, char end)
{
	for (size_t i = n; i > 0; i--) {
		out[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
	out[n] = end;
	return out + n + 1;
}

void clock_text(uint64_t wall_us, char out[static CLOCK_TEXT_SIZE])
{
	uint64_t s = wall_us / US_PER_S;
	time_t when = (time_t)(s > LAST_S ? LAST_S : s);
	struct tm tm;

	gmtime_r(&when, &tm);
	out = put_digits(out, (uint64_t)tm.tm_year + 1900, 4, '-');
	out = put_digits(out, (uint64_t)tm.tm_mon + 1, 2, '-');
	out = put_digits(out, (uint64_t)tm.tm_mday, 2, 'T');
	out = put_digits(out, (uint64_t)tm.tm_hour, 2, ':');
	out = put_digits(out, (uint64_t)tm.tm_min, 2, ':');
	out = put_digits(out, (uint64_t)tm.tm_sec, 2, '.');
	out = put_digits(out, wall_us % US_PER_S, 6, 'Z');
	*out = '\0';
}

/* Takes exactly n digits off the front of *text. */
static bool take_digits(const char **text, size_t n, int *value)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++) {
		char c = (*text)[i];

		if (c < '0' || c > '9')
			return false;
		sum = sum * 10 + (c - '0');
	}
	*text += n;
	*value = sum;
	return true;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	++*text;
	return true;
}

/* .5 is half a second; more than six digits are no text of ours. */
static bool take_fraction(const char **text, uint64_t *us)
{
	uint64_t unit = US_PER_S;

	*us = 0;
	if (!take_char(text, '.'))
		return true;
	for (; **text >= '0' && **text <= '9' && unit > 1; ++*text) {
		unit /= 10;
		*us += (uint64_t)(**text - '0') * unit;
	}
	return unit < US_PER_S;
}

static bool take_date(const char **text, struct tm *tm)
{
	if (!take_digits(text, 4, &tm->tm_year) || !take_char(text, '-') ||
		!take_digits(text, 2, &tm->tm_mon) || !take_char(text, '-') ||
		!take_digits(text, 2, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return true;
}

static bool take_time(const char **text, struct tm *tm, uint64_t *us)
{
	return take_char(text, 'T') && take_digits(text, 2, &tm->tm_hour) &&
	       take_char(text, ':') && take_digits(text, 2, &tm->tm_min) &&
	       take_char(text, ':') && take_digits(text, 2, &tm->tm_sec) &&
	       take_fraction(text, us) && take_char(text, 'Z');
}

static int parse_moment(const char *text, uint64_t *wall_us)
{
	struct tm tm = { .tm_year = 0 };
	uint64_t us = 0;

	if (!take_date(&text, &tm))
		return -1;
	if (*text != '\0' && (!take_time(&text, &tm, &us) || *text != '\0'))
		return -1;

	/* timegm() turns 30 February into 2 March: what comes back changed was
	 * no date. */
	struct tm same = tm;
	time_t s = timegm(&same);
	if (s < 0 || same.tm_mon != tm.tm_mon || same.tm_mday != tm.tm_mday ||
		same.tm_hour != tm.tm_hour || same.tm_min != tm.tm_min ||
		same.tm_sec != tm.tm_sec)
		return -1;
	*wall_us = (uint64_t)s * US_PER_S + us;
	return 0;
}

static uint64_t seconds_in(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return UINT64_C(60) * 60;
	case 'd':
		return UINT64_C(24) * 60 * 60;
	}
	return 0;
}

static int parse_ago(const char *text, uint64_t now_us, uint64_t *wall_us)
{
	struct span s = span_of(text);
	uint64_t unit_us = s.n == 0 ? 0 : seconds_in(s.p[s.n - 1]) * US_PER_S;
	uint64_t count;

	if (unit_us == 0 || !span_u64((struct span){ .p = s.p, .n = s.n - 1 }, &count))
		return -1;
	*wall_us = count > now_us / unit_us ? 0 : now_us - count * unit_us;
	return 0;
}

int clock_parse(const char *text, uint64_t now_us, uint64_t *wall_us)
{
	if (parse_ago(text, now_us, wall_us) == 0)
		return 0;
	return parse_moment(text, wall_us);
}
