/*
 * The names of /etc/passwd, read once: getpwuid may ask a directory server. A uid that
 * is not in the file is known by its number.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "sluice/base/mem.h"

#include "admin_priv.h"

struct uid_name {
	uid_t uid;
	char *name;
};

struct uid_names {
	struct uid_name *entry;
	size_t n;
};

struct uid_names *uid_names_new(void)
{
	struct uid_names *u = mem_zero(sizeof(*u));
	FILE *f = fopen("/etc/passwd", "re");

	if (f == NULL)
		return u;
	for (struct passwd *pw; (pw = fgetpwent(f)) != NULL; u->n++) {
		u->entry = mem_grow(u->entry, (u->n + 1) * sizeof(*u->entry));
		u->entry[u->n] = (struct uid_name){
			.uid = pw->pw_uid,
			.name = mem_text(pw->pw_name),
		};
	}
	fclose(f);
	return u;
}

void uid_names_free(struct uid_names *u)
{
	if (u == NULL)
		return;
	for (size_t i = 0; i < u->n; i++)
		free(u->entry[i].name);
	free(u->entry);
	free(u);
}

void uid_names_actor(const struct uid_names *u, int uid, char *out, size_t n)
{
	for (size_t i = 0; u != NULL && i < u->n; i++) {
		if (uid >= 0 && u->entry[i].uid == (uid_t)uid) {
			snprintf(out, n, "user:%s", u->entry[i].name);
			return;
		}
	}
	if (uid >= 0)
		snprintf(out, n, "user:%d", uid);
	else
		snprintf(out, n, "user:unknown");
}
