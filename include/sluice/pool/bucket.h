/*
 * pool/bucket - a token bucket that any number of threads share: so many a second, some
 * more at once, and a bounded number that wait for their turn.
 *
 * One atomic word: the time at which the bucket would be full again (GCRA). A bucket
 * that is all zero is a full one. Who finds it empty may wait, and asks again; nobody
 * overtakes those that wait, unless it waits itself.
 */
#ifndef SLUICE_POOL_BUCKET_H
#define SLUICE_POOL_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sluice/config/listener.h"

struct bucket {
	_Atomic uint64_t full_ns; /* monotonic */
	_Atomic uint32_t waiting;
};

/* One token, if there is one. A rate of 0: always. */
bool bucket_take(struct bucket *b, const struct config_bucket *c, uint64_t now_ns);
/* Whether bucket_take would find one now. */
bool bucket_has(const struct bucket *b, const struct config_bucket *c, uint64_t now_ns);
/* Whether one that comes now must wait behind others. */
bool bucket_is_awaited(const struct bucket *b);
/* One more waits, if fewer than queue do; bucket_leave ends it. */
bool bucket_join(struct bucket *b, const struct config_bucket *c);
void bucket_leave(struct bucket *b);

#endif
