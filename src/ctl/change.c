/*
 * The verbs that change something.
 *
 * All but cutback carry the generation they were decided on (S8): the one given with
 * --generation, else the one that is read right before. So of two operators at once
 * the second one is told, and decides again.
 */
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"
#include "sluice/base/span.h"
#include "sluice/shift.h"

#include "ctl_priv.h"

enum ctl_exit ctl_complain_reply(const struct reply *r)
{
	const char *hint = json_text(r->json, "hint", "");

	return ctl_complain(CTL_FAILED, "%s%s%s", json_text(r->json, "error", r->text),
		hint[0] != '\0' ? "; " : "", hint);
}

static enum ctl_exit read_status(const struct args *a, struct reply *r)
{
	struct err err = { .code = ERR_NONE };
	enum ctl_exit done;

	if (client_ask(args_socket(a), "/v1/status", NULL, r, &err) != 0)
		return ctl_complain(CTL_UNREACHABLE, "%s", err.text);
	if (r->status == 200 && json_get(r->json, "migrations") != NULL)
		return CTL_DONE;
	done = ctl_complain_reply(r);
	client_reply_fini(r);
	return done;
}

const struct json *ctl_migration(const struct json *status, const char *name)
{
	const struct json *all = json_get(status, "migrations");

	for (size_t i = 0; i < json_count(all); i++) {
		if (strcmp(json_text(json_at(all, i), "name", ""), name) == 0)
			return json_at(all, i);
	}
	return NULL;
}

enum ctl_exit ctl_complain_name(const struct json *status, const char *name)
{
	const struct json *all = json_get(status, "migrations");
	char *list = mem_text("");
	enum ctl_exit done;

	for (size_t i = 0; i < json_count(all) && i < 20; i++) {
		char *longer = mem_print(
			"%s %s", list, json_text(json_at(all, i), "name", ""));

		free(list);
		list = longer;
	}
	done = ctl_complain(CTL_FAILED, "no migration is called %s; there %s%s%s", name,
		json_count(all) == 0 ? "is none" : "are:", list,
		json_count(all) > 20 ? " ..." : "");
	free(list);
	return done;
}

static enum ctl_exit put_generation(
	const struct args *a, const char *name, struct json *body)
{
	const char *given = a->value[OPTION_GENERATION];
	struct reply r = { .status = 0 };
	enum ctl_exit done = CTL_DONE;
	uint64_t n;

	if (given != NULL) {
		if (!span_u64(span_of(given), &n) || n > INT64_MAX)
			return ctl_complain(CTL_USAGE,
				"--generation: expected a whole number, got \"%s\"",
				given);
		json_put_int(body, "generation", (int64_t)n);
		return CTL_DONE;
	}
	done = read_status(a, &r);
	if (done != CTL_DONE)
		return done;
	const struct json *seen = ctl_migration(r.json, name);
	if (seen == NULL)
		done = ctl_complain_name(r.json, name);
	else
		json_put_int(body, "generation", json_int(seen, "generation", 0));
	client_reply_fini(&r);
	return done;
}

/* --- sending -------------------------------------------------------------- */

