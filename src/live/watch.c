/*
 * A live file that is cut short under the map.
 *
 * The kernel raises SIGBUS for a page that the file has no more. Traffic must not end
 * with somebody's `>`: the map becomes memory with the words as they were last written,
 * and control writes the file anew. One live file of a process is watched so.
 */
#include "live_priv.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sluice/base/mem.h"

static struct {
	struct layout *map, *copy; /* copy: what the map has, but for the head */
	_Atomic bool was_cut;
} watched;

static bool is_watched(const void *p)
{
	const char *at = p, *map = (const char *)watched.map;

	return map != NULL && at >= map && at < map + sizeof(*watched.map);
}

/* In a handler: the system call itself. Others read the words meanwhile: zeros at first,
 * which send nothing to new, and then each word as a whole. */
static bool become_memory(void)
{
	typedef uint64_t __attribute__((may_alias)) word;
	const long rights = PROT_READ | PROT_WRITE;
	const long flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
	const word *from = (const word *)watched.copy;
	word *to = (word *)watched.map;

	static_assert(sizeof(*watched.map) % sizeof(word) == 0, "it is all words");
	if (syscall(SYS_mmap, to, sizeof(*watched.map), rights, flags, -1L, 0L) !=
		(long)to)
		return false;
	for (size_t i = 0; i < sizeof(*watched.map) / sizeof(word); i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
	return true;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!is_watched(info->si_addr) || !become_memory()) {
		(void)signal(number, SIG_DFL); /* it is raised again, and ends us */
		return;
	}
	atomic_store(&watched.was_cut, true);
}

void watch_note(const void *p, size_t n)
{
	if (is_watched(p))
		memcpy((char *)watched.copy +
				((const char *)p - (const char *)watched.map),
			p, n);
}

void live_watch(struct live *live)
{
	struct sigaction action = { .sa_sigaction = on_bus_error,
		.sa_flags = SA_SIGINFO };

	if (watched.map != NULL)
		return;
	watched.copy = mem_alloc(sizeof(*live->map));
	memcpy(watched.copy, live->map, sizeof(*live->map));
	watched.map = live->map;
	(void)sigaction(SIGBUS, &action, NULL);
}

bool watch_was_cut(void)
{
	return atomic_exchange(&watched.was_cut, false);
}

void watch_end(const struct live *live)
{
	if (watched.map != live->map || watched.map == NULL)
		return;
	watched.map = NULL;
	free(watched.copy);
	watched.copy = NULL;
}
