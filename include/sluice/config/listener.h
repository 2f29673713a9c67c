/*
 * config/listener - where sluice listens and connects: addresses, ranges of them,
 * listeners with their certificates.
 */
#ifndef SLUICE_CONFIG_LISTENER_H
#define SLUICE_CONFIG_LISTENER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { CONFIG_NAME_SIZE = 64 };

/* Where to connect to or listen on. host and port are kept for names that are
 * resolved later; sa is filled at load for numeric and unix addresses. */
struct config_address {
	char *text; /* the same for all spellings of an address */
	char *host; /* lower case, without brackets; the path of a unix address */
	uint16_t port;
	bool numeric; /* sa is filled */
	socklen_t sa_len;
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} sa;
};

struct config_network {      /* an entry of `trusted` */
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix_bits; /* 0..128, of the 16 bytes */
};

struct config_certificate {
	char *cert_file, *key_file; /* absolute */
	char *ocsp_file;            /* "": none; need not be there */
};

/* rate a second over all threads, burst at once; who comes too soon waits, if fewer
 * than queue do. rate 0: unmetered, whatever the others say. */
struct config_bucket {
	uint32_t rate, burst, queue;
};

enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };
enum config_client_verify { CONFIG_CLIENT_REQUIRE, CONFIG_CLIENT_OPTIONAL };

struct config_listener {
	char name[CONFIG_NAME_SIZE];
	struct config_address address;
	bool tls;
	struct config_certificate *certificates;
	size_t n_certificates;
	enum config_tls_version min_version;
	char *client_ca, *crl; /* "": clients are not asked; nothing is revoked */
	enum config_client_verify client_verify;
	bool alpn_h2, alpn_http1;
	bool proxy_protocol; /* trusted peers must send its header; others are closed */
	bool h2c;            /* a plain one: also HTTP/2 without being asked */
	struct config_bucket upgrades;
	bool redirect;          /* every request is answered 308 to https */
	uint16_t redirect_port; /* 443: not shown in the Location */
};

#endif
