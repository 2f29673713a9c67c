/* See house.h. */
#include "house.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/base/mem.h"

enum { PATIENCE_S = 5, TEXT_MAX = 1 << 20 };

/* Not assert: what is done here is done with NDEBUG too. */
static void must(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	abort();
}

void house_open(struct house *h, unsigned workers)
{
	char path[64];
	struct err err = { .text = "" };
	bool fresh;

	*h = (struct house){ .folder = "/tmp/sluice-house-XXXXXX" };
	must(mkdtemp(h->folder) != NULL, "mkdtemp");
	(void)snprintf(path, sizeof(path), "%s/live", h->folder);
	must(live_open(&h->live, path, &fresh, &err) == 0, err.text);
	h->registry = registry_new(workers, h->live);
	h->stats = stats_new(workers);
	h->proxy = proxy_new(workers, h->registry, h->stats);
	must(proxy_start(h->proxy, &err) == 0, err.text);
}

static char *with_listener(const struct house *h, const char *text)
{
	const char *at = strstr(text, "%L");

	must(at != NULL, "a configuration without %L");
	return mem_print("%.*sunix:%s/l%s", (int)(at - text), text, h->folder, at + 2);
}

static struct config *config_of(const struct house *h, const char *text)
{
	struct config_problems problems = { .n = 0 };
	struct config *c = NULL;
	char *whole = with_listener(h, text);
	int rc = config_load_text(
		&c, "/house/sluice.conf", whole, strlen(whole), &problems);

	must(rc == 0, problems.n > 0 ? problems.text[0] : "config");
	config_problems_fini(&problems);
	free(whole);
	return c;
}

static void all_up(struct snapshot *s)
{
	struct pool *const *pools = snapshot_pools(s);

	for (size_t i = 0; i < snapshot_config(s)->n_pools; i++) {
		for (size_t k = 0; k < pool_n_servers(pools[i]); k++)
			(void)server_set_health(
				pool_server(pools[i], k), SERVER_UP, "up");
	}
}

/* The file has the word as first loaded; here each loading is the first. */
static void set_weights(struct snapshot *s)
{
	const struct config *c = snapshot_config(s);

	for (size_t i = 0; i < c->n_migrations; i++)
		live_store(migration_word(snapshot_migrations(s)[i]),
			(struct live_value){
				.new_ppm = c->migrations[i].new_ppm, .generation = 1 });
}

void house_load(struct house *h, const char *text)
{
	struct config *c = config_of(h, text);
	struct snapshot *s = NULL, *before = h->current;
	struct err err = { .text = "" };

	must(snapshot_load(&s, &c, &err) == 0, err.text);
	snapshot_bind(s, h->registry);
	all_up(s);
	set_weights(s);
	must(proxy_publish(h->proxy, s, &err) == 0, err.text);
	h->current = s;
	snapshot_unref(before);
	proxy_accept(h->proxy);
}

void house_close(struct house *h)
{
	char path[64];

	proxy_free(h->proxy);
	snapshot_unref(h->current);
	stats_free(h->stats);
	registry_free(h->registry);
	live_close(h->live);
	(void)snprintf(path, sizeof(path), "%s/live", h->folder);
	(void)remove(path);
	(void)snprintf(path, sizeof(path), "%s/l", h->folder);
	(void)remove(path);
	(void)remove(h->folder);
}

static void be_patient(int fd)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };

	must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0,
		"setsockopt");
}

int house_connect(const struct house *h)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/l", h->folder);
	must(connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0, "connect");
	be_patient(fd);
	return fd;
}

int far_listen(uint16_t *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(bind(fd, (struct sockaddr *)&sa, len) == 0, "bind");
	must(listen(fd, 64) == 0, "listen");
	must(getsockname(fd, (struct sockaddr *)&sa, &len) == 0, "getsockname");
	be_patient(fd); /* accept waits so long */
	*port = ntohs(sa.sin_port);
	return fd;
}

int far_accept(int listening)
{
	int fd = accept(listening, NULL, NULL);

	must(fd != -1, "accept");
	be_patient(fd);
	return fd;
}

const char *far_read(int fd, size_t body)
{
	static _Thread_local char text[TEXT_MAX];
	size_t n = 0;
	const char *end = NULL;

	while (end == NULL || n < (size_t)(end + 4 - text) + body) {
		ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);

		if (got <= 0)
			return NULL;
		n += (size_t)got;
		text[n] = '\0';
		end = strstr(text, "\r\n\r\n");
	}
	return text;
}

void far_write(int fd, const char *text)
{
	size_t n = strlen(text), at = 0;

	while (at < n) {
		ssize_t put = send(fd, text + at, n - at, MSG_NOSIGNAL);

		must(put > 0, "send");
		at += (size_t)put;
	}
}
