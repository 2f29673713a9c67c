/*
 * numeral - numbers as libconfig writes them, and whether it would read them as
 * what they are.
 *
 *	integer  [sign] digits [L|LL]     hex  0x digits [L|LL]
 *	float    [sign] digits [. digits] [e [sign] digits]   with a dot or an e
 *
 * An integer without L is kept in an int; a float in a double.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "config_priv.h"

static const char digits[] = "0123456789";

static const char *behind_sign(const char *p)
{
	return p + (*p == '-' || *p == '+');
}

static bool is_hex(const char *p, const char *end)
{
	return end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') &&
	       (size_t)(end - p) == 2 + strspn(p + 2, "0123456789abcdefABCDEF");
}

static bool is_decimal(const char *p, const char *end)
{
	p = behind_sign(p);
	return p < end && p + strspn(p, digits) == end;
}

static bool is_float(const char *p, const char *end)
{
	p = behind_sign(p);

	size_t whole = strspn(p, digits);
	size_t part = p[whole] == '.' ? strspn(p + whole + 1, digits) : 0;
	bool dot = p[whole] == '.';

	p += whole + dot + part;
	if (whole + part == 0)
		return false;
	if (*p != 'e' && *p != 'E')
		return dot && p == end;
	p = behind_sign(p + 1);
	return p < end && p + strspn(p, digits) == end;
}

static enum numeral integer_fits(const char *p, bool hex, bool wide)
{
	errno = 0;

	long long v = strtoll(p, NULL, hex ? 16 : 10);

	if (errno == ERANGE || (!wide && (v < INT_MIN || v > INT_MAX)))
		return NUMERAL_TOO_LARGE;
	return NUMERAL_GOOD;
}

static enum numeral float_fits(const char *p)
{
	errno = 0;
	(void)strtod(p, NULL); /* only errno is asked */
	return errno == ERANGE ? NUMERAL_TOO_LARGE : NUMERAL_GOOD;
}

enum numeral numeral_of(struct span token)
{
	const char *p = token.p, *all = p + token.n, *end = all;

	while (end > p && *(end - 1) == 'L' && all - end < 2)
		end--;
	if (is_hex(p, end) || is_decimal(p, end))
		return integer_fits(p, is_hex(p, end), end < all);
	return is_float(p, all) ? float_fits(p) : NUMERAL_NONE;
}
