/*
 * Sharing connections between the data threads.
 *
 * The kernel spreads new connections over the sockets of a listener by a hash, which
 * for a few long-lived ones is no spread at all. So a thread that has clearly more
 * than the one with the fewest gives a fresh descriptor away, before TLS begins and any
 * memory is taken: into a ring that it alone writes and the other alone reads.
 */
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "proxy_priv.h"

/* So many may wait while the other thread is kept busy: a burst of connections should
 * not end with the giver only because the taker was late for some milliseconds. */
enum { SLOTS = 512, SHARE_PERCENT = 5 };

struct handed {
	int fd;
	unsigned admission;
	uint64_t listener;
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} peer;
};

/* From one thread to one other. */
struct ring {
	_Alignas(64) _Atomic uint32_t written; /* the giver's */
	_Alignas(64) _Atomic uint32_t read;    /* the taker's */
	struct handed slot[SLOTS];
};

struct rings {
	unsigned n;
	struct ring ring[]; /* giver * n + taker */
};

struct rings *handover_rings_new(unsigned threads)
{
	struct rings *r = mem_zero(
		sizeof(*r) + 64 + (size_t)threads * threads * sizeof(struct ring));

	r->n = threads;
	return r;
}

static struct ring *ring_of(struct rings *r, unsigned giver, unsigned taker)
{
	return &r->ring[giver * r->n + taker];
}

static bool put(struct ring *r, const struct handed *h)
{
	uint32_t at = atomic_load_explicit(&r->written, memory_order_relaxed);

	if (at - atomic_load_explicit(&r->read, memory_order_acquire) == SLOTS)
		return false;
	r->slot[at % SLOTS] = *h;
	atomic_store_explicit(&r->written, at + 1, memory_order_release);
	return true;
}

static bool take(struct ring *r, struct handed *h)
{
	uint32_t at = atomic_load_explicit(&r->read, memory_order_relaxed);

	if (at == atomic_load_explicit(&r->written, memory_order_acquire))
		return false;
	*h = r->slot[at % SLOTS];
	atomic_store_explicit(&r->read, at + 1, memory_order_release);
	return true;
}

static uint32_t load_of(const struct thread *t)
{
	return atomic_load_explicit(&t->load, memory_order_relaxed);
}

static struct thread *least_loaded(struct proxy *p)
{
	struct thread *least = &p->thread[0];

	for (unsigned i = 1; i < p->n; i++) {
		if (load_of(&p->thread[i]) < load_of(least))
			least = &p->thread[i];
	}
	return least;
}

/* One more than what is allowed above the least: the new connection counts. */
static bool is_overloaded(const struct thread *t, const struct thread *least)
{
	uint32_t slack = load_of(least) * SHARE_PERCENT / 100;

	return load_of(t) + 1 > load_of(least) + (slack > 1 ? slack : 1);
}

bool handover_give(struct thread *t, uint64_t listener, int fd,
	const struct sockaddr *peer, unsigned admission)
{
	struct thread *to = least_loaded(t->proxy);
	struct handed h = { .fd = fd, .listener = listener, .admission = admission };

	if (to == t || !is_overloaded(t, to))
		return false;
	if (peer->sa_family == AF_INET)
		memcpy(&h.peer.in4, peer, sizeof(h.peer.in4));
	else if (peer->sa_family == AF_INET6)
		memcpy(&h.peer.in6, peer, sizeof(h.peer.in6));
	else
		h.peer.any.sa_family = AF_UNIX;
	if (!put(ring_of(t->proxy->rings, t->index, to->index), &h))
		return false;
	atomic_fetch_add_explicit(&to->load, 1, memory_order_relaxed);
	net_wake(to->waker);
	return true;
}

/* Its listener may be gone meanwhile. */
static void adopt(struct thread *t, const struct handed *h)
{
	const struct sockaddr *peer = &h->peer.any;

	atomic_fetch_sub_explicit(&t->load, 1, memory_order_relaxed);
	if (listener_adopt(t, h->listener, h->fd, peer, h->admission))
		return;
	close(h->fd);
	listener_forget(t, peer, h->admission);
}

void handover_take(struct thread *t)
{
	for (unsigned giver = 0; giver < t->proxy->n; giver++) {
		struct ring *r = ring_of(t->proxy->rings, giver, t->index);
		struct handed h;

		while (take(r, &h))
			adopt(t, &h);
	}
}

/* The threads have ended: what is still in a ring was never served. */
void handover_close(struct rings *rings)
{
	for (unsigned i = 0; i < rings->n * rings->n; i++) {
		struct handed h;

		while (take(&rings->ring[i], &h))
			close(h.fd);
	}
}
