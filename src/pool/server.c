/*
 * A server: what any thread may know of it, and who takes it out of rotation.
 *
 * Health is control's to set; ejection is any data thread's, for failures that
 * requests met in a row, and never more than the pool's share (S16a).
 */
#include "sluice/pool/server.h"

#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/clock.h"

#include "pool_priv.h"

struct server *server_new(
	struct group *g, const struct config_server *c, unsigned threads)
{
	struct server *s = mem_zero(sizeof(*s));

	s->address = mem_text(c->address.text);
	s->group = g;
	list_init(&s->link);
	s->n_cells = threads;
	s->cell = mem_zero(threads * sizeof(struct server_cell));
	for (unsigned i = 0; i < threads; i++) {
		list_init(&s->cell[i].idle);
		list_init(&s->cell[i].sessions.all);
		list_init(&s->cell[i].sessions.waiting);
	}
	s->is_named = !c->address.numeric;
	if (c->address.numeric)
		server_set_sockaddr(s, &c->address.sa.any, c->address.sa_len);
	s->since_us = clock_wall_us();
	return s;
}

void server_free(struct server *s)
{
	if (s == NULL)
		return;
	server_end_ejection(s);
	free(s->address);
	free(s->cell);
	free(s);
}

const char *server_address(const struct server *s)
{
	return s->address;
}

const char *server_pool_name(const struct server *s)
{
	return s->group->name;
}

uint64_t server_id(const struct server *s)
{
	return s->id;
}

bool server_sockaddr(
	const struct server *s, struct sockaddr_storage *sa, socklen_t *len)
{
	uint64_t words[ADDRESS_WORDS];
	uint32_t before, after;

	do {
		before = atomic_load_explicit(&s->where_seq, memory_order_acquire);
		*len = atomic_load_explicit(&s->where_len, memory_order_acquire);
		for (size_t i = 0; i < ADDRESS_WORDS && i * 8 < *len; i++)
			words[i] = atomic_load_explicit(
				&s->where[i], memory_order_acquire);
		after = atomic_load_explicit(&s->where_seq, memory_order_relaxed);
	} while (before != after || (before & 1) != 0);
	memcpy(sa, words, *len);
	return *len > 0;
}

bool server_is_at(const struct server *s, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_storage now;
	socklen_t now_len;

	return server_sockaddr(s, &now, &now_len) && now_len == len &&
	       memcmp(&now, sa, len) == 0;
}

bool server_place_text(const struct server *s, char out[static SERVER_PLACE_SIZE])
{
	struct sockaddr_storage sa;
	socklen_t len;
	char host[INET6_ADDRSTRLEN], port[8];

	if (!s->is_named || !server_sockaddr(s, &sa, &len) ||
		getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return false;
	(void)snprintf(out, SERVER_PLACE_SIZE,
		sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return true;
}

uint32_t server_place(const struct server *s)
{
	return atomic_load_explicit(&s->where_seq, memory_order_acquire);
}

void server_set_sockaddr(struct server *s, const struct sockaddr *sa, socklen_t len)
{
	uint64_t words[ADDRESS_WORDS] = { 0 };
	uint32_t seq = atomic_load_explicit(&s->where_seq, memory_order_relaxed);

	assert(len <= sizeof(struct sockaddr_storage));
	if (server_is_at(s, sa, len))
		return;
	memcpy(words, sa, len);
	atomic_store_explicit(&s->where_seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < ADDRESS_WORDS; i++)
		atomic_store_explicit(&s->where[i], words[i], memory_order_release);
	atomic_store_explicit(&s->where_len, len, memory_order_release);
	atomic_store_explicit(&s->where_seq, seq + 2, memory_order_release);
}

enum server_health server_health(const struct server *s)
{
	return (enum server_health)atomic_load_explicit(
		&s->health, memory_order_relaxed);
}

bool server_is_ejected(const struct server *s)
{
	return atomic_load_explicit(&s->ejected, memory_order_relaxed);
}

bool server_is_usable(const struct server *s)
{
	return server_health(s) != SERVER_DOWN && !server_is_ejected(s) &&
	       atomic_load_explicit(&s->where_len, memory_order_relaxed) > 0;
}

bool server_is_retired(const struct server *s)
{
	return atomic_load_explicit(&s->retired, memory_order_acquire);
}

uint64_t server_manner(const struct server *s)
{
	return atomic_load_explicit(&s->manner, memory_order_acquire);
}

/* It counts as out no more. */
void server_end_ejection(struct server *s)
{
	atomic_store_explicit(&s->fails_in_row, 0, memory_order_relaxed);
	if (atomic_exchange(&s->ejected, false))
		atomic_fetch_sub(&s->group->n_ejected, 1);
}

bool server_set_health(struct server *s, enum server_health h, const char *why)
{
	bool changed = server_health(s) != h;

	snprintf(s->why, sizeof(s->why), "%s", why);
	if (changed)
		s->since_us = clock_wall_us();
	atomic_store_explicit(&s->health, (int)h, memory_order_relaxed);
	server_end_ejection(s); /* what a check found counts more, up or down */
	return changed;
}

const char *server_health_reason(const struct server *s)
{
	return s->why;
}

uint64_t server_health_since_us(const struct server *s)
{
	return s->since_us;
}

bool server_note_failure(struct server *s)
{
	struct group *g = s->group;
	uint32_t n = atomic_fetch_add(&s->fails_in_row, 1) + 1;

	atomic_fetch_add_explicit(&s->failures, 1, memory_order_relaxed);
	if (n < atomic_load(&g->eject_failures) || server_is_ejected(s))
		return false;
	/* Before the flag: who sees that one reads this. */
	atomic_store(&s->ejected_ns, clock_mono_ns());
	if (atomic_fetch_add(&g->n_ejected, 1) >= atomic_load(&g->max_ejected) ||
		atomic_exchange(&s->ejected, true)) {
		atomic_fetch_sub(&g->n_ejected, 1);
		return false;
	}
	atomic_fetch_add_explicit(&s->ejections, 1, memory_order_relaxed);
	return true;
}

void server_note_answer(struct server *s)
{
	/* Read first: the line stays shared between threads while all is well. */
	if (atomic_load_explicit(&s->fails_in_row, memory_order_relaxed) != 0)
		atomic_store_explicit(&s->fails_in_row, 0, memory_order_relaxed);
}

uint32_t server_in_flight(const struct server *s)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < s->n_cells; i++)
		sum += atomic_load_explicit(
			&s->cell[i].in_flight, memory_order_relaxed);
	return sum;
}

