/*
 * reference - the tables as a page for operators: docs/configuration.md.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

static const char intro[] =
	"# Configuration reference\n\n"
	"Written from the tables that read the file (`src/config`), so it cannot be\n"
	"out of date: a test compares the two. `ninja -C build reference` writes it\n"
	"anew. A file to start from is `conf/sluice.conf`.\n\n"
	"    sluice --check FILE        reads, checks, names every problem of FILE\n"
	"    sluice --print FILE        the same file with every default in its place\n"
	"    kill -HUP PID              the same, then applies it; a bad file is\n"
	"                               refused and changes nothing\n\n"
	"## How a file is written\n\n"
	"The syntax is libconfig's: `name = value;`, groups in `{ }`, lists in `( )`,\n"
	"arrays in `[ ]`, comments after `#` or `//` and in `/* */`.\n\n"
	"- **Durations** are texts of a number and `ms`, `s`, `m` or `h`:\n"
	"  `\"250ms\"`.\n"
	"- **Sizes** are texts of a number and nothing, `k`, `m` or `g` (powers of\n"
	"  1024).\n"
	"- **Percents** are numbers from 0 to 100. Whole numbers may stand for any\n"
	"  number.\n"
	"- **Names** match `[A-Za-z][A-Za-z0-9_-]{0,62}`.\n"
	"- **Paths** are relative to the folder of the file that is loaded.\n"
	"- **Addresses** are `HOST:PORT`, `[IPv6]:PORT` or `unix:/PATH`. They are\n"
	"  shown in one spelling: names in lower case, IPv6 in its short form.\n"
	"- `@include \"FILE\"`, alone on its line, puts another file there. FILE is\n"
	"  relative to the folder of the file that includes it. At most 8 levels,\n"
	"  4 MiB in all.\n"
	"- A setting that is not known is an error, which names the nearest known\n"
	"  one.\n\n"
	"*Reload* says whether a change is taken over by SIGHUP or needs a restart.\n";

static bool is_list(const struct key *k)
{
	return k->kind == &kind_list || k->kind == &kind_named;
}

/* Whose range is that of each entry. */
static bool is_array(const struct key *k)
{
	return k->kind == &kind_statuses || k->kind == &kind_grpc_statuses;
}

static void print_type(FILE *f, const struct key *k)
{
	const char *separator = "";

	fputs(k->words == NULL ? k->kind->name : "", f);
	for (const struct word *w = k->words; w != NULL && w->text != NULL; w++) {
		fprintf(f, "%s`\"%s\"`%s", separator, w->text,
			w->later ? " (not available yet)" : "");
		separator = ", ";
	}
}

static bool is_text(const struct key *k)
{
	return k->kind == &kind_text || k->kind == &kind_secret ||
	       k->kind == &kind_file;
}

static void print_default(FILE *f, const struct key *k)
{
	if (k->required)
		fputs("required", f);
	else if (k->text != NULL && k->kind != &kind_file)
		fprintf(f, "`%s`", k->text);
	else if (k->kind->show != NULL && !k->optional)
		number_show_bare(f, k, k->preset);
	else
		fputs(is_text(k) ? "empty" : "none", f);
}

static void print_range(FILE *f, const struct key *k)
{
	if (k->high == 0)
		return;
	if (is_array(k)) {
		fprintf(f, "%.0f..%.0f each", k->low, k->high);
	} else if (is_list(k)) {
		fprintf(f, "%.0f..%.0f entries", k->low, k->high);
	} else if (k->kind->show == NULL) {
		fprintf(f, "at most %.0f bytes", k->high);
	} else {
		number_show_bare(f, k, k->low);
		fputs("..", f);
		number_show_bare(f, k, k->high);
	}
}

static void print_row(FILE *f, const struct key *k)
{
	fprintf(f, "| `%s` | ", k->name);
	print_type(f, k);
	fputs(" | ", f);
	if (k->kind != &kind_group)
		print_default(f, k);
	fputs(" | ", f);
	print_range(f, k);
	fprintf(f, " | %s | %s |\n", k->restart ? "restart" : "yes", k->help);
}

static void print_section(FILE *f, const struct table *t, const char *path)
{
	fprintf(f, "\n## %s%s%s\n\n", *path == '\0' ? "" : "`",
		*path == '\0' ? "The file" : path, *path == '\0' ? "" : "`");
	fputs("| setting | type | default | range | reload | meaning "
	      "|\n|---|---|---|---|---|---|\n",
		f);
	for (size_t i = 0; i < t->n; i++)
		print_row(f, &t->keys[i]);
	for (size_t i = 0; i < t->n; i++) {
		const struct key *k = &t->keys[i];

		if (k->table == NULL)
			continue;

		char *name =
			mem_print("%s%s%s%s", path, *path == '\0' ? "" : ".", k->name,
				k->kind == &kind_named  ? ".NAME"
				: k->kind == &kind_list ? "[]"
							: "");

		print_section(f, k->table, name);
		free(name);
	}
}

char *config_reference(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert(f != NULL);
	fputs(intro, f);
	print_section(f, &table_root, "");
	fclose(f);
	return text;
}
