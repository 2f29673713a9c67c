/*
 * The PROXY header of a connection that was accepted: read before TLS begins.
 *
 * It is read as it comes, with whatever stands behind it: that is put aside with the
 * connection, where TLS or net_read find it first. How long it may take is for the
 * owner to say, as with the handshake.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net_priv.h"

/* Keeps what is in n bytes at p, and nothing else; false: no memory. */
static bool keep(struct net_conn *c, const char *p, size_t n)
{
	free(c->prefetched);
	c->prefetched = NULL;
	c->prefetched_n = (uint32_t)n;
	if (n == 0)
		return true;
	c->prefetched = mem_try(n);
	if (c->prefetched == NULL) {
		c->prefetched_n = 0;
		return false;
	}
	memcpy(c->prefetched, p, n);
	return true;
}

static bool believe(struct net_conn *c, const struct net_proxy *header)
{
	if (!header->has_client)
		return true;
	c->told_local = mem_try(sizeof(*c->told_local));
	if (c->told_local == NULL)
		return false;
	c->peer = header->client;
	*c->told_local = header->local;
	return true;
}

/* As if it had been accepted just now. */
static void begin(struct net_conn *c)
{
	struct net_tls *tls = c->tls;
	int rc;

	if (tls == NULL) {
		c->more = c->prefetched_n > 0;
		conn_opened(c);
		return;
	}
	c->tls = NULL;
	rc = tls_attach(c, tls, NULL);
	net_tls_unref(tls);
	if (rc != 0) {
		conn_fail(c, NET_RESOURCES);
		return;
	}
	c->state = CONN_HANDSHAKE;
	if (c->prefetched_n > 0)
		conn_step_handshake(c);
}

/* p: all that came so far. */
static void read_header(struct net_conn *c, const char *p, size_t n)
{
	struct net_proxy header;

	switch (net_proxy_read((struct span){ .p = p, .n = n }, &header)) {
	case NET_PROXY_MORE:
		if (!keep(c, p, n))
			conn_fail(c, NET_RESOURCES);
		return;
	case NET_PROXY_BAD:
		conn_fail(c, NET_REFUSED);
		return;
	case NET_PROXY_DONE:
		break;
	}
	if (!keep(c, p + header.bytes, n - header.bytes) || !believe(c, &header)) {
		conn_fail(c, NET_RESOURCES);
		return;
	}
	conn_report(c, NET_PEER);
	if (c->state == CONN_HEADER)
		begin(c);
}

void conn_on_header(struct net_conn *c)
{
	char in[NET_PROXY_MAX];
	size_t have = c->prefetched_n;
	ssize_t got;

	if (have > 0)
		memcpy(in, c->prefetched, have);
	do {
		got = recv(c->io.fd, in + have, sizeof(in) - have, 0);
	} while (got == -1 && errno == EINTR);
	if (got > 0)
		read_header(c, in, have + (size_t)got);
	else if (got == 0 || errno != EAGAIN)
		conn_fail(c, NET_RESET);
}
