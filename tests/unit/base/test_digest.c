/* digest - SHA-256, HMAC-SHA-256, random bytes and names. */
#include "sluice/base/digest.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *hex(const uint8_t digest[static DIGEST_SIZE])
{
	static char text[DIGEST_HEX_SIZE];

	digest_hex(digest, DIGEST_SIZE, text);
	return text;
}

Test(digest, sha256_gives_the_values_of_fips_180)
{
	uint8_t empty[DIGEST_SIZE], abc[DIGEST_SIZE];

	digest_sha256(NULL, 0, empty);
	digest_sha256("abc", 3, abc);

	cr_expect_str_eq(hex(empty),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	cr_expect_str_eq(hex(abc),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 3174, 7.3 and RFC 4648, 10. */
Test(digest, sha1_and_base64_give_the_values_of_their_rfcs)
{
	uint8_t sum[DIGEST_SHA1];
	char text[DIGEST_BASE64_SIZE(6)], hex_text[2 * DIGEST_SHA1 + 1];

	digest_sha1("abc", 3, sum);
	digest_hex(sum, sizeof(sum), hex_text);
	cr_expect_str_eq(hex_text, "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest_base64((const uint8_t *)"foobar", 6, text);
	cr_expect_str_eq(text, "Zm9vYmFy");
	digest_base64((const uint8_t *)"foob", 4, text);
	cr_expect_str_eq(text, "Zm9vYg==");
}

/* RFC 4231, 4.3 and 4.7: a short key, and one longer than a block. */
Test(digest, hmac_gives_the_values_of_rfc_4231)
{
	uint8_t key[131], out[DIGEST_SIZE];
	const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
	memset(key, 0xaa, sizeof(key));

	digest_hmac("Jefe", 4, "what do ya want for nothing?", 28, out);
	cr_expect_str_eq(hex(out),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	digest_hmac(key, sizeof(key), text, strlen(text), out);
	cr_expect_str_eq(hex(out),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

Test(digest, hmac_of_nothing_under_no_key_is_still_a_digest)
{
	uint8_t out[DIGEST_SIZE];

	digest_hmac(NULL, 0, NULL, 0, out);

	cr_expect_str_eq(hex(out),
		"b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

Test(digest, random_bytes_differ_each_time)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	digest_random(a, sizeof(a));
	digest_random(b, sizeof(b));
	digest_random(NULL, 0);

	cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
}

Test(digest, a_uuid_carries_its_time_its_version_and_its_variant)
{
	char id[DIGEST_UUID_SIZE];

	/* 0x017f22e279b0 ms, as in RFC 9562, A.6. */
	digest_uuid7(UINT64_C(0x017f22e279b0) * 1000 + 500, id);

	cr_expect_eq(strlen(id), DIGEST_UUID_SIZE - 1);
	cr_expect_eq(strncmp(id, "017f22e2-79b0-7800-", 19), 0, "%s", id);
	cr_expect_not_null(strchr("89ab", id[19]));
	cr_expect_eq(strspn(id, "0123456789abcdef-"), DIGEST_UUID_SIZE - 1);
	cr_expect_eq(id[23], '-');
}

Test(digest, uuids_rise_when_the_clock_stands_or_goes_back)
{
	char last[DIGEST_UUID_SIZE] = "";
	char next[DIGEST_UUID_SIZE];
	unsigned risen = 0;

	for (unsigned i = 0; i < 10000; i++) {
		digest_uuid7(1790000000000000 - i / 100, next);
		risen += strcmp(next, last) > 0;
		strcpy(last, next);
	}

	cr_expect_eq(risen, 10000);
}
