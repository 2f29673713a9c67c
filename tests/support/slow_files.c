/*
 * slow_files - preloaded into sluice, a disk that answers when the test says so.
 *
 * Opening a file whose path contains SLOW_FILES waits until the file SLOW_FILES_GATE is
 * there. That something waits is told by SLOW_FILES_GATE with ".reached" behind it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *gate)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s.reached", gate);
	long fd = syscall(
		SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	if (fd != -1)
		(void)close((int)fd);
}

static void wait_at_gate(const char *path)
{
	const char *slow = getenv("SLOW_FILES"), *gate = getenv("SLOW_FILES_GATE");
	const struct timespec moment = { .tv_nsec = 1000 * 1000 };

	if (!slow || !gate || !strstr(path, slow))
		return;
	while (access(gate, F_OK) == -1) {
		tell(gate);
		(void)nanosleep(&moment, NULL);
	}
}

FILE *fopen(const char *path, const char *mode);
FILE *fopen64(const char *path, const char *mode);

/* Files are read through the C library by libssl, which asks for the one or the other. */
FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *);

	*(void **)&real = dlsym(RTLD_NEXT, "fopen");
	wait_at_gate(path);
	return real(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	return fopen(path, mode);
}
