/*
 * units - how the quantities in names are counted.
 *
 * A share is in parts per million (ppm), so that 0.01 % is a whole number. Time is ns on
 * the request path, us in counters and guards, ms in ticks and timers.
 */
#ifndef SLUICE_BASE_UNITS_H
#define SLUICE_BASE_UNITS_H

enum {
	PPM = 1000000, /* a whole */
	PPM_PER_PERCENT = PPM / 100,
	MS_PER_S = 1000,
	US_PER_MS = 1000,
	US_PER_S = 1000000,
	NS_PER_US = 1000,
	NS_PER_MS = 1000000,
	NS_PER_S = 1000000000,
};

#endif
