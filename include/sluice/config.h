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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sluice/base/digest.h"
#include "sluice/base/err.h"
#include "sluice/base/mem.h"
#include "sluice/config/listener.h"
#include "sluice/config/migration.h"
#include "sluice/config/pool.h"

enum { CONFIG_MAX_WORKERS = 64 };

struct config_timeouts {
	uint32_t client_header_ms, client_body_ms, client_slow_ms, client_idle_ms;
	uint32_t linger_ms, tls_handshake_ms;
	uint32_t connect_ms, response_head_ms, stream_idle_ms, stall_ms;
	uint32_t upstream_idle_ms, tunnel_idle_ms, drain_delay_ms, drain_ms;
};

struct config_limits { /* 0: none, where that is allowed */
	uint32_t header_bytes, header_count, uri_bytes;
	uint64_t body_bytes;
	uint32_t client_rate; /* bytes a second, of a client that is waited for */
	uint32_t connections, connections_per_client;
	uint32_t streams; /* at once, of one HTTP/2 connection of a client */
	uint32_t pending; /* exchanges that wait for a server, per data thread */
	uint32_t handshakes_per_client; /* TLS, a second and client address */
};

struct config_headers { /* what sluice says of itself in messages */
	char *via;      /* a pseudonym, a token; "": no Via */
	bool forwarded; /* RFC 7239 beside X-Forwarded-* */
	char *strip;    /* names of fields, words */
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
	struct config_headers headers;
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
int config_load(struct config **out, const char *file,
	struct config_problems *problems) MUST_USE;
/* The same on a text that stands for file (tests, fuzzing). */
int config_load_text(struct config **out, const char *file, const char *text, size_t n,
	struct config_problems *problems) MUST_USE;
void config_free(struct config *c);

void config_problems_add(struct config_problems *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void config_problems_fini(struct config_problems *p);

/* What cannot change without a restart and differs: added to problems, each
 * with the way out. 0 when there is none. (workers, journal.path, admin.socket) */
int config_check_reload(const struct config *old, const struct config *new_,
	struct config_problems *problems) MUST_USE;

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
char *config_print(const struct config *c) MUST_USE;
/* What is valid, and may not mean what its writer thinks: a line each. */
void config_notes(const struct config *c, struct config_problems *notes);
/* Every setting there is, as Markdown: docs/configuration.md. Free with free(). */
char *config_reference(void) MUST_USE;

/* Whether peer is in `trusted`; a peer on a Unix socket is as 127.0.0.1. */
bool config_trusts(const struct config *c, const struct sockaddr *peer);

#endif
