/*
 * print - the effective configuration in the file's own syntax.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

void print_new_line(struct printer *p)
{
	fputc('\n', p->f);
	for (unsigned i = 0; i < p->depth; i++)
		fputc('\t', p->f);
}

bool print_key_is_written(const struct key *k, const void *base)
{
	if (k->written != NULL)
		return k->written(base);
	return !k->optional || number_load(k, base) != 0;
}

static void print_key(struct printer *p, const struct key *k, const void *base)
{
	fprintf(p->f, "%s = ", k->name);
	k->kind->print(p, k, base);
	fputc(';', p->f);
}

void table_print(struct printer *p, const struct table *t, const void *base)
{
	fputc('{', p->f);
	p->depth++;
	for (size_t i = 0; i < t->n; i++) {
		if (!print_key_is_written(&t->keys[i], base))
			continue;
		print_new_line(p);
		print_key(p, &t->keys[i], base);
	}
	p->depth--;
	print_new_line(p);
	fputc('}', p->f);
}

char *print_key_value(const struct config *c, const struct key *k, const void *base)
{
	char *text = NULL;
	size_t n = 0;
	struct printer p = { .f = open_memstream(&text, &n), .c = c };

	assert(p.f != NULL);
	k->kind->print(&p, k, base);
	fclose(p.f);
	return text;
}

char *config_print(const struct config *c)
{
	char *text = NULL;
	size_t n = 0;
	struct printer p = { .f = open_memstream(&text, &n), .c = c };

	assert(p.f != NULL);
	for (size_t i = 0; i < table_root.n; i++) {
		print_key(&p, &table_root.keys[i], c);
		fputc('\n', p.f);
	}
	fclose(p.f);
	return text;
}
