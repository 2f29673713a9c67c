/*
 * Whom a connection string names. libpq resolves names with getaddrinfo, which blocks;
 * so a host is looked up on the loop first, and libpq is given the addresses beside the
 * name, which it still needs for TLS and passwords.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "pg_priv.h"

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
		if (strcmp(o->keyword, keyword) == 0)
			return o->val != NULL ? o->val : "";
	}
	return "";
}

/* What the environment says may bring an address along as well. */
static bool has_address(const PQconninfoOption *options)
{
	return value_of(options, "hostaddr")[0] != '\0' ||
	       value_of(options, "service")[0] != '\0' ||
	       getenv("PGHOSTADDR") != NULL || getenv("PGSERVICE") != NULL;
}

static bool is_one_name(const char *host)
{
	return host[0] != '\0' && host[0] != '/' && host[0] != '@' &&
	       strchr(host, ',') == NULL;
}

bool target_of(struct target *t, const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	const char *host = options != NULL ? value_of(options, "host") : "";
	bool ours = is_one_name(host) && strlen(host) < sizeof(t->host) &&
		    !has_address(options);

	*t = (struct target){ .n = 0 };
	if (ours)
		memcpy(t->host, host, strlen(host));
	PQconninfoFree(options);
	return ours;
}

static bool has_room(const char *list, size_t size, const char *word)
{
	return strlen(list) + strlen(word) + 2 <= size;
}

static void join(char *list, size_t size, const char *word)
{
	size_t n = strlen(list);

	(void)snprintf(list + n, size - n, "%s%s", n > 0 ? "," : "", word);
}

void target_add(struct target *t, const struct sockaddr *sa, socklen_t len)
{
	char address[NI_MAXHOST];

	if (getnameinfo(sa, len, address, sizeof(address), NULL, 0, NI_NUMERICHOST) !=
		0)
		return;
	if (!has_room(t->hosts, sizeof(t->hosts), t->host) ||
		!has_room(t->addresses, sizeof(t->addresses), address))
		return;
	join(t->hosts, sizeof(t->hosts), t->host);
	join(t->addresses, sizeof(t->addresses), address);
	t->n++;
}
