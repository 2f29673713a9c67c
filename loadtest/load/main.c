/*
 * The load program: what counts. See load.h.
 *
 * It prints 'begin' when the count begins and 'end' when it is over, so that whoever
 * started it can measure the server over exactly that time. With --requests the count
 * begins with the line that comes after 'begin', so that there is time to prepare.
 * SIGTERM ends the count early.
 */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sluice/base/hist.h"

/* A server that has not warmed up all connections by then never will. */
static const double patience_s = 60;

struct ev_loop *loop;
struct plan plan = { .connections = 64, .warm = 1, .warm_s = 1, .window_s = 5 };
struct tally tally;

static double began;
static struct ev_timer warming, window, giving_up;
static struct ev_io starting;
static struct ev_signal stopping;
static unsigned n_warm;
static uint64_t granted, done;

static void say(const char *what)
{
	puts(what);
	fflush(stdout);
}

static void begin_count(void)
{
	tally.counting = true;
	began = ev_time();
}

static void on_start(struct ev_loop *l, struct ev_io *w, int events)
{
	char ignored[16];

	(void)events;
	ev_io_stop(l, w);
	begin_count();
	if (read(w->fd, ignored, sizeof(ignored)) <= 0 || plan.requests == 0) {
		ev_break(l, EVBREAK_ALL);
		return;
	}
	clients_go_on();
}

static void on_window_end(struct ev_loop *l, struct ev_timer *w, int events)
{
	(void)w;
	(void)events;
	ev_break(l, EVBREAK_ALL);
}

static void on_stop(struct ev_loop *l, struct ev_signal *w, int events)
{
	(void)w;
	(void)events;
	if (!tally.counting)
		exit(1);
	ev_break(l, EVBREAK_ALL);
}

static void on_warm_end(struct ev_loop *l, struct ev_timer *w, int events)
{
	(void)events;
	say("begin");
	begin_count();
	ev_timer_init(w, on_window_end, plan.window_s, 0);
	ev_timer_start(l, w);
}

/* All connections are there. With a window they now run for a while uncounted. */
static void on_all_warm(struct ev_loop *l, struct ev_timer *w, int events)
{
	(void)l;
	(void)w;
	(void)events;
	ev_timer_stop(loop, &giving_up);
	if (plan.is_exact) {
		say("begin");
		ev_io_init(&starting, on_start, STDIN_FILENO, EV_READ);
		ev_io_start(loop, &starting);
		return;
	}
	ev_timer_init(&window, on_warm_end, plan.warm_s, 0);
	ev_timer_start(loop, &window);
	if (plan.rate == 0)
		clients_go_on();
}

static void on_giving_up(struct ev_loop *l, struct ev_timer *w, int events)
{
	(void)l;
	(void)w;
	(void)events;
	fprintf(stderr, "load: only %u of %u connections had their warm-up\n", n_warm,
		plan.connections);
	exit(1);
}

void count_warm(void)
{
	n_warm++;
	if (n_warm == plan.connections)
		ev_timer_start(loop, &warming); /* not from within a client */
	else if (plan.in_turn)
		clients_start_next();
}

bool count_grant(void)
{
	if (!plan.is_exact)
		return n_warm == plan.connections;
	if (!tally.counting || granted == plan.requests)
		return false;
	granted++;
	return true;
}

void count_done(void)
{
	if (plan.is_exact && tally.counting && ++done == plan.requests)
		ev_break(loop, EVBREAK_ALL);
}

/* As many descriptors as the system lets us have: one for each connection. */
static void raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	plan_read(argc, argv);
	loop = ev_default_loop(0);
	tally.latency = hist_new();
	ev_timer_init(&warming, on_all_warm, 0, 0);
	clients_start();
	ev_timer_init(&giving_up, on_giving_up, patience_s, 0);
	ev_timer_start(loop, &giving_up);
	ev_signal_init(&stopping, on_stop, SIGTERM);
	ev_signal_start(loop, &stopping);
	ev_run(loop, 0);
	double seconds = ev_time() - began;
	say("end");
	report_print(seconds);
	return tally.requests == 0 && plan.requests != 0;
}
