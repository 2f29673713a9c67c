/*
 * Step head: the client's bytes become a checked request head, by its side's codec;
 * what both have in common is here.
 *
 * What is refused here is refused before any server hears of it, and the connection
 * of HTTP/1 closes: after bytes that do not parse nobody knows where the next request
 * begins.
 */
#include <stdio.h>
#include <string.h>

#include "exchange/exchange_priv.h"

enum { ID_HEX = 32 };

void head_count_bad(struct thread *t, enum http_bad why)
{
	thread_count(t, STAT_BAD_REQUESTS, 1);
	if (why == HTTP_TARGET_TOO_LONG)
		thread_count(t, STAT_LIMIT_URI, 1);
	else if (why == HTTP_HEAD_TOO_LARGE)
		thread_count(t, STAT_LIMIT_HEADER_BYTES, 1);
	else if (why == HTTP_TOO_MANY_FIELDS)
		thread_count(t, STAT_LIMIT_HEADER_COUNT, 1);
}

/* Eight nibbles at a time: spread to bytes, then to digits. */
static uint64_t hex_of(uint32_t v)
{
	uint64_t x = __builtin_bswap32(v);

	x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
	x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
	/* In each 16 bits the high nibble comes first. */
	x = ((x >> 4) | (x << 8)) & UINT64_C(0x0f0f0f0f0f0f0f0f);

	uint64_t letters = ((x + UINT64_C(0x0606060606060606)) >> 4) &
			   UINT64_C(0x0101010101010101);

	return x + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
}

static void write_hex(char *out, uint64_t v)
{
	uint64_t high = hex_of((uint32_t)(v >> 32)), low = hex_of((uint32_t)v);

	memcpy(out, &high, sizeof(high));
	memcpy(out + sizeof(high), &low, sizeof(low));
}

/* A word that means nothing to a log, a header or a text it may stand in. */
static bool is_clean(struct span word)
{
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] <= ' ' || word.p[i] > '~' || word.p[i] == '"')
			return false;
	}
	return word.n > 0;
}

/* A trusted peer's id goes on if it is one clean word; else a new one: random for this
 * thread, then counted. */
static void set_id(struct exchange *r, bool trusted)
{
	struct thread *t = r->thread;
	const struct http_field *f = trusted && r->head.base != NULL
					     ? http_find(&r->head, HTTP_N_X_REQUEST_ID)
					     : NULL;
	struct span theirs =
		f != NULL ? http_field_value(&r->head, f) : (struct span){ .n = 0 };

	if (f != NULL && theirs.n < sizeof(r->record.id) && is_clean(theirs)) {
		memcpy(r->record.id, theirs.p, theirs.n);
		r->record.id_n = (uint8_t)theirs.n;
		return;
	}
	t->id_count++;
	write_hex(r->record.id,
		t->id_seed[0] ^ (t->id_count * UINT64_C(0x9e3779b97f4a7c15)));
	write_hex(r->record.id + ID_HEX / 2, t->id_seed[1] + t->id_count);
	r->record.id_n = ID_HEX;
}

enum verdict head_is_refused(struct exchange *r, unsigned status, const char *text)
{
	r->to_upstream =
		HALF_BODY; /* what follows is not read: the connection closes */
	set_id(r, false);
	return answer(r, status, text);
}

enum verdict head_is_bad(struct exchange *r, enum http_bad why)
{
	head_count_bad(r->thread, why);
	return head_is_refused(r, http_bad_status(why), http_bad_text(why));
}

static bool repeatable(const struct http_head *h)
{
	return http_is_safe(h->method) || http_find(h, HTTP_N_IDEMPOTENCY_KEY) != NULL;
}

/* OPTIONS that has no hop left is answered here (RFC 9110, 7.6.2). */
static bool is_for_us(const struct http_head *h)
{
	const struct http_field *f =
		h->method == HTTP_OPTIONS ? http_find(h, HTTP_N_MAX_FORWARDS) : NULL;

	return f != NULL && span_eq(http_field_value(h, f), SPAN("0"));
}

static enum http_framing body_framing(const struct exchange *r)
{
	if (r->from->raw && r->head.framing != HTTP_NO_BODY)
		return HTTP_UNTIL_CLOSE;
	return r->head.framing;
}

/* What a peer that nobody trusts says of itself. */
static void strip(struct http_head *h, const struct http_name_set *names)
{
	for (struct http_field *f = h->fields; f < h->fields + h->n_fields; f++) {
		if (http_name_set_has(names, http_field_name(h, f)))
			f->dropped = true;
	}
}

enum verdict head_is_whole(struct exchange *r)
{
	const struct config *config = r->use->snapshot->config;
	struct client *c = r->client;
	uint64_t max = config->limits.body_bytes;

	thread_count(r->thread, STAT_REQUESTS, 1);
	r->trusted = config_trusts(config, net_conn_peer(c->conn));
	if (!r->trusted)
		strip(&r->head, r->use->snapshot->strip);
	set_id(r, r->trusted);
	h1_body_start(&r->request_body, body_framing(r), r->head.length);
	r->keep_alive = r->head.keep_alive && !c->leaving;
	r->repeatable = repeatable(&r->head);
	r->to_upstream = h1_body_is_done(&r->request_body) ? HALF_DONE : HALF_HEAD;
	if (max > 0 && r->head.framing == HTTP_LENGTH && r->head.length > max) {
		thread_count(r->thread, STAT_LIMIT_BODY, 1);
		return answer(r, 413, "the request body is larger than allowed");
	}
	grpc_begin(r);
	if (is_for_us(&r->head))
		return answer(r, 200, "this request was not to go any further");
	if (c->redirect)
		return answer_redirect(r);
	return exchange_go(r, EX_ROUTE);
}

enum verdict exchange_step_head(struct exchange *r)
{
	return r->from->read_head(r);
}
