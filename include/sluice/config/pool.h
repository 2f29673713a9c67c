/*
 * config/pool - a pool of servers: how one is chosen, checked, ejected, retried.
 */
#ifndef SLUICE_CONFIG_POOL_H
#define SLUICE_CONFIG_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/config/listener.h"
#include "sluice/config/rules.h"

struct config_server {
	struct config_address address;
	uint32_t weight;       /* 0..100; 0: gets nothing but what it holds */
	uint32_t max_requests; /* at once, over all threads; 0: no bound */
};

enum config_balance {
	CONFIG_ROUND_ROBIN,
	CONFIG_LEAST_INFLIGHT,
	CONFIG_PEAK_EWMA,
	CONFIG_HASH,
};

enum config_protocol { CONFIG_HTTP1, CONFIG_H2 };

/* The version of the PROXY header that each connection to a server begins with. */
enum config_proxy_header { CONFIG_PROXY_OFF, CONFIG_PROXY_V1, CONFIG_PROXY_V2 };

enum config_health_type {
	CONFIG_HEALTH_NONE,
	CONFIG_HEALTH_TCP,
	CONFIG_HEALTH_HTTP,
	CONFIG_HEALTH_GRPC
};

struct config_health {
	enum config_health_type type; /* none: a pool without a health group; S10 says
					 how its servers count: up at once */
	char *path, *host;            /* host "": the server's address */
	char *service;                /* of a grpc check; "": the server itself */
	uint16_t *status;
	size_t n_status;
	uint32_t interval_ms, timeout_ms, jitter_ppm;
	uint32_t rise, fall;
};

struct config_pool {
	char name[CONFIG_NAME_SIZE];
	struct config_server *servers;
	size_t n_servers;
	enum config_balance balance;
	enum config_protocol protocol;
	enum config_proxy_header proxy_header; /* not off: HTTP/1.1, keepalive is 0 */
	uint32_t keepalive_age_ms, keepalive_requests; /* of each; 0: no bound */
	uint32_t keepalive;    /* idle connections per server and data thread */
	uint32_t max_requests; /* at once, over all servers and threads; 0: no bound */
	uint32_t max_pending;  /* that wait, over all threads; 0: limits.pending only */
	struct config_health health;
	uint32_t eject_failures, eject_max_ppm;
	uint32_t retry_attempts; /* tries in all, the first one included */
	uint32_t retry_budget_ppm;
	bool tls, tls_verify;
	char *tls_server_name,
		*tls_ca_file; /* "" = the address's host; the system's CAs */
	char *tls_cert_file, *tls_key_file; /* shown to servers; "": none */
	struct config_header_rules headers;
};

#endif
