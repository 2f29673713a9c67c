/* hash - SipHash-2-4, and a table from names to pointers. */
#include "sluice/base/hash.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>

/* The name of the i-th entry; its value is the i-th char of this array. */
static char values[10000];

static struct span name_of(size_t i)
{
	static char name[32];

	return (struct span){
		.p = name,
		.n = (size_t)snprintf(name, sizeof(name), "server-%zu", i),
	};
}

static struct hash_table *table_of(size_t n)
{
	struct hash_table *t = hash_table_new(0);

	for (size_t i = 0; i < n; i++)
		(void)hash_table_put(t, name_of(i), &values[i]);
	return t;
}

/* Key 00 01 .. 0f and messages 00 01 .. n-1: the paper's own vectors. */
Test(hash, siphash_gives_the_values_of_its_paper)
{
	const struct hash_key key = {
		.k0 = UINT64_C(0x0706050403020100),
		.k1 = UINT64_C(0x0f0e0d0c0b0a0908),
	};
	uint8_t bytes[15];
	for (uint8_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;

	cr_expect_eq(hash_sip(&key, bytes, 0), UINT64_C(0x726fdb47dd0e0e31));
	cr_expect_eq(hash_sip(&key, bytes, 1), UINT64_C(0x74f839c593dc67fd));
	cr_expect_eq(hash_sip(&key, bytes, 7), UINT64_C(0xab0200f58b01d137));
	cr_expect_eq(hash_sip(&key, bytes, 8), UINT64_C(0x93f5f5799a932462));
	cr_expect_eq(hash_sip(&key, bytes, 15), UINT64_C(0xa129ca6149be45e5));
}

Test(hash, a_table_finds_what_was_put_however_much_it_grew)
{
	struct hash_table *t = table_of(10000);
	size_t found = 0;

	for (size_t i = 0; i < 10000; i++)
		found += hash_table_get(t, name_of(i)) == &values[i];

	cr_expect_eq(found, 10000);
	cr_expect_eq(hash_table_count(t), 10000);
	hash_table_free(t);
}

Test(hash, a_table_does_not_find_what_was_not_put)
{
	struct hash_table *t = table_of(100);

	cr_expect_null(hash_table_get(t, SPAN("server-100")));
	cr_expect_null(hash_table_get(t, SPAN("server-1 ")));
	cr_expect_null(hash_table_get(t, SPAN("")));
	hash_table_free(t);
}

Test(hash, putting_again_replaces_and_returns_what_was_there)
{
	struct hash_table *t = hash_table_new(10);

	void *nothing = hash_table_put(t, SPAN("a"), &values[1]);
	void *first = hash_table_put(t, SPAN("a"), &values[2]);

	cr_expect_null(nothing);
	cr_expect_eq(first, &values[1]);
	cr_expect_eq(hash_table_get(t, SPAN("a")), &values[2]);
	cr_expect_eq(hash_table_count(t), 1);
	hash_table_free(t);
}

Test(hash, keys_are_copied_and_may_hold_any_byte)
{
	struct hash_table *t = hash_table_new(10);
	char key[] = { 'a', '\0', 'b' };
	struct span s = { .p = key, .n = sizeof(key) };

	(void)hash_table_put(t, s, &values[1]);
	(void)hash_table_put(t, SPAN(""), &values[2]);
	key[2] = 'c';

	cr_expect_null(hash_table_get(t, s));
	cr_expect_eq(hash_table_get(t, SPAN("a\0b")), &values[1]);
	cr_expect_eq(hash_table_get(t, SPAN("")), &values[2]);
	hash_table_free(t);
}

Test(hash, freeing_no_table_does_nothing)
{
	hash_table_free(NULL);
}

Test(hash, putting_no_value_is_a_bug, .signal = SIGABRT)
{
	struct hash_table *t = hash_table_new(10);

	(void)hash_table_put(t, SPAN("a"), NULL);
}
