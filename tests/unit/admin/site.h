/*
 * A daemon's admin without the daemon: live objects made from a configuration, a
 * journal in a folder of its own, a loop on a thread, and a control that only notes
 * what it is told. Everything belongs to one test.
 */
#ifndef SLUICE_TEST_ADMIN_SITE_H
#define SLUICE_TEST_ADMIN_SITE_H

#include <pthread.h>
#include <stdatomic.h>

#include "sluice/admin.h"

enum { SITE_FOLDER = 40, SITE_PATH = 64 };

struct site_command { /* the last one that came, with texts of its own */
	atomic_uint n;
	enum shift_command command;
	char migration[CONFIG_NAME_SIZE]; /* "": all */
	uint32_t new_ppm;
	bool has_generation;
	uint64_t generation;
	char actor[64], reason[1024];
};

struct site {
	char folder[SITE_FOLDER], socket[SITE_PATH];
	struct config *config;
	struct live *live;
	struct registry *registry;
	struct pool **pools;
	struct migration **migrations;
	struct shift_state state;
	struct shift_plan plan;
	struct engine engine;
	struct stats *stats;
	struct journal *journal;
	struct net_loop *loop;
	struct net_waker *stopper;
	pthread_t thread;
	struct admin *admin;
	struct site_command command;
	unsigned reply_status; /* what control answers */
	_Atomic bool ready, draining;
	_Atomic unsigned reloads; /* each one is another configuration */
	struct decision last;
};

/* migrations m0, m1, ..., each between pools of its own. */
struct site *site_open(unsigned migrations);
void site_close(struct site *s);

/* Only before site_start. */
struct config_admin *site_config(struct site *s);
/* A port of 127.0.0.1 that is free, for admin.listen. */
uint16_t site_listen(struct site *s);
void site_start(struct site *s);

void site_fill_ops(struct site *s, struct admin_ops *ops);

/* --- the client: one blocking connection ------------------------------------- */

struct got {
	unsigned status;
	char *head, *body;
	size_t body_n;
};

int client_open(const struct site *s);
int client_open_port(uint16_t port);
void client_send(int fd, const char *bytes, size_t n);
/* Exactly one answer. Fails the test after ten seconds. */
struct got client_receive(int fd, bool head_only);
/* True when the peer closes without another byte. */
bool client_sees_end(int fd);

/* One request on a connection of its own; body NULL: none. */
struct got client_ask(
	const struct site *s, const char *method, const char *target, const char *body);
void got_fini(struct got *a);

#endif
