/*
 * Settings by name, from the control port or from one request's query, and the
 * dice that rates are thrown with.
 */
#include "origin.h"

#include <string.h>

static const struct {
	const char *name;
	size_t offset;
} keys[] = {
	{ "delay_ms", offsetof(struct settings, delay_ms) },
	{ "jitter_ms", offsetof(struct settings, jitter_ms) },
	{ "fail_percent", offsetof(struct settings, fail_percent) },
	{ "status", offsetof(struct settings, status) },
	{ "reset_percent", offsetof(struct settings, reset_percent) },
	{ "garbage_percent", offsetof(struct settings, garbage_percent) },
	{ "stall_percent", offsetof(struct settings, stall_percent) },
	{ "stall", offsetof(struct settings, stall) },
	{ "truncate", offsetof(struct settings, truncate) },
	{ "health", offsetof(struct settings, health) },
	{ "health_delay_ms", offsetof(struct settings, health_delay_ms) },
	{ "close_idle_ms", offsetof(struct settings, close_idle_ms) },
	{ "close", offsetof(struct settings, close) },
	{ "body_bytes", offsetof(struct settings, body_bytes) },
	{ "chunked", offsetof(struct settings, chunked) },
	{ "chunk_bytes", offsetof(struct settings, chunk_bytes) },
	{ "trickle_ms", offsetof(struct settings, trickle_ms) },
	{ "trickle_bytes", offsetof(struct settings, trickle_bytes) },
	{ "hints", offsetof(struct settings, hints) },
	{ "no_continue", offsetof(struct settings, no_continue) },
	{ "read_delay_ms", offsetof(struct settings, read_delay_ms) },
};

static const struct {
	const char *word;
	uint64_t value;
} words[] = {
	{ "head", STALL_HEAD },
	{ "body", STALL_BODY },
	{ "close", TRUNCATE_CLOSE },
	{ "reset", TRUNCATE_RESET },
	{ "up", HEALTH_UP },
	{ "down", HEALTH_DOWN },
	{ "stall", HEALTH_STALL },
};

uint64_t text_number(struct text t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t.n && t.p[i] >= '0' && t.p[i] <= '9'; i++)
		sum = sum * 10 + (uint64_t)(t.p[i] - '0');
	return sum;
}

static uint64_t value_of(struct text t)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (text_is(t, words[i].word))
			return words[i].value;
	}
	return t.n == 0 ? 1 : text_number(t);
}

/* Splits off the first key=value of the query. False: nothing is left. */
bool settings_next(struct text *query, struct text *key, struct text *value)
{
	if (query->n == 0)
		return false;
	const char *amp = memchr(query->p, '&', query->n);
	size_t n = amp != NULL ? (size_t)(amp - query->p) : query->n;
	const char *equals = memchr(query->p, '=', n);
	size_t key_n = equals != NULL ? (size_t)(equals - query->p) : n;

	*key = (struct text){ .p = query->p, .n = key_n };
	*value = (struct text){ .n = 0 };
	if (equals != NULL)
		*value = (struct text){ .p = equals + 1, .n = n - key_n - 1 };
	size_t skip = amp != NULL ? n + 1 : n;
	query->p += skip;
	query->n -= skip;
	return true;
}

static uint64_t *field(struct settings *s, struct text key)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (text_is(key, keys[i].name))
			return (uint64_t *)(void *)((char *)s + keys[i].offset);
	}
	return NULL;
}

bool settings_apply(struct settings *s, struct text query, struct text *unknown)
{
	struct text key, value;

	while (settings_next(&query, &key, &value)) {
		uint64_t *at = field(s, key);

		if (at != NULL) {
			*at = value_of(value);
		} else if (unknown != NULL) {
			*unknown = key;
			return false;
		}
	}
	return true;
}

bool settings_are_calm(const struct settings *s)
{
	const struct settings calm = {
		.body_bytes = s->body_bytes,
		.health = s->health,
		.health_delay_ms = s->health_delay_ms,
		.close_idle_ms = s->close_idle_ms,
		.status = s->status,
		.chunked = s->chunked,
		.chunk_bytes = s->chunk_bytes,
	};

	return memcmp(s, &calm, sizeof(calm)) == 0;
}

/* Below `below`; 0 if that is 0. The same numbers at every start. */
uint64_t draw(uint64_t below)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	if (below == 0)
		return 0;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (x >> 11) % below;
}

bool chance(uint64_t percent)
{
	return percent != 0 && draw(100) < percent;
}
