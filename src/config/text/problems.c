/*
 * problems - what is wrong with a file, in the file's order and each once.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_priv.h"

/* More than anyone reads; keeps a hostile file from filling the memory. */
enum { MOST_COMPLAINTS = 1000 };

/* Names and values come from the file; they must not start new log lines. */
static void make_plain(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void take_text(struct config_problems *p, char **text)
{
	make_plain(*text);
	p->text = mem_grow(p->text, (p->n + 1) * sizeof(*p->text));
	p->text[p->n++] = *text;
	*text = NULL;
}

static char *print_args(const char *fmt, va_list args)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert(f != NULL);
	vfprintf(f, fmt, args);
	fclose(f);
	return text;
}

void config_problems_add(struct config_problems *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *text = print_args(fmt, args);
	va_end(args);
	take_text(p, &text);
}

void config_problems_fini(struct config_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->text[i]);
	free(p->text);
	*p = (struct config_problems){ 0 };
}

static const struct source_run *run_of(const struct source *s, uint32_t line)
{
	size_t low = 0, high = s->n_runs;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (s->runs[mid].first <= line)
			low = mid;
		else
			high = mid;
	}
	return &s->runs[low];
}

char *source_place(const struct source *s, uint32_t line)
{
	if (line == 0 || s->n_runs == 0)
		return mem_text(s->files[0]);

	const struct source_run *run = run_of(s, line);

	return mem_print("%s:%u", s->files[run->file], run->line + (line - run->first));
}

void problems_add(struct report *r, uint32_t line, const config_setting_t *about,
	const char *text)
{
	if (r->n == MOST_COMPLAINTS) {
		r->dropped++;
		return;
	}

	char *place = source_place(r->source, line);

	if (r->list == NULL)
		r->list = mem_alloc(MOST_COMPLAINTS * sizeof(*r->list));
	r->list[r->n++] = (struct complaint){
		.line = line,
		.about = about,
		.text = mem_print("%s: %s", place, text),
	};
	free(place);
}

void problems_add_line(struct report *r, uint32_t line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *text = print_args(fmt, args);
	va_end(args);
	problems_add(r, line, NULL, text);
	free(text);
}

/* Complaints of one line stay in the order in which they were found: the list
 * is sorted in place, so their addresses say nothing, but qsort in glibc
 * is a merge sort only while memory lasts; insertion is short and stable. */
static void sort_by_line(struct complaint *list, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct complaint c = list[i];
		size_t j = i;

		for (; j > 0 && list[j - 1].line > c.line; j--)
			list[j] = list[j - 1];
		list[j] = c;
	}
}

void problems_hand_out(struct report *r, struct config_problems *problems)
{
	if (r->n > 0)
		sort_by_line(r->list, r->n);
	for (size_t i = 0; i < r->n; i++)
		take_text(problems, &r->list[i].text);
	if (r->dropped > 0)
		config_problems_add(problems, "%s: %zu more problems are not shown",
			r->source->files[0], r->dropped);
	free(r->list);
	*r = (struct report){ .source = r->source };
}
