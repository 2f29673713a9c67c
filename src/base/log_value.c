/*
 * One value of a log line's format. The format is walked here and not by
 * printf alone, so that each value can be quoted by itself, and a number stay
 * a number in JSON.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base_priv.h"

static void append(struct log_value *v, const char *fmt, ...)
{
	size_t room = sizeof(v->p) - v->n;
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(v->p + v->n, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		v->n += (size_t)n < room ? (size_t)n : room - 1;
}

static void append_literal(struct log_value *v, char c)
{
	v->is_text = true;
	append(v, "%c", c);
}

/* One conversion, taken apart: flags, width and precision with every * filled in,
 * then the length, then the kind. */
struct spec {
	char flags[32];
	char length; /* 'L' is ll; 0 is int */
	char kind;
};

static const char *read_flags(struct spec *s, const char *p, struct log_args *a)
{
	size_t n = 0;

	s->flags[n++] = '%';
	for (; *p != '\0' && strchr("-+ #0123456789.*", *p) != NULL; p++) {
		assert(n < sizeof(s->flags) - 16);
		if (*p != '*') {
			s->flags[n++] = *p;
			continue;
		}
		int given = va_arg(a->ap, int);
		int len = snprintf(s->flags + n, sizeof(s->flags) - n, "%d",
			given < 0 ? 0 : given);
		n += (size_t)len;
	}
	s->flags[n] = '\0';
	return p;
}

static const char *read_spec(struct spec *s, const char *p, struct log_args *a)
{
	p = read_flags(s, p, a);
	for (; *p != '\0' && strchr("hlzjt", *p) != NULL; p++) {
		if (*p == 'l' && s->length == 'l')
			s->length = 'L';
		else if (*p != 'h')
			s->length = *p;
	}
	s->kind = *p;
	return *p == '\0' ? p : p + 1;
}

static intmax_t take_signed(struct log_args *a, char length)
{
	switch (length) {
	case 'l':
		return va_arg(a->ap, long);
	case 'L':
		return va_arg(a->ap, long long);
	/* Alike on this machine. NOLINTNEXTLINE(bugprone-branch-clone) */
	case 'z':
		return va_arg(a->ap, ssize_t);
	case 'j':
		return va_arg(a->ap, intmax_t);
	case 't':
		return va_arg(a->ap, ptrdiff_t);
	}
	return va_arg(a->ap, int);
}

static uintmax_t take_unsigned(struct log_args *a, char length)
{
	return length == 0 ? va_arg(a->ap, unsigned)
			   : (uintmax_t)take_signed(a, length);
}

/* Every length is printed as the largest; so one form a kind is enough. */
static void convert(struct log_value *v, struct spec *s, struct log_args *a)
{
	size_t end = strlen(s->flags);
	char *rest = s->flags + end;
	size_t room = sizeof(s->flags) - end;
	const char *text;

	switch (s->kind) {
	case 'd':
	case 'i':
		(void)snprintf(rest, room, "jd");
		append(v, s->flags, take_signed(a, s->length));
		return;
	case 'u':
		(void)snprintf(rest, room, "ju");
		append(v, s->flags, take_unsigned(a, s->length));
		return;
	case 'x':
	case 'X':
	case 'o':
		v->is_text = true;
		(void)snprintf(rest, room, "j%c", s->kind);
		append(v, s->flags, take_unsigned(a, s->length));
		return;
	case 'f':
	case 'g':
	case 'e':
		(void)snprintf(rest, room, "%c", s->kind);
		append(v, s->flags, va_arg(a->ap, double));
		return;
	case 's':
		v->is_text = true;
		text = va_arg(a->ap, const char *);
		(void)snprintf(rest, room, "s");
		append(v, s->flags, text == NULL ? "-" : text);
		return;
	case 'c':
		append_literal(v, (char)va_arg(a->ap, int));
		return;
	case 'p':
		v->is_text = true;
		append(v, "%p", va_arg(a->ap, void *));
		return;
	case '%':
		append_literal(v, '%');
		return;
	}
	assert(false); /* a conversion that log.h does not name */
}

const char *log_read_value(struct log_value *v, const char *fmt, struct log_args *a)
{
	const char *p = fmt;

	v->is_text = false;
	v->n = 0;
	v->p[0] = '\0';
	while (*p != '\0' && *p != ' ') {
		if (*p != '%') {
			append_literal(v, *p++);
			continue;
		}
		struct spec s = { .length = 0 };
		p = read_spec(&s, p + 1, a);
		convert(v, &s, a);
	}
	return p;
}

static const char *skip_digits(const char *p)
{
	return p + strspn(p, "0123456789");
}

/* RFC 8259, 6: what inf, nan, %04u and %5d print is no number there. */
bool log_is_number(const struct log_value *v)
{
	if (v->is_text)
		return false;
	const char *whole = v->p + (v->p[0] == '-');
	const char *p = skip_digits(whole);

	if (p == whole || (*whole == '0' && p - whole > 1))
		return false;
	if (*p == '.') {
		const char *part = p + 1;

		p = skip_digits(part);
		if (p == part)
			return false;
	}
	return *p == '\0';
}
