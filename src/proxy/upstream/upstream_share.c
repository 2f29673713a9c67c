/*
 * Who shares which connection: requests find a session in HTTP/2, or wait for one.
 *
 * A request takes the one with the fewest of them that has room. Where there is none it
 * waits, and one more connection is begun unless those on their way will do. Before its
 * server has said how many requests it takes at once, a new connection gets one.
 */
#include "sluice/base/units.h"

#include "tunnel/tunnel_priv.h"
#include "upstream/upstream_priv.h"

enum {
	SESSIONS_MAX = 16,     /* of one server and thread */
	STREAMS_USUALLY = 100, /* on each, when nothing is known of the server */
};

/* What asks, and where: only what was made in its pool's manner is for it. */
static bool suits(const struct upstream_session *s, const struct exchange *r)
{
	return !s->leaving && s->manner == pool_manner(r->pool) &&
	       s->place == server_place(s->server);
}

/* How many more it takes. A tunnel may be asked for when its server has said so. */
static size_t room_of(const struct upstream_session *s, bool tunnel)
{
	size_t room = s->h2 == NULL || s->leaving ? 0 : h2_room(s->h2);

	if (!s->heard)
		return room > 0 && s->n_users == 0 && !tunnel;
	return s->n_users < UPSTREAM_STREAMS_MAX ? room : 0;
}

static struct upstream_session *best_of(
	const struct server_sessions *place, const struct exchange *r)
{
	bool tunnel = r->upgrade != UPGRADE_NONE;
	struct upstream_session *best = NULL;

	LIST_EACH (&place->all, it, next) {
		struct upstream_session *s =
			LIST_ENTRY(it, struct upstream_session, link);

		if (suits(s, r) && room_of(s, tunnel) > 0 &&
			(best == NULL || s->n_users < best->n_users))
			best = s;
	}
	return best;
}

/* Those that take requests, or (fresh) will take more when their server was heard. */
static unsigned count(
	const struct server_sessions *place, const struct exchange *r, bool fresh)
{
	unsigned n = 0;

	LIST_EACH (&place->all, it, next) {
		const struct upstream_session *s =
			LIST_ENTRY(it, struct upstream_session, link);

		n += suits(s, r) && !(fresh && s->heard);
	}
	return n;
}

/* How many requests one more connection will take: as many as another one has. */
static size_t expected(const struct server_sessions *place)
{
	LIST_EACH (&place->all, it, next) {
		const struct upstream_session *s =
			LIST_ENTRY(it, struct upstream_session, link);

		if (s->heard && !s->leaving)
			return s->n_users + room_of(s, false);
	}
	return STREAMS_USUALLY;
}

static bool more_wait_than(const struct server_sessions *place, size_t n)
{
	LIST_EACH (&place->waiting, it, next) {
		if (n-- == 0)
			return true;
	}
	return false;
}

/* Sees to it that there will be room for r, which waits. False: there won't. */
static bool reach(const struct server_sessions *place, struct exchange *r)
{
	if (!more_wait_than(place, count(place, r, true) * expected(place)) ||
		count(place, r, false) >= SESSIONS_MAX)
		return true;
	return upstream_session_open(r) || count(place, r, false) > 0;
}

/* Of what is set, 90 to 100 %: sessions that began together do not end together. */
static uint64_t share_of(const struct upstream_session *s, uint64_t whole)
{
	return whole - whole / 10 * ((uintptr_t)s / 64 % 16) / 16;
}

/* This request is its last one. */
static bool is_used_up(const struct upstream_session *s, const struct config_pool *c)
{
	uint64_t age_ns = net_loop_now_ns(s->thread->loop) - s->begun_ns;

	return (c->keepalive_requests != 0 &&
		       s->requests >= share_of(s, c->keepalive_requests)) ||
	       (c->keepalive_age_ms != 0 &&
		       age_ns >=
			       share_of(s, (uint64_t)c->keepalive_age_ms * NS_PER_MS));
}

static void join(struct upstream_session *s, struct exchange *r)
{
	s->requests++;
	net_timer_stop(&s->timer);
	list_remove(&r->h2.link);
	list_push(&s->unsent, &r->h2.link);
	s->n_users++;
	r->h2.session = s;
	r->upstream_ready = true;
	if (is_used_up(s, pool_config(r->pool)))
		upstream_session_leave(s);
}

bool upstream_join(struct exchange *r)
{
	struct server_sessions *place = server_sessions(r->server, r->thread->index);
	struct upstream_session *s = best_of(place, r);

	if (s == NULL) {
		list_push(&place->waiting, &r->h2.link);
		return reach(place, r);
	}
	/* A server that closes a connection for its idleness says it too late for a
	 * request that is on its way. */
	r->reused = s->n_users == 0 && !r->fresh;
	thread_count(r->thread, STAT_UPSTREAM_REUSES, 1);
	server_note_reuse(r->server, r->thread->index);
	join(s, r);
	return true;
}

void upstream_part(struct exchange *r)
{
	struct upstream_session *s = r->h2.session;

	list_remove(&r->h2.link); /* of those that wait, too */
	list_remove(&r->h2.run);
	if (s == NULL)
		return;
	if (r->h2.stream != 0)
		h2_reset(s->h2, r->h2.stream, H2_CANCEL);
	r->h2.stream = 0;
	r->h2.session = NULL;
	if (s->running == r)
		s->running = NULL;
	if (--s->n_users == 0)
		upstream_session_rest(s);
	net_task_later(&s->task); /* somebody may wait for the room */
}

static void fail(struct exchange *r, enum outcome why)
{
	list_remove(&r->h2.link);
	r->h2.lost = why;
	r->upstream_failed = true;
	exchange_run(r);
}

void upstream_serve(struct server_sessions *place)
{
	while (!list_empty(&place->waiting)) {
		struct exchange *r =
			LIST_ENTRY(place->waiting.next, struct exchange, h2.link);
		struct upstream_session *s = best_of(place, r);

		if (s == NULL && reach(place, r))
			return;
		if (s == NULL) {
			fail(r, OUTCOME_LOCAL);
			continue;
		}
		join(s, r);
		exchange_run(r);
	}
}

void upstream_fail_waiting(struct server_sessions *place, enum outcome why)
{
	struct link now;

	list_init(&now);
	LIST_EACH (&place->waiting, it, next) {
		if (count(place, LIST_ENTRY(it, struct exchange, h2.link), false) > 0)
			continue;
		list_remove(it);
		list_push(&now, it);
	}
	while (!list_empty(&now))
		fail(LIST_ENTRY(now.next, struct exchange, h2.link), why);
}
