/*
 * read_budget - how much of an HTTP/2 connection is read in one turn of the loop.
 *
 * What a byte costs differs by a thousand: a frame of DATA is a write, whether it has
 * one byte or 16 KiB. So a connection is read by time, in pieces that were as dear as
 * the last ones. A connection that has more than its time holds, or whose bytes are
 * dear, comes after the others (net_conn_set_slow).
 *
 *     read_budget_begin(b);
 *     do {
 *         got = net_read(conn, in, b->ask); ...
 *     } while (read_budget_goes_on(b, (size_t)got));
 *     net_conn_set_slow(conn, read_budget_is_dear(b));
 */
#ifndef PROXY_SERVE_READ_BUDGET_PRIV_H
#define PROXY_SERVE_READ_BUDGET_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct read_budget {
	uint64_t begin_ns, before_ns;
	uint32_t
		ask; /* bytes that may take about a turn's time, as the last ones did */
	bool is_dear;
};

void read_budget_init(struct read_budget *b);
void read_budget_begin(struct read_budget *b);
/* After got bytes were worked on: there may be more, and time for it. */
bool read_budget_goes_on(struct read_budget *b, size_t got);

static inline bool read_budget_is_dear(const struct read_budget *b)
{
	return b->is_dear;
}

#endif
