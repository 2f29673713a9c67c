/*
 * A daemon's admin without the daemon: live objects made from a configuration, a
 * journal in a folder of its own, a loop on a thread, and a control that only notes
 * what it is told. Everything belongs to one test.
 */
#ifndef SLUICE_TEST_ADMIN_FIXTURE_H
#define SLUICE_TEST_ADMIN_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>

#include "sluice/admin.h"

enum { FIXTURE_FOLDER = 40, FIXTURE_PATH = 64 };

struct fixture_command { /* the last one that came, with texts of its own */
	atomic_uint n;
	enum shift_command command;
	char migration[CONFIG_NAME_SIZE]; /* "": all */
	uint32_t new_ppm;
	bool has_generation;
	uint64_t generation;
	char actor[64], reason[1024];
};

struct fixture {
	char folder[FIXTURE_FOLDER], socket[FIXTURE_PATH];
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
	struct fixture_command command;
	enum admin_outcome reply_outcome; /* what control answers */
	_Atomic bool ready, draining;
	_Atomic unsigned reloads; /* each one is another configuration */
	struct decision last;
};

/* migrations m0, m1, ..., each between pools of its own. */
struct fixture *fixture_open(unsigned migrations);
void fixture_close(struct fixture *s);

/* Only before fixture_start. */
struct config_admin *fixture_config(struct fixture *s);
/* A port of 127.0.0.1 that is free, for admin.listen. */
uint16_t fixture_listen(struct fixture *s);
void fixture_start(struct fixture *s);

void fixture_fill_ops(struct fixture *s, struct admin_ops *ops);

/* --- the client: one blocking connection ------------------------------------- */

struct got {
	unsigned status;
	char *head, *body;
	size_t body_n;
};

int client_open(const struct fixture *s);
int client_open_port(uint16_t port);
void client_send(int fd, const char *bytes, size_t n);
/* Exactly one answer. Fails the test after ten seconds. */
struct got client_receive(int fd, bool head_only);
/* True when the peer closes without another byte. */
bool client_sees_end(int fd);

/* One request on a connection of its own; body NULL: none. */
struct got client_ask(const struct fixture *s, const char *method, const char *target,
	const char *body);
void got_fini(struct got *a);

#endif
