/*
 * What counts as a character: the well-formed sequences of Unicode 15, table
 * 3-7. The second byte alone decides what is overlong or a surrogate.
 */
#include "sluice/base/utf8.h"

#include <stdint.h>

static const struct {
	uint8_t first, last; /* of the lead byte */
	uint8_t low, high;   /* of the second byte */
	size_t n;
} rows[] = {
	{ .first = 0x00, .last = 0x7f, .n = 1 },
	{ .first = 0xc2, .last = 0xdf, .low = 0x80, .high = 0xbf, .n = 2 },
	{ .first = 0xe0, .last = 0xe0, .low = 0xa0, .high = 0xbf, .n = 3 },
	{ .first = 0xe1, .last = 0xec, .low = 0x80, .high = 0xbf, .n = 3 },
	{ .first = 0xed, .last = 0xed, .low = 0x80, .high = 0x9f, .n = 3 },
	{ .first = 0xee, .last = 0xef, .low = 0x80, .high = 0xbf, .n = 3 },
	{ .first = 0xf0, .last = 0xf0, .low = 0x90, .high = 0xbf, .n = 4 },
	{ .first = 0xf1, .last = 0xf3, .low = 0x80, .high = 0xbf, .n = 4 },
	{ .first = 0xf4, .last = 0xf4, .low = 0x80, .high = 0x8f, .n = 4 },
};

size_t utf8_len(const char *p, size_t n)
{
	const uint8_t *b = (const uint8_t *)p;
	size_t row = 0;

	if (n == 0)
		return 0;
	while (row < sizeof(rows) / sizeof(*rows) && b[0] > rows[row].last)
		row++;
	if (row == sizeof(rows) / sizeof(*rows) || b[0] < rows[row].first)
		return 0;
	if (n < rows[row].n)
		return 0;
	if (rows[row].n > 1 && (b[1] < rows[row].low || b[1] > rows[row].high))
		return 0;
	for (size_t i = 2; i < rows[row].n; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	return rows[row].n;
}
