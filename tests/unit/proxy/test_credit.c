#include <criterion/criterion.h>

#include "exchange/exchange_priv.h"

#define MS UINT64_C(1000000)

static const struct credit_terms terms = { .rate = 100, .grace_ms = 1000 };
static struct credit c;
static uint64_t now_ns, bytes;

static void start(void)
{
	c = (struct credit){ 0 };
	now_ns = 5000 * MS;
	bytes = 0;
}

TestSuite(credit, .init = start);

/* The client is waited for again, after so long, in which it moved n bytes. */
static bool after(uint64_t ms, uint64_t n)
{
	now_ns += ms * MS;
	bytes += n;
	return credit_lasts(&c, &terms, true, bytes, now_ns);
}

/* It is the other side's move. */
static void others_turn(uint64_t ms)
{
	(void)credit_lasts(&c, &terms, false, bytes, now_ns);
	now_ns += ms * MS;
}

Test(credit, drops_are_worth_their_time_and_no_more)
{
	cr_assert(after(0, 0));
	for (int i = 0; i < 5; i++)
		cr_assert(after(200, 1));

	cr_assert_not(after(200, 1));
}

Test(credit, the_agreed_rate_may_go_on_for_ever)
{
	cr_assert(after(0, 0));

	for (int i = 0; i < 1000; i++)
		cr_assert(after(100, 10));
}

Test(credit, what_the_other_side_takes_costs_nothing)
{
	cr_assert(after(0, 0));
	cr_assert(after(900, 0));
	others_turn(100000);

	cr_assert(after(0, 0));
	cr_assert(after(90, 0));
	cr_assert_not(after(20, 0));
}

Test(credit, speed_pays_a_debt_and_is_not_saved_up)
{
	cr_assert(after(0, 0));
	cr_assert(after(900, 1000000));

	cr_assert(after(1000, 0));
	cr_assert_not(after(1, 0));
}

Test(credit, more_bytes_than_fit_in_the_sum_are_just_enough)
{
	cr_assert(after(0, 0));

	cr_assert(after(900, UINT64_MAX / 2));
}

Test(credit, who_is_not_waited_for_is_never_too_slow)
{
	cr_assert(after(0, 0));
	now_ns += 100000 * MS;

	cr_assert(credit_lasts(&c, &terms, false, bytes, now_ns));
}
