/* The listening sockets of one address, and who closes them. */
#include <stdlib.h>
#include <unistd.h>

#include "proxy_priv.h"

struct sockets *sockets_open(
	const struct config_address *a, unsigned n, struct err *err)
{
	struct sockets *s = mem_zero(sizeof(*s) + n * sizeof(s->of[0]));
	int fds[CONFIG_MAX_WORKERS];

	if (net_listen(&a->sa.any, a->sa_len, n, fds, err) != 0) {
		err_wrap(err, "listen on %s", a->text);
		free(s);
		return NULL;
	}
	s->refs = 1;
	s->address = mem_text(a->text);
	s->n = n;
	for (unsigned i = 0; i < n; i++)
		s->of[i].fd = fds[i];
	return s;
}

void sockets_unref(struct sockets *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		if (!atomic_load_explicit(&s->of[i].taken, memory_order_acquire))
			close(s->of[i].fd);
	}
	free(s->address);
	free(s);
}
