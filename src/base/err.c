/* Error texts, built from the inside out in a buffer of fixed size. */
#include "sluice/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What does not fit is cut off at the end. Written beside err first, because
 * the arguments may point into it. */
static void fill(struct err *err, const char *before, const char *after)
{
	struct err made = { .code = err->code };
	int n = snprintf(made.text, sizeof(made.text), "%s%s%s", before,
		*after == '\0' ? "" : ": ", after);

	if (n < 0)
		made.text[0] = '\0';
	*err = made;
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err->code = code;
	fill(err, text, "");
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char where[sizeof(err->text)];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(where, sizeof(where), fmt, ap);
	va_end(ap);
	fill(err, where, err->text);
	return -1;
}

int err_errno(struct err *err, const char *fmt, ...)
{
	int code = errno;
	char text[sizeof(err->text)], reason[128];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err->code = ERR_SYSTEM;
	fill(err, text, strerror_r(code, reason, sizeof(reason)));
	errno = code;
	return -1;
}
