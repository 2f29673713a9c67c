/*
 * The command line: options and words in any order, "--" ends the options.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_priv.h"

static const struct {
	const char *name;
	bool has_value;
} options[N_OPTIONS] = {
	[OPTION_SOCKET] = { "--socket", true },
	[OPTION_HELP] = { "--help", false },
	[OPTION_VERSION] = { "--version", false },
	[OPTION_JSON] = { "--json", false },
	[OPTION_ALL] = { "--all", false },
	[OPTION_HARD] = { "--hard", false },
	[OPTION_REASON] = { "--reason", true },
	[OPTION_GENERATION] = { "--generation", true },
	[OPTION_SINCE] = { "--since", true },
	[OPTION_MIGRATION] = { "--migration", true },
	[OPTION_LIMIT] = { "--limit", true },
	[OPTION_CONFIG] = { "--config", true },
	[OPTION_POSTGRES] = { "--postgres", true },
};

const char *args_option_name(enum option o)
{
	return options[o].name;
}

static bool names(const char *arg, size_t i)
{
	size_t n = strlen(options[i].name);

	return strncmp(arg, options[i].name, n) == 0 &&
	       (arg[n] == '\0' || arg[n] == '=');
}

static const char *in_full(const char *arg)
{
	if (strcmp(arg, "-h") == 0)
		return "--help";
	return strcmp(arg, "-V") == 0 ? "--version" : arg;
}

static int take_option(struct args *a, char **argv, int *at, struct err *err)
{
	const char *arg = in_full(argv[*at]);
	const char *value = strchr(arg, '=');
	size_t i = 0;

	while (i < N_OPTIONS && !names(arg, i))
		i++;
	if (i == N_OPTIONS)
		return err_set(err, ERR_CONFIG, "unknown option %s", arg);
	if (!options[i].has_value && value != NULL)
		return err_set(err, ERR_CONFIG, "%s takes no value", options[i].name);
	if (options[i].has_value) {
		value = value != NULL ? value + 1 : argv[++*at];
		if (value == NULL)
			return err_set(
				err, ERR_CONFIG, "%s needs a value", options[i].name);
	}
	a->value[i] = value != NULL ? value : "";
	return 0;
}

/* "-5" is a word: a wrong number, not an unknown option. */
static bool is_option(const char *arg)
{
	return arg[0] == '-' && arg[1] != '\0' && !isdigit((unsigned char)arg[1]) &&
	       arg[1] != '.';
}

int args_parse(struct args *a, int argc, char **argv, struct err *err)
{
	bool only_words = false;

	*a = (struct args){ .n_words = 0 };
	for (int i = 1; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (!only_words && is_option(argv[i])) {
			if (take_option(a, argv, &i, err) != 0)
				return -1;
		} else if (a->n_words == MAX_WORDS) {
			return err_set(err, ERR_CONFIG, "too much: %s", argv[i]);
		} else {
			a->word[a->n_words++] = argv[i];
		}
	}
	return 0;
}

const char *args_socket(const struct args *a)
{
	const char *from_env = getenv("SLUICE_SOCKET");

	if (a->value[OPTION_SOCKET] != NULL)
		return a->value[OPTION_SOCKET];
	if (from_env != NULL && from_env[0] != '\0')
		return from_env;
	return "/run/sluice/admin.sock";
}
