/*
 * config/migration - a pair of pools, how traffic may move between them, and which
 * requests are meant.
 */
#ifndef SLUICE_CONFIG_MIGRATION_H
#define SLUICE_CONFIG_MIGRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/config/listener.h"
#include "sluice/config/rules.h"

enum { CONFIG_MAX_STEPS = 64 };

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

/* What becomes of upgraded connections when traffic goes back to legacy. */
enum config_on_revert { CONFIG_STAY, CONFIG_DRAIN, CONFIG_CUT };

struct config_tunnels {
	bool enabled;
	enum config_on_revert on_revert;
	uint32_t drain_rate; /* a second */
	struct config_bucket bucket;
};

/* Which answers are errors of their pool (S17). */
struct config_errors {
	uint16_t *status;
	size_t n_status; /* 0: every 5xx but 501 and 505 */
	uint32_t grpc;   /* bit n: grpc-status n is one */
};

struct config_migration {
	char name[CONFIG_NAME_SIZE];
	size_t legacy, new_; /* indices into pools */
	uint32_t new_ppm;    /* of weights */
	struct config_guard guard;
	bool has_guard; /* a guard group was written */
	struct config_plan plan;
	bool event_retry; /* refused streams of events are told when to come again */
	bool rescue;
	uint32_t rescue_max_body, rescue_budget_ppm;
	struct config_tunnels tunnels;
	struct config_errors errors;
};

struct config_route {
	char *host; /* lower case; "*", "*.example.net" or a name; no port */
	char *path; /* prefix, compared byte for byte as it is forwarded */
	bool exact; /* the prefix ends where a segment of the path does */
	bool to_migration;
	size_t target; /* index into migrations or pools */
	struct config_header_rules headers;
};

#endif
