/* A set of names of fields. */
#include <criterion/criterion.h>

#include "sluice/http/name_set.h"

static struct http_name_set *set;

static void setup(void)
{
	set = http_name_set_new(" X-Real-IP, x_original_url\tTrue-Client-IP ");
}

static void teardown(void)
{
	http_name_set_free(set);
}

TestSuite(name_set, .init = setup, .fini = teardown);

Test(name_set, has_its_names_in_any_case_and_with_either_dash)
{
	cr_expect(http_name_set_has(set, SPAN("x-real-ip")));
	cr_expect(http_name_set_has(set, SPAN("X_REAL-IP")));
	cr_expect(http_name_set_has(set, SPAN("X-Original-URL")));
	cr_expect(http_name_set_has(set, SPAN("True_Client_IP")));
}

Test(name_set, has_no_other_name)
{
	cr_expect_not(http_name_set_has(set, SPAN("")));
	cr_expect_not(http_name_set_has(set, SPAN("X-Real-I")));
	cr_expect_not(http_name_set_has(set, SPAN("X-Real-IPs")));
	cr_expect_not(http_name_set_has(set, SPAN("X-Real.IP")));
	cr_expect_not(http_name_set_has(set, SPAN("Accept-En")));
}

Test(name_set, of_nothing_has_nothing)
{
	struct http_name_set *empty = http_name_set_new("  ");

	cr_expect_not(http_name_set_has(empty, SPAN("x-real-ip")));
	cr_expect_not(http_name_set_has(empty, SPAN(" ")));
	http_name_set_free(empty);
}
