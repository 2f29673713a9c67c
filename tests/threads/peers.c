/*
 * While threads enter and leave, never more of one address are in than may be, and in
 * the end nobody is.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "proxy_priv.h"

enum { THREADS = 4, ROUNDS = 20000, ADDRESSES = 3, MAX = 2 };

static struct peers *peers;
static atomic_int inside[ADDRESSES];
static atomic_uint entered;

static struct sockaddr_in address_of(unsigned i)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0xc0000200 + i) };
}

static void *come_and_go(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned which = i % ADDRESSES;
		struct sockaddr_in sa = address_of(which);

		if (!peers_conn_acquire(peers, (struct sockaddr *)&sa, MAX))
			continue;
		int now = atomic_fetch_add(&inside[which], 1) + 1;
		assert(now <= MAX);
		atomic_fetch_add(&entered, 1);
		atomic_fetch_sub(&inside[which], 1);
		peers_conn_release(peers, (struct sockaddr *)&sa);
	}
	return arg;
}

int main(void)
{
	pthread_t thread[THREADS];

	peers = peers_new();
	for (size_t i = 0; i < THREADS; i++) {
		int rc = pthread_create(&thread[i], NULL, come_and_go, NULL);

		assert(rc == 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < ADDRESSES; i++) {
		struct sockaddr_in sa = address_of(i);

		for (int k = 0; k <= MAX; k++) {
			bool in =
				peers_conn_acquire(peers, (struct sockaddr *)&sa, MAX);

			assert(in == (k < MAX));
		}
	}
	peers_free(peers);
	printf("%u entered, never more than %d at once\n", entered, MAX);
	return 0;
}
