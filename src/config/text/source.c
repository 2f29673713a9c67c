/*
 * source - a file and what it includes, read into one text.
 *
 * libconfig never opens a file: version 1.5 ends the process on an @include
 * of a directory and waits for ever on a pipe. Here only regular files are
 * opened, without blocking, each and all together at most 4 MiB; an @include
 * stands alone on its line and is relative to the folder of its file. A map
 * leads from lines of the whole text back to files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_priv.h"

enum { MAX_INCLUDE_DEPTH = 8, MAX_FILES = 1000 };

struct grown {
	char *p;
	size_t n, cap;
};

struct loading {
	struct source *s;
	struct report *r;
	struct grown raw, text;
	bool too_large;
};

static void grown_add(struct grown *g, const char *p, size_t n)
{
	if (g->cap - g->n <= n) {
		g->cap = 2 * g->cap + n + 1024;
		g->p = mem_grow(g->p, g->cap);
	}
	if (n > 0)
		memcpy(g->p + g->n, p, n);
	g->n += n;
	g->p[g->n] = '\0';
}

char *source_folder(const char *file)
{
	const char *slash = strrchr(file, '/');

	return mem_text_n(file, slash == NULL ? 0 : (size_t)(slash - file) + 1);
}

static const char *kind_of_file(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a folder";
	if (S_ISFIFO(mode))
		return "a pipe";
	if (S_ISSOCK(mode))
		return "a socket";
	return "a device";
}

/* What goes wrong here is told without the path, which stands before it. */
static int check_file(const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_CONFIG, "is %s: only regular files are read",
			kind_of_file(st->st_mode));
	if (st->st_size > CONFIG_MAX_BYTES)
		return err_set(err, ERR_CONFIG,
			"has %lld bytes: at most 4 MiB are read",
			(long long)st->st_size);
	return 0;
}

static int read_all(int fd, struct grown *to, struct err *err)
{
	char part[65536];

	for (;;) {
		ssize_t got = read(fd, part, sizeof(part));

		if (got == -1)
			return err_errno(err, "cannot be read");
		if (got == 0)
			return 0;
		grown_add(to, part, (size_t)got);
		if (to->n > CONFIG_MAX_BYTES)
			return err_set(err, ERR_CONFIG,
				"is too large: at most 4 MiB are read");
	}
}

/* The file is looked at before it is opened, because opening a device can
 * already do something, and again after it, because it may have changed. */
static int read_file(const char *path, struct grown *to, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return err_errno(err, "cannot be read");
	if (check_file(&st, err) != 0)
		return -1;

	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	int rc = -1;

	if (fd == -1)
		return err_errno(err, "cannot be read");
	if (fstat(fd, &st) == -1)
		err_errno(err, "cannot be read");
	else if (check_file(&st, err) == 0)
		rc = read_all(fd, to, err);
	close(fd);
	return rc;
}

/* The next line of the source is line `line` of that file. */
static void start_run(struct loading *l, uint32_t file, uint32_t line)
{
	struct source *s = l->s;

	s->runs = mem_grow(s->runs, (s->n_runs + 1) * sizeof(*s->runs));
	s->runs[s->n_runs++] = (struct source_run){
		.first = s->lines + 1,
		.file = file,
		.line = line,
	};
}

static uint32_t add_file(struct source *s, const char *path)
{
	s->files = mem_grow(s->files, (s->n_files + 1) * sizeof(*s->files));
	s->files[s->n_files] = mem_text(path);
	return (uint32_t)s->n_files++;
}

/* The name in @include "NAME", or n 0 when the line is anything else. */
static struct span include_name(struct span line)
{
	struct span rest = span_trim(line);
	struct span word = SPAN("@include");

	if (rest.n > 0 && rest.p[rest.n - 1] == '\r')
		rest = span_trim((struct span){ .p = rest.p, .n = rest.n - 1 });
	if (!span_starts(rest, word))
		return (struct span){ 0 };
	rest = span_trim((struct span){ .p = rest.p + word.n, .n = rest.n - word.n });
	if (rest.n < 3 || rest.p[0] != '"' || rest.p[rest.n - 1] != '"')
		return (struct span){ 0 };
	rest = (struct span){ .p = rest.p + 1, .n = rest.n - 2 };
	if (memchr(rest.p, '"', rest.n) != NULL || memchr(rest.p, '\\', rest.n) != NULL)
		return (struct span){ 0 };
	return rest;
}

static bool is_directive(struct span line)
{
	struct span rest = span_trim(line);

	return rest.n > 0 && rest.p[0] == '@';
}

static void add_file_text(struct loading *l, uint32_t file, struct span raw, int depth);

