/*
 * Memory for OpenSSL: what a thread gave back it gets again, without a word to the
 * C library's allocator.
 *
 * A handshake takes some 700 blocks, dozens of one size at a time, which is more than
 * the allocator keeps at hand for a thread, so that without this a twentieth of its
 * instructions would be malloc's and free's. And with SSL_MODE_RELEASE_BUFFERS, which
 * keeps idle connections small, each record read and written takes and gives back a
 * buffer of some 17 KiB, a size for which the allocator is slow.
 *
 * Each block is malloc's own, and its size is what malloc says it is: any thread may
 * give it back, and realloc and free may have it.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "sluice/base/mem.h"

#include "tls/tls_priv.h"

/* Piles are of blocks of SMALLEST bytes, a STEP more, and so on, which are the sizes
 * that malloc has too; the last one is of buffers that hold a record or a flight of
 * the handshake. */
enum { SMALLEST = 24, STEP = 16, SMALL_PILES = 256 };
enum { SMALL_MAX = SMALLEST + (SMALL_PILES - 1) * STEP };
enum { RECORD_MIN = 16384, RECORD_MAX = 22024, RECORDS = SMALL_PILES };
/* A pile keeps so many, or more while all of them are not above so many bytes. */
enum { KEEP = 8, KEEP_BYTES = 8192 };

struct kept {
	struct kept *next;
};

static _Thread_local struct pile {
	struct kept *top;
	size_t n;
} piles[SMALL_PILES + 1];

static pthread_key_t at_end; /* of a thread that has piles */
static _Thread_local bool ends_well;

static void *take(size_t n, const char *file, int line)
{
	size_t i = RECORDS, size = RECORD_MAX;
	struct kept *k;

	(void)file;
	(void)line;
	if (n <= SMALL_MAX) {
		i = n <= SMALLEST ? 0 : (n - SMALLEST + STEP - 1) / STEP;
		size = SMALLEST + i * STEP;
	} else if (n < RECORD_MIN || n > RECORD_MAX) {
		return mem_try(n);
	}
	k = piles[i].top;
	if (k == NULL)
		return mem_try(size);
	piles[i].top = k->next;
	piles[i].n--;
	return k;
}

static void *resize(void *p, size_t n, const char *file, int line)
{
	return p == NULL ? take(n, file, line) : mem_try_grow(p, n);
}

/* NULL: blocks of that size are not kept. A block that the allocator made so for
 * another reason serves as well. */
static struct pile *pile_of(size_t size)
{
	if (size == RECORD_MAX)
		return &piles[RECORDS];
	if (size < SMALLEST || size > SMALL_MAX || (size - SMALLEST) % STEP != 0)
		return NULL;
	return &piles[(size - SMALLEST) / STEP];
}

static void give(void *p, const char *file, int line)
{
	struct kept *k = p;
	struct pile *pile;
	size_t size;

	(void)file;
	(void)line;
	if (p == NULL)
		return;
	size = malloc_usable_size(p);
	pile = pile_of(size);
	if (pile == NULL || (pile->n >= KEEP && pile->n * size >= KEEP_BYTES)) {
		free(p);
		return;
	}
	k->next = pile->top;
	pile->top = k;
	pile->n++;
	if (!ends_well)
		ends_well = pthread_setspecific(at_end, piles) == 0;
}

void tls_mem_release(void)
{
	for (size_t i = 0; i <= RECORDS; i++) {
		while (piles[i].top != NULL) {
			struct kept *k = piles[i].top;

			piles[i].top = k->next;
			free(k);
		}
		piles[i].n = 0;
	}
}

/* OpenSSL ends with the thread too, perhaps after this: then it is called again. */
static void on_thread_end(void *arg)
{
	(void)arg;
	ends_well = false;
	tls_mem_release();
}

/* Before main, and so before OpenSSL has taken anything: later it refuses. */
__attribute__((constructor(101))) static void use_own(void)
{
	if (pthread_key_create(&at_end, on_thread_end) == 0)
		(void)CRYPTO_set_mem_functions(take, resize, give);
}
