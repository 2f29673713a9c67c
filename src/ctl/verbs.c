/*
 * The table of verbs: what each takes, what it says about itself, who does it.
 */
#include <stdarg.h>
#include <string.h>

#include "ctl_priv.h"

#define BIT(option) (1u << (option))

enum {
	EVERYWHERE = BIT(OPTION_SOCKET) | BIT(OPTION_HELP) | BIT(OPTION_VERSION),
	CHANGE = EVERYWHERE | BIT(OPTION_REASON) | BIT(OPTION_GENERATION),
};

static enum ctl_exit verb_help(const struct args *a);

static const struct verb {
	const char *name, *takes, *line, *more;
	size_t min, max; /* words behind the verb */
	unsigned options;
	enum ctl_exit (*run)(const struct args *a);
} verbs[] = {
	{ .name = "status",
		.takes = "[NAME] [--json]",
		.line = "show every migration, both pools, the evidence, what is wrong",
		.more = "RPS, ERRORS and percentiles are of attempts at the pool's "
			"servers in the last\n"
			"five to ten seconds; what legacy rescued is an error of new "
			"and none of users.\n"
			"EVIDENCE is what speaks against new; at 100 % all traffic "
			"goes back to\n"
			"legacy. A ~ marks percentiles of fewer than 200 requests.",
		.max = 1,
		.options = EVERYWHERE | BIT(OPTION_JSON),
		.run = verb_status },
	{ .name = "weight",
		.takes = "NAME PERCENT [--reason TEXT] [--generation N]",
		.line = "set the share of requests that new gets; pauses the plan",
		.more = "PERCENT is 0..100 with up to four decimals: 25, 0.5, 12.5%.",
		.min = 2,
		.max = 2,
		.options = CHANGE,
		.run = verb_weight },
	{ .name = "start",
		.takes = "NAME [--reason TEXT] [--generation N]",
		.line = "start the plan at its first step",
		.more = "Refused while a latch stands: resume first.",
		.min = 1,
		.max = 1,
		.options = CHANGE,
		.run = verb_change },
	{ .name = "pause",
		.takes = "NAME [--reason TEXT] [--generation N]",
		.line = "keep the weight and the step; guards stay armed",
		.more = "resume goes on with the same step and holds it anew.",
		.min = 1,
		.max = 1,
		.options = CHANGE,
		.run = verb_change },
	{ .name = "resume",
		.takes = "NAME [--reason TEXT] [--generation N]",
		.line = "go on after a pause; after a revert or cutback: clear the "
			"latch",
		.more = "Clearing a latch moves nothing: the migration is idle at 0 % "
			"until\n"
			"start or weight.",
		.min = 1,
		.max = 1,
		.options = CHANGE,
		.run = verb_change },
	{ .name = "abort",
		.takes = "NAME [--reason TEXT] [--generation N]",
		.line = "end the plan: all traffic to legacy, not latched",
		.more = "start begins again at the first step.",
		.min = 1,
		.max = 1,
		.options = CHANGE,
		.run = verb_change },
	{ .name = "cutback",
		.takes = "[NAME | --all] [--hard] [--reason TEXT]",
		.line = "all traffic to legacy at once, latched until resume",
		.more = "--hard also closes what is open to new and lives long "
			"(WebSocket, streams of\n"
			"events), whatever on_revert says. NAME may be left out when "
			"there is one\n"
			"migration. With nothing to cut back it is a recorded no-op "
			"and succeeds.\n"
			"If sluice does not answer:\n"
			"kill -USR1 its process, which cuts back everything.",
		.max = 1,
		.options = EVERYWHERE | BIT(OPTION_ALL) | BIT(OPTION_HARD) |
			   BIT(OPTION_REASON),
		.run = verb_cutback },
	{ .name = "decisions",
		.takes = "[--since 2h|DATE] [--migration NAME] [--limit N] [--json]",
		.line = "show what changed traffic, or was refused, and why",
		.more = "Oldest first; the newest 100 unless --limit (1..1000) says "
			"otherwise.\n"
			"--json gives an object a line, with the evidence.",
		.options = EVERYWHERE | BIT(OPTION_SINCE) | BIT(OPTION_MIGRATION) |
			   BIT(OPTION_LIMIT) | BIT(OPTION_JSON),
		.run = verb_decisions },
	{ .name = "validate",
		.takes = "FILE",
		.line = "check a configuration without loading it (sluice --check)",
		.more = "Every problem is told with file and line. Exit status 0 or 1.",
		.min = 1,
		.max = 1,
		.options = EVERYWHERE,
		.run = verb_validate },
	{ .name = "db",
		.takes = "migrate [--config FILE | --postgres CONNINFO]",
		.line = "bring PostgreSQL's tables up to date",
		.more = "Without both options PGHOST, PGDATABASE and the like say "
			"where; with\n"
			"none of them set, journal.postgres of "
			"/etc/sluice/sluice.conf does.",
		.min = 1,
		.max = 1,
		.options = EVERYWHERE | BIT(OPTION_CONFIG) | BIT(OPTION_POSTGRES),
		.run = verb_db },
	{ .name = "help",
		.takes = "[VERB]",
		.line = "show this, or more about a verb",
		.more = "",
		.max = 1,
		.options = EVERYWHERE,
		.run = verb_help },
};

