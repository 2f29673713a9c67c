/*
 * What stands in the body of a change, read strictly, and of a cutback, read leniently:
 * S48 (cutback has no precondition) does not let a newline in its reason keep traffic
 * where it does harm.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sluice/base/json.h"
#include "sluice/base/utf8.h"

#include "admin_priv.h"

/* --- one field ------------------------------------------------------------- */

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_clean(const char *text)
{
	for (; *text != '\0'; text++) {
		if (is_control(*text))
			return false;
	}
	return true;
}

static int take_reason(const struct json *body, struct fields *f, struct err *err)
{
	const char *text = json_text(body, "reason", NULL);

	if (text == NULL)
		return err_set(err, ERR_FORMAT, "reason: expected a text");
	if (strlen(text) > FIELDS_REASON || !is_clean(text))
		return err_set(err, ERR_FORMAT,
			"reason: expected one line of at most %d bytes", FIELDS_REASON);
	snprintf(f->reason, sizeof(f->reason), "%s", text);
	return 0;
}

static int take_generation(const struct json *body, struct fields *f, struct err *err)
{
	int64_t n = json_int(body, "generation", -1);

	if (n < 0)
		return err_set(err, ERR_FORMAT,
			"generation: expected a whole number, as /v1/status shows it");
	f->has_generation = true;
	f->generation = (uint64_t)n;
	return 0;
}

static int take_percent(const struct json *body, struct fields *f, struct err *err)
{
	double percent = json_number(body, "percent", (double)NAN);
	double ppm = percent * 10000;

	if (!(percent >= 0 && percent <= 100)) /* also when it is no number */
		return err_set(err, ERR_FORMAT, "percent: expected a number 0..100");
	if (fabs(ppm - round(ppm)) > 1e-5)
		return err_set(err, ERR_FORMAT,
			"percent: expected at most four decimals (0.0001 is one in a "
			"million)");
	f->new_ppm = (uint32_t)lround(ppm);
	return 0;
}

/* --- strictly ---------------------------------------------------------------- */

/* "" stands for "{}": curl -X POST shall do. */
static struct json *parse(struct span body, struct err *err)
{
	struct span s = body;

	while (s.n > 0 && (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r'))) {
		s.p++;
		s.n--;
	}
	if (s.n == 0)
		return json_new_object();
	if (s.p[0] != '{') {
		err_set(err, ERR_FORMAT, "expected an object");
		return NULL;
	}
	return json_parse(body.p, body.n, err);
}

static int take_fields(
	const struct json *body, bool weight, struct fields *f, struct err *err)
{
	static const char *const known[] = { "reason", "generation", "percent" };
	const char *other = json_unknown_key(body, known, weight ? 3 : 2);

	if (other != NULL)
		return err_set(err, ERR_FORMAT, "unknown field \"%.64s\": expected %s",
			other,
			weight ? "percent, reason, generation" : "reason, generation");
	if (weight && !json_has(body, "percent"))
		return err_set(err, ERR_FORMAT, "percent: missing");
	if (weight && take_percent(body, f, err) != 0)
		return -1;
	if (json_has(body, "reason") && take_reason(body, f, err) != 0)
		return -1;
	if (json_has(body, "generation") && take_generation(body, f, err) != 0)
		return -1;
	return 0;
}

int fields_read(
	struct fields *f, struct span body, enum shift_command command, struct err *err)
{
	struct json *j = parse(body, err);
	int rc;

	*f = (struct fields){ .has_generation = false };
	if (j == NULL)
		return -1;
	rc = take_fields(j, command == COMMAND_WEIGHT, f, err);
	json_free(j);
	return rc;
}

/* --- leniently ------------------------------------------------------------------ */

struct marks { /* what was wrong: "one; other" */
	char text[160];
	size_t n;
};

static void mark(struct marks *m, const char *what)
{
	int n = snprintf(m->text + m->n, sizeof(m->text) - m->n, "%s%s",
		m->n > 0 ? "; " : "", what);

	m->n += (size_t)n;
	m->n = m->n < sizeof(m->text) ? m->n : sizeof(m->text) - 1;
}

/* One line of whole characters that fits: what is none of them becomes a blank or a
 * question mark. */
static void clean_reason(struct fields *f, struct span text, struct marks *m)
{
	size_t n = 0;
	bool changed = false;

	while (text.n > 0) {
		size_t len = utf8_len(text.p, text.n);

		if (n + (len > 0 ? len : 1) > FIELDS_REASON) {
			mark(m, "cut");
			break;
		}
		memcpy(f->reason + n, text.p, len);
		if (len == 0 || is_control(*text.p)) {
			f->reason[n] = len == 0 ? '?' : ' ';
			changed = true;
			len = 1;
		}
		n += len;
		text.p += len;
		text.n -= len;
	}
	f->reason[n] = '\0';
	if (changed)
		mark(m, "cleaned");
}

static void take_what_is_there(struct fields *f, const struct json *j, struct marks *m)
{
	static const char *const known[] = { "reason", "generation", "hard" };
	const char *reason = json_text(j, "reason", NULL);

	if (reason != NULL)
		clean_reason(f, span_of(reason), m);
	else if (json_has(j, "reason"))
		mark(m, "reason was no text");
	f->hard = json_bool(j, "hard", false);
	if (f->hard != json_bool(j, "hard", true) && json_has(j, "hard"))
		mark(m, "hard was neither true nor false");
	if (json_unknown_key(j, known, sizeof(known) / sizeof(known[0])) != NULL)
		mark(m, "unknown fields left out");
}

static void put_marks(struct fields *f, const struct marks *m)
{
	size_t n = strlen(f->reason);

	if (m->n > 0)
		snprintf(f->reason + n, sizeof(f->reason) - n, "%s[%s]",
			n > 0 ? " " : "", m->text);
}

void fields_read_cutback(struct fields *f, struct span body, const char *fault)
{
	struct err err = { .code = ERR_NONE };
	struct json *j = parse(body, &err);
	struct marks m = { .n = 0 };

	*f = (struct fields){ .has_generation = false };
	if (fault != NULL)
		mark(&m, fault);
	else if (j == NULL)
		mark(&m, "the body was no JSON object");
	if (j != NULL)
		take_what_is_there(f, j, &m);
	else
		clean_reason(f, body, &m); /* as it stands: it may say why */
	put_marks(f, &m);
	json_free(j);
}
