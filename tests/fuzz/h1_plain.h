/*
 * A second HTTP/1.1 parser, slow and simple: the ABNF of RFC 9112 and the table of
 * docs/http.md, rule by rule, over a text that is there as a whole. It shares nothing
 * with the real one but the names of things.
 */
#ifndef SLUICE_TESTS_FUZZ_H1_PLAIN_H
#define SLUICE_TESTS_FUZZ_H1_PLAIN_H

#include "sluice/http/message.h"

enum { PLAIN_MAX_FIELDS = 64, PLAIN_MAX_TARGET = 1024 };

enum plain_verdict {
	PLAIN_CUT_OFF, /* it may still become anything */
	PLAIN_GOOD,
	PLAIN_BAD,
};

struct plain_field {
	struct span name, value;
};

struct plain_head {
	struct span method, target, host;
	unsigned minor, status;
	struct plain_field fields[PLAIN_MAX_FIELDS];
	size_t n_fields, bytes;
	enum http_framing framing;
	uint64_t length;
	bool keep_alive;
};

enum plain_verdict plain_request(struct span text, struct plain_head *head);
/* is_head: it answers a HEAD. */
enum plain_verdict plain_response(
	struct span text, bool is_head, struct plain_head *head);

/* Data is put together in out, which is as large as text. */
enum plain_verdict plain_chunked(
	struct span text, char *out, size_t *out_n, size_t *bytes);

/* --- what the two files of it share ---------------------------------------- */

bool plain_is_token(struct span s);
bool plain_is_value(struct span s);
/* Cuts a line off *rest, without its CRLF; false when there is none. */
bool plain_line(struct span *rest, struct span *line);
bool plain_field_line(struct span line, bool response, struct plain_field *f);

#endif
