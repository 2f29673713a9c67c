/*
 * Digests through libcrypto, random bytes from the system, and names that
 * sort by the time at which they were made.
 */
#include "sluice/base/digest.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>

#include "sluice/base/log.h"

static_assert(sizeof("01234567-0123-7123-8123-0123456789ab") == DIGEST_UUID_SIZE,
	"a UUID's text and its NUL");

/* Digests of bytes in memory fail only when there is no memory, or when
 * libcrypto lacks SHA-256 and nothing here can work. */
static void must(int ok, const char *what)
{
	if (ok)
		return;
	log_error("digest failed", "what=%s", what);
	abort();
}

void digest_sha256(const void *p, size_t n, uint8_t out[static DIGEST_SIZE])
{
	must(EVP_Digest(p, n, out, NULL, EVP_sha256(), NULL) == 1, "sha256");
}

void digest_sha1(const void *p, size_t n, uint8_t out[static DIGEST_SHA1])
{
	must(EVP_Digest(p, n, out, NULL, EVP_sha1(), NULL) == 1, "sha1");
}

void digest_hmac(const void *key, size_t key_n, const void *p, size_t n,
	uint8_t out[static DIGEST_SIZE])
{
	const void *made = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL,
		key_n == 0 ? "" : key, key_n, n == 0 ? (const void *)"" : p, n, out,
		DIGEST_SIZE, NULL);

	must(made != NULL, "hmac");
}

void digest_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

void digest_base64(const uint8_t *p, size_t n, char *out)
{
	(void)EVP_EncodeBlock((unsigned char *)out, p, (int)n);
}

void digest_random(void *p, size_t n)
{
	uint8_t *at = p;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got == -1 && errno == EINTR)
			continue;
		must(got > 0, "getrandom");
		at += got;
		n -= (size_t)got;
	}
}

/*
 * The 60 bits that lead a UUIDv7: milliseconds, and twelve bits of fraction (RFC
 * 9562, 6.2, method 3). Never the same twice, and never backwards when the
 * wall clock is.
 */
static uint64_t next_stamp(uint64_t wall_us)
{
	static _Atomic uint64_t last;
	uint64_t now = wall_us / 1000 << 12 | wall_us % 1000 * 4096 / 1000;
	uint64_t before = atomic_load(&last);
	uint64_t stamp;

	do
		stamp = now > before ? now : before + 1;
	while (!atomic_compare_exchange_weak(&last, &before, stamp));
	return stamp;
}

void digest_uuid7(uint64_t wall_us, char out[static DIGEST_UUID_SIZE])
{
	static const size_t group_bytes[] = { 4, 2, 2, 2, 6 };
	uint64_t stamp = next_stamp(wall_us);
	uint8_t id[16];
	const uint8_t *from = id;

	digest_random(id, sizeof(id));
	for (size_t i = 0; i < 6; i++)
		id[i] = (uint8_t)(stamp >> (52 - 8 * i));
	id[6] = (uint8_t)(0x70 | (stamp >> 8 & 0x0f));
	id[7] = (uint8_t)stamp;
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));

	for (size_t g = 0; g < sizeof(group_bytes) / sizeof(*group_bytes); g++) {
		digest_hex(from, group_bytes[g], out);
		from += group_bytes[g];
		out += 2 * group_bytes[g];
		*out++ = '-';
	}
	out[-1] = '\0';
}
