/*
 * texts - the kinds of settings that are kept as text.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_priv.h"

void print_text(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', f);
		fputc(*text, f);
	}
	fputc('"', f);
}

static char **slot(const struct key *k, void *base)
{
	return key_slot(k, base);
}

static const char *value(const struct key *k, const void *base)
{
	char *const *p = key_field(k, base);

	return *p == NULL ? "" : *p;
}

static void set(const struct key *k, void *base, char *text)
{
	char **p = slot(k, base);

	free(*p);
	*p = text;
}

static void text_preset(const struct key *k, void *base)
{
	set(k, base, mem_text(k->text == NULL ? "" : k->text));
}

static void text_fini(const struct key *k, void *base)
{
	set(k, base, NULL);
}

static const char *bounded_text(
	struct reader *rd, const struct key *k, config_setting_t *s)
{
	const char *text = text_of_setting(rd, s, "a text in quotes");

	if (text == NULL)
		return NULL;
	if (strlen(text) > (k->high > 0 ? (size_t)k->high : PATH_MAX - 1)) {
		problem_at(rd, s, "has %zu bytes: at most %zu are allowed",
			strlen(text), k->high > 0 ? (size_t)k->high : PATH_MAX - 1);
		return NULL;
	}
	if (k->required && *text == '\0') {
		problem_at(rd, s, "is empty: %s", table_key_hint(k));
		return NULL;
	}
	return text;
}

static void text_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	const char *text = bounded_text(rd, k, s);

	if (text != NULL)
		set(k, base, mem_text(text));
}

static void text_print(struct printer *p, const struct key *k, const void *base)
{
	print_text(p->f, value(k, base));
}

/* What the text is stays out of every message. */
static void secret_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	const char *text = config_setting_get_string(s);

	if (text == NULL)
		problem_at(rd, s, "expected a text in quotes");
	else if (!text_is_plain(text))
		problem_at(rd, s, "has a control character: take it out");
	else
		set(k, base, mem_text(text));
}

static void secret_print(struct printer *p, const struct key *k, const void *base)
{
	fputs(*value(k, base) == '\0' ? "\"\"" : "\"***\"", p->f);
}

static bool name_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= CONFIG_NAME_SIZE || !isalpha((unsigned char)*name))
		return false;
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-')
			return false;
	return true;
}

void text_take_name(
	struct reader *rd, const config_setting_t *s, const char *name, void *to)
{
	if (name_is_valid(name))
		memcpy(to, name, strlen(name) + 1);
	else
		problem_at(rd, s,
			"\"%.80s\" is no name: expected a letter, then letters, "
			"digits, \"_\" or \"-\", at most %d in all",
			name, CONFIG_NAME_SIZE - 1);
}

static void name_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	const char *text = text_of_setting(rd, s, "a name in quotes");

	if (text != NULL)
		text_take_name(rd, s, text, key_slot(k, base));
}

static void name_print(struct printer *p, const struct key *k, const void *base)
{
	print_text(p->f, key_field(k, base));
}

static char *absolute(const struct reader *rd, const char *path)
{
	return *path == '/' ? mem_text(path) : mem_print("%s%s", rd->folder, path);
}

static void path_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	const char *text = bounded_text(rd, k, s);

	if (text == NULL)
		return;
	if (*text == '\0' && k->text == NULL) { /* one that may be left out */
		set(k, base, mem_text(""));
		return;
	}

	char *path = absolute(rd, text);

	if (strlen(path) >= PATH_MAX - 16 ||
		(k->high > 0 && strlen(path) > (size_t)k->high))
		problem_at(rd, s, "%.60s... has %zu bytes: a shorter path is needed",
			path, strlen(path));
	else if (path[strlen(path) - 1] == '/')
		problem_at(rd, s, "%s is a folder: expected a file", path);
	else {
		set(k, base, path);
		return;
	}
	free(path);
}

/* How to get a file is said only of one that is not there. */
static void complain_file(struct reader *rd, const struct key *k,
	const config_setting_t *s, const char *path, int error)
{
	bool hint = error == ENOENT && k->text != NULL;

	problem_at(rd, s, "%s%s: %s%s%s", path,
		error == EACCES ? " may not be read" : "", strerror(error),
		hint ? "; " : "", hint ? k->text : "");
}

/* A file that must be there; its default is none. k->text: how to get one. */
static void file_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	const char *text = bounded_text(rd, k, s);
	struct stat st;

	if (text == NULL)
		return;
	if (*text == '\0') {
		set(k, base, mem_text(""));
		return;
	}

	char *path = absolute(rd, text);

	if (stat(path, &st) == -1 || access(path, R_OK) == -1)
		complain_file(rd, k, s, path, errno);
	else if (!S_ISREG(st.st_mode))
		problem_at(rd, s, "%s is not a file", path);
	set(k, base, path);
}

static void file_preset(const struct key *k, void *base)
{
	set(k, base, mem_text(""));
}

static void later_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	(void)k;
	(void)base;
	problem_at(rd, s, "is not available in this version: take it out");
}

const struct kind kind_text = {
	.name = "text",
	.preset = text_preset,
	.read = text_read,
	.print = text_print,
	.fini = text_fini,
};

const struct kind kind_secret = {
	.name = "text",
	.preset = text_preset,
	.read = secret_read,
	.print = secret_print,
	.fini = text_fini,
};

const struct kind kind_path = {
	.name = "path",
	.preset = text_preset,
	.read = path_read,
	.print = text_print,
	.fini = text_fini,
};

const struct kind kind_file = {
	.name = "file",
	.preset = file_preset,
	.read = file_read,
	.print = text_print,
	.fini = text_fini,
};

const struct kind kind_name = {
	.name = "name",
	.read = name_read,
	.print = name_print,
};

const struct kind kind_later = {
	.name = "not available yet",
	.read = later_read,
};