void server_hold(struct server *s, unsigned thread)
{
	_Atomic uint32_t *n = &s->cell[thread].in_flight;

	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
		memory_order_release);
}

void server_release(struct server *s, unsigned thread)
{
	_Atomic uint32_t *n = &s->cell[thread].in_flight;
	uint32_t now = atomic_load_explicit(n, memory_order_relaxed);

	assert(now > 0);
	/* Released, so that who sees 0 may free what this thread has left. */
	atomic_store_explicit(n, now - 1, memory_order_release);
	if (atomic_load_explicit(&s->group->limited, memory_order_relaxed))
		wait_call(s->group, thread);
}

void server_note_connect(struct server *s, unsigned thread)
{
	count_add(&s->cell[thread].connects, 1);
}

void server_note_reuse(struct server *s, unsigned thread)
{
	count_add(&s->cell[thread].reuses, 1);
}

struct server_sessions *server_sessions(struct server *s, unsigned thread)
{
	return &s->cell[thread].sessions;
}

void server_note_session(struct server *s, unsigned thread, int delta)
{
	_Atomic uint32_t *n = &s->cell[thread].n_sessions;
	uint32_t now = atomic_load_explicit(n, memory_order_relaxed);

	assert(delta > 0 || now > 0);
	atomic_store_explicit(n, now + (uint32_t)delta, memory_order_release);
}

void server_note_tunnel(struct server *s, unsigned thread, int delta)
{
	struct server_cell *c = &s->cell[thread];

	count_add(&c->tunnels_open, (uint64_t)delta);
	if (delta > 0)
		count_add(&c->tunnels, (uint64_t)delta);
}

void server_note_passed(
	struct server *s, unsigned thread, bool in, uint64_t bytes, uint64_t messages)
{
	struct server_cell *c = &s->cell[thread];

	count_add(&c->bytes[in], bytes);
	if (messages > 0)
		count_add(&c->messages[in], messages);
}

void server_add_tunnels(const struct server *s, struct tunnel_counts *sum)
{
	for (unsigned i = 0; i < s->n_cells; i++) {
		const struct server_cell *c = &s->cell[i];

		sum->begun += count_read(&c->tunnels);
		sum->open += count_read(&c->tunnels_open);
		sum->messages_in += count_read(&c->messages[true]);
		sum->messages_out += count_read(&c->messages[false]);
		sum->bytes_in += count_read(&c->bytes[true]);
		sum->bytes_out += count_read(&c->bytes[false]);
	}
}

void server_sum(const struct server *s, struct server_counts *out)
{
	*out = (struct server_counts){
		.failures = atomic_load_explicit(&s->failures, memory_order_relaxed),
		.ejections = atomic_load_explicit(&s->ejections, memory_order_relaxed),
	};
	for (unsigned i = 0; i < s->n_cells; i++) {
		const struct server_cell *c = &s->cell[i];

		out->requests += count_read(&c->requests);
		out->connects += count_read(&c->connects);
		out->reuses += count_read(&c->reuses);
		out->in_flight +=
			atomic_load_explicit(&c->in_flight, memory_order_acquire);
		out->idle += atomic_load_explicit(&c->n_idle, memory_order_acquire);
		out->sessions +=
			atomic_load_explicit(&c->n_sessions, memory_order_acquire);
	}
}
