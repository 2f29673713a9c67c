/*
 * step - the form that every step machine here has: an exchange, an HTTP session, a health
 * check, the delivery to PostgreSQL.
 *
 * One door: only step_run() calls steps, only step_go() changes the step. Entering a step
 * says how long it may wait, so that none waits for ever. An event is noted in the object,
 * and then the machine is run; no callback decides anything.
 *
 * The machine knows no timers. A deadline is kept until a step really waits, since most
 * steps pass at once: its owner asks step_deadline() then and arms a timer of its own.
 * Used by one thread.
 */
#ifndef SLUICE_BASE_STEP_H
#define SLUICE_BASE_STEP_H

#include <stdbool.h>
#include <stdint.h>

enum verdict {
	AGAIN, /* the step changed, or there is more to do: run the one that is current */
	WAIT, /* nothing to do before the next event */
	OVER, /* finished and released: the object is not touched any more */
};

struct step {
	const char *name;
	enum verdict (*run)(void *object);
};

struct step_machine {
	const struct step *table; /* borrowed, indexed by the owner's enum */
	unsigned now;
	uint32_t limit_ms;     /* how long this step may wait; 0: for ever */
	bool entered;          /* this step has not been run yet */
	bool expired;          /* its deadline has passed; the owner's timer says so */
	bool deadline_pending; /* limit_ms has not been given to the owner's timer */
	bool running;
};

/* The machine stands in step first and has not run. */
void step_init(struct step_machine *m, const struct step *table, unsigned first,
	uint32_t limit_ms);

/* AGAIN, so that a step can say `return step_go(…)`. */
enum verdict step_go(struct step_machine *m, unsigned next, uint32_t limit_ms);

/*
 * Runs steps of object until one waits or ends. WAIT: look at step_deadline(). OVER: the
 * object is gone, and m with it. AGAIN: most steps were run without a wait; the machine is
 * stuck, and its owner ends the object.
 */
enum verdict step_run(struct step_machine *m, void *object, unsigned most);

/* True once after a step was entered: set the timer to *limit_ms, or stop it at 0. */
bool step_deadline(struct step_machine *m, uint32_t *limit_ms);

const char *step_name(const struct step_machine *m);

#endif
