/* Configuration texts: no input crashes, a refusal has a reason, and what was accepted
 * is printed as a text that is accepted and means the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A folder that is not there: relative includes lead nowhere. */
static const char file[] = "/nonexistent/sluice.conf";

static void check_printed(const struct config *c)
{
	char *printed = config_print(c);
	struct config_problems problems = { 0 };
	struct config *again;

	assert(config_load_text(&again, file, printed, strlen(printed), &problems) ==
		0);
	if (*c->journal.postgres == '\0') {
		config_diff(c, again, &problems);
		assert(problems.n == 0);
		assert(config_check_reload(c, again, &problems) == 0);
	}
	config_problems_fini(&problems);
	config_free(again);
	free(printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct config_problems problems = { 0 };
	struct config *c;
	int rc = config_load_text(&c, file, (const char *)data, n, &problems);

	assert((rc == 0) == (problems.n == 0));
	for (size_t i = 0; i < problems.n; i++)
		assert(strncmp(problems.text[i], "/", 1) == 0);
	if (rc == 0)
		check_printed(c);
	config_free(c);
	config_problems_fini(&problems);
	return 0;
}
