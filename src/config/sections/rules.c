/*
 * rules - what an operator changes in the heads of messages, by route and by pool.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_priv.h"

enum { MOST_LINES = 32, MOST_BYTES = 4096, NAME_BYTES = 64 };

bool rules_is_token(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) &&
			(text[i] == '\0' || strchr("!#$%&'*+-.^_`|~", text[i]) == NULL))
			return false;
	return n > 0;
}

static bool is_among(const char *name, size_t n, const char *const *list, size_t list_n)
{
	for (size_t i = 0; i < list_n; i++) {
		if (strlen(list[i]) == n && strncasecmp(list[i], name, n) == 0)
			return true;
	}
	return false;
}

bool rules_is_of_frame(const char *name, size_t n)
{
	static const char *const frame[] = { "host", "content-length", "connection",
		"transfer-encoding", "upgrade", "te", "trailer", "expect" };

	return is_among(name, n, frame, sizeof(frame) / sizeof(frame[0]));
}

/* Sluice writes it, or the message depends on it. */
static bool is_taken(const char *name, size_t n)
{
	static const char *const ours[] = { "keep-alive", "proxy-connection",
		"http2-settings", "date", "via", "max-forwards", "forwarded",
		"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
		"x-request-id", "sec-websocket-key", "sec-websocket-accept" };

	return rules_is_of_frame(name, n) ||
	       is_among(name, n, ours, sizeof(ours) / sizeof(ours[0]));
}

void rules_check_names(struct reader *rd, const char *names, config_setting_t *group,
	const char *member, bool (*taken)(const char *name, size_t n))
{
	static const char between[] = " \t,";

	for (const char *p = names; *(p += strspn(p, between)) != '\0';) {
		size_t n = strcspn(p, between);

		if (n >= NAME_BYTES || !rules_is_token(p, n) || taken(p, n))
			problem_at_member(rd, group, member,
				"expected names of fields that a message can do "
				"without, got \"%.*s\"",
				n < NAME_BYTES ? (int)n : NAME_BYTES, p);
		p += n;
	}
}

/* --- lines ------------------------------------------------------------------ */

/* "Name: value" as it is to be written; NULL after a complaint. */
static char *line_of(struct reader *rd, config_setting_t *entry)
{
	const char *text = text_of_setting(rd, entry, "\"Name: value\" in quotes");
	const char *value;
	size_t n;

	if (text == NULL)
		return NULL;
	n = strcspn(text, ":");
	value = text + n;
	if (*value == '\0' || n >= NAME_BYTES || !rules_is_token(text, n)) {
		problem_at(rd, entry, "expected \"Name: value\", got \"%.60s\"", text);
		return NULL;
	}
	if (is_taken(text, n)) {
		problem_at(rd, entry,
			"%.*s is not for rules: sluice writes it, or the message's "
			"frame depends on it",
			(int)n, text);
		return NULL;
	}
	value += 1 + strspn(value + 1, " \t");
	return mem_print("%.*s: %s\r\n", (int)n, text, value);
}

static void lines_preset(const struct key *k, void *base)
{
	char **to = key_slot(k, base);

	free(*to);
	*to = mem_text("");
}

static void lines_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	char **to = key_slot(k, base);

	if (s->type != CONFIG_TYPE_ARRAY && s->type != CONFIG_TYPE_LIST) {
		problem_type(
			rd, s, "an array of fields, as [ \"X-Frame-Options: DENY\" ]");
		return;
	}
	if (config_setting_length(s) > MOST_LINES) {
		problem_at(rd, s, "expected at most %d fields, got %d", MOST_LINES,
			config_setting_length(s));
		return;
	}
	lines_preset(k, base);
	for (int i = 0; i < config_setting_length(s); i++) {
		char *line = line_of(rd, config_setting_get_elem(s, (unsigned)i));
		char *all = mem_print("%s%s", *to, line == NULL ? "" : line);

		free(line);
		free(*to);
		*to = all;
	}
	if (strlen(*to) > MOST_BYTES)
		problem_at(rd, s, "has %zu bytes: at most %d are allowed", strlen(*to),
			MOST_BYTES);
}

static void lines_print(struct printer *p, const struct key *k, const void *base)
{
	char *const *from = key_field(k, base);
	const char *between = " ";

	fputc('[', p->f);
	for (const char *line = *from == NULL ? "" : *from; *line != '\0';) {
		size_t n = strcspn(line, "\r");
		char *text = mem_text_n(line, n);

		fputs(between, p->f);
		print_text(p->f, text);
		free(text);
		line += n + 2;
		between = ", ";
	}
	fputs(" ]", p->f);
}

static void lines_fini(const struct key *k, void *base)
{
	char **to = key_slot(k, base);

	free(*to);
	*to = NULL;
}

static const struct kind kind_lines = {
	.name = "array of fields",
	.preset = lines_preset,
	.read = lines_read,
	.print = lines_print,
	.fini = lines_fini,
};

/* --- the tables ------------------------------------------------------------- */

static const struct key edit_keys[] = {
	{
		.name = "set",
		.kind = &kind_lines,
		AT(config_edit, set),
		.text = "none",
		.help = "fields in the place of those that are there under the name, "
			"as "
			"[ \"X-Frame-Options: DENY\" ]; at most 32",
	},
	{
		.name = "add",
		.kind = &kind_lines,
		AT(config_edit, add),
		.text = "none",
		.help = "fields beside those that are there; at most 32",
	},
	{
		.name = "remove",
		.kind = &kind_text,
		AT(config_edit, remove),
		.high = 2048,
		.help = "names of fields that go, with blanks between them",
	},
};

static void check_edit(struct reader *rd, void *base, config_setting_t *s)
{
	const struct config_edit *e = base;

	rules_check_names(rd, e->remove, s, "remove", is_taken);
}

static const struct table table_edit = { TABLE_KEYS(edit_keys), .check = check_edit };

static const struct key rules_keys[] = {
	{
		.name = "request",
		.kind = &kind_group,
		AT(config_header_rules, request),
		.table = &table_edit,
		.help = "of requests: the route's rules first, then the pool's",
	},
	{
		.name = "response",
		.kind = &kind_group,
		AT(config_header_rules, response),
		.table = &table_edit,
		.help = "of final responses: the pool's rules first, then the route's, "
			"which hold for sluice's own answers too",
	},
};

const struct table table_header_rules = { TABLE_KEYS(rules_keys) };
