/*
 * Sessions with servers: the last one of each server is kept by the loop and offered
 * to it the next time.
 *
 * A session is kept under a digest of whom it was made with: the TLS context (each has
 * a number of its own, never used again, so that what an earlier configuration believed
 * counts for nothing after a reload), the address, and the name that was verified. Each
 * digest has one place; whoever comes there later pushes the earlier one out.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "sluice/base/digest.h"
#include "sluice/base/hash.h"

#include "tls/tls_priv.h"

enum { PLACES = 128, MOST_NAME = 256 };

struct tls_sessions {
	struct hash_key secret;
	struct place {
		uint64_t key;
		SSL_SESSION *session;
	} place[PLACES];
};

static struct tls_sessions *sessions_new(void)
{
	struct tls_sessions *s = mem_zero(sizeof(*s));

	digest_random(&s->secret, sizeof(s->secret));
	return s;
}

void tls_sessions_free(struct tls_sessions *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < PLACES; i++)
		SSL_SESSION_free(s->place[i].session);
	free(s);
}

/* 0: nothing is kept for this one. */
static uint64_t key_of(const struct tls_sessions *s, uint64_t id,
	const struct sockaddr *sa, const char *name)
{
	struct {
		uint64_t id;
		uint8_t address[16];
		uint16_t family, port;
		char name[MOST_NAME];
	} whom;

	if (name != NULL && strlen(name) >= MOST_NAME)
		return 0;
	memset(&whom, 0, sizeof(whom));
	whom.id = id;
	whom.family = sa->sa_family;
	if (name != NULL)
		memcpy(whom.name, name, strlen(name));
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in4;

		memcpy(&in4, sa, sizeof(in4));
		memcpy(whom.address, &in4.sin_addr, sizeof(in4.sin_addr));
		whom.port = in4.sin_port;
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		memcpy(whom.address, &in6.sin6_addr, sizeof(in6.sin6_addr));
		whom.port = in6.sin6_port;
	} else {
		return 0;
	}
	return hash_sip(&s->secret, &whom, sizeof(whom));
}

static struct place *place_of(struct tls_sessions *s, uint64_t key)
{
	return &s->place[key % PLACES];
}

/* A session that can be resumed: with TLS 1.3 that is after the handshake. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct net_conn *c = tls_conn_of(ssl);
	struct tls_sessions *s = *tls_sessions_of(c);
	uint64_t key = c->session_key;
	struct place *p;

	if (s == NULL || key == 0 || SSL_SESSION_is_resumable(session) != 1)
		return 0;
	p = place_of(s, key);
	SSL_SESSION_free(p->session);
	*p = (struct place){ .key = key, .session = session };
	return 1; /* it is ours now */
}

void tls_sessions_keep(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(
		ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
}

/* OpenSSL wants a session of TLS 1.3 to be used once, and marks it and all that come
 * of it. A server is no user whose visits should not be linked, so a copy is marked. */
static void offer_copy(SSL *ssl, SSL_SESSION *kept)
{
	SSL_SESSION *copy = SSL_SESSION_dup(kept);

	if (copy != NULL)
		(void)SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
}

void tls_sessions_offer(struct net_conn *c, const char *name)
{
	struct tls_sessions **s = tls_sessions_of(c);
	const struct place *p;

	if (*s == NULL)
		*s = sessions_new();
	c->session_key = key_of(*s, c->tls->id, &c->peer.any, name);
	p = place_of(*s, c->session_key);
	if (c->session_key != 0 && p->key == c->session_key && p->session != NULL)
		offer_copy(c->ssl, p->session);
}

void tls_sessions_forget(struct net_conn *c)
{
	struct tls_sessions *s = *tls_sessions_of(c);
	struct place *p;

	if (s == NULL || c->session_key == 0)
		return;
	p = place_of(s, c->session_key);
	if (p->key != c->session_key)
		return;
	SSL_SESSION_free(p->session);
	*p = (struct place){ 0 };
}
