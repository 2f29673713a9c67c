/*
 * Cells in aligned columns. Width is counted in characters, not bytes.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "ctl_priv.h"

enum { GAP = 2 };

struct cell {
	char *text;
	enum colour colour;
};

struct grid {
	const struct column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n;
};

static const char *const starts[] = {
	[COLOUR_NONE] = "",
	[COLOUR_BOLD] = "\033[1m",
	[COLOUR_GOOD] = "\033[32m",
	[COLOUR_WARN] = "\033[33m",
	[COLOUR_BAD] = "\033[1;31m",
};

struct grid *grid_new(const struct column *columns, size_t n)
{
	struct grid *t = mem_zero(sizeof(*t));

	t->columns = columns;
	t->n_columns = n;
	for (size_t i = 0; i < n; i++)
		grid_cell(t, COLOUR_BOLD, "%s", columns[i].head);
	return t;
}

void grid_free(struct grid *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

void grid_cell(struct grid *t, enum colour c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	t->cells = mem_grow(t->cells, (t->n + 1) * sizeof(*t->cells));
	t->cells[t->n++] = (struct cell){ .text = mem_text(text), .colour = c };
}

static bool starts_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += starts_character(*text);
	return n;
}

static size_t column_width(const struct grid *t, size_t column)
{
	size_t most = 0;

	for (size_t i = column; i < t->n; i += t->n_columns) {
		size_t n = width_of(t->cells[i].text);

		most = n > most ? n : most;
	}
	return most;
}

/* Leaves at most width characters of text. */
static void cut(char *text, size_t width)
{
	for (size_t n = 0; *text != '\0'; text++) {
		if (!starts_character(*text))
			continue;
		if (n++ == width) {
			*text = '\0';
			return;
		}
	}
}

static void print_cell(const struct cell *c, FILE *f, bool colours)
{
	bool coloured = colours && c->colour != COLOUR_NONE && c->text[0] != '\0';

	fputs(coloured ? starts[c->colour] : "", f);
	show_clean(f, c->text);
	fputs(coloured ? "\033[0m" : "", f);
}

/* So that no line ends with blanks. */
static size_t last_filled(const struct grid *t, size_t first)
{
	size_t i = t->n_columns - 1;

	while (i > 0 && t->cells[first + i].text[0] == '\0')
		i--;
	return i;
}

static void print_row(
	const struct grid *t, size_t first, const size_t *widths, FILE *f, bool colours)
{
	size_t end = last_filled(t, first);

	for (size_t i = 0; i <= end; i++) {
		const struct cell *c = &t->cells[first + i];
		int pad = (int)(widths[i] - width_of(c->text));

		if (t->columns[i].right)
			fprintf(f, "%*s", pad, "");
		print_cell(c, f, colours);
		if (i < end)
			fprintf(f, "%*s", t->columns[i].right ? GAP : pad + GAP, "");
	}
	fputc('\n', f);
}

/* What is left of width for the last column. */
static void cut_last(const struct grid *t, const size_t *widths, size_t width)
{
	size_t used = 0;

	for (size_t i = 0; i + 1 < t->n_columns; i++)
		used += widths[i] + GAP;
	if (width < used + 8)
		return;
	for (size_t i = t->n_columns - 1; i < t->n; i += t->n_columns)
		cut(t->cells[i].text, width - used);
}

void grid_print(const struct grid *t, FILE *f, bool colours, size_t width)
{
	size_t *widths = mem_alloc(t->n_columns * sizeof(*widths));

	for (size_t i = 0; i < t->n_columns; i++)
		widths[i] = column_width(t, i);
	cut_last(t, widths, width);
	widths[t->n_columns - 1] = column_width(t, t->n_columns - 1);
	for (size_t i = 0; i + t->n_columns <= t->n; i += t->n_columns)
		print_row(t, i, widths, f, colours);
	free(widths);
}
