/* list - doubly linked, through a link inside the object. */
#include "sluice/base/list.h"

#include <criterion/criterion.h>

struct item {
	int number;
	struct link in_list;
};

/* The numbers in the list, first one first, as digits of one number. */
static int digits_of(struct link *list)
{
	int digits = 0;

	LIST_EACH (list, it, after)
		digits = digits * 10 + LIST_ENTRY(it, struct item, in_list)->number;
	return digits;
}

Test(list, pushed_objects_come_in_order_and_pushed_in_front_before_them)
{
	struct link list;
	struct item one = { .number = 1 }, two = { .number = 2 },
		    three = { .number = 3 };
	list_init(&list);

	list_push(&list, &one.in_list);
	list_push(&list, &two.in_list);
	list_push_front(&list, &three.in_list);

	cr_expect_eq(digits_of(&list), 312);
}

Test(list, a_removed_object_is_gone_and_may_be_removed_again)
{
	struct link list;
	struct item one = { .number = 1 }, two = { .number = 2 };
	list_init(&list);
	list_push(&list, &one.in_list);
	list_push(&list, &two.in_list);

	list_remove(&one.in_list);
	list_remove(&one.in_list);

	cr_expect_eq(digits_of(&list), 2);
	cr_expect(list_empty(&one.in_list));
}

Test(list, the_body_of_a_walk_may_remove_the_current_object)
{
	struct link list;
	struct item item[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
	list_init(&list);
	list_push(&list, &item[0].in_list);
	list_push(&list, &item[1].in_list);
	list_push(&list, &item[2].in_list);

	LIST_EACH (&list, it, after)
		list_remove(it);

	cr_expect(list_empty(&list));
}
