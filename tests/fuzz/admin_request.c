/*
 * The admin API's paths, queries and bodies: whatever comes is answered, and every
 * refusal is an object that says what is wrong and how to do it right.
 *
 * Input: one byte of method, the target up to a newline, then the body.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/json.h"

#include "../../src/admin/admin_priv.h"

static size_t none(void *arg)
{
	(void)arg;
	return 0;
}

static void process(void *arg, struct admin_process *out)
{
	(void)arg;
	*out = (struct admin_process){
		.reload_error = "",
		.config_file = "",
		.config_hash = "",
	};
}

static size_t no_pools(void *arg, struct pool *const **pools)
{
	(void)arg;
	*pools = NULL;
	return 0;
}

/* What reaches control is checked already. */
static void command(void *arg, const struct admin_request *q, struct admin_reply *out)
{
	(void)arg;
	assert(q->new_ppm <= 1000000);
	assert(q->migration != NULL || q->command == COMMAND_CUTBACK);
	assert(strlen(q->reason) < FIELDS_REASON_SIZE && q->actor[0] != '\0');
	out->outcome = q->new_ppm % 2 == 0 ? ADMIN_DONE : ADMIN_REFUSED;
	out->text[0] = '\0';
}

static struct journal *no_journal(void *arg)
{
	(void)arg;
	return NULL;
}

static struct stats *no_stats(void *arg)
{
	(void)arg;
	return NULL;
}

static struct api api = {
	.ops = {
		.count = none,
		.process = process,
		.pools = no_pools,
		.command = command,
		.journal = no_journal,
		.stats = no_stats,
	},
	.socket = "/run/sluice/admin.sock",
};

static void check(struct httpd_answer *a)
{
	struct json *j;

	assert(a->status >= 200 && a->status < 600 && a->type != NULL);
	while (a->source != NULL && a->source->make(a->source, &a->body))
		assert(a->body.n < 1 << 20);
	if (a->status < 400 || strcmp(a->type, "application/json") != 0)
		return;
	j = json_parse(a->body.p, a->body.n, NULL);
	assert(json_text(j, "error", NULL) != NULL);
	assert(json_text(j, "hint", NULL) != NULL);
	json_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { .p = (const char *)data + 1, .n = size - 1 };
	struct httpd_answer a = { .status = 0 };

	if (size == 0)
		return 0;
	if (api.users == NULL)
		api.users = uid_names_new();
	struct span target = span_cut(&rest, '\n');
	struct httpd_request q = {
		.method = (enum http_method)(data[0] % (HTTP_TRACE + 1)),
		.target = target,
		.body = { .p = rest.n > 0 ? rest.p : "", .n = rest.n },
		.role = data[0] >= 128 ? API_READER : API_OPERATOR,
		.uid = data[0],
	};
	api_answer(&api, &q, &a);
	check(&a);
	httpd_answer_fini(&a);
	return 0;
}
