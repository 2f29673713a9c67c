/* Texts: every phase, command and reason has words of its own. */
#include <string.h>

#include <criterion/criterion.h>

#include "sluice/shift.h"

Test(texts, every_phase_is_read_back_as_itself)
{
	for (unsigned i = 0; i < SHIFT_N_PHASES; i++) {
		enum shift_phase back = SHIFT_N_PHASES;

		cr_assert(shift_phase_parse(
			shift_phase_text((enum shift_phase)i), &back));
		cr_assert_eq(back, i);
	}
}

Test(texts, what_is_no_phase_is_refused_and_leaves_the_value_alone)
{
	enum shift_phase p = SHIFT_DONE;

	cr_assert_not(shift_phase_parse("Running", &p));
	cr_assert_not(shift_phase_parse("", &p));
	cr_assert_not(shift_phase_parse(NULL, &p));
	cr_assert_eq(p, SHIFT_DONE);
}

Test(texts, latched_phases_are_reverted_and_cutback)
{
	for (unsigned i = 0; i < SHIFT_N_PHASES; i++)
		cr_assert_eq(shift_is_latched((enum shift_phase)i),
			i == SHIFT_REVERTED || i == SHIFT_CUTBACK);
}

Test(texts, no_two_reasons_share_a_name_or_a_text)
{
	for (unsigned i = 0; i < WHY_N; i++) {
		for (unsigned k = 0; k < i; k++) {
			enum shift_reason a = (enum shift_reason)i;
			enum shift_reason b = (enum shift_reason)k;

			cr_assert_str_neq(shift_reason_name(a), shift_reason_name(b));
			cr_assert_str_neq(shift_reason_text(a), shift_reason_text(b));
		}
	}
}

Test(texts, the_name_of_a_reason_is_one_word_that_can_be_searched_for)
{
	for (unsigned i = 0; i < WHY_N; i++) {
		const char *name = shift_reason_name((enum shift_reason)i);

		cr_assert_gt(strlen(name), 0);
		cr_assert_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
	}
}

Test(texts, commands_are_the_verbs_of_sluicectl)
{
	cr_assert_str_eq(shift_command_text(COMMAND_START), "start");
	cr_assert_str_eq(shift_command_text(COMMAND_PAUSE), "pause");
	cr_assert_str_eq(shift_command_text(COMMAND_RESUME), "resume");
	cr_assert_str_eq(shift_command_text(COMMAND_ABORT), "abort");
	cr_assert_str_eq(shift_command_text(COMMAND_WEIGHT), "weight");
	cr_assert_str_eq(shift_command_text(COMMAND_CUTBACK), "cutback");
}
