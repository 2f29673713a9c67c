/*
 * Session tickets: the process has one ring of keys, so that a client's ticket is good
 * at each thread, at each listener that asks the same of its clients, and after each
 * reload.
 */
#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "sluice/base/clock.h"
#include "sluice/net/keyring.h"

#include "tls/tls_priv.h"

static struct keyring ring;
static EVP_CIPHER *aes; /* fetched once: OpenSSL would look it up for each ticket */
static pthread_once_t ready = PTHREAD_ONCE_INIT;

static void get_ready(void)
{
	(void)keyring_current(&ring, clock_mono_ms());
	aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
}

__attribute__((destructor)) static void free_cipher(void)
{
	EVP_CIPHER_free(aes);
}

static bool set_mac_key(EVP_MAC_CTX *mac, const struct keyring_key *k)
{
	char digest[] = "SHA256";
	uint8_t key[sizeof(k->hmac)];

	memcpy(key, k->hmac, sizeof(key));
	const OSSL_PARAM with[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, sizeof(key)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	bool done = EVP_MAC_CTX_set_params(mac, with) == 1;

	OPENSSL_cleanse(key, sizeof(key));
	return done;
}

static int seal(unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac)
{
	const struct keyring_key *k = keyring_current(&ring, clock_mono_ms());

	if (k == NULL || RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) != 1)
		return -1;
	memcpy(name, k->name, KEYRING_NAME);
	return EVP_EncryptInit_ex(cipher, aes, NULL, k->aes, iv) == 1 &&
			       set_mac_key(mac, k)
		       ? 1
		       : -1;
}

enum { UNKNOWN = 0, OPENED = 1, OPENED_RENEW = 2 };

static int unseal(const unsigned char *name, const unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	uint64_t now_ms = clock_mono_ms();
	const struct keyring_key *k = keyring_find(&ring, name, now_ms);

	if (k == NULL)
		return UNKNOWN;
	if (EVP_DecryptInit_ex(cipher, aes, NULL, k->aes, iv) != 1 ||
		!set_mac_key(mac, k))
		return -1;
	return k == keyring_current(&ring, now_ms) ? OPENED : OPENED_RENEW;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
	(void)ssl;
	return sealing != 0 ? seal(name, iv, cipher, mac)
			    : unseal(name, iv, cipher, mac);
}

void tls_tickets_use(SSL_CTX *ctx)
{
	(void)pthread_once(&ready, get_ready);
	/* Tickets alone resume; one is enough, and the second costs 7 % of a handshake.
	 */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}
