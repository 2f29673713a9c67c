/*
 * Opening, changing and closing the listeners: the Unix socket, which may change things
 * and is guarded by its file mode, and the loopback port, which only reads.
 */
#include "sluice/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice/base/log.h"
#include "sluice/base/mem.h"
#include "sluice/net/conn.h"

#include "admin_priv.h"

struct admin {
	struct api api;
	struct net_loop *loop;
	struct httpd_listener local, tcp;
	char *socket, *listen; /* listen "": none */
	dev_t socket_dev;      /* of our socket file: closing removes no other one */
	ino_t socket_ino;
};

/* --- the socket file ------------------------------------------------------------ */

/* The mask goes first: no process gets in between bind and chmod. */
static int listen_masked(const struct sockaddr_un *un, uint32_t mode, struct err *err)
{
	mode_t before = umask((mode_t)(~mode & 0777));
	int fd = -1;

	(void)net_listen((const struct sockaddr *)un, sizeof(*un), 1, &fd, err);
	umask(before);
	return fd;
}

static bool may_write_folder(const char *path)
{
	char *folder = mem_text(path);
	char *slash = strrchr(folder, '/');
	bool may;

	if (slash != NULL)
		slash[slash == folder] = '\0';
	may = access(slash != NULL ? folder : ".", W_OK | X_OK) == 0;
	free(folder);
	return may;
}

/* A socket that no process listened on would have been removed. */
static const char *way_out(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		return " (is this sluice running already?)";
	if (!may_write_folder(path))
		return " (its folder must exist, and this user must be able to write "
		       "there)";
	return "";
}

static int open_local(struct admin *a, uint32_t mode, struct err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;

	if (strlen(a->socket) >= sizeof(un.sun_path))
		return err_set(err, ERR_CONFIG,
			"admin.socket: %s is longer than %zu bytes: choose a shorter "
			"path",
			a->socket, sizeof(un.sun_path) - 1);
	memcpy(un.sun_path, a->socket, strlen(a->socket));

	int fd = listen_masked(&un, mode, err);
	if (fd == -1)
		return err_wrap(
			err, "admin.socket %s%s", a->socket, way_out(a->socket));
	if (chmod(a->socket, mode) == -1 || stat(a->socket, &st) == -1) {
		err_errno(err, "admin.socket %s: mode %04o", a->socket, mode);
		close(fd);
		return -1;
	}
	a->socket_dev = st.st_dev;
	a->socket_ino = st.st_ino;
	httpd_listener_open(&a->local, fd, st.st_gid);
	return 0;
}

static void remove_socket(const struct admin *a)
{
	struct stat st;

	if (stat(a->socket, &st) == -1 || st.st_dev != a->socket_dev ||
		st.st_ino != a->socket_ino)
		return;
	if (unlink(a->socket) == -1)
		log_warn("admin socket not removed", "path=%s error=%s", a->socket,
			strerror(errno));
}

/* --- the loopback port ---------------------------------------------------------- */

static const char *wanted_listen(const struct config_admin *c)
{
	return c->has_listen ? c->listen.text : "";
}

/* The old port is closed only when the new one is open. */
static int open_tcp(struct admin *a, const struct config_admin *c, struct err *err)
{
	const char *wanted = wanted_listen(c);
	int fd = -1;

	if (strcmp(wanted, a->listen) == 0)
		return 0;
	if (c->has_listen &&
		net_listen(&c->listen.sa.any, c->listen.sa_len, 1, &fd, err) != 0)
		return err_wrap(err, "admin.listen %s", wanted);
	httpd_listener_close(&a->tcp);
	if (fd != -1)
		httpd_listener_open(&a->tcp, fd, 0); /* its peers have no group */
	free(a->listen);
	a->listen = mem_text(wanted);
	return 0;
}

/* --- public ----------------------------------------------------------------------- */

int admin_open(struct admin **out, struct net_loop *l, const struct config_admin *c,
	const struct admin_ops *ops, struct err *err)
{
	struct admin *a = mem_zero(sizeof(*a));

	a->loop = l;
	a->socket = mem_text(c->socket);
	a->listen = mem_text("");
	a->api = (struct api){
		.ops = *ops,
		.buckets = buckets_new(),
		.socket = a->socket,
		.httpd = { .answer = api_answer, .arg = &a->api },
	};
	httpd_listener_init(&a->local, &a->api.httpd, l, API_OPERATOR);
	httpd_listener_init(&a->tcp, &a->api.httpd, l, API_READER);
	if (open_local(a, c->mode, err) != 0 || open_tcp(a, c, err) != 0)
		goto fail;
	*out = a;
	return 0;
fail:
	admin_close(a);
	return -1;
}

/* Whoever tidied up took it. What was connected asks again. */
static int open_again(struct admin *a, uint32_t mode, struct err *err)
{
	httpd_listener_close(&a->local);
	if (open_local(a, mode, err) != 0)
		return -1;
	log_warn("admin socket was removed, made anew", "path=%s", a->socket);
	return 0;
}

static bool is_gone(const struct admin *a)
{
	struct stat st;

	return lstat(a->socket, &st) == -1 && errno == ENOENT;
}

void admin_look(struct admin *a, const struct config_admin *c)
{
	struct err err = { .code = ERR_NONE };

	if (is_gone(a) && open_again(a, c->mode, &err) != 0)
		log_error("admin socket was removed", "error=%s", err.text);
}

int admin_configure(struct admin *a, const struct config_admin *c, struct err *err)
{
	if (open_tcp(a, c, err) != 0)
		return -1;
	if (is_gone(a))
		return open_again(a, c->mode, err);
	if (chmod(a->socket, c->mode) == -1)
		return err_errno(err, "admin.socket %s: mode %04o", a->socket, c->mode);
	return 0;
}

void admin_know_users(struct admin *a, struct uid_names *u)
{
	uid_names_free(a->api.users);
	a->api.users = u;
}

void admin_bound(struct admin *a, unsigned sessions)
{
	/* Both classes of peers together; the port has one of them. */
	a->local.max = sessions / HTTPD_CLASSES;
	a->tcp.max = sessions;
}

void admin_close(struct admin *a)
{
	if (a == NULL)
		return;
	httpd_listener_close(&a->tcp);
	if (a->local.acceptor != NULL)
		remove_socket(a);
	httpd_listener_close(&a->local);
	uid_names_free(a->api.users);
	buckets_free(a->api.buckets);
	free(a->socket);
	free(a->listen);
	free(a);
}
