/*
 * The names of /etc/passwd, read once: getpwuid may ask a directory server, and the
 * control thread never waits for one. Who is not in the file is known by number.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "sluice/base/mem.h"

#include "admin_priv.h"

struct person {
	uid_t uid;
	char *name;
};

struct people {
	struct person *person;
	size_t n;
};

struct people *people_new(void)
{
	struct people *p = mem_zero(sizeof(*p));
	FILE *f = fopen("/etc/passwd", "re");

	if (f == NULL)
		return p;
	for (struct passwd *pw; (pw = fgetpwent(f)) != NULL; p->n++) {
		p->person = mem_grow(p->person, (p->n + 1) * sizeof(*p->person));
		p->person[p->n] = (struct person){
			.uid = pw->pw_uid,
			.name = mem_text(pw->pw_name),
		};
	}
	fclose(f);
	return p;
}

void people_free(struct people *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->person[i].name);
	free(p->person);
	free(p);
}

void people_actor(const struct people *p, int uid, char *out, size_t n)
{
	for (size_t i = 0; i < p->n; i++) {
		if (uid >= 0 && p->person[i].uid == (uid_t)uid) {
			snprintf(out, n, "user:%s", p->person[i].name);
			return;
		}
	}
	if (uid >= 0)
		snprintf(out, n, "user:%d", uid);
	else
		snprintf(out, n, "user:unknown");
}
