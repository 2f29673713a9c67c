/*
 * span - bytes that belong to somebody else.
 *
 * Never owns, never ends in NUL. It may not outlive the buffer named in the
 * comment where it is stored.
 */
#ifndef SLUICE_BASE_SPAN_H
#define SLUICE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sluice/base/mem.h"

struct span {
	const char *p;
	size_t n;
};

/* Of a string literal. */
#define SPAN(text) ((struct span){ .p = "" text, .n = sizeof(text) - 1 })

static inline struct span span_of(const char *text)
{
	return (struct span){ .p = text, .n = strlen(text) };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters compare without case, whatever the locale. */
bool span_ieq(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);

/* Without blanks and tabs at both ends. */
struct span span_trim(struct span s);

/* Cuts what stands before the first sep off *rest and returns it; *rest is
 * left behind the sep. Returns all, and leaves *rest empty with p NULL, when
 * there is none. */
struct span span_cut(struct span *rest, char sep);

/* Decimal digits only, no sign, no blanks; false when empty or too large. */
bool span_u64(struct span s, uint64_t *value) MUST_USE;

#endif