/* Names are letters, digits, "-" and "_"; what is not goes as %XX and finds nothing. */
static char *path_of(const char *name, const char *verb)
{
	char *escaped = mem_alloc(3 * strlen(name) + 1), *end = escaped;

	for (const char *c = name; *c != '\0'; c++) {
		if (strchr("-_", *c) != NULL || (*c >= '0' && *c <= '9') ||
			((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z'))
			*end++ = *c;
		else
			end += sprintf(end, "%%%02X", (unsigned char)*c);
	}
	*end = '\0';
	char *path = mem_print("/v1/migrations/%s/%s", escaped, verb);
	free(escaped);
	return path;
}

static bool was_faster(const struct json *body, const struct reply *r)
{
	int64_t decided_on = json_int(body, "generation", -1);
	int64_t now = json_int(r->json, "generation", -1);

	return r->status == 409 && decided_on >= 0 && now >= 0 && now != decided_on;
}

static bool is_latched(const struct reply *r)
{
	enum shift_phase phase;

	return r->status == 409 &&
	       shift_phase_parse(json_text(r->json, "phase", ""), &phase) &&
	       shift_is_latched(phase);
}

static enum ctl_exit show_outcome(const struct json *body, const struct reply *r)
{
	if (r->status == 200) {
		show_clean(stdout, json_text(r->json, "message", "done"));
		putchar('\n');
		return CTL_DONE;
	}
	if (was_faster(body, r))
		return ctl_complain(CTL_FAILED,
			"somebody was faster: generation is %lld, not %lld; now %s at "
			"%g %%. Look at sluicectl status, then decide again",
			(long long)json_int(r->json, "generation", -1),
			(long long)json_int(body, "generation", -1),
			json_text(r->json, "phase", "?"),
			json_number(r->json, "weight_percent", 0));
	if (is_latched(r))
		return ctl_complain(CTL_FAILED, "%s: sluicectl resume %s",
			json_text(r->json, "error", ""),
			json_text(r->json, "migration", ""));
	/* The hint is for those who speak HTTP. */
	if (r->status == 404 || r->status == 409)
		return ctl_complain(
			CTL_FAILED, "%s", json_text(r->json, "error", r->text));
	return ctl_complain_reply(r);
}

static enum ctl_exit post(
	const struct args *a, const char *path, const struct json *body)
{
	struct err err = { .code = ERR_NONE };
	struct reply r;
	enum ctl_exit done;

	if (client_ask(args_socket(a), path, body, &r, &err) != 0)
		return ctl_complain(CTL_UNREACHABLE, "%s", err.text);
	done = show_outcome(body, &r);
	client_reply_fini(&r);
	return done;
}

static void put_reason(const struct args *a, struct json *body)
{
	if (a->value[OPTION_REASON] != NULL)
		json_put_text(body, "reason", a->value[OPTION_REASON]);
}

/* Takes body. */
static enum ctl_exit change(const struct args *a, const char *verb, struct json **body)
{
	enum ctl_exit done = put_generation(a, a->word[1], *body);
	char *path = path_of(a->word[1], verb);

	put_reason(a, *body);
	if (done == CTL_DONE)
		done = post(a, path, *body);
	free(path);
	json_free(*body);
	*body = NULL;
	return done;
}

enum ctl_exit verb_change(const struct args *a)
{
	struct json *body = json_new_object();

	return change(a, a->word[0], &body);
}

enum ctl_exit verb_weight(const struct args *a)
{
	struct err err = { .code = ERR_NONE };
	struct json *body;
	uint32_t ppm;

	if (ctl_percent(a->word[2], &ppm, &err) != 0)
		return ctl_complain(CTL_USAGE, "%s", err.text);
	body = json_new_object();
	json_put_real(body, "percent", ppm / 10000.0);
	return change(a, "weight", &body);
}

/* --- cutback -------------------------------------------------------------- */

/* The path for the only migration there is; NULL and why not. */
static char *only_one(const struct args *a, enum ctl_exit *done)
{
	struct reply r = { .status = 0 };
	const struct json *all;
	char *path = NULL;

	*done = read_status(a, &r);
	if (*done != CTL_DONE)
		return NULL;
	all = json_get(r.json, "migrations");
	if (json_count(all) == 1)
		path = path_of(json_text(json_at(all, 0), "name", ""), "cutback");
	else
		*done = ctl_complain(CTL_USAGE,
			"there are %zu migrations: say which one, or --all",
			json_count(all));
	client_reply_fini(&r);
	return path;
}

enum ctl_exit verb_cutback(const struct args *a)
{
	enum ctl_exit done = CTL_DONE;
	struct json *body;
	char *path;

	if (a->value[OPTION_ALL] != NULL && a->n_words > 1)
		return ctl_complain(
			CTL_USAGE, "cutback takes a NAME or --all, not both");
	if (a->value[OPTION_ALL] != NULL)
		path = mem_text("/v1/cutback");
	else if (a->n_words > 1)
		path = path_of(a->word[1], "cutback");
	else
		path = only_one(a, &done);
	if (path != NULL) {
		body = json_new_object();
		put_reason(a, body);
		if (a->value[OPTION_HARD] != NULL)
			json_put_bool(body, "hard", true);
		done = post(a, path, body);
		json_free(body);
	}
	free(path);
	if (done == CTL_UNREACHABLE)
		ctl_complain(
			done, "kill -USR1 the sluice process cuts back everything");
	return done;
}
