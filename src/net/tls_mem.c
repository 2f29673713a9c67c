/*
 * Memory for OpenSSL's record buffers.
 *
 * With SSL_MODE_RELEASE_BUFFERS, which keeps idle connections small, OpenSSL takes and
 * gives back a buffer of some 17 KiB for every record read and written, and the C
 * library's allocator is slow for that size. So each thread keeps a few of them.
 * Everything else goes to the allocator as it is.
 */
#include <malloc.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "net_priv.h"

enum { RECORD_MIN = 16384, RECORD_MAX = 20480, KEEP = 8 };

struct kept {
	struct kept *next;
};

static _Thread_local struct kept *list;
static _Thread_local unsigned n_kept;

static bool is_record(size_t n)
{
	return n >= RECORD_MIN && n <= RECORD_MAX;
}

static void *take(size_t n, const char *file, int line)
{
	struct kept *k = list;

	(void)file;
	(void)line;
	if (!is_record(n))
		return malloc(n);
	if (k == NULL)
		return malloc(RECORD_MAX);
	list = k->next;
	n_kept--;
	return k;
}

static void *resize(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return realloc(p, n);
}

/* Only what take made is as large as RECORD_MAX and not much larger; a block that the
 * allocator made so for another reason serves as well. */
static void give(void *p, const char *file, int line)
{
	struct kept *k = p;
	size_t n = p != NULL ? malloc_usable_size(p) : 0;

	(void)file;
	(void)line;
	if (n < RECORD_MAX || n > RECORD_MAX + 64 || n_kept >= KEEP) {
		free(p);
		return;
	}
	k->next = list;
	list = k;
	n_kept++;
}

void tls_mem_release(void)
{
	while (list != NULL) {
		struct kept *k = list;

		list = k->next;
		free(k);
	}
	n_kept = 0;
}

/* Before main, and so before OpenSSL has taken anything: later it refuses. */
__attribute__((constructor(101))) static void use_own(void)
{
	(void)CRYPTO_set_mem_functions(take, resize, give);
}
