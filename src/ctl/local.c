/*
 * The verbs that need no daemon.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/mem.h"
#include "sluice/config.h"
#include "sluice/journal.h"

#include "ctl_priv.h"

static const char default_config[] = "/etc/sluice/sluice.conf";

/* --- validate ------------------------------------------------------------- */

static void try_program(char *program, const char *file)
{
	char *argv[] = { program, "--check", (char *)file, NULL };

	execv(program, argv);
}

/* The daemon's own check, so that the two never differ: beside this program, in the
 * sbin next to it, or in the path. */
enum ctl_exit verb_validate(const struct args *a)
{
	char *program = mem_alloc(4096 + sizeof("/../sbin/sluice"));
	ssize_t n = readlink("/proc/self/exe", program, 4096);
	char *slash;
	enum ctl_exit done;

	program[n > 0 ? n : 0] = '\0';
	slash = strrchr(program, '/');
	if (slash != NULL) {
		strcpy(slash, "/sluice");
		try_program(program, a->word[1]);
		strcpy(slash, "/../sbin/sluice");
		try_program(program, a->word[1]);
	}
	execlp("sluice", "sluice", "--check", a->word[1], (char *)NULL);
	done = ctl_complain(CTL_FAILED,
		"cannot run sluice --check: %s; install sluice beside sluicectl",
		strerror(errno));
	free(program);
	return done;
}

/* --- db migrate ----------------------------------------------------------- */

static bool environment_says_where(void)
{
	static const char *const names[] = { "PGHOST", "PGHOSTADDR", "PGPORT",
		"PGDATABASE", "PGSERVICE", "PGUSER" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (getenv(names[i]) != NULL)
			return true;
	}
	return false;
}

/* The file's connection string; NULL: told on stderr. */
static char *from_config(const char *file)
{
	struct config_problems problems = { .n = 0 };
	struct config *c = NULL;
	char *conninfo = NULL;

	if (config_load(&c, file, &problems) != 0) {
		for (size_t i = 0; i < problems.n; i++)
			fprintf(stderr, "%s\n", problems.text[i]);
	} else if (c->journal.postgres[0] == '\0') {
		ctl_complain(CTL_FAILED,
			"%s has no journal.postgres; set it, or use --postgres "
			"CONNINFO",
			file);
	} else {
		conninfo = mem_text(c->journal.postgres);
	}
	config_problems_fini(&problems);
	config_free(c);
	return conninfo;
}

static char *where(const struct args *a)
{
	if (a->value[OPTION_POSTGRES] != NULL)
		return mem_text(a->value[OPTION_POSTGRES]);
	if (a->value[OPTION_CONFIG] != NULL)
		return from_config(a->value[OPTION_CONFIG]);
	/* What a string does not say libpq takes from the environment. */
	return environment_says_where() ? mem_text("application_name=sluicectl")
					: from_config(default_config);
}

enum ctl_exit verb_db(const struct args *a)
{
	struct err err = { .code = ERR_NONE };
	enum ctl_exit done = CTL_DONE;
	int from = 0, to = 0;
	char *conninfo;

	if (strcmp(a->word[1], "migrate") != 0)
		return ctl_complain(CTL_USAGE,
			"unknown verb db %s; there is db migrate", a->word[1]);
	if (a->value[OPTION_CONFIG] != NULL && a->value[OPTION_POSTGRES] != NULL)
		return ctl_complain(CTL_USAGE,
			"db migrate takes --config or --postgres, not "
			"both");
	conninfo = where(a);
	if (conninfo == NULL)
		return CTL_FAILED;
	if (journal_migrate(conninfo, &from, &to, &err) != 0)
		done = ctl_complain(CTL_FAILED, "db migrate: %s", err.text);
	else if (from == to)
		printf("PostgreSQL's tables are up to date: version %d\n", to);
	else
		printf("PostgreSQL's tables went from version %d to %d\n", from, to);
	free(conninfo);
	return done;
}
