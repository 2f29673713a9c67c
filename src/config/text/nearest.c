/*
 * nearest - the known word that an operator most likely meant.
 *
 * Distance is the number of letters to insert, delete, replace or swap with
 * their neighbour (optimal string alignment).
 */
#include <string.h>

#include "config_priv.h"

enum { LONGEST = CONFIG_NAME_SIZE };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(const char *a, const char *b)
{
	size_t n = strnlen(a, LONGEST), m = strnlen(b, LONGEST);
	size_t rows[3][LONGEST + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= m; j++)
		last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			bool same = a[i - 1] == b[j - 1];
			bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
				       a[i - 2] == b[j - 1];

			row[j] = least(
				least(last[j], row[j - 1]) + 1, last[j - 1] + !same);
			if (swapped)
				row[j] = least(row[j], before[j - 2] + 1);
		}

		size_t *next = before;

		before = last;
		last = row;
		row = next;
	}
	return last[m];
}

void nearest_try(struct nearest *n, const char *candidate)
{
	size_t d = distance(n->word, candidate);

	if (n->best == NULL || d < n->distance) {
		n->best = candidate;
		n->distance = d;
	}
}
