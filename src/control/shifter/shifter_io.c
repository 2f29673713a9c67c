/* shifter_io - the outer world as the core of control sees it, for a real process. */
#include <time.h>

#include "sluice/base/clock.h"
#include "sluice/proxy.h"

#include "control_priv.h"

static uint64_t boot_ms(void *arg)
{
	struct timespec t;

	(void)arg;
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t mono_ms(void *arg)
{
	(void)arg;
	return clock_mono_ms();
}

static uint64_t wall_us(void *arg)
{
	(void)arg;
	return clock_wall_us();
}

static uint64_t append(void *arg, const struct decision *d,
	const struct journal_state *states, size_t n)
{
	struct control *c = arg;

	return journal_append(c->journal, d, states, n);
}

static void nudge(void *arg)
{
	struct control *c = arg;

	proxy_nudge(c->proxy);
}

static struct pool_capacity capacity(
	void *arg, const struct pool *p, bool unknown_counts)
{
	(void)arg;
	return pool_capacity(p, unknown_counts);
}

struct shifter_io shifter_io_real(struct control *c)
{
	return (struct shifter_io){
		.arg = c,
		.mono_ms = mono_ms,
		.boot_ms = boot_ms,
		.wall_us = wall_us,
		.append = append,
		.nudge = nudge,
		.capacity = capacity,
	};
}
