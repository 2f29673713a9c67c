#include "sluice/base/step.h"

#include <criterion/criterion.h>

enum { FIRST, SECOND, THIRD };

/* An object whose steps do as they are told. */
struct walker {
	struct step_machine machine;
	enum verdict first_says, second_says;
	unsigned runs, entered; /* of SECOND */
};

static enum verdict step_first(void *object)
{
	struct walker *w = object;

	return w->first_says == AGAIN ? step_go(&w->machine, SECOND, 250)
				      : w->first_says;
}

static enum verdict step_second(void *object)
{
	struct walker *w = object;

	w->runs++;
	w->entered += w->machine.entered;
	return w->second_says;
}

static enum verdict step_third(void *object)
{
	struct walker *w = object;

	return step_go(&w->machine, THIRD, 0);
}

static const struct step steps[] = {
	[FIRST] = { "first", step_first },
	[SECOND] = { "second", step_second },
	[THIRD] = { "third", step_third },
};

static struct walker w;

static void setup(void)
{
	w = (struct walker){ .second_says = WAIT };
	step_init(&w.machine, steps, FIRST, 100);
}

TestSuite(step, .init = setup);

Test(step, a_machine_runs_until_a_step_waits)
{
	enum verdict v = step_run(&w.machine, &w, 10);

	cr_assert_eq(v, WAIT);
	cr_assert_str_eq(step_name(&w.machine), "second");
	cr_assert_eq(w.runs, 1);
}

Test(step, a_deadline_is_told_once_and_is_that_of_the_step_that_waits)
{
	uint32_t ms;
	(void)step_run(&w.machine, &w, 10);

	cr_assert(step_deadline(&w.machine, &ms));

	cr_assert_eq(ms, 250);
	cr_assert_not(step_deadline(&w.machine, &ms));
}

Test(step, a_step_is_entered_once_however_often_an_event_runs_it)
{
	for (unsigned events = 0; events < 3; events++)
		(void)step_run(&w.machine, &w, 10);

	cr_assert_eq(w.runs, 3);
	cr_assert_eq(w.entered, 1);
}

Test(step, a_deadline_that_passed_belongs_to_its_step_alone)
{
	w.first_says = WAIT;
	(void)step_run(&w.machine, &w, 10);
	w.machine.expired = true;

	w.first_says = AGAIN;
	(void)step_run(&w.machine, &w, 10);

	cr_assert_not(w.machine.expired);
}

Test(step, a_machine_that_never_waits_is_stopped_and_told_to_be_stuck)
{
	(void)step_go(&w.machine, THIRD, 0);

	cr_assert_eq(step_run(&w.machine, &w, 1000), AGAIN);
	cr_assert_not(w.machine.running);
}

Test(step, an_object_that_is_over_is_not_touched)
{
	w.second_says = OVER;

	cr_assert_eq(step_run(&w.machine, &w, 10), OVER);

	cr_assert(w.machine.running); /* as the last step left it */
}
