/*
 * control - the worker's control loop: the one place where everything meets.
 *
 * Reads the configuration, builds and publishes snapshots, ticks guards and plans
 * every 100 ms, applies decisions in the order of effect and record, answers
 * signals. Never blocks after start.
 */
#ifndef SLUICE_CONTROL_H
#define SLUICE_CONTROL_H

struct control_hooks { /* given by main: sd_notify, which only it knows */
	void (*ready)(void);
	void (*reloading)(void);
	void (*stopping)(void);
};

/* Runs the worker until SIGTERM or SIGINT has drained it. Returns the process's
 * exit status; problems at start are on stderr, one a line. */
int control_run(const char *config_file, const struct control_hooks *hooks);

/* sluice --check: 0 or 1; problems on stderr, one a line, success on stdout. */
int control_check(const char *config_file);

#endif
