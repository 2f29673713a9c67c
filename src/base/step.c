/*
 * The run loop of every step machine. See step.h for the rules.
 */
#include "sluice/base/step.h"

#include <assert.h>

void step_init(struct step_machine *m, const struct step *table, unsigned first,
	uint32_t limit_ms)
{
	*m = (struct step_machine){ .table = table };
	(void)step_go(m, first, limit_ms); /* its answer is for steps */
}

enum verdict step_go(struct step_machine *m, unsigned next, uint32_t limit_ms)
{
	m->now = next;
	m->limit_ms = limit_ms;
	m->entered = true;
	m->expired = false;
	m->deadline_pending = true;
	return AGAIN;
}

/* entered belongs to the run in which the step begins: a step that goes on to another,
 * or to itself anew, has set it again. */
static enum verdict run_once(struct step_machine *m, void *object)
{
	unsigned before = m->now;
	bool entered = m->entered;
	enum verdict v = m->table[before].run(object);

	if (v == WAIT && entered && m->now == before)
		m->entered = false;
	return v;
}

enum verdict step_run(struct step_machine *m, void *object, unsigned most)
{
	enum verdict v = AGAIN;

	assert(!m->running && most > 0); /* a step never re-enters its own object */
	m->running = true;
	while (v == AGAIN && most-- > 0)
		v = run_once(m, object);
	if (v != OVER)
		m->running = false;
	return v;
}

bool step_deadline(struct step_machine *m, uint32_t *limit_ms)
{
	bool pending = m->deadline_pending;

	m->deadline_pending = false;
	*limit_ms = m->limit_ms;
	return pending;
}

const char *step_name(const struct step_machine *m)
{
	return m->table[m->now].name;
}
