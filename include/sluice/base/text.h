/*
 * text - a text that grows as it is written, for cold paths: memory that is missing ends
 * the process, as with mem.
 *
 * All zero is an empty text. p has no NUL behind it.
 */
#ifndef SLUICE_BASE_TEXT_H
#define SLUICE_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct json;

struct text {
	char *p;
	size_t n, cap;
};

void text_add(struct text *t, const char *p, size_t n);
void text_put(struct text *t, const char *text);
/* As "%llu", without what printf costs: a scrape has a hundred thousand of them. */
void text_u64(struct text *t, uint64_t value);
void text_print(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Compact; frees j and sets it to NULL. */
void text_take_json(struct text *t, struct json **j);
void text_drop(struct text *t, size_t n); /* the last n bytes */
void text_fini(struct text *t);

#endif
