/*
 * The pace of --rate. libev's own timers are good to a millisecond, which is more
 * than what is measured with them; a timerfd is good to some microseconds.
 */
#include "load.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { NS = 1000000000 };

static struct ev_io ticking;
static void (*wake_client)(unsigned client);
static unsigned next;

static void on_tick(struct ev_loop *l, struct ev_io *w, int events)
{
	uint64_t n = 0;

	(void)l;
	(void)events;
	if (read(w->fd, &n, sizeof(n)) != sizeof(n))
		return;
	for (; n > 0; n--) {
		wake_client(next);
		next = (next + 1) % plan.connections;
	}
}

/* The moment of the first tick, which is client 0's. */
double pace_start(void (*wake)(unsigned client))
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	long gap = (long)(NS / plan.rate);
	struct itimerspec every = {
		.it_value = { .tv_sec = gap / NS, .tv_nsec = gap % NS },
		.it_interval = { .tv_sec = gap / NS, .tv_nsec = gap % NS },
	};

	if (fd == -1 || timerfd_settime(fd, 0, &every, NULL) == -1)
		abort();
	wake_client = wake;
	ev_io_init(&ticking, on_tick, fd, EV_READ);
	ev_io_start(loop, &ticking);
	return ev_time() + 1 / plan.rate;
}
