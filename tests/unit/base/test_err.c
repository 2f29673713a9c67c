/* err - what went wrong, told from the inside out. */
#include "sluice/base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(err, each_caller_says_where_in_front_of_what_is_there)
{
	struct err err;

	int set = err_set(&err, ERR_CONFIG, "weight: got %u", 140u);
	int wrapped = err_wrap(&err, "pool %s", "new");

	cr_expect_eq(set, -1);
	cr_expect_eq(wrapped, -1);
	cr_expect_eq(err.code, ERR_CONFIG);
	cr_expect_str_eq(err.text, "pool new: weight: got 140");
}

Test(err, a_failed_system_call_carries_its_reason_and_errno_stays)
{
	struct err err;

	errno = ENOENT;
	int rc = err_errno(&err, "cannot open %s", "/x");

	cr_expect_eq(rc, -1);
	cr_expect_eq(err.code, ERR_SYSTEM);
	cr_expect_str_eq(err.text, "cannot open /x: No such file or directory");
	cr_expect_eq(errno, ENOENT);
}

Test(err, arguments_may_point_into_the_error_itself)
{
	struct err err;
	err_set(&err, ERR_TLS, "inner");

	err_set(&err, ERR_CONFIG, "outer (%s)", err.text);
	err_wrap(&err, "again %s", err.text);

	cr_expect_eq(err.code, ERR_CONFIG);
	cr_expect_str_eq(err.text, "again outer (inner): outer (inner)");
}

Test(err, what_does_not_fit_is_cut_off_at_the_end)
{
	struct err err;
	err_set(&err, ERR_CONFIG, "%02000d", 0);

	err_wrap(&err, "where");

	cr_expect_eq(strlen(err.text), sizeof(err.text) - 1);
	cr_expect_eq(strncmp(err.text, "where: 000", 10), 0);
}

Test(err, nobody_has_to_listen)
{
	cr_expect_eq(err_set(NULL, ERR_CONFIG, "x"), -1);
	cr_expect_eq(err_wrap(NULL, "x"), -1);
	cr_expect_eq(err_errno(NULL, "x"), -1);
}
