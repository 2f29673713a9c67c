/* OpenSSL's memory: whole and its own, whatever the sizes, whoever gives it back. */
#include "raw_tls.h"

#include <criterion/parameterized.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

TestSuite(tls_mem, .timeout = 30);

enum { CROWD = 500 };

struct sized {
	size_t n;
};

/* Where one size of blocks ends and the next begins. */
ParameterizedTestParameters(tls_mem, blocks_do_not_overlap)
{
	static struct sized cases[] = { { 1 }, { 24 }, { 25 }, { 40 }, { 41 }, { 4104 },
		{ 4105 }, { 7608 }, { 16383 }, { 16384 }, { 22024 }, { 22025 } };

	return cr_make_param_array(
		struct sized, cases, sizeof(cases) / sizeof(cases[0]));
}

static bool all_bytes_are(const unsigned char *p, size_t n, unsigned char byte)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != byte)
			return false;
	}
	return true;
}

static void take_all(unsigned char *block[static CROWD], size_t n)
{
	for (size_t i = 0; i < CROWD; i++) {
		block[i] = OPENSSL_malloc(n);
		cr_assert_not_null(block[i]);
		memset(block[i], (int)(i & 0xff), n);
	}
}

static void check_and_give_all(unsigned char *block[static CROWD], size_t n)
{
	for (size_t i = 0; i < CROWD; i++)
		cr_assert(all_bytes_are(block[i], n, (unsigned char)i), "%zu", i);
	for (size_t i = 0; i < CROWD; i++)
		OPENSSL_free(block[i]);
}

ParameterizedTest(struct sized *c, tls_mem, blocks_do_not_overlap)
{
	unsigned char *block[CROWD];

	for (int round = 0; round < 3; round++) {
		take_all(block, c->n);
		check_and_give_all(block, c->n);
	}
}

Test(tls_mem, a_block_that_grows_keeps_its_bytes)
{
	static const size_t sizes[] = { 1, 24, 25, 300, 4105, 16384, 22025, 100000 };
	unsigned char *p = NULL;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		p = OPENSSL_realloc(p, sizes[i]);
		cr_assert_not_null(p);
		cr_expect(i == 0 || all_bytes_are(p, sizes[i - 1], 7));
		memset(p, 7, sizes[i]);
	}

	OPENSSL_free(p);
}

static void *give_them_back(void *arg)
{
	unsigned char **block = arg;

	for (size_t i = 0; i < CROWD; i++)
		OPENSSL_free(block[i]);
	return NULL;
}

/* The thread keeps some of them, and what it keeps goes when it ends: the leak checker
 * of the sanitized build looks. */
Test(tls_mem, another_thread_may_give_a_block_back)
{
	unsigned char *block[CROWD];
	pthread_t thread;
	take_all(block, 40);

	cr_assert_eq(pthread_create(&thread, NULL, give_them_back, block), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);

	take_all(block, 40);
	check_and_give_all(block, 40);
}
