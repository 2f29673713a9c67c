/*
 * ctl - sluicectl: the operators' program. A blocking client of the admin API, and what
 * needs no daemon: validate and db migrate.
 *
 * What it prints for people is on stdout; refusals and errors are on stderr and say
 * what to do.
 */
#ifndef SLUICE_CTL_H
#define SLUICE_CTL_H

#include <stdint.h>

#include "sluice/base/err.h"

/* The program's exit statuses; scripts rely on them. */
enum ctl_exit {
	CTL_DONE,        /* also when there was nothing to do */
	CTL_FAILED,      /* refused, or it did not work */
	CTL_USAGE,       /* the command line is wrong */
	CTL_UNREACHABLE, /* no daemon answers on the socket */
};

enum ctl_exit ctl_run(int argc, char **argv);

/* "12.5", "12.5%", "0.0001": exact, 0..100, at most four decimals. */
int ctl_percent(const char *text, uint32_t *ppm, struct err *err);

#endif
