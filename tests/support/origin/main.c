/*
 * The origin program: arguments, the loop, and the lines that tell a test which
 * ports were chosen. See origin.h for what it is.
 */
#include "origin.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ev_loop *loop;
struct port *ports;

static const char usage[] =
	"usage: origin [--name NAME] --listen ADDRESS... [--control ADDRESS]\n"
	"\n"
	"  --name NAME        X-Server of the ports that follow (default: origin)\n"
	"  --listen ADDRESS   host:port to answer on; port 0: chosen by the system\n"
	"  --control ADDRESS  where it is told what to do: POST /set?delay_ms=50,\n"
	"                     GET /stats, GET / for the list\n"
	"  --until-eof        end when standard input closes\n"
	"\n"
	"It prints a line for each address, then 'ready'.\n";

static void on_signal(struct ev_loop *l, struct ev_signal *w, int events)
{
	(void)w;
	(void)events;
	ev_break(l, EVBREAK_ALL);
}

static void on_stdin(struct ev_loop *l, struct ev_io *w, int events)
{
	char ignored[256];

	(void)events;
	if (read(w->fd, ignored, sizeof(ignored)) <= 0)
		ev_break(l, EVBREAK_ALL);
}

static void add_port(const char *name, const char *address, bool is_control)
{
	struct port *p = port_new(name, address, is_control);
	struct port **last = &ports;

	if (p == NULL || port_open(p) == -1) {
		fprintf(stderr, "origin: cannot listen on %s: %s\n", address,
			strerror(errno));
		exit(1);
	}
	while (*last != NULL)
		last = &(*last)->next;
	*last = p;
	if (is_control)
		printf("control address=%s:%u\n", p->host, p->number);
	else
		printf("listen name=%s address=%s:%u\n", name, p->host, p->number);
}

static bool read_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ .name = "name", .has_arg = required_argument, .val = 'n' },
		{ .name = "listen", .has_arg = required_argument, .val = 'l' },
		{ .name = "control", .has_arg = required_argument, .val = 'c' },
		{ .name = "until-eof", .has_arg = no_argument, .val = 'e' },
		{ .name = NULL },
	};
	const char *name = "origin";
	bool until_eof = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'n') {
			name = optarg;
		} else if (option == 'l' || option == 'c') {
			add_port(name, optarg, option == 'c');
		} else if (option == 'e') {
			until_eof = true;
		} else {
			fputs(usage, stderr);
			exit(2);
		}
	}
	return until_eof;
}

int main(int argc, char **argv)
{
	struct ev_signal term, intr;
	struct ev_io stdin_closed;

	signal(SIGPIPE, SIG_IGN);
	loop = ev_default_loop(0);
	send_pattern_init();
	bool until_eof = read_arguments(argc, argv);
	if (ports == NULL) {
		fputs(usage, stderr);
		return 2;
	}
	printf("ready\n");
	fflush(stdout);

	ev_signal_init(&term, on_signal, SIGTERM);
	ev_signal_start(loop, &term);
	ev_signal_init(&intr, on_signal, SIGINT);
	ev_signal_start(loop, &intr);
	ev_io_init(&stdin_closed, on_stdin, STDIN_FILENO, EV_READ);
	if (until_eof)
		ev_io_start(loop, &stdin_closed);
	ev_run(loop, 0);
	return 0;
}
