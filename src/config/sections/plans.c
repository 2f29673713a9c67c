/*
 * plans - the steps in which a migration moves its traffic.
 */
#include "config_priv.h"

static const struct key step_keys[] = {
	{
		.name = "weight",
		.kind = &kind_percent_ppm,
		AT(config_step, new_ppm),
		.low = 0.0001,
		.high = 100,
		.required = true,
		.help = "percent of the requests that go to new, more than in the step "
			"before",
	},
	{
		.name = "hold",
		.kind = &kind_duration,
		AT(config_step, hold_ms),
		.preset = 30 * SECOND,
		.high = 720.0 * HOUR,
		.help = "the step lasts at least this long, and until the guards have "
			"seen enough",
	},
	{
		.name = "timeout",
		.kind = &kind_duration,
		AT(config_step, timeout_ms),
		.text = "hold + 30m",
		.low = 1,
		.high = 744.0 * HOUR,
		.help = "without evidence enough by then the plan does on_timeout; "
			"longer than hold",
	},
};

static void check_step(struct reader *rd, void *base, config_setting_t *s)
{
	struct config_step *step = base;

	if (config_setting_get_member(s, "timeout") == NULL)
		step->timeout_ms = step->hold_ms + 30 * MINUTE;
	else if (step->timeout_ms <= step->hold_ms &&
		 problem_is_absent(rd, s, "hold") &&
		 problem_is_absent(rd, s, "timeout"))
		problem_at_member(rd, s, "timeout",
			"is not longer than hold: the step would end before it could "
			"pass");
}

static const struct table table_step = {
	TABLE_KEYS(step_keys),
	.size = sizeof(struct config_step),
	.check = check_step,
};

static const struct word on_timeouts[] = {
	{ .text = "hold", .value = CONFIG_TIMEOUT_HOLD },
	{ .text = "advance", .value = CONFIG_TIMEOUT_ADVANCE },
	{ .text = "revert", .value = CONFIG_TIMEOUT_REVERT },
	{ 0 },
};

static const struct key plan_keys[] = {
	{
		.name = "autostart",
		.kind = &kind_switch,
		AT(config_plan, autostart),
		.help = "start once, when the plan is first loaded; otherwise "
			"sluicectl starts it",
	},
	{
		.name = "on_timeout",
		.kind = &kind_choice,
		AT(config_plan, on_timeout),
		.words = on_timeouts,
		.preset = CONFIG_TIMEOUT_HOLD,
		.help = "what a step does that ends without evidence enough: wait for "
			"a person, go on, or return to legacy",
	},
	{
		.name = "steps",
		.kind = &kind_list,
		AT(config_plan, steps),
		.count_at = offsetof(struct config_plan, n_steps),
		.table = &table_step,
		.low = 1,
		.high = CONFIG_MAX_STEPS,
		.required = true,
		.help = "weights to walk through, rising",
		.hint = "a plan needs steps, as ( { weight = 5; hold = \"10m\"; }, { "
			"weight = 100; } )",
	},
};

/* Also false where a step has no good weight: that was said already. */
static bool falls(struct reader *rd, const struct config_plan *p, size_t i,
	config_setting_t *steps)
{
	config_setting_t *last = config_setting_get_elem(steps, (unsigned)i - 1);
	config_setting_t *entry = config_setting_get_elem(steps, (unsigned)i);

	return p->steps[i - 1].new_ppm > 0 && p->steps[i].new_ppm > 0 &&
	       p->steps[i].new_ppm <= p->steps[i - 1].new_ppm &&
	       problem_is_absent(rd, last, "weight") &&
	       problem_is_absent(rd, entry, "weight");
}

static void check_plan(struct reader *rd, void *base, config_setting_t *s)
{
	const struct config_plan *p = base;
	config_setting_t *steps = config_setting_get_member(s, "steps");

	for (size_t i = 1; i < p->n_steps; i++)
		if (falls(rd, p, i, steps))
			problem_at_member(rd,
				config_setting_get_elem(steps, (unsigned)i), "weight",
				"expected more than the %g of the step before, got %g",
				p->steps[i - 1].new_ppm / 1e4,
				p->steps[i].new_ppm / 1e4);
}

const struct table table_plan = { TABLE_KEYS(plan_keys), .check = check_plan };
