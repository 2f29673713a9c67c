/*
 * control - the worker's control loop: the one place where everything meets.
 *
 * Publishes what a configuration says, ticks guards and plans every 100 ms, applies
 * decisions in the order of effect and record, answers signals. Never blocks after
 * start: a reload's files are read on a thread of their own.
 */
#ifndef SLUICE_CONTROL_H
#define SLUICE_CONTROL_H

struct service_notify { /* given by main: sd_notify, which only it knows */
	void (*ready)(void);
	void (*reloading)(void);
	void (*stopping)(void);
};

/* Runs the worker until SIGTERM or SIGINT has drained it. Returns the process's
 * exit status; problems at start are on stderr, one a line. */
int control_run(const char *config_file, const struct service_notify *notify);

/* sluice --check: 0 or 1; problems on stderr, one a line, success on stdout. */
int control_check(const char *config_file);
/* sluice --print: the same, and the configuration with every default on stdout. */
int control_print(const char *config_file);

#endif
