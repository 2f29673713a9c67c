/*
 * sluice - the daemon: reads its arguments, prepares the process, and runs one worker.
 *
 * Exit status: 0 after a clean stop or a good check, 1 when something is wrong with the
 * configuration or the system, 2 when the arguments are.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "sluice/base/clock.h"
#include "sluice/control.h"

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const char default_config[] = "/etc/sluice/sluice.conf";

static const char usage[] =
	"usage: sluice [--config FILE]\n"
	"       sluice --check FILE\n"
	"       sluice --print FILE\n"
	"\n"
	"  -c, --config FILE  serve by this configuration (default: %s)\n"
	"  -t, --check FILE   check a configuration and exit: 0 it is good, 1 it is "
	"not\n"
	"  -p, --print FILE   print a configuration with every default, and exit\n"
	"  -V, --version      print the version and exit\n"
	"  -h, --help         print this and exit\n"
	"\n"
	"Signals: HUP reloads, USR1 sends all traffic back to legacy, TERM drains and\n"
	"stops, a second TERM stops at once. sluicectl talks to a running sluice.\n";

static void tell_ready(void)
{
	(void)sd_notify(0, "READY=1\nSTATUS=serving");
}

/* systemd wants the time at which the reload began, on its own clock. */
static void tell_reloading(void)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)(clock_mono_ns() / 1000));
}

static void tell_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1\nSTATUS=draining");
}

/* As many descriptors as the system lets us have: two for each proxied request. */
static void raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static int serve(const char *file)
{
	static const struct service_notify notify = {
		.ready = tell_ready,
		.reloading = tell_reloading,
		.stopping = tell_stopping,
	};

	(void)umask(0027);
	(void)signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	return control_run(file, &notify);
}

static int refuse(const char *what, const char *argument)
{
	(void)fprintf(stderr, "sluice: %s%s; try sluice --help\n", what, argument);
	return STATUS_USAGE;
}

static int serve_default(void)
{
	if (access(default_config, F_OK) == 0)
		return serve(default_config);
	(void)fprintf(stderr,
		"sluice: there is no %s: write one, or name another with --config "
		"FILE\n",
		default_config);
	return STATUS_FAILED;
}

/* What a FILE is named for; one of them at most. */
struct task {
	const char *config, *check, *print;
};

static int run(const struct task *t)
{
	if ((t->config != NULL) + (t->check != NULL) + (t->print != NULL) > 1)
		return refuse("--config, --check and --print: take one of them", "");
	if (t->check)
		return control_check(t->check);
	if (t->print)
		return control_print(t->print);
	return t->config ? serve(t->config) : serve_default();
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ .name = "config", .has_arg = required_argument, .val = 'c' },
		{ .name = "check", .has_arg = required_argument, .val = 't' },
		{ .name = "print", .has_arg = required_argument, .val = 'p' },
		{ .name = "version", .has_arg = no_argument, .val = 'V' },
		{ .name = "help", .has_arg = no_argument, .val = 'h' },
		{ .name = NULL },
	};
	struct task task = { .config = NULL };
	int at = optind, o;

	for (; (o = getopt_long(argc, argv, "+:c:t:p:Vh", options, NULL)) != -1;
		at = optind) {
		switch (o) {
		case 'c':
			task.config = optarg;
			break;
		case 't':
			task.check = optarg;
			break;
		case 'p':
			task.print = optarg;
			break;
		case 'V':
			(void)printf("sluice %s\n", SLUICE_VERSION);
			return STATUS_OK;
		case 'h':
			(void)printf(usage, default_config);
			return STATUS_OK;
		case ':':
			return refuse("a FILE is missing behind ", argv[at]);
		default:
			return refuse("unknown option ", argv[at]);
		}
	}
	if (optind < argc)
		return refuse("this is no option: ", argv[optind]);
	return run(&task);
}
