/* Fields that go and fields that come, by an operator's rules. */
#include "sluice/http/edit.h"

#include <criterion/criterion.h>

static struct buf_pool bufs;
static struct buf b;
static struct http_edit *edit;

static void setup(void)
{
	buf_pool_init(&bufs, 0);
	b = (struct buf){ .data = NULL };
}

static void teardown(void)
{
	http_edit_free(edit);
	buf_release(&bufs, &b);
	buf_pool_fini(&bufs);
}

TestSuite(edit, .init = setup, .fini = teardown);

/* before, then head, then behind; head is edited. */
static void expect_edited(
	const char *before, const char *head, const char *behind, const char *edited)
{
	size_t n = strlen(head);
	char *expected = mem_print("%s%s%s", before, edited, behind);

	buf_release(&bufs, &b);
	cr_assert(
		buf_reserve(&bufs, &b, strlen(before) + strlen(head) + strlen(behind)));
	buf_add(&b, before, strlen(before));
	buf_add(&b, head, strlen(head));
	buf_add(&b, behind, strlen(behind));

	cr_assert(http_edit_text(edit, &bufs, &b, strlen(before), &n));

	cr_expect_eq(n, strlen(edited));
	cr_expect(span_eq((struct span){ .p = buf_head(&b), .n = buf_len(&b) },
			  span_of(expected)),
		"got %.*s", (int)buf_len(&b), buf_head(&b));
	free(expected);
}

Test(edit, no_rules_are_none)
{
	cr_expect_null(http_edit_new("", "", ""));
	http_edit_free(NULL);
}

Test(edit, set_replaces_every_field_of_the_name_and_stands_at_the_end)
{
	edit = http_edit_new("A: new\r\n", "", "");

	expect_edited("", "GET / HTTP/1.1\r\na: 1\r\nB: 2\r\nA: 3\r\n\r\n", "body",
		"GET / HTTP/1.1\r\nB: 2\r\nA: new\r\n\r\n");
	expect_edited("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "",
		"HTTP/1.1 200 OK\r\nA: new\r\n\r\n");
}

Test(edit, add_leaves_what_is_there)
{
	edit = http_edit_new("", "A: 1\r\nA: 2\r\n", "");

	expect_edited("", "GET / HTTP/1.1\r\nA: 0\r\n\r\n", "x",
		"GET / HTTP/1.1\r\nA: 0\r\nA: 1\r\nA: 2\r\n\r\n");
}

Test(edit, remove_takes_names_in_any_case_and_either_dash)
{
	edit = http_edit_new("", "", "X-A, B");

	expect_edited("", "GET / HTTP/1.1\r\nx_a: 0\r\nb:\r\nBB: x-a\r\n\r\n", "",
		"GET / HTTP/1.1\r\nBB: x-a\r\n\r\n");
	expect_edited("", "GET /X-A:b HTTP/1.1\r\n\r\n", "X-A: body\r\n",
		"GET /X-A:b HTTP/1.1\r\n\r\n");
}

Test(edit, a_head_without_room_stays_as_it_is)
{
	char *lines = mem_zero(BUF_LARGE + 1);
	static const char head[] = "GET / HTTP/1.1\r\nA: 0\r\n\r\n";
	size_t n = sizeof(head) - 1;

	memset(lines, 'x', BUF_LARGE);
	memcpy(lines, "A: ", 3);
	memcpy(lines + BUF_LARGE - 2, "\r\n", 2);
	edit = http_edit_new(lines, "", "");
	cr_assert(buf_reserve(&bufs, &b, n));
	buf_add(&b, head, n);

	cr_expect_not(http_edit_text(edit, &bufs, &b, 0, &n));

	cr_expect(span_eq(
		(struct span){ .p = buf_head(&b), .n = buf_len(&b) }, span_of(head)));
	free(lines);
}

Test(edit, what_comes_is_told_field_by_field)
{
	struct span name, value;
	size_t at = 0;

	edit = http_edit_new("A: 1\r\n", "B: two: 2\r\nC: \r\n", "D");

	cr_assert(http_edit_next(edit, &at, &name, &value));
	cr_expect(span_eq(name, SPAN("A")) && span_eq(value, SPAN("1")));
	cr_assert(http_edit_next(edit, &at, &name, &value));
	cr_expect(span_eq(name, SPAN("B")) && span_eq(value, SPAN("two: 2")));
	cr_assert(http_edit_next(edit, &at, &name, &value));
	cr_expect(span_eq(name, SPAN("C")) && value.n == 0);
	cr_expect_not(http_edit_next(edit, &at, &name, &value));
	cr_expect(http_edit_has(edit, SPAN("a")) && http_edit_has(edit, SPAN("d")));
	cr_expect_not(http_edit_has(edit, SPAN("B")));
}
