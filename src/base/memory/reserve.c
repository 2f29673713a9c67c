/* What is left when the system has no memory. */
#include "sluice/base/reserve.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "sluice/base/log.h"

enum { PIECES = 2 };

static const size_t piece_bytes[PIECES] = { 16 << 20, 4 << 20 };

static struct {
	pthread_mutex_t lock;
	struct piece {
		void *p;
		bool is_mapped; /* else it is of this process' heap */
	} piece[PIECES];
	bool is_open;
	bool failed; /* since the last restock */
} reserve = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Atomic int level = MEMORY_ENOUGH;
static _Thread_local bool entitled;

static void *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		p = NULL;
	return p;
}

/* The more important one first. A heap that has grown keeps its addresses when it is
 * empty again: then what it has is what there is. */
static void stock(void)
{
	for (int i = PIECES - 1; i >= 0; i--) {
		struct piece *at = &reserve.piece[i];

		if (at->p != NULL)
			continue;
		at->p = map(piece_bytes[i]);
		at->is_mapped = at->p != NULL;
		if (at->p == NULL)
			at->p = malloc(piece_bytes[i]);
	}
}

enum { STACK_BYTES = 1 << 20 };

/* A thread's own heap wants 64 MiB of addresses in a row. Where glibc finds none, it maps
 * each block of that thread by itself, after four attempts at a heap: a page and seven
 * system calls for every 16 bytes. So where addresses are bounded, all threads take of
 * the one heap that grows by need; slabs leave little that they could meet at. A stack of
 * 8 MiB, the default, is worth a hundred connections. */
static void save_addresses_if_bounded(void)
{
	struct rlimit most;
	pthread_attr_t attr;

	if (getrlimit(RLIMIT_AS, &most) != 0 || most.rlim_cur == RLIM_INFINITY)
		return;
	(void)mallopt(M_ARENA_MAX, 1);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)pthread_setattr_default_np(&attr);
	(void)pthread_attr_destroy(&attr);
}

void reserve_open(void)
{
	save_addresses_if_bounded();
	pthread_mutex_lock(&reserve.lock);
	reserve.is_open = true;
	stock();
	pthread_mutex_unlock(&reserve.lock);
}

static bool give_back(int i)
{
	struct piece *at = &reserve.piece[i];
	bool there = at->p != NULL;

	if (at->is_mapped)
		(void)munmap(at->p, piece_bytes[i]);
	else
		free(at->p);
	*at = (struct piece){ .p = NULL };
	return there;
}

void reserve_close(void)
{
	pthread_mutex_lock(&reserve.lock);
	for (int i = 0; i < PIECES; i++)
		(void)give_back(i);
	reserve.is_open = false;
	atomic_store(&level, MEMORY_ENOUGH);
	pthread_mutex_unlock(&reserve.lock);
}

void reserve_entitle(void)
{
	entitled = true;
}

bool reserve_is_entitled(void)
{
	return entitled;
}

bool reserve_release(bool must)
{
	int before = atomic_load(&level), after = MEMORY_SHORT;
	bool given;

	pthread_mutex_lock(&reserve.lock);
	reserve.failed = true;
	given = give_back(0);
	if (!given && (must || entitled)) {
		given = give_back(1);
		after = MEMORY_OUT;
	}
	if (after > before)
		atomic_store(&level, after);
	pthread_mutex_unlock(&reserve.lock);
	if (after > before)
		log_error(after == MEMORY_OUT ? "memory is out" : "memory is short",
			"new_connections=wait requests=%s",
			after == MEMORY_OUT ? "refused" : "served");
	return given;
}

void reserve_restock(void)
{
	int before = atomic_load(&level), after;

	pthread_mutex_lock(&reserve.lock);
	if (!reserve.failed)
		atomic_store(&level, MEMORY_ENOUGH);
	reserve.failed = false;
	if (reserve.is_open && atomic_load(&level) == MEMORY_ENOUGH)
		stock();
	after = atomic_load(&level);
	pthread_mutex_unlock(&reserve.lock);
	if (before != after)
		log_info("memory is enough again", "new_connections=taken");
}

enum memory_level memory_level(void)
{
	return (enum memory_level)atomic_load_explicit(&level, memory_order_relaxed);
}

bool memory_is_there(size_t bytes)
{
	void *p = map(bytes);

	if (p != NULL)
		(void)munmap(p, bytes);
	return p != NULL;
}
