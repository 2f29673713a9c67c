/*
 * Changes: a POST becomes a struct admin_request, control says what became of it.
 */
#include <stdio.h>
#include <string.h>

#include "sluice/base/json.h"

#include "admin_priv.h"

static const char weight_hint[] = "{\"percent\": 12.5, \"reason\": \"why\", "
				  "\"generation\": 7}; percent is needed";
static const char other_hint[] =
	"{\"reason\": \"why\", \"generation\": 7}; both may be left out";

static void put_state(struct json *j, const char *name, const struct admin_reply *r)
{
	if (name != NULL)
		json_put_text(j, "migration", name);
	if (!r->has_migration)
		return;
	json_put_text(j, "phase", shift_phase_text(r->phase));
	json_put_real(j, "weight_percent", r->new_ppm / 10000.0);
	json_put_int(j, "generation", (int64_t)r->generation);
}

static const char *hint_for(const struct admin_reply *r)
{
	if (r->status == 404)
		return "GET /v1/status lists the migrations";
	if (r->status == 409 && r->has_migration && shift_is_latched(r->phase))
		return "POST its resume clears the latch";
	if (r->status == 409)
		return "GET /v1/status shows phase and generation; then decide again";
	return "GET /v1/status shows what is running";
}

static void run(struct api *api, const struct admin_request *q, struct answer *out)
{
	struct admin_reply r = { .status = 500, .text = "no reply" };
	struct json *j = json_new_object();

	api->ops.command(api->ops.arg, q, &r);
	if (r.status < 400) {
		json_put_text(j, "message", r.text);
	} else {
		json_put_text(j, "error", r.text);
		json_put_text(j, "hint", hint_for(&r));
	}
	put_state(j, q->migration, &r);
	answer_take_json(out, r.status, &j);
}

static void run_fields(struct api *api, const struct call *c, struct admin_request *q,
	const struct fields *f, struct answer *out)
{
	char actor[128];

	uid_names_actor(api->users, c->uid, actor, sizeof(actor));
	q->actor = actor;
	q->reason = f->reason;
	q->new_ppm = f->new_ppm;
	q->hard = f->hard;
	q->has_generation = f->has_generation;
	q->generation = f->generation;
	run(api, q, out);
}

static void run_body(struct api *api, const struct call *c, struct admin_request *q,
	struct answer *out)
{
	struct err err = { .code = ERR_NONE };
	struct fields f;

	if (q->command == COMMAND_CUTBACK)
		fields_read_cutback(
			&f, c->body, c->fault.status != 0 ? c->fault.text : NULL);
	else if (fields_read(&f, c->body, q->command, &err) != 0) {
		answer_error(out, 400,
			q->command == COMMAND_WEIGHT ? weight_hint : other_hint,
			"body: %s", err.text);
		return;
	}
	run_fields(api, c, q, &f, out);
}

static bool find_command(struct span verb, enum shift_command *c)
{
	for (unsigned i = 0; i < COMMAND_N; i++) {
		*c = (enum shift_command)i;
		if (span_eq(verb, span_of(shift_command_text(*c))))
			return true;
	}
	return false;
}

/* The name and the verb of migrations/NAME/VERB. */
static bool parse_path(
	struct span path, char name[static CONFIG_NAME_SIZE], enum shift_command *verb)
{
	(void)span_cut(&path, '/'); /* "migrations" */
	struct span who = span_cut(&path, '/');

	if (who.n == 0 || who.n >= CONFIG_NAME_SIZE || !find_command(path, verb))
		return false;
	memcpy(name, who.p, who.n);
	name[who.n] = '\0';
	return true;
}

bool change_is_cutback(struct span path)
{
	struct span end = SPAN("/cutback");

	return path.n >= end.n &&
	       span_eq((struct span){ .p = path.p + path.n - end.n, .n = end.n }, end);
}

void change_answer(
	struct api *api, const struct call *c, struct span path, struct answer *out)
{
	struct admin_request q = { .command = COMMAND_CUTBACK };
	struct span query = c->target;
	char name[CONFIG_NAME_SIZE];

	if (!span_eq(path, SPAN("cutback"))) {
		if (!parse_path(path, name, &q.command)) {
			answer_error(out, 404,
				"POST /v1/migrations/NAME/{start,pause,resume,abort,"
				"cutback,weight}",
				"no such path");
			return;
		}
		q.migration = name;
	}
	(void)span_cut(&query, '?');
	if (query.n > 0 && q.command != COMMAND_CUTBACK) {
		answer_error(out, 400, "put the fields into a JSON body",
			"a change takes no parameters in its path");
		return;
	}
	run_body(api, c, &q, out);
}
