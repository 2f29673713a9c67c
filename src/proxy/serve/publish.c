/*
 * Handing a snapshot to the data threads.
 *
 * All that can fail, opening new listeners, comes before anything changes. The list of
 * published snapshots holds a reference to each, so that a thread's is never the
 * last and memory is freed on control alone.
 */
#include <string.h>

#include "exchange/exchange_priv.h"

static struct sockets *sockets_of(const struct snapshot *s, const char *address)
{
	for (size_t i = 0; s != NULL && i < s->n_listeners; i++) {
		if (strcmp(s->config->listeners[i].address.text, address) == 0)
			return s->listener[i].sockets;
	}
	return NULL;
}

static void close_listeners(struct snapshot *s)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		listener_sockets_unref(s->listener[i].sockets);
		s->listener[i].sockets = NULL;
	}
}

static int open_listeners(struct proxy *p, struct snapshot *s, struct err *err)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		const struct config_address *a = &s->config->listeners[i].address;
		struct sockets *known = sockets_of(p->current, a->text);

		if (known != NULL) {
			known->refs++;
			s->listener[i].sockets = known;
			continue;
		}
		s->listener[i].sockets = listener_sockets_open(a, p->n, err);
		if (s->listener[i].sockets == NULL) {
			close_listeners(s);
			return err_wrap(
				err, "listener %s", s->config->listeners[i].name);
		}
		s->listener[i].sockets->id = ++p->next_sockets_id;
	}
	return 0;
}

static void put(struct thread *t, struct snapshot *s)
{
	struct snapshot *unread;

	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	unread = atomic_exchange_explicit(&t->mailbox, s, memory_order_acq_rel);
	if (unread != NULL)
		snapshot_drop(unread);
	net_wake(t->waker);
}

int proxy_publish(struct proxy *p, struct snapshot *s, struct err *err)
{
	if (open_listeners(p, s, err) != 0)
		return -1;
	registry_commit(p->registry, s->pool, s->n_pools);
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	list_push(&p->published, &s->link);
	p->current = s;
	for (unsigned i = 0; i < p->n; i++)
		put(&p->thread[i], s);
	return 0;
}

void proxy_sweep(struct proxy *p)
{
	LIST_EACH (&p->published, it, next) {
		struct snapshot *s = LIST_ENTRY(it, struct snapshot, link);

		if (s != p->current &&
			atomic_load_explicit(&s->refs, memory_order_acquire) == 1)
			snapshot_unref(s);
	}
}
