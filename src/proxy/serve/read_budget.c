/* How much of an HTTP/2 connection is read in one turn of the loop. */
#include "serve/read_budget_priv.h"

#include "sluice/base/clock.h"
#include "sluice/base/units.h"

#include "proxy_priv.h"

enum {
	TURN_NS = 1000 * NS_PER_US,
	LEAST_BYTES = 512,
	DEAR_BYTES = 1024, /* no more than that in a turn's time */
};

void read_budget_init(struct read_budget *b)
{
	*b = (struct read_budget){ .ask = RECEIVED_BYTES };
}

void read_budget_begin(struct read_budget *b)
{
	b->begin_ns = b->before_ns = clock_mono_ns();
	b->is_dear = b->ask <= DEAR_BYTES;
}

/* So few bytes say nothing. */
static void learn(struct read_budget *b, size_t bytes, uint64_t took_ns)
{
	uint64_t fit = bytes * TURN_NS / (took_ns + 1), most = (uint64_t)b->ask * 2;

	if (bytes < LEAST_BYTES)
		return;
	if (fit > most)
		fit = most;
	if (fit > RECEIVED_BYTES)
		fit = RECEIVED_BYTES;
	b->ask = fit > LEAST_BYTES ? (uint32_t)fit : LEAST_BYTES;
}

bool read_budget_goes_on(struct read_budget *b, size_t got)
{
	uint64_t now = clock_mono_ns();
	bool is_more = got == b->ask, has_time = now - b->begin_ns < TURN_NS;

	learn(b, got, now - b->before_ns);
	b->before_ns = now;
	b->is_dear = (is_more && !has_time) || b->ask <= DEAR_BYTES;
	return is_more && has_time;
}
