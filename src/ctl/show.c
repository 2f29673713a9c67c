/*
 * Small texts for people, and what is known about the terminal.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/base/span.h"

#include "ctl_priv.h"

/* Besides ASCII's control characters there are those of U+0080..U+009F, which are
 * 0xC2 and one more byte in UTF-8. */
void show_clean(FILE *f, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;

		putc(*c < 0x20 || *c == 0x7f || c1 ? '?' : *c, f);
		c += c1;
	}
}

void show_percent(double percent, char out[static SHOW_SIZE])
{
	snprintf(out, SHOW_SIZE, "%.7g %%", percent);
}

void show_ms(double ms, char out[static SHOW_SIZE])
{
	if (ms > 0 && ms < 1)
		snprintf(out, SHOW_SIZE, "%.2f ms", ms);
	else if (ms < 10)
		snprintf(out, SHOW_SIZE, "%.1f ms", ms);
	else if (ms < 1000)
		snprintf(out, SHOW_SIZE, "%.0f ms", ms);
	else
		snprintf(out, SHOW_SIZE, "%.2f s", ms / 1000);
}

void show_ago(const char *time, char out[static SHOW_SIZE])
{
	uint64_t now_us = clock_wall_us(), then_us;

	if (clock_parse(time, now_us, &then_us) != 0 || then_us > now_us) {
		snprintf(out, SHOW_SIZE, "%s", "now");
		return;
	}
	unsigned long long s = (now_us - then_us) / 1000000;
	if (s < 120)
		snprintf(out, SHOW_SIZE, "%llus ago", s);
	else if (s < 7200)
		snprintf(out, SHOW_SIZE, "%llum ago", s / 60);
	else if (s < 172800)
		snprintf(out, SHOW_SIZE, "%lluh ago", s / 3600);
	else
		snprintf(out, SHOW_SIZE, "%llud ago", s / 86400);
}

bool show_colours(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

size_t show_width(void)
{
	struct winsize size = { .ws_col = 0 };
	const char *columns = getenv("COLUMNS");
	uint64_t n;

	if (columns != NULL && span_u64(span_of(columns), &n) && n > 0)
		return (size_t)n;
	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1)
		return 0;
	return size.ws_col;
}
