/*
 * scan - what must be said of a text before libconfig sees it.
 *
 * libconfig 1.5 reads 4294967296 as 0 and 1e400 as infinite without a word,
 * and knows only "syntax error" for the commonest slips. The scan walks the
 * text by its grammar:
 *
 *	group:  NAME (= | :) value, each ended by ; or , or nothing
 *	list:   ( values with commas between )     array: [ the same ]
 *
 * names what is wrong, and mends what need not hide later problems.
 */
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

/* libconfig looks through a group's names for each new one. */
enum { MOST_SETTINGS = 5000 };

enum before {
	BEFORE_NOTHING, /* the start of a group or list, or a separator in a group */
	BEFORE_NAME,
	BEFORE_EQUALS,
	BEFORE_TEXT, /* texts side by side are one text */
	BEFORE_VALUE,
	BEFORE_COMMA, /* of a list */
};

struct open {
	char bracket; /* 0: the file itself */
	uint32_t line;
	unsigned settings, entries;
	struct span name; /* in the text: of the setting being read in this group */
};

struct scan {
	char *text;
	size_t n, at;
	size_t end; /* of the token before */
	uint32_t line, token_line;
	enum before before;
	struct open open[CONFIG_MAX_DEPTH + 1];
	size_t depth;
	struct hash_table *names; /* where each setting stands, by its path */
	bool thrice;              /* a setting stands there three times */
	struct report *report;
};

static bool refuse(struct scan *sc, uint32_t line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* False, so that "return refuse(...)" stops the scan. */
static bool refuse(struct scan *sc, uint32_t line, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	problems_add_line(sc->report, line, "%s", text);
	return false;
}

/* As "pools.new.servers[1].weight". Free with free(). */
static char *path_of(const struct scan *sc)
{
	char *path = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&path, &n);

	assert(f != NULL);
	for (size_t i = 0; i <= sc->depth; i++) {
		const struct open *open = &sc->open[i];

		if (open->bracket == '(' || open->bracket == '[')
			fprintf(f, "[%u]", open->entries);
		else if (open->name.n > 0)
			fprintf(f, "%s%.*s", i == 0 ? "" : ".", (int)open->name.n,
				open->name.p);
	}
	fclose(f);
	return path;
}

static bool in_list(const struct scan *sc)
{
	char bracket = sc->open[sc->depth].bracket;

	return bracket == '(' || bracket == '[';
}

static bool begin_value(struct scan *sc, bool text)
{
	if (in_list(sc)) {
		bool joined = text && sc->before == BEFORE_TEXT;

		if (!joined &&
			(sc->before == BEFORE_TEXT || sc->before == BEFORE_VALUE))
			return refuse(
				sc, sc->line, "a comma is missing before this entry");
	} else if (sc->before != BEFORE_EQUALS &&
		   !(text && sc->before == BEFORE_TEXT)) {
		return refuse(sc, sc->line,
			"expected NAME = VALUE, got a value without a name");
	}
	sc->before = text ? BEFORE_TEXT : BEFORE_VALUE;
	return true;
}

/* libconfig notes the line of a list's entry when it has seen what follows it:
 * a closing bracket on the next line would move the entry there. What lies
 * between is blank. */
static void pull_back(struct scan *sc)
{
	char c = sc->text[sc->at];

	memmove(sc->text + sc->end + 1, sc->text + sc->end, sc->at - sc->end);
	sc->text[sc->end] = c;
}

static void step_over(struct scan *sc, size_t n)
{
	sc->at += n;
	sc->end = sc->at;
}

static bool scan_text(struct scan *sc)
{
	size_t i = sc->at + 1;

	if (!begin_value(sc, true))
		return false;
	for (; i < sc->n && sc->text[i] != '"'; i++) {
		if (sc->text[i] != '\\')
			continue;
		if (strncasecmp(sc->text + i, "\\x00", 4) == 0)
			return refuse(sc, sc->line, "\\x00 cannot stand in a text");
		i++;
	}
	step_over(sc, i + 1 - sc->at);
	return true;
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || strchr("-_*.", c) != NULL;
}

static size_t token_length(const struct scan *sc)
{
	size_t i = sc->at;

	while (i < sc->n && (is_word_char(sc->text[i]) || sc->text[i] == '+'))
		i++;
	return i - sc->at;
}

static uint32_t line_at(const struct scan *sc, const char *p)
{
	uint32_t line = 1;

	for (const char *c = sc->text; c < p; c++)
		line += *c == '\n';
	return line;
}

