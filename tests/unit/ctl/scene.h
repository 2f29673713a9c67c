/*
 * scene - small verbs for tests of sluicectl: the daemon answers this, run that, what
 * was said?
 */
#ifndef SLUICE_TESTS_CTL_SCENE_H
#define SLUICE_TESTS_CTL_SCENE_H

#include <stdbool.h>
#include <stdio.h>

#include "sluice/ctl.h"

enum { MAX_TURNS = 4 };

/* Answers one connection after the other, in this order. */
struct daemon {
	char folder[64], socket[80];
	int fd;
	const char *answer[MAX_TURNS]; /* the bytes; NULL: the end */
	char request[MAX_TURNS][2048];
	bool started;
};

extern struct daemon d;

#define OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define CONFLICT "HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n"
#define ONE OK "{\"migrations\":[{\"name\":\"api\",\"generation\":5}]}"
#define TWO OK "{\"migrations\":[{\"name\":\"api\"},{\"name\":\"shop\"}]}"

/* Of a suite: the socket is there, and $SLUICE_SOCKET says where. */
void scene_open(void);
void scene_close(void);

void start(void); /* the daemon */
/* Up to eleven words behind the program's name, as "weight|api|10". */
enum ctl_exit run(const char *line);

char *all_of(FILE *f);
void assert_out_has(const char *what);
void assert_err_has(const char *what);

#endif
