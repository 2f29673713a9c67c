/*
 * descriptors - who may have how many, so that a process full of traffic still obeys.
 *
 * Admin, health and the journal get what they need first, clients and servers share the
 * rest: the data threads stop before the system would stop them, and never take what
 * control needs for a cutback.
 */
#include <stdlib.h>
#include <sys/resource.h>

#include "sluice/base/log.h"
#include "sluice/net/loop.h"
#include "sluice/proxy.h"

#include "control_priv.h"

enum {
	STANDARD = 3,
	LOOP = 3,     /* epoll, a waker, a socket for names */
	JOURNAL = 14, /* SQLite's files twice, PostgreSQL, the live file, the lock */
	FILES = 8,    /* that a reload has open */
	SESSIONS_MIN = 16, /* of admin, on each of its listeners */
	SESSIONS_MAX = 64,
	SESSIONS_SHARE = 32, /* one of so many descriptors */
	EACH_MIN = 4,        /* of a data thread: clients, and as many to servers */
	HANDED = 2,          /* on their way from one data thread to another */
	ENOUGH = 1 << 20,
};

static unsigned n_checked(const struct config *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < c->n_pools; i++)
		n += (unsigned)c->pools[i].n_servers;
	return n;
}

static unsigned at_most(unsigned n, unsigned max)
{
	return n < max ? n : max;
}

/* While listeners change, a reload has the old ones and the new ones open. */
static unsigned own_of(const struct config *c)
{
	unsigned loops = c->workers + 2;

	return STANDARD + LOOP * loops + FILES + HANDED * c->workers +
	       2 * c->workers * (unsigned)c->n_listeners;
}

int descriptors_plan(
	struct descriptors *d, unsigned limit, const struct config *c, struct err *err)
{
	unsigned sessions = limit / SESSIONS_SHARE, reserved, least;

	sessions = at_most(sessions, SESSIONS_MAX);
	if (sessions < SESSIONS_MIN)
		sessions = SESSIONS_MIN;
	*d = (struct descriptors){
		.limit = limit,
		.own = own_of(c),
		.journal = JOURNAL,
		.sessions = sessions,
		.health = at_most(n_checked(c), limit / 4) + 1,
	};
	reserved = d->own + d->journal + d->health +
		   sessions * (c->admin.has_listen ? 2 : 1);
	least = reserved + 2 * EACH_MIN * c->workers;
	if (limit < least)
		return err_set(err, ERR_SYSTEM,
			"this process may have %u descriptors (RLIMIT_NOFILE), and "
			"needs %u for this configuration: raise LimitNOFILE= or "
			"ulimit -n",
			limit, least);
	d->clients = (limit - reserved) / 2;
	d->servers = limit - reserved - d->clients;
	return 0;
}

static unsigned system_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur > ENOUGH)
		return ENOUGH;
	return (unsigned)r.rlim_cur;
}

int descriptors_check(const struct config *c, struct err *err)
{
	struct descriptors d;

	return descriptors_plan(&d, system_limit(), c, err);
}

/* Checked before: what cannot be had now was refused. */
void descriptors_share(struct control *c)
{
	struct descriptors d;
	struct err err;

	if (descriptors_plan(&d, system_limit(), c->config, &err) != 0)
		return;
	proxy_bound(c->proxy, d.clients, d.servers);
	admin_bound(c->admin, d.sessions);
	net_loop_bound(c->loop, (struct net_bounds){ .opened = d.health });
	log_info("descriptors",
		"limit=%u clients=%u servers=%u health=%u journal=%u admin=%u own=%u",
		d.limit, d.clients, d.servers, d.health, d.journal, d.sessions, d.own);
}