/* libconfig would stop at a setting that stands there twice. Told here, and
 * renamed to begin with a star: what begins so is not read. */
static void note_name(struct scan *sc, char *name)
{
	char *path = path_of(sc);
	char *first = hash_table_put(sc->names, span_of(path), name);

	if (first != NULL) {
		char *place = source_place(sc->report->source, line_at(sc, first));

		problems_add_line(sc->report, sc->line,
			"%s: stands already at %s: take one of the two out", path,
			place);
		hash_table_put(sc->names, span_of(path), first);
		free(place);
		free(path);
		*name = '*';
		path = path_of(sc);
		if (hash_table_put(sc->names, span_of(path), name) != NULL)
			sc->thrice = true;
	}
	free(path);
}

static bool scan_name(struct scan *sc, size_t n)
{
	char *name = sc->text + sc->at;

	if (sc->before == BEFORE_NAME)
		return refuse(sc, sc->line, "a \"=\" is missing before %.*s",
			n > 40 ? 40 : (int)n, name);
	if (*name == '*')
		return refuse(sc, sc->line, "a name begins with a letter, got %.*s",
			n > 40 ? 40 : (int)n, name);
	sc->open[sc->depth].name = (struct span){ .p = name, .n = n };
	note_name(sc, name);
	sc->before = BEFORE_NAME;
	return true;
}

static bool scan_word(struct scan *sc)
{
	const char *p = sc->text + sc->at;
	size_t n = 0;

	while (sc->at + n < sc->n && is_word_char(p[n]) && p[n] != '.')
		n++;
	if (sc->before == BEFORE_EQUALS || in_list(sc)) {
		struct span word = { .p = p, .n = n };

		if (!span_ieq(word, SPAN("true")) && !span_ieq(word, SPAN("false")))
			return refuse(sc, sc->line,
				"expected a number, true, false or a text in quotes, "
				"got %.*s",
				n > 40 ? 40 : (int)n, p);
		if (!begin_value(sc, false))
			return false;
	} else if (!scan_name(sc, n)) {
		return false;
	}
	step_over(sc, n);
	return true;
}

/* Told here, once: an infinite number is one that was complained about. */
static void spoil(struct scan *sc, size_t n)
{
	static const char infinite[] = "1e999";
	char *p = sc->text + sc->at;
	char *path = path_of(sc);

	problems_add_line(sc->report, sc->line, "%s: the number %.*s is out of range",
		path, n > 40 ? 40 : (int)n, p);
	free(path);
	assert(n >= sizeof(infinite) - 1); /* no shorter number is out of range */
	memset(p, ' ', n);
	memcpy(p, infinite, sizeof(infinite) - 1);
}

static bool scan_number(struct scan *sc)
{
	struct span token = { .p = sc->text + sc->at, .n = token_length(sc) };

	if (!begin_value(sc, false))
		return false;
	switch (numeral_of(token)) {
	case NUMERAL_NONE:
		return refuse(sc, sc->line,
			"%.*s is no number; durations, sizes and addresses are texts "
			"in quotes, as \"10s\"",
			token.n > 40 ? 40 : (int)token.n, token.p);
	case NUMERAL_TOO_LARGE:
		spoil(sc, token.n);
		break;
	case NUMERAL_GOOD:
		break;
	}
	step_over(sc, token.n);
	return true;
}

static bool scan_open(struct scan *sc)
{
	if (!begin_value(sc, false))
		return false;
	if (sc->depth == CONFIG_MAX_DEPTH)
		return refuse(sc, sc->line, "brackets nest more than %d deep",
			CONFIG_MAX_DEPTH);
	sc->open[++sc->depth] = (struct open){
		.bracket = sc->text[sc->at],
		.line = sc->line,
	};
	sc->before = BEFORE_NOTHING;
	step_over(sc, 1);
	return true;
}

static void drop_comma(struct scan *sc, const char *where)
{
	refuse(sc, sc->line, "a comma too many before %s: take it out", where);
	sc->text[sc->end - 1] = ' ';
	while (sc->end > 0 && isspace((unsigned char)sc->text[sc->end - 1]))
		sc->end--;
}

