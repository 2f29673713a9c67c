/*
 * scene - a daemon that says what the test wants it to, and sluicectl run against it.
 */
#include "scene.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/base/mem.h"

struct daemon d;

static pthread_t thread;

void scene_open(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	d = (struct daemon){ .folder = "/tmp/sluice-ctl-XXXXXX" };
	cr_assert_not_null(mkdtemp(d.folder));
	snprintf(d.socket, sizeof(d.socket), "%s/sock", d.folder);
	memcpy(un.sun_path, d.socket, strlen(d.socket));
	d.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(d.fd, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(listen(d.fd, 8), 0);
	setenv("SLUICE_SOCKET", d.socket, 1);
	cr_redirect_stdout();
	cr_redirect_stderr();
}

static bool is_whole(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n");
	const char *length = strstr(request, "Content-Length: ");

	return end != NULL && strlen(end + 4) >= strtoul(length + 16, NULL, 10);
}

static void serve_one(size_t turn)
{
	int fd = accept(d.fd, NULL, NULL);
	size_t n = 0;

	while (!is_whole(d.request[turn])) {
		ssize_t got = recv(
			fd, d.request[turn] + n, sizeof(d.request[turn]) - 1 - n, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	(void)send(fd, d.answer[turn], strlen(d.answer[turn]), MSG_NOSIGNAL);
	close(fd);
}

static void *serve(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < MAX_TURNS && d.answer[i] != NULL; i++)
		serve_one(i);
	return NULL;
}

void start(void)
{
	d.started = true;
	cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

void scene_close(void)
{
	close(d.fd);
	unlink(d.socket);
	rmdir(d.folder);
}

enum ctl_exit run(const char *line)
{
	char *text = mem_text(line);
	char *argv[12] = { "sluicectl" };
	int argc = 1;
	enum ctl_exit done;

	for (char *w = strtok(text, "|"); w != NULL; w = strtok(NULL, "|"))
		argv[argc++] = w;
	done = ctl_run(argc, argv);
	if (d.started)
		pthread_join(thread, NULL);
	free(text);
	fflush(stdout);
	fflush(stderr);
	return done;
}

char *all_of(FILE *f)
{
	static char text[16384];

	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	return text;
}

void assert_out_has(const char *what)
{
	char *text = all_of(cr_get_redirected_stdout());

	cr_assert(strstr(text, what) != NULL, "%s", text);
}

void assert_err_has(const char *what)
{
	char *text = all_of(cr_get_redirected_stderr());

	cr_assert(strstr(text, what) != NULL, "%s", text);
}
