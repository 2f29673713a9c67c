/*
 * health_priv - what the list of probes and one probe know of each other.
 */
#ifndef SLUICE_HEALTH_PRIV_H
#define SLUICE_HEALTH_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sluice/base/list.h"
#include "sluice/config.h"
#include "sluice/http/h1.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"

struct health;
struct pool;
struct server;

enum probe_step { PROBE_REST, PROBE_RESOLVE, PROBE_CONNECT, PROBE_ASK, PROBE_ANSWER };
enum probe_name { NAME_ASKED, NAME_FOUND, NAME_UNKNOWN };

/* The bytes of one HTTP check; there only while one is under way. */
struct probe_http {
	size_t request_n, sent, got;
	char *request;
	struct h1_parser parser;
	struct http_head head;
	struct http_field fields[HTTP_MAX_FIELDS];
	char bytes[16 * 1024];
};

struct probe {
	struct link link;    /* among all probes */
	struct link waiting; /* in the queue of those that are due */
	struct health *health;
	const struct pool *pool; /* of the snapshot in force */
	const struct config_server *config;
	struct server *server;
	unsigned epoch; /* of the update that saw it last */

	enum probe_step step;
	bool running; /* a step never re-enters its own probe */
	struct net_timer timer;
	bool expired;
	unsigned events;
	enum probe_name name;
	struct net_lookup *lookup;
	struct net_conn *conn;
	struct sockaddr_storage sa;
	socklen_t sa_len;
	struct probe_http *http;
	enum config_health_type type; /* of the check under way */

	bool checked;     /* the first check is over */
	bool initial;     /* counted by on_settled, and not checked yet */
	bool was_ejected; /* when this check began */
	bool passing;     /* the last verdict, and how often in a row */
	uint32_t streak;
	uint64_t dice;
};

/* --- probe.c ------------------------------------------------------------- */

struct probe *probe_new(struct health *h, const struct pool *pool, size_t i);
void probe_free(struct probe *p);
/* The same server as the pools of another snapshot see it. */
void probe_move(struct probe *p, const struct pool *pool, size_t i);
void probe_begin(struct probe *p);

/* --- probe_http.c -------------------------------------------------------- */

enum probe_answer { ANSWER_MORE, ANSWER_EXPECTED, ANSWER_OTHER_STATUS, ANSWER_BAD };

struct probe_http *probe_http_new(
	const struct config_health *c, const struct config_address *a);
void probe_http_free(struct probe_http *h);
/* Takes what has arrived since; head->status is valid for the two in the middle. */
enum probe_answer probe_http_take(
	struct probe_http *h, const struct config_health *c, size_t n);

/* --- health.c ------------------------------------------------------------ */

struct net_loop *health_loop(struct health *h);
/* p wants to be checked: at once, or when others have ended. */
void health_queue(struct health *h, struct probe *p);
/* A check is over, or its probe goes. */
void health_over(struct health *h, struct probe *p);
void health_changed(struct health *h, struct probe *p, bool up, const char *why);

#endif
