/*
 * choice - one of a few words. Words that later versions bring are known, and
 * refused by name.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

static void print_choices(FILE *f, const struct word *words)
{
	bool first = true;

	for (; words->text != NULL; words++) {
		if (words->later)
			continue;
		fprintf(f, "%s\"%s\"", first ? "" : " or ", words->text);
		first = false;
	}
}

/* Not one of the words, or one for later. */
static void complain_choice(
	struct reader *rd, config_setting_t *s, const struct key *k, bool later)
{
	const char *text = config_setting_get_string(s);
	struct nearest near = { .word = text };
	char *choices = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&choices, &n);

	assert(f != NULL);
	print_choices(f, k->words);
	fclose(f);
	for (const struct word *w = k->words; w->text != NULL; w++)
		if (!w->later)
			nearest_try(&near, w->text);
	if (later)
		problem_at(rd, s,
			"\"%s\" is not available in this version: expected %s", text,
			choices);
	else
		problem_at(rd, s, "expected %s, got \"%.60s\"; the nearest is \"%s\"",
			choices, text, near.best);
	free(choices);
}

static bool parse_choice(
	struct reader *rd, const struct key *k, config_setting_t *s, double *v)
{
	const char *text = text_of_setting(rd, s, "a word in quotes");
	const struct word *w = k->words;

	if (text == NULL)
		return false;
	while (w->text != NULL && strcmp(w->text, text) != 0)
		w++;
	if (w->text == NULL || w->later) {
		complain_choice(rd, s, k, w->text != NULL);
		return false;
	}
	*v = w->value;
	return true;
}

static void show_choice(FILE *f, const struct key *k, double v)
{
	const struct word *w = k->words;

	while (w->text != NULL && w->value != (unsigned)v)
		w++;
	fprintf(f, "\"%s\"", w->text == NULL ? "?" : w->text);
}

const struct kind kind_choice = {
	.name = "one of",
	KIND_NUMBER,
	.parse = parse_choice,
	.show = show_choice,
	.width = WIDTH_U32,
	.scale = 1,
};
