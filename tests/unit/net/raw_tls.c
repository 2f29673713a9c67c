/* See raw_tls.h. */
#include "raw_tls.h"

#include <errno.h>
#include <unistd.h>

void raw_open(struct raw_tls *r, const char *server_name)
{
	*r = (struct raw_tls){ .fd = connect_raw() };
	r->ctx = SSL_CTX_new(TLS_client_method());
	r->ssl = SSL_new(r->ctx);
	r->in = BIO_new(BIO_s_mem());
	r->out = BIO_new(BIO_s_mem());
	SSL_set_bio(r->ssl, r->in, r->out);
	SSL_set_connect_state(r->ssl);
	if (server_name != NULL)
		(void)SSL_set_tlsext_host_name(r->ssl, server_name);
}

void raw_close(struct raw_tls *r)
{
	SSL_free(r->ssl);
	SSL_CTX_free(r->ctx);
	close(r->fd);
}

void raw_send_some(struct raw_tls *r, size_t n)
{
	char bytes[16384];

	while (n > 0) {
		int got = BIO_read(
			r->out, bytes, (int)(n < sizeof(bytes) ? n : sizeof(bytes)));

		if (got <= 0)
			return;
		cr_assert_eq(send(r->fd, bytes, (size_t)got, MSG_NOSIGNAL), got);
		n -= (size_t)got;
	}
}

void raw_send(struct raw_tls *r)
{
	raw_send_some(r, SIZE_MAX);
}

void raw_receive(struct raw_tls *r)
{
	char bytes[16384];
	ssize_t got = recv(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got > 0)
		cr_assert_eq(BIO_write(r->in, bytes, (int)got), (int)got);
	else if (got == 0 || errno != EAGAIN)
		r->ended = true;
}

static struct raw_tls *shaking;

/* True when there is no more to wait for. */
static bool shake_once(void)
{
	struct raw_tls *r = shaking;
	int done, error;

	raw_receive(r);
	ERR_clear_error();
	done = SSL_do_handshake(r->ssl);
	if (done == 1)
		return true;
	error = SSL_get_error(r->ssl, done);
	raw_send(r);
	r->failed = error != SSL_ERROR_WANT_READ || r->ended;
	return r->failed;
}

bool raw_shake(struct raw_tls *r)
{
	shaking = r;
	cr_assert(wait_until(shake_once));
	return !r->failed;
}

static bool server_is_decided(void)
{
	return server.events & (NET_OPEN | NET_FAILED);
}

bool raw_connect(struct raw_tls *r)
{
	if (!raw_shake(r))
		return false;
	raw_send(r);
	return wait_until(server_is_decided) && server.events & NET_OPEN;
}

const char *raw_subject(struct raw_tls *r)
{
	X509 *cert = SSL_get1_peer_certificate(r->ssl);

	cr_assert_not_null(cert);
	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
		r->subject, sizeof(r->subject));
	X509_free(cert);
	return r->subject;
}
