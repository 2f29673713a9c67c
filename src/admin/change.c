/*
 * Changes: a POST becomes a struct admin_request, control says what became of it.
 *
 * Nothing is taken on trust: an unknown field could be a misspelt "generation", and
 * the change would lose the protection that its sender relied on (S8).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/json.h"

#include "admin_priv.h"

enum { MAX_REASON = 500 };

struct fields { /* of the body */
	const char *reason;
	bool has_generation, has_percent, has_hard, hard;
	uint64_t generation;
	uint32_t new_ppm;
};

static const char weight_hint[] = "{\"percent\": 12.5, \"reason\": \"why\", "
				  "\"generation\": 7}; percent is needed";
static const char other_hint[] =
	"{\"reason\": \"why\", \"generation\": 7}; both may be left out";

static bool is_clean(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static int take_reason(const struct json *body, struct fields *f, struct err *err)
{
	f->reason = json_text(body, "reason", NULL);
	if (f->reason == NULL)
		return err_set(err, ERR_FORMAT, "reason: expected a text");
	if (strlen(f->reason) > MAX_REASON || !is_clean(f->reason))
		return err_set(err, ERR_FORMAT,
			"reason: expected one line of at most %d bytes", MAX_REASON);
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
	f->has_percent = true;
	f->new_ppm = (uint32_t)lround(ppm);
	return 0;
}

static int take_hard(const struct json *body, struct fields *f, struct err *err)
{
	f->has_hard = true;
	f->hard = json_bool(body, "hard", false);
	if (f->hard != json_bool(body, "hard", true))
		return err_set(err, ERR_FORMAT, "hard: expected true or false");
	return 0;
}

/* json has no walk over keys: an object of known fields only prints as long as one
 * that is made of just them, and fields do not come twice. */
static bool has_others(const struct json *body, const struct fields *f)
{
	struct json *known = json_new_object();

	if (f->reason != NULL)
		json_put_text(known, "reason", f->reason);
	if (f->has_generation)
		json_put_int(known, "generation", (int64_t)f->generation);
	if (f->has_percent && json_int(body, "percent", -1) >= 0)
		json_put_int(known, "percent", json_int(body, "percent", -1));
	else if (f->has_percent)
		json_put_real(known, "percent", json_number(body, "percent", 0));

	if (f->has_hard)
		json_put_bool(known, "hard", f->hard);

	char *all = json_print(body), *mine = json_print(known);
	bool others = strlen(all) != strlen(mine);

	free(all);
	free(mine);
	json_free(known);
	return others;
}

static int take_fields(
	const struct json *body, bool weight, struct fields *f, struct err *err)
{
	if (json_has(body, "reason") && take_reason(body, f, err) != 0)
		return -1;
	if (json_has(body, "generation") && take_generation(body, f, err) != 0)
		return -1;
	if (weight && !json_has(body, "percent"))
		return err_set(err, ERR_FORMAT, "percent: missing");
	if (weight && take_percent(body, f, err) != 0)
		return -1;
	if (json_has(body, "hard") && take_hard(body, f, err) != 0)
		return -1;
	if (has_others(body, f))
		return err_set(err, ERR_FORMAT, "unknown field: expected %s",
			weight ? "percent, reason, generation" : "reason, generation");
	return 0;
}

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

static void run_body(struct api *api, const struct call *c, struct admin_request *q,
	struct answer *out)
{
	bool weight = q->command == COMMAND_WEIGHT;
	struct err err = { .code = ERR_NONE };
	struct fields f = { .reason = NULL };
	struct json *body = parse(c->body, &err);
	char actor[128];

	if (body == NULL || take_fields(body, weight, &f, &err) != 0) {
		answer_error(out, 400, weight ? weight_hint : other_hint, "body: %s",
			err.text);
		json_free(body);
		return;
	}
	if (f.has_hard && q->command != COMMAND_CUTBACK) {
		answer_error(out, 400, other_hint, "hard: only a cutback may be");
		json_free(body);
		return;
	}
	uid_names_actor(api->users, c->uid, actor, sizeof(actor));
	q->actor = actor;
	q->reason = f.reason != NULL ? f.reason : "";
	q->new_ppm = f.new_ppm;
	q->hard = f.hard;
	q->generation = f.generation;
	/* A cutback is never refused for being late. */
	q->has_generation = f.has_generation && q->command != COMMAND_CUTBACK;
	run(api, q, out);
	json_free(body);
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

void change_answer(
	struct api *api, const struct call *c, struct span path, struct answer *out)
{
	struct admin_request q = { .command = COMMAND_CUTBACK };
	struct span query = c->target;
	char name[CONFIG_NAME_SIZE];

	(void)span_cut(&query, '?');
	if (query.n > 0) {
		answer_error(out, 400, "put the fields into a JSON body",
			"a change takes no parameters in its path");
		return;
	}
	if (!span_eq(path, SPAN("cutback"))) {
		(void)span_cut(&path, '/'); /* "migrations" */
		struct span who = span_cut(&path, '/');

		if (who.n == 0 || who.n >= sizeof(name) ||
			!find_command(path, &q.command)) {
			answer_error(out, 404,
				"POST /v1/migrations/NAME/{start,pause,resume,abort,"
				"cutback,weight}",
				"no such path");
			return;
		}
		memcpy(name, who.p, who.n);
		name[who.n] = '\0';
		q.migration = name;
	}
	run_body(api, c, &q, out);
}
