/* Comparing, cutting and reading spans; all of it without a locale. */
#include "sluice/base/span.h"

static unsigned lower(char c)
{
	unsigned u = (unsigned char)c;

	return u - 'A' < 26 ? u + ('a' - 'A') : u;
}

bool span_ieq(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool span_starts(struct span s, struct span prefix)
{
	return s.n >= prefix.n &&
	       span_eq((struct span){ .p = s.p, .n = prefix.n }, prefix);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct span span_cut(struct span *rest, char sep)
{
	struct span all = *rest;
	const char *at = all.n == 0 ? NULL : memchr(all.p, sep, all.n);

	if (at == NULL) {
		*rest = (struct span){ .p = NULL };
		return all;
	}
	size_t n = (size_t)(at - all.p);
	*rest = (struct span){ .p = at + 1, .n = all.n - n - 1 };
	return (struct span){ .p = all.p, .n = n };
}

bool span_u64(struct span s, uint64_t *value)
{
	uint64_t sum = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

		if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return true;
}
