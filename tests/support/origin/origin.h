/*
 * origin - an HTTP/1.1 server that does what a test tells it to.
 *
 * One thread, one libev loop, any number of listening ports. Each port is one
 * server of a pool: it has a name, settings (how slow, how broken) and counts of
 * its own. Settings come from the control port (control.c), or for one request
 * from its query: GET /bytes/1000?delay_ms=50&truncate=close.
 *
 * It is lenient where sluice is strict, so that a test sees what sluice really
 * sent: /headers answers with the raw head.
 */
#ifndef SLUICE_TESTS_ORIGIN_H
#define SLUICE_TESTS_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ev.h>
#include <openssl/evp.h>

enum { IN_BYTES = 64 * 1024, OUT_BYTES = 64 * 1024, PATTERN_PERIOD = 65521 };

enum stall { STALL_NO, STALL_HEAD, STALL_BODY };
enum truncate { TRUNCATE_NO, TRUNCATE_CLOSE, TRUNCATE_RESET };
enum health { HEALTH_UP, HEALTH_DOWN, HEALTH_STALL };

/* What a port does to its requests. All zero: answer at once and well. */
struct settings {
	uint64_t delay_ms;
	uint64_t jitter_ms; /* evenly drawn, added to delay_ms */
	uint64_t fail_percent;
	uint64_t status; /* of a failure; 0 is 503 */
	uint64_t reset_percent;
	uint64_t garbage_percent; /* a status line that is none */
	uint64_t stall_percent;
	uint64_t stall;    /* enum stall; without stall_percent every request */
	uint64_t truncate; /* enum truncate */
	uint64_t health;   /* enum health */
	uint64_t health_delay_ms;
	uint64_t close_idle_ms; /* 0: never */
	uint64_t close;         /* announce Connection: close and do it */
	uint64_t body_bytes;    /* of the default answer; 0: a short text */
	uint64_t chunked;
	uint64_t chunk_bytes; /* 0: 8192 */
	uint64_t trickle_ms;  /* pause between pieces of the answer's body */
	uint64_t trickle_bytes;
	uint64_t hints;         /* 103 Early Hints ahead of the answer */
	uint64_t no_continue;   /* keep silent about Expect: 100-continue */
	uint64_t read_delay_ms; /* wait this long before reading the request body */
};

struct counts {
	uint64_t connections;
	uint64_t requests;
	uint64_t health_checks;
	uint64_t failed; /* answered with a failure, garbage, reset, stall, truncated */
	uint64_t gone;   /* the client closed before its answer was complete */
	uint64_t body_bytes;
	uint64_t in_flight;
	uint64_t max_in_flight;
	double first_failed; /* wall clock, seconds; 0: none yet */
};

struct port {
	struct port *next;
	const char *name;
	const char *host;
	unsigned number;
	int fd; /* -1 while it refuses */
	bool is_control;
	struct ev_io accepting;
	struct settings set;
	struct counts count;
	struct conn *conns;
	size_t open;
	char *canned; /* the default answer, ready to send; NULL: build it */
	size_t canned_n;
};

/* Text inside a connection's input; gone once the head is dealt with. */
struct text {
	const char *p;
	size_t n;
};

struct request {
	struct text head, method, path, query;
	uint64_t length; /* of a Content-Length body still to come */
	bool chunked, close, expect, is_head;
};

enum body { BODY_NONE, BODY_CANNED, BODY_TEXT, BODY_PATTERN, BODY_ECHO, BODY_EVENTS };

struct reply {
	unsigned status;
	const char *type;
	const char *extra; /* header lines, each with its CRLF; may be NULL */
	enum body body;
	char *text; /* BODY_TEXT: owned by the connection */
	uint64_t length, sent;
	uint64_t stop_at; /* where stall or truncate ends it; UINT64_MAX: nowhere */
	bool chunked, trailers, early;
};

/* Where the chunked decoder stands in a request body. */
enum chunk { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

enum state {
	READ_HEAD,
	READ_BODY,
	WAIT, /* for the delay */
	SEND,
	PAUSE, /* between two pieces of a trickled body */
	STALLED,
};

struct conn {
	struct conn *prev, *next;
	struct port *port;
	int fd;
	struct ev_io io;
	struct ev_timer timer;
	enum state state;
	bool eof, is_health;
	bool counted;  /* in the port's requests in flight */
	bool answered; /* before the request's body was read */
	bool plain;    /* gets the answer that everybody gets */
	bool is_full;  /* the socket takes no more for now */
	bool garbage, paused, broken;

	struct settings set; /* the port's, with the request's query over it */
	struct request req;
	bool body_done;
	enum chunk chunk;
	uint64_t body_bytes;
	EVP_MD_CTX *sha; /* only while a body is summed */
	char *kept;      /* a copy of the body, for /echo */
	size_t kept_n, kept_cap;
	char trailers[512], extra[1024];

	struct reply reply;
	char *out;
	size_t out_n, out_sent, out_cap;

	size_t in_n, in_used;
	char in[IN_BYTES];
};

extern struct ev_loop *loop;
extern struct port *ports;

/* port.c */
struct port *port_new(const char *name, const char *address, bool is_control);
int port_open(struct port *p);
void port_refuse(struct port *p);

/* conn.c */
void conn_open(struct port *p, int fd);
void conn_close(struct conn *c);
void conn_reset(struct conn *c);
void conn_advance(struct conn *c);
void conn_sleep(struct conn *c, uint64_t ms);

/* request.c */
bool request_parse(struct request *r, const char *p, size_t n);
bool request_expects_body(const struct request *r);
/* Eats what has come of the body; false: what came is no chunked body. */
bool request_eat_body(struct conn *c);
bool text_is(struct text t, const char *s);
bool text_starts(struct text t, const char *s);

/* reply.c: choose at the head, complete when the body has come (or early). */
void reply_choose(struct conn *c);
void reply_complete(struct conn *c);
void reply_text(struct conn *c, unsigned status, const char *type, char *text);

/* send.c */
enum sent {
	SENT_ALL,
	SENT_SOME,    /* the socket is full */
	SENT_WAITING, /* an echo waits for more of the request's body */
	SENT_PAUSE,
	SENT_STALL,
	SENT_TRUNCATED,
	SENT_FAILED,
};

void send_begin(struct conn *c);
enum sent send_more(struct conn *c);
bool send_flush(struct conn *c);
void send_append(struct conn *c, const void *p, size_t n);
void send_text(struct conn *c, const char *s);
void send_echo(struct conn *c, const char *p, size_t n);
void send_pattern_init(void);

/* settings.c */
bool settings_apply(struct settings *s, struct text query, struct text *unknown);
bool settings_next(struct text *query, struct text *key, struct text *value);
bool settings_are_calm(const struct settings *s);
uint64_t text_number(struct text t);
bool chance(uint64_t percent);
uint64_t draw(uint64_t below);

/* control.c */
void control_answer(struct conn *c);

#endif
