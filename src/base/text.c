/*
 * A text that grows as it is written.
 */
#include "sluice/base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/json.h"
#include "sluice/base/mem.h"

static void make_room(struct text *t, size_t n)
{
	if (t->cap - t->n >= n)
		return;
	t->cap = t->cap < 512 ? 1024 : t->cap;
	while (t->cap - t->n < n)
		t->cap *= 2;
	t->p = mem_grow(t->p, t->cap);
}

void text_add(struct text *t, const char *p, size_t n)
{
	if (n == 0)
		return;
	make_room(t, n);
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

void text_put(struct text *t, const char *text)
{
	text_add(t, text, strlen(text));
}

void text_u64(struct text *t, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	text_add(t, digits + at, sizeof(digits) - at);
}

void text_print(struct text *t, const char *fmt, ...)
{
	va_list ap;

	make_room(t, 128);
	va_start(ap, fmt);
	int n = vsnprintf(t->p + t->n, t->cap - t->n, fmt, ap);
	va_end(ap);

	assert(n >= 0);
	if ((size_t)n >= t->cap - t->n) {
		make_room(t, (size_t)n + 1);
		va_start(ap, fmt);
		n = vsnprintf(t->p + t->n, t->cap - t->n, fmt, ap);
		va_end(ap);
	}
	t->n += (size_t)n;
}

void text_take_json(struct text *t, struct json **j)
{
	char *line = json_print(*j);

	text_put(t, line);
	free(line);
	json_free(*j);
	*j = NULL;
}

void text_drop(struct text *t, size_t n)
{
	assert(n <= t->n);
	t->n -= n;
}

void text_fini(struct text *t)
{
	free(t->p);
	*t = (struct text){ .p = NULL };
}
