/*
 * probe_name - the addresses of a server that is given by name.
 *
 * A name may have several ("localhost" has one of IPv6 and one of IPv4 on most machines),
 * and a server that listens on one of them alone is up. A check begins with the one that
 * requests go to, and tries the others while connecting fails; what took its connection
 * is where requests go from then on.
 */
#include "health_priv.h"

#include <string.h>

#include "sluice/pool/server.h"

void probe_name_add(struct probe *p, const struct sockaddr *sa, socklen_t len)
{
	struct probe_address *a = &p->found[p->n_found];

	if (p->n_found == PROBE_ADDRESSES || len > sizeof(a->sa))
		return;
	memcpy(&a->sa, sa, len);
	a->len = len;
	p->n_found++;
}

static void aim(struct probe *p, unsigned i)
{
	p->aimed = i;
	memcpy(&p->sa, &p->found[i].sa, p->found[i].len);
	p->sa_len = p->found[i].len;
}

void probe_name_begin(struct probe *p)
{
	struct sockaddr_storage now;
	socklen_t len;
	unsigned first = 0;

	if (server_sockaddr(p->server, &now, &len)) {
		for (unsigned i = 0; i < p->n_found; i++) {
			if (p->found[i].len == len &&
				memcmp(&p->found[i].sa, &now, len) == 0)
				first = i;
		}
	}
	p->n_left = p->n_found;
	aim(p, first);
}

bool probe_name_next(struct probe *p)
{
	if (p->n_left <= 1)
		return false;
	p->n_left--;
	aim(p, (p->aimed + 1) % p->n_found);
	return true;
}
