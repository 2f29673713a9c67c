/* json - documents made and read. */
#include "sluice/base/json.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Prints j, compares and frees both. */
static void expect_print(struct json *j, const char *expected)
{
	char *text = json_print(j);

	cr_expect_str_eq(text, expected);
	free(text);
	json_free(j);
}

static struct json *parse(const char *text)
{
	struct err err;
	struct json *j = json_parse(text, strlen(text), &err);

	cr_assert_not_null(j, "%s: %s", text, err.text);
	return j;
}

Test(json, keys_stand_in_the_order_in_which_they_were_put)
{
	struct json *j = json_new_object();

	json_put_text(j, "zebra", "z");
	json_put_int(j, "min", INT64_MIN);
	json_put_bool(j, "yes", true);
	json_put_text(j, "none", NULL);
	json_put_real(j, "half", 0.5);

	expect_print(j, "{\"zebra\":\"z\",\"min\":-9223372036854775808,\"yes\":true,"
			"\"none\":null,\"half\":0.5}");
}

Test(json, containers_nest_and_own_what_is_put_into_them)
{
	struct json *j = json_new_object(), *list = json_new_array();

	json_add_text(list, "a");
	json_add_int(list, 2);
	json_add_real(list, 1.5);
	json_add(list, json_new_object());
	json_put(j, "list", list);

	expect_print(j, "{\"list\":[\"a\",2,1.5,{}]}");
}

Test(json, bytes_that_are_not_utf8_are_shown_as_unknown)
{
	struct json *j = json_new_array();

	json_add_text(j, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x8c\x8a");
	json_add_text(j, "a\xff"
			 "b");
	json_add_text(j, "\xc0\xaf");
	json_add_text(j, "\xed\xa0\x80");
	json_add_text(j, "\xe2\x82");
	json_add_text(j, "\xf4\x90\x80\x80");

	expect_print(j, "[\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x8c\x8a\",\"a\xef\xbf\xbd"
			"b\","
			"\"\xef\xbf\xbd\xef\xbf\xbd\","
			"\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
			"\"\xef\xbf\xbd\xef\xbf\xbd\","
			"\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]");
}

Test(json, controls_and_quotes_are_escaped)
{
	struct json *j = json_new_array();

	json_add_text(j, "\"\\\n\x01");

	expect_print(j, "[\"\\\"\\\\\\n\\u0001\"]");
}

Test(json, what_is_not_finite_is_null)
{
	struct json *j = json_new_array();

	json_add_real(j, NAN);
	json_add_real(j, INFINITY);
	json_add_int(j, 1);

	expect_print(j, "[null,null,1]");
}

Test(json, a_double_comes_back_as_it_was)
{
	struct json *j = json_new_array();
	double third = 1.0 / 3, tiny = 5e-324, large = 1.7976931348623157e308;
	json_add_real(j, third);
	json_add_real(j, tiny);
	json_add_real(j, large);

	char *text = json_print(j);
	struct json *back = parse(text);

	cr_expect_eq(json_number_at(back, 0), third);
	cr_expect_eq(json_number_at(back, 1), tiny);
	cr_expect_eq(json_number_at(back, 2), large);
	json_free(back);
	json_free(j);
	free(text);
}

Test(json, getters_read_what_is_there)
{
	struct json *j = parse("{\"t\":\"x\",\"i\":-5,\"r\":2.5,\"b\":true,\"n\":null,"
			       "\"o\":{\"in\":1},\"a\":[7,8.5]}");

	cr_expect_str_eq(json_text(j, "t", "?"), "x");
	cr_expect_eq(json_int(j, "i", 0), -5);
	cr_expect_eq(json_number(j, "r", 0), 2.5);
	cr_expect_eq(json_number(j, "i", 0), -5.0);
	cr_expect(json_bool(j, "b", false));
	cr_expect(json_has(j, "n"));
	cr_expect_eq(json_int(json_get(j, "o"), "in", 0), 1);
	cr_expect_eq(json_count(json_get(j, "a")), 2);
	cr_expect_eq(json_number_at(json_get(j, "a"), 1), 8.5);
	json_free(j);
}

Test(json, what_is_missing_or_of_another_type_reads_as_the_default)
{
	struct json *j = parse("{\"t\":\"5\",\"i\":5,\"r\":2.5,\"b\":1}");

	cr_expect_str_eq(json_text(j, "none", "?"), "?");
	cr_expect_null(json_text(j, "i", NULL));
	cr_expect_eq(json_int(j, "t", -1), -1);
	cr_expect_eq(json_int(j, "r", -1), -1);
	cr_expect_eq(json_number(j, "t", -1), -1);
	cr_expect_not(json_bool(j, "b", false));
	cr_expect_not(json_has(j, "none"));
	cr_expect_null(json_get(j, "none"));
	json_free(j);
}

Test(json, nothing_reads_as_the_default_too)
{
	struct json *j = parse("[1]");

	cr_expect_eq(json_int(NULL, "i", 3), 3);
	cr_expect_eq(json_int(j, "i", 3), 3);
	cr_expect_eq(json_count(NULL), 0);
	cr_expect_null(json_at(j, 1));
	cr_expect_eq(json_number_at(j, 1), 0);
	cr_expect_eq(json_int(json_at(json_get(j, "x"), 0), "y", 3), 3);
	json_free(j);
	json_free(NULL);
}

struct bad {
	char text[64];
};

ParameterizedTestParameters(json, anything_but_one_document_is_refused)
{
	static struct bad cases[] = {
		{ .text = "" },
		{ .text = "   " },
		{ .text = "{" },
		{ .text = "{}{}" },
		{ .text = "[1] x" },
		{ .text = "{\"a\":1,}" },
		{ .text = "{\"a\":1,\"a\":2}" },
		{ .text = "{'a':1}" },
		{ .text = "[01]" },
		{ .text = "[1e999]" },
		{ .text = "[99999999999999999999]" },
		{ .text = "[NaN]" },
		{ .text = "[\"\\u0000\"]" },
		{ .text = "[\"\xff\"]" },
		{ .text = "nul" },
	};

	return cr_make_param_array(struct bad, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct bad *c, json, anything_but_one_document_is_refused)
{
	struct err err = { .code = ERR_NONE };

	struct json *j = json_parse(c->text, strlen(c->text), &err);

	cr_expect_null(j, "'%s'", c->text);
	cr_expect_eq(err.code, ERR_FORMAT);
	cr_expect_eq(strncmp(err.text, "line 1, column ", 15), 0, "%s", err.text);
}

Test(json, nothing_at_all_is_refused_as_well)
{
	cr_expect_null(json_parse(NULL, 0, NULL));
}

Test(json, a_key_that_is_none_of_the_known_ones_is_found)
{
	static const char text[] = "{\"reason\": \"x\", \"generaton\": 7}";
	static const char *const known[] = { "reason", "generation", "generaton" };
	struct json *j = json_parse(text, strlen(text), NULL);

	cr_expect_str_eq(json_unknown_key(j, known, 2), "generaton");
	cr_expect_null(json_unknown_key(j, known, 3));
	cr_expect_null(json_unknown_key(NULL, known, 3));
	json_free(j);
}
