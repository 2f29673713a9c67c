/*
 * config - the operator's file as one immutable value.
 *
 * Everything is checked before anything is built: later code asserts instead
 * of checking again. All errors of a file are told in one run, each with file,
 * line and what to do. A struct config never changes after config_load; it is
 * counted by whoever keeps it (proxy's snapshot), and freed with config_free.
 *
 * Units are in the names: ms, bytes, ppm (parts per million). Texts and arrays
 * belong to the config. Names in routes and migrations are resolved to indices.
 */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sluice/base/digest.h"
#include "sluice/base/err.h"

enum { CONFIG_NAME_SIZE = 64, CONFIG_MAX_STEPS = 64, CONFIG_MAX_WORKERS = 64 };

/* Where to connect to or listen on. host and port are kept for names that are
 * resolved later; sa is filled at load for numeric and unix addresses. */
struct config_address {
	char *text; /* as the operator wrote it */
	char *host; /* without brackets; the path of a unix address */
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
	bool proxy_protocol;
	bool redirect;          /* every request is answered 308 to https */
	uint16_t redirect_port; /* 443: not shown in the Location */
};

struct config_timeouts {
	uint32_t client_header_ms, client_body_ms, client_idle_ms, tls_handshake_ms;
	uint32_t connect_ms, response_head_ms, stream_idle_ms, stall_ms;
	uint32_t upstream_idle_ms, tunnel_idle_ms, drain_ms;
};

struct config_limits { /* 0: none, where that is allowed */
	uint32_t header_bytes, header_count, uri_bytes;
	uint64_t body_bytes;
	uint32_t connections, connections_per_client;
};

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

enum config_health_type { CONFIG_HEALTH_NONE, CONFIG_HEALTH_TCP, CONFIG_HEALTH_HTTP };

struct config_health {
	enum config_health_type type; /* none: a pool without a health group; S10 says
					 how its servers count: up at once */
	char *path, *host;            /* host "": the server's address */
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
	uint32_t keepalive; /* idle connections per server and data thread */
	struct config_health health;
	uint32_t eject_failures, eject_max_ppm;
	uint32_t retry_attempts; /* tries in all, the first one included */
	uint32_t retry_budget_ppm;
	bool tls, tls_verify;
	char *tls_server_name,
		*tls_ca_file; /* "" = the address's host; the system's CAs */
	char *tls_cert_file, *tls_key_file; /* shown to servers; "": none */
};

enum config_mode { CONFIG_ENFORCE, CONFIG_OBSERVE };
enum config_on_timeout {
	CONFIG_TIMEOUT_HOLD,
	CONFIG_TIMEOUT_ADVANCE,
	CONFIG_TIMEOUT_REVERT
};

struct config_guard {      /* a threshold of 0: no such guard */
	double error_rate; /* 0..1, not percent */
	uint64_t p95_latency_us;
	double error_ratio, p95_ratio;
	uint32_t dwell_ms, min_bad, bin_min, t_min_ms;
	double cap_rps, h, alpha_promote, p_min; /* p_min 0..1 */
	enum config_mode mode;
};

struct config_step {
	uint32_t new_ppm, hold_ms, timeout_ms;
};

struct config_plan {
	struct config_step *steps;
	size_t n_steps; /* 0: no plan */
	bool autostart;
	enum config_on_timeout on_timeout;
};

struct config_migration {
	char name[CONFIG_NAME_SIZE];
	size_t legacy, new_; /* indices into pools */
	uint32_t new_ppm;    /* of weights */
	struct config_guard guard;
	bool has_guard; /* a guard group was written */
	struct config_plan plan;
	bool rescue;
	uint32_t rescue_max_body, rescue_budget_ppm;
};

struct config_route {
	char *host; /* lower case; "*", "*.example.net" or a name; no port */
	char *path; /* prefix, compared byte for byte as it is forwarded */
	bool to_migration;
	size_t target; /* index into migrations or pools */
};

enum config_on_outage {
	CONFIG_OUTAGE_HOLD,
	CONFIG_OUTAGE_IGNORE,
	CONFIG_OUTAGE_REVERT
};

struct config_admin {
	char *socket;
	uint32_t mode;
	bool has_listen;
	struct config_address listen;
};

struct config_journal {
	char *path;     /* of the SQLite file; the live file is path + "-live" */
	char *postgres; /* conninfo; "" = none. Holds a secret: never logged */
	uint32_t grace_ms;
	enum config_on_outage on_outage;
};

struct config {
	char *file;                 /* absolute */
	char hash[DIGEST_HEX_SIZE]; /* SHA-256 of the text with its includes */
	uint32_t workers;           /* resolved: never 0 */
	int log_level, log_format;  /* enum log_level, enum log_format */
	struct config_network *trusted;
	size_t n_trusted;
	struct config_listener *listeners;
	size_t n_listeners;
	struct config_timeouts timeouts;
	struct config_limits limits;
	struct config_pool *pools;
	size_t n_pools;
	struct config_migration *migrations;
	size_t n_migrations;
	struct config_route *routes;
	size_t n_routes;
	struct config_admin admin;
	struct config_journal journal;
};

/* One problem a line: "FILE:LINE: pools.new.servers[1].weight: expected 0..100,
 * got 140". Kept in the order of the file. */
struct config_problems {
	char **text;
	size_t n;
};

/* 0 and *out, or -1 and at least one problem. Opens only regular files of at
 * most 4 MiB, never blocks on one; follows @include "FILE" itself, 8 deep.
 * Certificates are checked to exist here, and read by net. Relative paths are
 * relative to the folder of the file that is loaded. */
int config_load(
	struct config **out, const char *file, struct config_problems *problems);
/* The same on a text that stands for file (tests, fuzzing). */
int config_load_text(struct config **out, const char *file, const char *text, size_t n,
	struct config_problems *problems);
void config_free(struct config *c);

void config_problems_add(struct config_problems *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void config_problems_fini(struct config_problems *p);

/* What cannot change without a restart and differs: added to problems, each
 * with the way out. 0 when there is none. (workers, journal.path, admin.socket) */
int config_check_reload(const struct config *old, const struct config *new_,
	struct config_problems *problems);

/* For each setting that differs, a line "timeouts.connect: 2s -> 3s" in lines
 * (owned by the caller, as problems are). */
void config_diff(const struct config *old, const struct config *new_,
	struct config_problems *lines);

/* By name; NULL when there is none. */
const struct config_pool *config_find_pool(const struct config *c, const char *name);
const struct config_migration *config_find_migration(
	const struct config *c, const char *name);

/* The effective configuration in the file's own syntax, every default shown.
 * Free with free(). */
char *config_print(const struct config *c);
/* Every setting there is, as Markdown: docs/configuration.md. Free with free(). */
char *config_reference(void);

/* Whether peer is in `trusted`; a peer on a Unix socket is as 127.0.0.1. */
bool config_trusts(const struct config *c, const struct sockaddr *peer);

#endif
