/*
 * comments - blanks in their places, before anything else looks at a text.
 */
#include "config_priv.h"

struct blanking {
	char *p, *end;
	uint32_t line;
	struct report *report;
};

static void blank_line(struct blanking *b)
{
	while (b->p < b->end && *b->p != '\n')
		*b->p++ = ' ';
}

static bool blank_block(struct blanking *b)
{
	uint32_t start = b->line;

	for (; b->p + 1 < b->end; b->p++) {
		if (b->p[0] == '*' && b->p[1] == '/') {
			*b->p++ = ' ';
			*b->p++ = ' ';
			return true;
		}
		if (*b->p == '\n')
			b->line++;
		else
			*b->p = ' ';
	}
	problems_add_line(
		b->report, start, "this comment is never closed: \"*/\" is missing");
	return false;
}

/* A text that went on over lines could hide an @include from us. */
static bool skip_text(struct blanking *b)
{
	for (b->p++; b->p < b->end && *b->p != '\n'; b->p++) {
		if (*b->p == '"') {
			b->p++;
			return true;
		}
		if (*b->p == '\\' && b->p + 1 < b->end && b->p[1] != '\n')
			b->p++;
	}
	problems_add_line(b->report, b->line,
		"a text has no end on its line: a quote is missing");
	return false;
}

bool comments_blank(char *text, size_t n, uint32_t line, struct report *r)
{
	struct blanking b = { .p = text, .end = text + n, .line = line, .report = r };

	while (b.p < b.end) {
		char c = *b.p;
		char next = (char)(b.p + 1 < b.end ? b.p[1] : 0);

		if (c == '#' || (c == '/' && next == '/')) {
			blank_line(&b);
		} else if (c == '/' && next == '*') {
			*b.p++ = ' ';
			*b.p++ = ' ';
			if (!blank_block(&b))
				return false;
		} else if (c == '"') {
			if (!skip_text(&b))
				return false;
		} else {
			b.line += c == '\n';
			b.p++;
		}
	}
	return true;
}
