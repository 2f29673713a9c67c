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

static unsigned status_of(enum admin_outcome o)
{
	switch (o) {
	case ADMIN_DONE:
		return 200;
	case ADMIN_NOT_FOUND:
		return 404;
	case ADMIN_REFUSED:
		return 409;
	case ADMIN_UNCLEAR:
		return 400;
	}
	return 500;
}

static const char *hint_for(const struct admin_reply *r)
{
	switch (r->outcome) {
	case ADMIN_NOT_FOUND:
		return "GET /v1/status lists the migrations";
	case ADMIN_REFUSED:
		return r->has_migration && shift_is_latched(r->phase)
			       ? "POST its resume clears the latch"
			       : "GET /v1/status shows phase and generation; then "
				 "decide again";
	case ADMIN_DONE:
	case ADMIN_UNCLEAR:
		break;
	}
	return "GET /v1/status shows what is running";
}

static void run(
	struct api *api, const struct admin_request *q, struct httpd_answer *out)
{
	struct admin_reply r = { .outcome = ADMIN_REFUSED, .text = "no reply" };
	struct json *j = json_new_object();

	api->ops.command(api->ops.arg, q, &r);
	if (r.outcome == ADMIN_DONE) {
		json_put_text(j, "message", r.text);
	} else {
		json_put_text(j, "error", r.text);
		json_put_text(j, "hint", hint_for(&r));
	}
	put_state(j, q->migration, &r);
	httpd_answer_take_json(out, status_of(r.outcome), &j);
}

static void run_fields(struct api *api, const struct httpd_request *request,
	struct admin_request *q, const struct fields *f, struct httpd_answer *out)
{
	char actor[128];

	uid_names_actor(api->users, request->uid, actor, sizeof(actor));
	q->actor = actor;
	q->reason = f->reason;
	q->new_ppm = f->new_ppm;
	q->hard = f->hard;
	q->has_generation = f->has_generation;
	q->generation = f->generation;
	run(api, q, out);
}

static void run_body(struct api *api, const struct httpd_request *request,
	struct admin_request *q, struct httpd_answer *out)
{
	struct err err = { .code = ERR_NONE };
	struct fields f;

	if (q->command == COMMAND_CUTBACK)
		fields_read_cutback(&f, request->body,
			request->fault.status != 0 ? request->fault.text : NULL);
	else if (fields_read(&f, request->body, q->command, &err) != 0) {
		httpd_answer_error(out, 400,
			q->command == COMMAND_WEIGHT ? weight_hint : other_hint,
			"body: %s", err.text);
		return;
	}
	run_fields(api, request, q, &f, out);
}

void change_answer(struct api *api, const struct httpd_request *request,
	const struct api_command *what, struct httpd_answer *out)
{
	struct admin_request q = { .command = what->command };
	char name[CONFIG_NAME_SIZE];

	if (what->migration.n > 0) {
		snprintf(name, sizeof(name), "%.*s", (int)what->migration.n,
			what->migration.p);
		q.migration = name;
	}
	run_body(api, request, &q, out);
}
