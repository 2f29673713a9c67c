#include <criterion/criterion.h>

#include "sluice/shift/decision.h"

static const char *const names[] = { "advance", "done", "revert", "cutback", "weight",
	"start", "pause", "resume", "abort", "timeout", "withdrawn", "refused", "lost",
	"roles", "condemned", "start_up", "reload", "reload_refused", "stop",
	"dropped" };

Test(decision, every_action_keeps_the_name_that_journals_and_databases_know)
{
	for (unsigned i = 0; i < DECISION_N; i++) {
		enum decision_action a = DECISION_N;

		cr_assert_str_eq(decision_text((enum decision_action)i), names[i]);
		cr_assert(decision_parse(names[i], &a));
		cr_assert_eq(a, i);
	}
}

Test(decision, a_revert_and_a_cutback_are_the_rollbacks)
{
	for (unsigned i = 0; i < DECISION_N; i++) {
		bool rolls = i == DECISION_REVERT || i == DECISION_CUTBACK;

		cr_assert_eq(decision_is_rollback((enum decision_action)i), rolls);
		cr_assert_eq(decision_text_is_rollback(names[i]), rolls);
	}
}

Test(decision, a_name_of_another_version_is_no_action_and_no_rollback)
{
	enum decision_action a = DECISION_STOP;

	cr_assert_not(decision_parse("gate_failed", &a));
	cr_assert_not(decision_parse("", &a));
	cr_assert_not(decision_parse(NULL, &a));
	cr_assert_eq(a, DECISION_STOP);
	cr_assert_not(decision_text_is_rollback("gate_failed"));
}

Test(decision, what_takes_traffic_from_new_is_told_as_a_warning)
{
	cr_assert_eq(decision_level(DECISION_REVERT), LOG_WARN);
	cr_assert_eq(decision_level(DECISION_CUTBACK), LOG_WARN);
	cr_assert_eq(decision_level(DECISION_ADVANCE), LOG_INFO);
	cr_assert_eq(decision_level(DECISION_LOST), LOG_ERROR);
	cr_assert_str_eq(decision_phrase(DECISION_REVERT), "shift reverted");
}

Test(decision, the_reason_of_a_change_says_which_decision_it_is)
{
	cr_assert_eq(decision_of_reason(WHY_PASSED), DECISION_ADVANCE);
	cr_assert_eq(decision_of_reason(WHY_TIMED_OUT_ADVANCE), DECISION_ADVANCE);
	cr_assert_eq(decision_of_reason(WHY_LAST_PASSED), DECISION_DONE);
	cr_assert_eq(decision_of_reason(WHY_TIMED_OUT), DECISION_TIMEOUT);
	cr_assert_eq(decision_of_reason(WHY_TIMED_OUT_REVERT), DECISION_REVERT);
	cr_assert_eq(decision_of_reason(WHY_BREACH), DECISION_REVERT);
	cr_assert_eq(decision_of_reason(WHY_FLOOR), DECISION_REVERT);
}

Test(decision, a_command_is_recorded_under_its_own_name)
{
	for (unsigned i = 0; i < COMMAND_N; i++) {
		enum shift_command c = (enum shift_command)i;

		cr_assert_str_eq(
			decision_text(decision_of_command(c)), shift_command_text(c));
	}
}

Test(decision, a_person_has_a_name_and_everything_else_is_what_it_is)
{
	cr_assert_str_eq(
		shift_actor_text(&(struct actor){ ACTOR_GUARD, NULL }), "guard");
	cr_assert_str_eq(shift_actor_text(&(struct actor){ ACTOR_PERSON, "user:root" }),
		"user:root");
	cr_assert_str_eq(shift_actor_text(&(struct actor){ ACTOR_PERSON, NULL }), "");
}
