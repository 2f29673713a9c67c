/*
 * A connection: what the socket or OpenSSL says becomes one of enum progress.
 */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

static enum progress from_ssl(struct wire *w, int result)
{
	switch (SSL_get_error(w->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return WANT_WRITE;
	default:
		return FAILED;
	}
}

enum progress wire_dial(struct wire *w)
{
	w->fd = socket(
		plan.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd == -1)
		return FAILED;
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (connect(w->fd, (struct sockaddr *)&plan.address, plan.address_len) == -1 &&
		errno != EINPROGRESS)
		return FAILED;
	return WANT_WRITE;
}

enum progress wire_shake_hands(struct wire *w)
{
	if (plan.tls == NULL)
		return MORE;
	if (w->ssl == NULL) {
		w->ssl = SSL_new(plan.tls);
		SSL_set_fd(w->ssl, w->fd);
		SSL_set_tlsext_host_name(w->ssl, plan.host);
		if (w->session != NULL)
			SSL_set_session(w->ssl, w->session);
	}
	int result = SSL_connect(w->ssl);
	return result == 1 ? MORE : from_ssl(w, result);
}

enum progress wire_put(struct wire *w, const char *p, size_t n, size_t *done)
{
	if (w->ssl != NULL) {
		int result = SSL_write_ex(w->ssl, p, n, done);

		return result == 1 ? MORE : from_ssl(w, result);
	}
	ssize_t sent = send(w->fd, p, n, MSG_NOSIGNAL);
	if (sent == -1)
		return errno == EAGAIN ? WANT_WRITE : FAILED;
	*done = (size_t)sent;
	return MORE;
}

enum progress wire_take(struct wire *w, char *p, size_t n, size_t *done)
{
	if (w->ssl != NULL) {
		int result = SSL_read_ex(w->ssl, p, n, done);

		return result == 1 ? MORE : from_ssl(w, result);
	}
	ssize_t got = recv(w->fd, p, n, 0);
	if (got == -1)
		return errno == EAGAIN ? WANT_READ : FAILED;
	*done = (size_t)got;
	return got == 0 ? FAILED : MORE;
}

void wire_close(struct wire *w, bool keep)
{
	if (w->fd == -1)
		return;
	if (!keep || w->ssl != NULL) {
		SSL_SESSION_free(w->session);
		w->session = keep ? SSL_get1_session(w->ssl) : NULL;
	}
	if (w->ssl != NULL) {
		SSL_set_quiet_shutdown(w->ssl, 1);
		SSL_shutdown(w->ssl);
	}
	SSL_free(w->ssl);
	w->ssl = NULL;
	/* No TIME_WAIT, or new connections run out of ports. */
	setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
		sizeof(struct linger));
	close(w->fd);
	w->fd = -1;
}