static bool scan_close(struct scan *sc)
{
	static const char openers[] = "{([", closers[] = "})]";
	char c = sc->text[sc->at];
	struct open *open = &sc->open[sc->depth];
	const char *where = strchr(openers, open->bracket);

	if (open->bracket == '\0')
		return refuse(sc, sc->line, "\"%c\" closes nothing", c);
	if (closers[where - openers] != c) {
		char *place = source_place(sc->report->source, open->line);

		refuse(sc, sc->line, "\"%c\" does not close the \"%c\" of %s", c,
			open->bracket, place);
		free(place);
		return false;
	}
	if (sc->before == BEFORE_NAME || sc->before == BEFORE_EQUALS)
		return refuse(sc, sc->line, "a value is missing before \"%c\"", c);
	if (sc->before == BEFORE_COMMA)
		drop_comma(sc, (char[]){ '"', c, '"', '\0' });
	if (in_list(sc))
		pull_back(sc);
	sc->depth--;
	sc->before = BEFORE_VALUE;
	sc->end++;
	sc->at++;
	if (c == '}')
		sc->end = sc->at;
	return true;
}

static bool scan_comma(struct scan *sc)
{
	if (sc->before == BEFORE_NAME || sc->before == BEFORE_EQUALS)
		return refuse(sc, sc->line, "a value is missing before \"%c\"",
			sc->text[sc->at]);
	if (!in_list(sc)) {
		if (sc->before == BEFORE_NOTHING) {
			refuse(sc, sc->line,
				"a \"%c\" too many: no setting stands before it",
				sc->text[sc->at]);
			sc->text[sc->at] = ' ';
		}
		sc->before = BEFORE_NOTHING;
		step_over(sc, 1);
		return true;
	}
	if (sc->text[sc->at] == ';')
		return refuse(sc, sc->line,
			"\";\" between the entries of a list: expected a comma");
	if (sc->before == BEFORE_NOTHING)
		return refuse(sc, sc->line, "an entry is missing before this comma");
	if (sc->before == BEFORE_COMMA)
		drop_comma(sc, "another comma");
	else
		sc->open[sc->depth].entries++;
	pull_back(sc);
	sc->before = BEFORE_COMMA;
	sc->end++;
	sc->at++;
	return true;
}

static bool scan_equals(struct scan *sc)
{
	struct open *open = &sc->open[sc->depth];

	if (in_list(sc))
		return refuse(sc, sc->line,
			"\"%c\" in a list: entries with names stand in { }",
			sc->text[sc->at]);
	if (sc->before != BEFORE_NAME)
		return refuse(sc, sc->line, "a name is missing before \"%c\"",
			sc->text[sc->at]);
	if (++open->settings > MOST_SETTINGS)
		return refuse(sc, sc->line, "more than %d settings in one group",
			MOST_SETTINGS);
	sc->before = BEFORE_EQUALS;
	step_over(sc, 1);
	return true;
}

static bool scan_token(struct scan *sc)
{
	char c = sc->text[sc->at];

	if (c == '"')
		return scan_text(sc);
	if (isalpha((unsigned char)c) || c == '*')
		return scan_word(sc);
	if (isdigit((unsigned char)c) || (c != '\0' && strchr("+-.", c) != NULL))
		return scan_number(sc);
	switch (c) {
	case '{':
	case '(':
	case '[':
		return scan_open(sc);
	case '}':
	case ')':
	case ']':
		return scan_close(sc);
	case ',':
	case ';':
		return scan_comma(sc);
	case '=':
	case ':':
		return scan_equals(sc);
	default:
		return refuse(sc, sc->line, "unexpected character %s%.*s",
			(unsigned char)c < 0x80 ? ""
						: "outside ASCII (texts stand in \"\")",
			(unsigned char)c < 0x80 ? 1 : 0, &c);
	}
}

static bool scan_end(struct scan *sc)
{
	const struct open *open = &sc->open[sc->depth];

	if (sc->depth > 0)
		return refuse(sc, open->line, "\"%c\" is never closed", open->bracket);
	if (sc->before == BEFORE_NAME || sc->before == BEFORE_EQUALS)
		return refuse(sc, sc->token_line,
			"a value is missing at the end of the file");
	return true;
}

static bool scan_all(struct scan *sc)
{
	while (sc->at < sc->n) {
		char c = sc->text[sc->at];

		if (isspace((unsigned char)c)) {
			sc->line += c == '\n';
			sc->at++;
			continue;
		}
		sc->token_line = sc->line;
		if (!scan_token(sc))
			return false;
	}
	return scan_end(sc);
}

bool scan_source(struct source *s, struct report *r)
{
	struct scan sc = {
		.text = s->text,
		.n = s->n,
		.line = 1,
		.names = hash_table_new(256),
		.report = r,
	};
	bool done = scan_all(&sc);

	hash_table_free(sc.names);
	return done && !sc.thrice;
}
