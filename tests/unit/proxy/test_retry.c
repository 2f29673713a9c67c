/* When there is another attempt: the whole table of S25. */
#include <criterion/criterion.h>

#include "exchange/exchange_priv.h"

/* What may follow an attempt that ended so: a retry when nothing was sent, a retry when
 * something was sent that may be sent again, and in either case a rescue. */
struct row {
	bool unsent, sent, rescue;
};

static const struct row table[N_OUTCOMES] = {
	[OUTCOME_OK] = { false, false, false },
	[OUTCOME_CONNECT] = { true, true, true },
	[OUTCOME_TLS] = { true, true, true },
	[OUTCOME_STATUS] = { false, false, true },
	[OUTCOME_MALFORMED] = { false, false, true },
	[OUTCOME_TRUNCATED] = { true, true, true },
	[OUTCOME_RESET] = { true, true, true },
	[OUTCOME_TIMEOUT] = { true, false, true },
	[OUTCOME_STALL] = { false, false, true },
	[OUTCOME_GRPC] = { false, false, true },
	[OUTCOME_CLIENT_GONE] = { false, false, false },
	[OUTCOME_LOCAL] = { false, false, false },
};

/* The facts that the bits of n say. */
static struct retry_facts facts_of(enum outcome why, unsigned n)
{
	return (struct retry_facts){
		.why = why,
		.rescue = n & 1,
		.nothing_sent = n & 2,
		.repeatable = n & 4,
		.body_held = n & 8,
		.response_begun = n & 16,
		.client_gone = n & 32,
		.tries = n & 64 ? 3 : 2,
		.max_tries = 3,
	};
}

static bool expected(const struct retry_facts *f)
{
	const struct row *row = &table[f->why];
	bool again = f->repeatable && f->body_held;

	if (f->response_begun || f->client_gone)
		return false;
	if (f->rescue)
		return row->rescue && (f->nothing_sent || again);
	if (f->tries == f->max_tries)
		return false;
	return f->nothing_sent ? row->unsent : row->sent && again;
}

Test(retry, every_combination_of_facts_is_answered_as_the_table_says)
{
	unsigned allowed = 0;

	for (unsigned why = 0; why < N_OUTCOMES; why++) {
		for (unsigned n = 0; n < 128; n++) {
			struct retry_facts f = facts_of((enum outcome)why, n);

			cr_expect_eq(retry_is_allowed(&f), expected(&f),
				"%s, facts %#x", outcome_text(f.why), n);
			allowed += retry_is_allowed(&f);
		}
	}

	/* Of the rescues 9 outcomes in 5 of 8 ways, whatever the tries; of the retries
	 * 4 outcomes in 5 ways and a time-out in the 4 where nothing was sent. */
	cr_expect_eq(allowed, 9 * 5 * 2 + 4 * 5 + 4);
}

static struct retry_facts first_failure(enum outcome why)
{
	return (struct retry_facts){ .why = why,
		.nothing_sent = true,
		.body_held = true,
		.tries = 1,
		.max_tries = 3 };
}

Test(retry, a_refused_connect_is_tried_again_whatever_the_method)
{
	struct retry_facts f = first_failure(OUTCOME_CONNECT);

	cr_expect(retry_is_allowed(&f));
}

Test(retry, a_post_that_was_sent_is_never_sent_twice)
{
	struct retry_facts f = first_failure(OUTCOME_RESET);
	f.nothing_sent = false;

	cr_expect_not(retry_is_allowed(&f));
	f.rescue = true;
	cr_expect_not(retry_is_allowed(&f));
}

Test(retry, once_the_client_saw_a_byte_nothing_is_tried_again)
{
	struct retry_facts f = first_failure(OUTCOME_RESET);
	f.repeatable = f.response_begun = true;

	cr_expect_not(retry_is_allowed(&f));
}

Test(retry, an_error_status_is_rescued_and_not_retried)
{
	struct retry_facts f = first_failure(OUTCOME_STATUS);
	f.nothing_sent = false;
	f.repeatable = true;

	cr_expect_not(retry_is_allowed(&f));
	f.rescue = true;
	cr_expect(retry_is_allowed(&f));
}

Test(retry, only_5xx_but_501_and_505_are_bad_statuses)
{
	for (unsigned status = 100; status < 600; status++)
		cr_expect_eq(attempt_is_bad_status(NULL, status),
			status >= 500 && status != 501 && status != 505, "%u", status);
}

Test(retry, a_migration_may_say_which_statuses_are_bad)
{
	uint16_t list[] = { 429, 503 };
	const struct config_errors errors = { .status = list, .n_status = 2 };

	cr_expect(attempt_is_bad_status(&errors, 429));
	cr_expect(attempt_is_bad_status(&errors, 503));
	cr_expect_not(attempt_is_bad_status(&errors, 500));
}
