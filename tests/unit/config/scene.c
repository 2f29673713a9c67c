#include "scene.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sluice/base/mem.h"

struct loaded load_bytes(const char *text, size_t n)
{
	struct loaded l = { 0 };
	int rc = config_load_text(&l.c, "/scene/sluice.conf", text, n, &l.problems);

	cr_assert_eq(rc == 0, l.c != NULL);
	cr_assert_eq(rc == 0, l.problems.n == 0);
	return l;
}

struct loaded load(const char *text)
{
	return load_bytes(text, strlen(text));
}

struct loaded load_file(const char *file)
{
	struct loaded l = { 0 };
	int rc = config_load(&l.c, file, &l.problems);

	cr_assert_eq(rc == 0, l.c != NULL);
	cr_assert_eq(rc == 0, l.problems.n == 0);
	return l;
}

void unload(struct loaded *l)
{
	config_free(l->c);
	config_problems_fini(&l->problems);
	l->c = NULL;
}

size_t count_lines(const struct config_problems *lines, const char *words)
{
	size_t n = 0;

	for (size_t i = 0; i < lines->n; i++)
		n += strstr(lines->text[i], words) != NULL;
	return n;
}

bool told(const struct loaded *l, const char *words)
{
	return count_lines(&l->problems, words) > 0;
}

static void show(const struct config_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		fprintf(stderr, "  %s\n", p->text[i]);
}

void expect_accepted(const struct loaded *l)
{
	show(&l->problems);
	cr_assert_not_null(l->c, "refused");
}

void expect_refused(const char *text, const char *words)
{
	struct loaded l = load(text);

	show(&l.problems);
	cr_assert_null(l.c, "accepted: %s", text);
	cr_expect_eq(l.problems.n, 1, "%zu problems", l.problems.n);
	cr_expect(told(&l, words), "nothing says: %s", words);
	unload(&l);
}

char *folder_new(void)
{
	char *folder = mem_text("/tmp/sluice-config-XXXXXX");

	cr_assert_not_null(mkdtemp(folder));
	return folder;
}

void folder_remove(char *folder)
{
	char *command = mem_print("rm -rf '%s'", folder);

	cr_assert_eq(system(command), 0);
	free(command);
	free(folder);
}

char *write_file(const char *folder, const char *name, const char *text)
{
	char *path = mem_print("%s/%s", folder, name);
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f, "%s", path);
	fputs(text, f);
	fclose(f);
	return path;
}
