/*
 * Texts: the one table of words for phases, commands and reasons. The journal, the
 * API, the log and the dashboard all take theirs from here.
 */
#include "sluice/shift/plan.h"

#include <assert.h>
#include <string.h>

static const char *const phases[] = {
	[SHIFT_IDLE] = "idle",
	[SHIFT_RUNNING] = "running",
	[SHIFT_WAITING] = "waiting",
	[SHIFT_PAUSED] = "paused",
	[SHIFT_MANUAL] = "manual",
	[SHIFT_DONE] = "done",
	[SHIFT_REVERTED] = "reverted",
	[SHIFT_CUTBACK] = "cutback",
};

static const char *const commands[] = {
	[COMMAND_START] = "start",
	[COMMAND_PAUSE] = "pause",
	[COMMAND_RESUME] = "resume",
	[COMMAND_ABORT] = "abort",
	[COMMAND_WEIGHT] = "weight",
	[COMMAND_CUTBACK] = "cutback",
};

static const struct {
	const char *name, *text;
} reasons[] = {
	[WHY_NOTHING] = { "nothing", "nothing changed" },
	[WHY_PASSED] = { "passed", "hold over and evidence enough" },
	[WHY_LAST_PASSED] = { "last_passed", "last step passed, the plan is done" },
	[WHY_BREACH] = { "breach", "a guard's limit is exceeded" },
	[WHY_FLOOR] = { "floor", "nothing on new answers right" },
	[WHY_TIMED_OUT] = { "timed_out", "step timed out without evidence, held" },
	[WHY_TIMED_OUT_ADVANCE] = { "timed_out_advance",
		"step timed out without evidence, advanced as the plan says" },
	[WHY_TIMED_OUT_REVERT] = { "timed_out_revert",
		"step timed out without evidence, reverted as the plan says" },
	[WHY_COMMAND] = { "command", "a person asked" },
	[WHY_LATCHED] = { "latched", "a latch holds new at 0, resume clears it" },
	[WHY_NO_PLAN] = { "no_plan", "there is no plan, set a weight" },
	[WHY_NOT_RUNNING] = { "not_running", "no plan is running, start begins one" },
	[WHY_ALREADY] = { "already", "already so, nothing to do" },
	[WHY_SPILL] = { "spill", "held, new cannot take its share" },
	[WHY_EJECTED] = { "ejected", "held, a server of new is ejected" },
	[WHY_JOURNAL] = { "journal", "held, the rise cannot be recorded" },
	[WHY_LEGACY_DOWN] = { "legacy_down", "held, legacy is unhealthy" },
	[WHY_TAINTED] = { "tainted", "held, sluice itself stood still" },
	[WHY_PAUSED] = { "paused", "the plan is paused, resume or abort it" },
	[WHY_DONE] = { "done", "the plan is done, set a weight first" },
};

static_assert(sizeof(phases) / sizeof(phases[0]) == SHIFT_N_PHASES, "a text each");
static_assert(sizeof(commands) / sizeof(commands[0]) == COMMAND_N, "a text each");
static_assert(sizeof(reasons) / sizeof(reasons[0]) == WHY_N, "a text each");

const char *shift_phase_text(enum shift_phase p)
{
	assert(p < SHIFT_N_PHASES);

	return phases[p];
}

bool shift_phase_parse(const char *text, enum shift_phase *p)
{
	for (unsigned i = 0; i < SHIFT_N_PHASES; i++) {
		if (text != NULL && strcmp(text, phases[i]) == 0) {
			*p = (enum shift_phase)i;
			return true;
		}
	}
	return false;
}

const char *shift_command_text(enum shift_command c)
{
	assert(c < COMMAND_N);

	return commands[c];
}

const char *shift_reason_text(enum shift_reason r)
{
	assert(r < WHY_N);

	return reasons[r].text;
}

const char *shift_reason_name(enum shift_reason r)
{
	assert(r < WHY_N);

	return reasons[r].name;
}