/* Reports at the line that was added last, which is the directive's. */
static void include(struct loading *l, const char *from, struct span name, int depth)
{
	uint32_t at = l->s->lines;
	struct grown text = { 0 };
	struct err err;

	if (name.n == 0) {
		problems_add_line(l->r, at,
			"expected @include \"FILE\" and nothing else on its line");
		return;
	}
	if (depth == MAX_INCLUDE_DEPTH || l->s->n_files == MAX_FILES) {
		problems_add_line(l->r, at,
			"@include \"%.*s\" is not followed: at most %d levels and %d "
			"files; does a file include itself?",
			(int)name.n, name.p, MAX_INCLUDE_DEPTH, MAX_FILES);
		return;
	}

	char *folder = source_folder(from);
	char *path = mem_print(
		"%s%.*s", name.p[0] == '/' ? "" : folder, (int)name.n, name.p);

	if (read_file(path, &text, &err) == 0)
		add_file_text(l, add_file(l->s, path),
			(struct span){ .p = text.p, .n = text.n }, depth + 1);
	else
		problems_add_line(l->r, at, "@include: %s %s", path, err.text);
	free(text.p);
	free(path);
	free(folder);
}

static void add_line(struct loading *l, struct span raw, struct span clean)
{
	grown_add(&l->raw, raw.p, raw.n);
	grown_add(&l->raw, "\n", 1);
	grown_add(&l->text, clean.p, clean.n);
	grown_add(&l->text, "\n", 1);
	l->s->lines++;
}

static void add_lines(
	struct loading *l, uint32_t file, struct span raw, struct span clean, int depth)
{
	uint32_t line = 0;

	while (clean.p != NULL && l->text.n <= CONFIG_MAX_BYTES) {
		struct span text = span_cut(&clean, '\n');
		struct span kept = span_cut(&raw, '\n');

		line++;
		if (!is_directive(text)) {
			add_line(l, kept, text);
			continue;
		}
		add_line(l, kept, (struct span){ .p = "", .n = 0 });
		include(l, l->s->files[file], include_name(text), depth);
		start_run(l, file, line + 1);
	}
	l->too_large = l->too_large || clean.p != NULL;
}

static uint32_t line_of(const char *text, const char *p)
{
	uint32_t line = 1;

	for (; text < p; text++)
		line += *text == '\n';
	return line;
}

static void add_file_text(struct loading *l, uint32_t file, struct span raw, int depth)
{
	static const char bom[] = { '\xef', '\xbb', '\xbf' };
	const char *nul = raw.n == 0 ? NULL : memchr(raw.p, '\0', raw.n);
	struct grown clean = { 0 };

	start_run(l, file, 1);
	if (nul != NULL) {
		problems_add_line(l->r, l->s->lines + line_of(raw.p, nul),
			"a zero byte: this is not a text file");
		return;
	}
	grown_add(&clean, raw.p, raw.n);
	if (raw.n >= sizeof(bom) && memcmp(raw.p, bom, sizeof(bom)) == 0)
		memset(clean.p, ' ', sizeof(bom));
	if (comments_blank(clean.p, clean.n, l->s->lines + 1, l->r))
		add_lines(l, file, raw, (struct span){ .p = clean.p, .n = clean.n },
			depth);
	free(clean.p);
}

void source_read(
	struct source *s, const char *file, const struct span *text, struct report *r)
{
	struct loading l = { .s = s, .r = r };
	struct grown bytes = { 0 };
	struct err err;
	int rc = 0;

	add_file(s, file);
	if (text == NULL)
		rc = read_file(file, &bytes, &err);
	else if (text->n > CONFIG_MAX_BYTES)
		rc = err_set(&err, ERR_CONFIG, "is too large: at most 4 MiB are read");
	else
		grown_add(&bytes, text->p, text->n);
	if (rc != 0) {
		problems_add_line(r, 0, "%s", err.text);
	} else {
		add_file_text(&l, 0, (struct span){ .p = bytes.p, .n = bytes.n }, 0);
		if (l.too_large)
			problems_add_line(r, 0,
				"is too large: at most 4 MiB are read, includes "
				"counted");
	}
	grown_add(&l.raw, "", 0);
	grown_add(&l.text, "", 0);

	uint8_t digest[DIGEST_SIZE];

	digest_sha256(l.raw.p, l.raw.n, digest);
	digest_hex(digest, sizeof(digest), s->hash);
	s->text = l.text.p;
	s->n = l.text.n;
	free(l.raw.p);
	free(bytes.p);
}

void source_fini(struct source *s)
{
	for (size_t i = 0; i < s->n_files; i++)
		free(s->files[i]);
	free(s->files);
	free(s->runs);
	free(s->text);
	*s = (struct source){ 0 };
}
