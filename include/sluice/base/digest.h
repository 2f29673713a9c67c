/*
 * digest - SHA-256, HMAC-SHA-256 (RFC 2104), random bytes and names; SHA-1, which no
 * secret may rest on, for the handshake of WebSocket (RFC 6455).
 */
#ifndef SLUICE_BASE_DIGEST_H
#define SLUICE_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum {
	DIGEST_SIZE = 32,
	DIGEST_SHA1 = 20,
	DIGEST_HEX_SIZE = 65,
	DIGEST_UUID_SIZE = 37
};
#define DIGEST_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

void digest_sha256(const void *p, size_t n, uint8_t out[static DIGEST_SIZE]);
void digest_hmac(const void *key, size_t key_n, const void *p, size_t n,
	uint8_t out[static DIGEST_SIZE]);
void digest_sha1(const void *p, size_t n, uint8_t out[static DIGEST_SHA1]);
void digest_hex(const uint8_t *p, size_t n, char *out);
/* With padding, in one line; out holds DIGEST_BASE64_SIZE(n). */
void digest_base64(const uint8_t *p, size_t n, char *out);

/* From the system's generator; aborts when that fails. */
void digest_random(void *p, size_t n);

/* UUIDv7 (RFC 9562, 5.7), rising within this process. */
void digest_uuid7(uint64_t wall_us, char out[static DIGEST_UUID_SIZE]);

#endif
