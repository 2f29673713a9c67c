/* The words for how an attempt ended. */
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

const char *outcome_text(enum outcome o)
{
	return outcomes[o];
}

bool outcome_is_error(enum outcome o)
{
	return o >= OUTCOME_CONNECT && o <= OUTCOME_GRPC;
}