enum { N_VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static void print_help(FILE *f)
{
	fprintf(f, "usage: sluicectl [--socket PATH] VERB ...\n\n");
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(f, "  %s %s\n        %s\n", verbs[i].name, verbs[i].takes,
			verbs[i].line);
	fprintf(f, "\nThe socket is /run/sluice/admin.sock, $SLUICE_SOCKET or "
		   "--socket PATH.\n"
		   "Exit status: 0 done, 1 refused or failed, 2 wrong usage, "
		   "3 no daemon answers.\n");
}

static void print_verb(const struct verb *v, FILE *f)
{
	fprintf(f, "usage: sluicectl %s %s\n\n%s.\n%s%s", v->name, v->takes, v->line,
		v->more, v->more[0] != '\0' ? "\n" : "");
}

static enum ctl_exit unknown_verb(const char *name)
{
	return ctl_complain(
		CTL_USAGE, "unknown verb %s; sluicectl --help lists them", name);
}

static enum ctl_exit verb_help(const struct args *a)
{
	const struct verb *v = a->n_words > 1 ? find(a->word[1]) : NULL;

	if (a->n_words > 1 && v == NULL)
		return unknown_verb(a->word[1]);
	if (v != NULL)
		print_verb(v, stdout);
	else
		print_help(stdout);
	return CTL_DONE;
}

/* --- running ---------------------------------------------------------------------- */

enum ctl_exit ctl_complain(enum ctl_exit status, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fputs("sluicectl: ", stderr);
	show_clean(stderr, text);
	fputc('\n', stderr);
	return status;
}

static enum ctl_exit check_usage(const struct verb *v, const struct args *a)
{
	size_t n = a->n_words - 1;

	for (unsigned o = 0; o < N_OPTIONS; o++) {
		if (a->value[o] != NULL && (v->options & BIT(o)) == 0)
			return ctl_complain(CTL_USAGE,
				"%s does not take %s; usage: sluicectl %s %s", v->name,
				args_option_name((enum option)o), v->name, v->takes);
	}
	if (n < v->min || n > v->max)
		return ctl_complain(
			CTL_USAGE, "usage: sluicectl %s %s", v->name, v->takes);
	return CTL_DONE;
}

static enum ctl_exit run(const struct args *a)
{
	const struct verb *v = find(a->word[0]);

	if (v == NULL)
		return unknown_verb(a->word[0]);
	if (a->value[OPTION_HELP] != NULL) {
		print_verb(v, stdout);
		return CTL_DONE;
	}
	enum ctl_exit usage = check_usage(v, a);
	return usage != CTL_DONE ? usage : v->run(a);
}

enum ctl_exit ctl_run(int argc, char **argv)
{
	struct err err = { .code = ERR_NONE };
	struct args a;

	if (args_parse(&a, argc, argv, &err) != 0)
		return ctl_complain(CTL_USAGE,
			"%s; sluicectl --help lists what there is", err.text);
	if (a.value[OPTION_VERSION] != NULL) {
		printf("sluicectl %s\n", SLUICE_VERSION);
		return CTL_DONE;
	}
	if (a.n_words == 0) {
		print_help(a.value[OPTION_HELP] != NULL ? stdout : stderr);
		return a.value[OPTION_HELP] != NULL ? CTL_DONE : CTL_USAGE;
	}
	return run(&a);
}
