/*
 * net/proxy_header - the PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt):
 * what a proxy says of its client, before the client's own first byte.
 *
 * Strict: what is not exactly a header is refused, at the first byte that shows it.
 * Incremental: call again with the same bytes and more behind them. Nothing here
 * allocates, and who may send a header is for the caller to know.
 */
#ifndef SLUICE_NET_PROXY_HEADER_H
#define SLUICE_NET_PROXY_HEADER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "sluice/base/span.h"

enum { NET_PROXY_MAX = 4096, NET_PROXY_WRITE_MAX = 107 };

enum net_proxy_result { NET_PROXY_MORE, NET_PROXY_DONE, NET_PROXY_BAD };

union net_address {
	struct sockaddr any; /* AF_UNIX: no address */
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

struct net_proxy {
	size_t bytes; /* of the header */
	/* False: the connection speaks for itself, its own addresses count (LOCAL, or a
	 * client without an address of the Internet: UNKNOWN, UNSPEC, UNIX). */
	bool has_client;
	union net_address client, local; /* local: where the client connected to */
};

/* in: all bytes since the connection's first. No more than NET_PROXY_MAX belong to a
 * header. NET_PROXY_DONE: out is filled. */
enum net_proxy_result net_proxy_read(struct span in, struct net_proxy *out);

/* A header of version 1 or 2 into out; returns its length. client NULL: the connection
 * is our own (a probe). Addresses that are not both of the Internet are not told. */
size_t net_proxy_write(unsigned version, const struct sockaddr *client,
	const struct sockaddr *local, char out[static NET_PROXY_WRITE_MAX]);

#endif
