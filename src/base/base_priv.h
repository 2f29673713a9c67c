/* base - what its tools share among themselves. */
#ifndef SLUICE_BASE_PRIV_H
#define SLUICE_BASE_PRIV_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum { LOG_VALUE_SIZE = 4096 };

struct log_value {
	bool is_text; /* more than the conversion of a number */
	size_t n;
	char p[LOG_VALUE_SIZE]; /* ends in NUL; longer values are cut off */
};

/* A va_list that can be handed on by pointer. */
struct log_args {
	va_list ap;
};

/* Reads a value from behind its key's = up to the blank that ends it, which is
 * returned. */
const char *log_read_value(struct log_value *v, const char *fmt, struct log_args *a);

/* Whether v may stand in JSON without quotes. */
bool log_is_number(const struct log_value *v);

#endif
