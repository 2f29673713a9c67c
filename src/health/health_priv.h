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
#include "sluice/http/h2.h"
#include "sluice/net/conn.h"
#include "sluice/net/loop.h"

struct health;
struct pool;
struct server;

enum probe_step {
	PROBE_REST,
	PROBE_RESOLVE,
	PROBE_CONNECT,
	PROBE_ASK,
	PROBE_ANSWER,
	PROBE_TALK
};
enum probe_name { NAME_ASKED, NAME_FOUND, NAME_UNKNOWN };

/* Of a name's addresses so many are tried. */
enum { PROBE_ADDRESSES = 4 };

struct probe_address {
	union net_address sa;
	socklen_t len;
};

/* The largest head that limits.header_bytes can allow: what requests get through is no
 * failed check. */
enum { PROBE_HEAD_MAX = 64 * 1024 };

/* The bytes of one HTTP check; there only while one is under way. */
struct probe_http {
	size_t request_n, sent, got;
	char *request;
	struct h1_parser parser;
	struct http_head head;
	struct http_field fields[HTTP_MAX_FIELDS];
	char bytes[PROBE_HEAD_MAX];
};

/* Bytes of a service's name; and of the message that asks for it. */
enum { PROBE_GRPC_SERVICE_MAX = 255, PROBE_GRPC_ASK_MAX = 264 };

/* One check in HTTP/2; there only while it is under way. */
struct probe_h2 {
	struct h2 *session;
	struct buf out;
	bool is_call; /* of gRPC */
	size_t ask_n, asked;
	char ask[PROBE_GRPC_ASK_MAX];
	/* what came */
	bool ended, reset, has_code, too_long;
	unsigned status;
	uint32_t reset_code;
	uint64_t code; /* grpc-status */
	size_t message_n;
	char message[256];
	char why[64];
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
	struct probe_address found[PROBE_ADDRESSES]; /* of a name, else none */
	unsigned n_found, n_left, aimed; /* left: to be tried, with the one aimed at */
	struct probe_http *http;
	struct probe_h2 *h2;
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

/* --- probe_name.c -------------------------------------------------------- */

void probe_name_add(struct probe *p, const struct sockaddr *sa, socklen_t len);
/* p->sa becomes where requests go, or the first one. */
void probe_name_begin(struct probe *p);
/* p->sa becomes the next one; false: all were tried. */
bool probe_name_next(struct probe *p);

/* --- probe_http.c -------------------------------------------------------- */

enum probe_answer { ANSWER_MORE, ANSWER_EXPECTED, ANSWER_OTHER_STATUS, ANSWER_BAD };

struct probe_http *probe_http_new(
	const struct config_health *c, const struct config_address *a);
void probe_http_free(struct probe_http *h);
/* Takes what has arrived since; head->status is valid for the two in the middle. */
enum probe_answer probe_http_take(
	struct probe_http *h, const struct config_health *c, size_t n);

const char *probe_host(const struct config_health *c, const struct config_address *a);
bool probe_is_expected(const struct config_health *c, unsigned status);

/* --- probe_h2.c ---------------------------------------------------------- */

/* NULL: no memory. */
struct probe_h2 *probe_h2_new(struct h2_shared *shared, const struct config_health *c,
	const struct config_address *a, bool https);
void probe_h2_free(struct probe_h2 *h, struct buf_pool *bufs);
/* What is to be sent is in out; false: no memory. */
bool probe_h2_write(struct probe_h2 *h);
bool probe_h2_take(struct probe_h2 *h, struct span in); /* false: not HTTP/2 */
/* With why, unless there is more to come. */
enum probe_answer probe_h2_judge(struct probe_h2 *h, const struct config_health *c);

/* --- probe_grpc.c -------------------------------------------------------- */

enum { GRPC_UNKNOWN, GRPC_SERVING, GRPC_NOT_SERVING, GRPC_SERVICE_UNKNOWN };

size_t probe_grpc_ask(char out[static PROBE_GRPC_ASK_MAX], const char *service);
/* A whole message, with the five bytes before it; false: it is none. */
bool probe_grpc_read(struct span in, uint64_t *status);
const char *probe_grpc_serving(uint64_t status);
const char *probe_grpc_code(uint64_t code);

/* --- health.c ------------------------------------------------------------ */

struct net_loop *health_loop(struct health *h);
struct h2_shared *health_h2(struct health *h);
/* p wants to be checked: at once, or when others have ended. */
void health_queue(struct health *h, struct probe *p);
/* A check is over, or its probe goes. */
void health_over(struct health *h, struct probe *p);
void health_changed(struct health *h, struct probe *p, bool up, const char *why);

#endif
