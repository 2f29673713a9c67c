/*
 * instance_lock - one sluice for a journal. Two would overwrite each other's weights and latches
 * in the live file, and the journal of neither would be true.
 *
 * The lock is on a file of its own beside the journal, because journal and live file
 * may be set aside (S2). It is an flock: the kernel gives it back however the process
 * ends, and a worker can be started with it. The file stays, and says who has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "sluice/base/mem.h"

#include "control_priv.h"

static int refuse(int fd, const char *journal, struct err *err)
{
	char pid[16] = "";
	ssize_t n;

	if (errno != EWOULDBLOCK)
		return err_errno(err, "journal.path %s: cannot lock", journal);
	n = pread(fd, pid, sizeof(pid) - 1, 0);
	pid[n > 0 ? n : 0] = '\0';
	return err_set(err, ERR_SYSTEM,
		"journal.path %s: another sluice keeps it (process %ld): "
		"stop that one, or give this one a journal of its own",
		journal, strtol(pid, NULL, 10));
}

static int lock(int fd, const char *journal, struct err *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		return refuse(fd, journal, err);
	/* Only for people: a disk too full for it is no reason not to start. */
	if (ftruncate(fd, 0) == 0)
		(void)dprintf(fd, "%ld\n", (long)getpid());
	return 0;
}

int instance_lock_take(struct control *c, const char *journal, struct err *err)
{
	char *path = mem_print("%s-lock", journal);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	int why = errno;

	/* A read-only file system is no reason not to serve: the lock needs no writing. */
	if (fd == -1 && why == EROFS)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd == -1)
		return err_set(err, ERR_SYSTEM,
			"journal.path %s: %s: its folder must exist, and this user "
			"must be able to write there",
			journal, strerror(why));
	if (lock(fd, journal, err) != 0) {
		(void)close(fd);
		return -1;
	}
	c->lock_fd = fd;
	return 0;
}

void instance_lock_release(struct control *c)
{
	if (c->lock_fd != -1)
		(void)close(c->lock_fd);
	c->lock_fd = -1;
}
