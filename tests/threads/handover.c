/*
 * While threads give fresh connections away and take those of others, each descriptor
 * is closed once, by whoever has it, and each client is counted until then.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy_priv.h"

enum {
	THREADS = 4,
	ENOUGH = 100000,
	BURST = 2000, /* more than all rings of a thread have room for */
	CLIENTS = 4,
	MAX = 1 << 20,
	HIGHEST_FD = 1 << 16,
	BUSY = 4000,
	NO_DOOR = 7,
};

static struct proxy *proxy;
static int pipe_ends[2];
static atomic_uint given, kept;

static void on_wake(void *arg)
{
	(void)arg;
}

static struct proxy *threads_without_listeners(void)
{
	struct proxy *p = mem_zero(sizeof(*p) + THREADS * sizeof(p->thread[0]));

	p->n = THREADS;
	p->rings = handover_rings_new(THREADS);
	p->peers = peers_new();
	for (unsigned i = 0; i < THREADS; i++) {
		struct thread *t = &p->thread[i];

		t->proxy = p;
		t->index = i;
		list_init(&t->listeners);
		t->loop = net_loop_new(0);
		t->waker = net_waker_new(t->loop, on_wake, t);
	}
	return p;
}

static struct sockaddr_in client(unsigned i)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0xc0000200 + i % CLIENTS) };
}

/* A connection comes to a busy thread: it is somebody else's now, or stays. */
static void accept_one(struct thread *t, unsigned i)
{
	struct sockaddr_in sa = client(i);
	const struct sockaddr *peer = (struct sockaddr *)&sa;
	unsigned admission = NET_ADMIT | NET_ADMIT_COUNTED;
	bool in, gone;
	int fd = dup(pipe_ends[1]), rc;

	if (fd == -1)
		return; /* all are on their way */
	in = peers_conn_acquire(proxy->peers, peer, MAX);
	assert(in);
	atomic_fetch_add(&t->load, BUSY);
	gone = handover_give(t, NO_DOOR, fd, peer, admission);
	atomic_fetch_sub(&t->load, BUSY);
	if (gone) {
		atomic_fetch_add(&given, 1);
		return;
	}
	rc = close(fd);
	assert(rc == 0);
	listener_forget(t, peer, admission);
	atomic_fetch_add(&kept, 1);
}

/* Gives and takes by turns; then only gives. */
static void *give_and_take(void *arg)
{
	struct thread *t = arg;

	for (unsigned i = 0; atomic_load(&given) < ENOUGH; i++) {
		accept_one(t, i);
		handover_take(t);
		if (i % 64 == t->index)
			sched_yield();
	}
	for (unsigned i = 0; i < BURST; i++)
		accept_one(t, i);
	return NULL;
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < HIGHEST_FD; fd++)
		n += lseek(fd, 0, SEEK_CUR) != -1 || errno != EBADF;
	return n;
}

static void run_threads(void)
{
	pthread_t thread[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		int rc = pthread_create(
			&thread[i], NULL, give_and_take, &proxy->thread[i]);

		assert(rc == 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void assert_nobody_is_counted(void)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct sockaddr_in sa = client(i);
		bool first =
			peers_conn_acquire(proxy->peers, (struct sockaddr *)&sa, 1);

		assert(first);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert(proxy->thread[i].load == 0);
}

static void end_threads(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		net_waker_free(proxy->thread[i].waker);
		net_loop_free(proxy->thread[i].loop);
	}
	free(proxy->rings);
	peers_free(proxy->peers);
	free(proxy);
}

int main(void)
{
	unsigned before;
	int rc = pipe(pipe_ends);

	assert(rc == 0);
	proxy = threads_without_listeners();
	before = open_descriptors();
	run_threads();
	for (size_t i = 0; i < THREADS; i++)
		handover_take(&proxy->thread[i]);
	assert(open_descriptors() == before);
	assert_nobody_is_counted();

	/* What is on its way when the threads have ended is closed, too. */
	for (unsigned i = 0; i < BURST; i++)
		accept_one(&proxy->thread[0], i);
	handover_close(proxy->rings);
	assert(open_descriptors() == before);
	end_threads();
	printf("%u given, %u kept\n", given, kept);
	return given == 0;
}
