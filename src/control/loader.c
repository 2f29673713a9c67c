/*
 * loader - what a configuration needs from disks: the file with its includes,
 * certificates, revocation lists, the names of users. A reload reads it on a thread of
 * its own, so that a slow disk delays no guard; start and --check read the very same.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sluice/base/log.h"
#include "sluice/base/mem.h"
#include "sluice/base/reserve.h"
#include "sluice/net/loop.h"
#include "sluice/proxy.h"

#include "control_priv.h"

enum { STACK_BYTES = 1 << 20, END_WAIT_S = 2 };
/* libconfig ends the process where it gets none: more than a large file takes. */
enum { ROOM_BYTES = 16 << 20 };

struct loader {
	pthread_t thread;
	const char *file; /* outlives the loader */
	struct net_waker *waker;
	void (*on_loaded)(void *arg, struct loaded *l);
	void *arg;
	atomic_bool is_left;
	enum { LOADER_IDLE, LOADER_RUNS, LOADER_IS_ASKED_AGAIN } state;
	struct loaded result; /* the thread's until it has woken control */
};

int loader_load_files(
	struct loaded *l, const char *file, void (*on_config)(struct config *c))
{
	struct config *config = NULL;
	struct err err = { .code = ERR_NONE };

	*l = (struct loaded){ .snapshot = NULL };
	if (config_load(&config, file, &l->problems) != 0)
		return -1;
	if (on_config)
		on_config(config);
	if (snapshot_load(&l->snapshot, &config, &err) != 0) {
		config_problems_add(&l->problems, "%s: %s", config->file, err.text);
		config_free(config);
		return -1;
	}
	l->users = uid_names_new();
	return 0;
}

void loader_loaded_fini(struct loaded *l)
{
	config_problems_fini(&l->problems);
	snapshot_unref(l->snapshot);
	uid_names_free(l->users);
	*l = (struct loaded){ .snapshot = NULL };
}

static void *run(void *arg)
{
	struct loader *l = arg;

	reserve_entitle();
	if (memory_is_there(ROOM_BYTES))
		(void)loader_load_files(&l->result, l->file, NULL);
	else
		config_problems_add(&l->result.problems,
			"%s: the system has no memory left to read it", l->file);
	if (!atomic_load(&l->is_left))
		net_wake(l->waker);
	return NULL;
}

/* All signals are blocked in the thread: control's handlers are to run elsewhere. */
static int start_thread(struct loader *l)
{
	pthread_attr_t attr;
	sigset_t all, before;

	sigfillset(&all);
	sigdelset(&all, SIGBUS); /* of the live file, where it is read */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&l->thread, &attr, run, l);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

static void begin(struct loader *l)
{
	int rc = start_thread(l);

	if (rc == 0) {
		l->state = LOADER_RUNS;
		return;
	}
	config_problems_add(&l->result.problems,
		"%s: cannot start the thread that reads it: %s", l->file, strerror(rc));
	l->on_loaded(l->arg, &l->result);
	loader_loaded_fini(&l->result);
}

static void on_wake(void *arg)
{
	struct loader *l = arg;
	bool again = l->state == LOADER_IS_ASKED_AGAIN;

	(void)pthread_join(l->thread, NULL); /* at its end already */
	l->state = LOADER_IDLE;
	l->on_loaded(l->arg, &l->result);
	loader_loaded_fini(&l->result);
	if (again)
		begin(l);
}

struct loader *loader_new(struct net_loop *loop, const char *file,
	void (*on_loaded)(void *arg, struct loaded *l), void *arg)
{
	struct loader *l = mem_zero(sizeof(*l));

	l->file = file;
	l->on_loaded = on_loaded;
	l->arg = arg;
	l->waker = net_waker_new(loop, on_wake, l);
	return l;
}

void loader_ask(struct loader *l)
{
	if (l->state == LOADER_IDLE)
		begin(l);
	else
		l->state = LOADER_IS_ASKED_AGAIN;
}

bool loader_is_idle(const struct loader *l)
{
	return l->state == LOADER_IDLE;
}

/* A thread that a dead disk holds is left behind with what it has: the process is
 * about to end. */
static bool has_ended(struct loader *l)
{
	struct timespec due;

	clock_gettime(CLOCK_REALTIME, &due);
	due.tv_sec += END_WAIT_S;
	return pthread_timedjoin_np(l->thread, NULL, &due) == 0;
}

void loader_free(struct loader *l)
{
	if (!l)
		return;
	if (l->state != LOADER_IDLE && !has_ended(l)) {
		atomic_store(&l->is_left, true);
		log_warn("a reload still waits for its files, and is left", "");
		return;
	}
	loader_loaded_fini(&l->result);
	net_waker_free(l->waker);
	free(l);
}
