/* The words for how an attempt ended and for what is counted: one table each. */
#include "pool_priv.h"

static const char *const outcomes[N_OUTCOMES] = {
	[OUTCOME_OK] = "ok",
	[OUTCOME_CONNECT] = "connect",
	[OUTCOME_TLS] = "tls",
	[OUTCOME_STATUS] = "status",
	[OUTCOME_MALFORMED] = "malformed",
	[OUTCOME_TRUNCATED] = "truncated",
	[OUTCOME_RESET] = "reset",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_STALL] = "stall",
	[OUTCOME_GRPC] = "grpc",
	[OUTCOME_CLIENT_GONE] = "client_gone",
	[OUTCOME_LOCAL] = "local",
};

static const char *const counts[N_SIDE_COUNTS] = {
	[COUNT_REQUESTS] = "requests",
	[COUNT_USER_ERRORS] = "user_errors",
	[COUNT_ATTEMPTS] = "attempts",
	[COUNT_ERRORS] = "errors",
	[COUNT_STATUS_1XX] = "status_1xx",
	[COUNT_STATUS_2XX] = "status_2xx",
	[COUNT_STATUS_3XX] = "status_3xx",
	[COUNT_STATUS_4XX] = "status_4xx",
	[COUNT_STATUS_5XX] = "status_5xx",
	[COUNT_BYTES_IN] = "bytes_in",
	[COUNT_BYTES_OUT] = "bytes_out",
	[COUNT_RETRIES] = "retries",
	[COUNT_RESCUED] = "rescued",
	[COUNT_NOT_RESCUED] = "not_rescued",
	[COUNT_SPILL] = "spill",
	[COUNT_QUEUED] = "queued",
	[COUNT_TUNNELS] = "tunnels",
	[COUNT_TUNNELS_OPEN] = "tunnels_open",
	[COUNT_TUNNELS_BROKEN] = "tunnels_broken",
	[COUNT_TUNNELS_DRAINED] = "tunnels_drained",
	[COUNT_TUNNELS_CUT] = "tunnels_cut",
	[COUNT_MESSAGES_IN] = "messages_in",
	[COUNT_MESSAGES_OUT] = "messages_out",
	[COUNT_TUNNEL_BYTES_IN] = "tunnel_bytes_in",
	[COUNT_TUNNEL_BYTES_OUT] = "tunnel_bytes_out",
	[GUARD_N] = "guard_error_n",
	[GUARD_K] = "guard_error_k",
	[GUARD_LAT_N] = "guard_latency_n",
	[GUARD_LAT_K] = "guard_latency_k",
	[GUARD_RATIO_N] = "guard_latency_ratio_n",
	[GUARD_RATIO_K] = "guard_latency_ratio_k",
	[GUARD_OK] = "guard_ok",
	[GUARD_CF] = "guard_failed",
};

const char *outcome_text(enum outcome o)
{
	return outcomes[o];
}

bool outcome_is_error(enum outcome o)
{
	return o >= OUTCOME_CONNECT && o <= OUTCOME_GRPC;
}

const char *side_count_text(enum side_count c)
{
	return counts[c];
}
