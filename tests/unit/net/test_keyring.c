/* When ticket keys change, and how long the old ones open. */
#include "sluice/net/keyring.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#define HOUR (UINT64_C(3600) * 1000)

static struct keyring ring;
static const uint64_t start = 1000 * HOUR;

static void name_of_current(uint64_t now, uint8_t name[static KEYRING_NAME])
{
	memcpy(name, keyring_current(&ring, now)->name, KEYRING_NAME);
}

Test(keyring, an_empty_ring_opens_nothing)
{
	const uint8_t zero[KEYRING_NAME] = { 0 };

	cr_expect_null(keyring_find(&ring, zero, start));
}

Test(keyring, a_key_seals_for_twelve_hours)
{
	const struct keyring_key *first = keyring_current(&ring, start);

	cr_expect_eq(keyring_current(&ring, start + 12 * HOUR - 1), first);
	cr_expect_neq(keyring_current(&ring, start + 12 * HOUR), first);
}

Test(keyring, no_two_keys_have_anything_in_common)
{
	struct keyring_key first = *keyring_current(&ring, start);

	struct keyring_key second = *keyring_current(&ring, start + 12 * HOUR);

	cr_expect_neq(memcmp(first.name, second.name, sizeof(first.name)), 0);
	cr_expect_neq(memcmp(first.aes, second.aes, sizeof(first.aes)), 0);
	cr_expect_neq(memcmp(first.hmac, second.hmac, sizeof(first.hmac)), 0);
	cr_expect_neq(memcmp(first.aes, first.hmac, sizeof(first.aes)), 0);
}

Test(keyring, an_old_key_opens_for_a_day_after_it_was_replaced)
{
	uint8_t name[KEYRING_NAME];
	name_of_current(start, name);

	(void)keyring_current(&ring, start + 12 * HOUR);
	(void)keyring_current(&ring, start + 24 * HOUR);

	cr_expect_not_null(keyring_find(&ring, name, start + 36 * HOUR - 1));
	cr_expect_null(keyring_find(&ring, name, start + 36 * HOUR));
}

Test(keyring, a_key_that_nobody_replaced_is_as_old_as_it_is)
{
	uint8_t name[KEYRING_NAME];
	name_of_current(start, name);

	(void)keyring_current(&ring, start + 100 * HOUR);

	cr_expect_null(keyring_find(&ring, name, start + 100 * HOUR));
}

Test(keyring, the_fourth_key_makes_the_first_one_unknown)
{
	uint8_t name[KEYRING_NAME];
	name_of_current(start, name);

	for (unsigned i = 1; i <= 3; i++)
		(void)keyring_current(&ring, start + i * 12 * HOUR);

	cr_expect_null(keyring_find(&ring, name, start));
}

Test(keyring, a_clock_read_a_little_earlier_changes_nothing)
{
	const struct keyring_key *first = keyring_current(&ring, start);

	cr_expect_eq(keyring_current(&ring, start - 1), first);
	cr_expect_eq(keyring_find(&ring, first->name, start - 1), first);
}

static void *ask_for_the_second(void *out)
{
	*(const struct keyring_key **)out = keyring_current(&ring, start + 12 * HOUR);
	return NULL;
}

Test(keyring, many_threads_draw_one_key)
{
	const struct keyring_key *first = keyring_current(&ring, start), *got[8];
	pthread_t thread[8];

	for (size_t i = 0; i < 8; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, ask_for_the_second,
				     (void *)&got[i]),
			0);
	for (size_t i = 0; i < 8; i++)
		(void)pthread_join(thread[i], NULL);

	cr_expect_eq(atomic_load(&ring.newest), 2);
	for (size_t i = 0; i < 8; i++)
		cr_expect(got[i] == first ||
			  got[i] == keyring_current(&ring, start + 12 * HOUR));
}
