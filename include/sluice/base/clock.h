/*
 * clock - what time it is.
 *
 * Durations are measured on the monotonic clock; wall time is for display,
 * records and calendar windows only (S31).
 */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/base/mem.h"

uint64_t clock_mono_ns(void);
uint64_t clock_mono_ms(void);

/* Since 1970, UTC. */
uint64_t clock_wall_us(void);

enum { CLOCK_TEXT_SIZE = sizeof("2026-01-31T12:34:56.123456Z") };

/* RFC 3339 in UTC with microseconds. */
void clock_text(uint64_t wall_us, char out[static CLOCK_TEXT_SIZE]);

/* The reverse, and also "2026-01-31", "30s", "10m", "2h", "1d" (that long before
 * now_us). -1 when the text is none of these. */
int clock_parse(const char *text, uint64_t now_us, uint64_t *wall_us) MUST_USE;

#endif
