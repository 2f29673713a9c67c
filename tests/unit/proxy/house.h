/*
 * house - data threads with everything they need and nobody above them: the test is
 * control. Plain C: for unit tests and for those of threads alike.
 */
#ifndef TESTS_UNIT_PROXY_HOUSE_H
#define TESTS_UNIT_PROXY_HOUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/config.h"
#include "sluice/live.h"
#include "sluice/pool/migration.h"
#include "sluice/pool/pool.h"
#include "sluice/pool/stats.h"
#include "sluice/proxy.h"

struct house {
	char folder[40];
	struct live *live;
	struct registry *registry;
	struct stats *stats;
	struct proxy *proxy;
	struct snapshot *current;
};

void house_open(struct house *h, unsigned workers);
/* Builds, publishes and keeps a configuration; all its servers are up. %L in the text
 * stands for the address of the listener, a socket in the folder. */
void house_load(struct house *h, const char *text);
void house_close(struct house *h);

/* A blocking connection to the listener, which waits 5 s for what it reads. */
int house_connect(const struct house *h);

/* --- the far ends: blocking sockets that the test scripts itself ---------------------
 */

/* A listening socket on 127.0.0.1; *port says where. */
int far_listen(uint16_t *port);
int far_accept(int listening);
/* Reads a head and as many bytes behind it; the text of it all, valid until the next
 * call of this thread. NULL when the other side ends first. */
const char *far_read(int fd, size_t body);
void far_write(int fd, const char *text);

#endif
