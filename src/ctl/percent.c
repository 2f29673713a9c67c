/*
 * A percentage as people write it, to parts per million, without floating point: what
 * is typed is what is set.
 */
#include <string.h>

#include "sluice/base/span.h"
#include "sluice/base/units.h"
#include "sluice/ctl.h"

enum { DECIMALS = 4 };

/* The digits behind the point as so many ten-thousandths; false: no such number. */
static bool fraction(struct span s, uint32_t *out)
{
	uint32_t unit = PPM_PER_PERCENT;

	*out = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (i >= DECIMALS && s.p[i] != '0')
			return false;
		unit /= 10;
		*out += (uint32_t)(s.p[i] - '0') * unit;
	}
	return s.n > 0;
}

int ctl_percent(const char *text, uint32_t *ppm, struct err *err)
{
	struct span rest = span_trim(span_of(text));
	uint64_t whole = 0;
	uint32_t part = 0;

	if (rest.n > 0 && rest.p[rest.n - 1] == '%') {
		rest.n--;
		rest = span_trim(rest);
	}
	bool has_point = rest.n > 0 && memchr(rest.p, '.', rest.n) != NULL;
	struct span before = span_cut(&rest, '.');

	if (!span_u64(before, &whole) || (has_point && !fraction(rest, &part)) ||
		whole > 100 || (whole == 100 && part > 0))
		return err_set(err, ERR_CONFIG,
			"PERCENT: expected 0..100 with at most four decimals, such as "
			"25 or 0.5, got \"%s\"",
			text);
	*ppm = (uint32_t)whole * PPM_PER_PERCENT + part;
	return 0;
}
