/* Frames that are written by hand, as no good peer would, and what they are answered. */
#ifndef SLUICE_TESTS_HTTP_H2_SCRIPT_H
#define SLUICE_TESTS_HTTP_H2_SCRIPT_H

#include "h2_side.h"

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8, WITH_PRIORITY = 32 };

struct script {
	size_t n;
	char bytes[1 << 18];
};

static inline void put_bytes(struct script *s, const void *p, size_t n)
{
	cr_assert_leq(s->n + n, sizeof s->bytes);
	memcpy(s->bytes + s->n, p, n);
	s->n += n;
}

static inline void put_number(struct script *s, uint32_t value, int bytes)
{
	while (bytes-- > 0)
		s->bytes[s->n++] = (char)(value >> 8 * bytes);
}

static inline void put_frame_head(
	struct script *s, size_t n, int type, int flags, uint32_t stream)
{
	put_number(s, (uint32_t)n, 3);
	put_number(s, (uint32_t)type, 1);
	put_number(s, (uint32_t)flags, 1);
	put_number(s, stream, 4);
}

static inline void put_frame(
	struct script *s, int type, int flags, uint32_t stream, struct span payload)
{
	put_frame_head(s, payload.n, type, flags, stream);
	put_bytes(s, payload.p, payload.n);
}

static inline void put_number_frame(
	struct script *s, int type, uint32_t stream, uint32_t value)
{
	put_frame_head(s, 4, type, 0, stream);
	put_number(s, value, 4);
}

static inline void put_setting(struct script *s, unsigned id, uint32_t value)
{
	put_frame_head(s, 6, SETTINGS, 0, 0);
	put_number(s, id, 2);
	put_number(s, value, 4);
}

static inline void put_preface(struct script *s)
{
	put_bytes(s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	put_frame(s, SETTINGS, 0, 0, SPAN(""));
}

/* HPACK: a literal that is not indexed, without Huffman's code. */
static inline void put_length(struct script *s, size_t n)
{
	put_number(s, n < 127 ? (uint32_t)n : 127, 1);
	if (n < 127)
		return;
	for (n -= 127; n >= 128; n /= 128)
		put_number(s, (uint32_t)(n % 128 + 128), 1);
	put_number(s, (uint32_t)n, 1);
}

static inline void put_field(struct script *s, struct span name, struct span value)
{
	put_number(s, 0, 1);
	put_length(s, name.n);
	put_bytes(s, name.p, name.n);
	put_length(s, value.n);
	put_bytes(s, value.p, value.n);
}

/* Lines "name: value" divided by newlines; a name ends at ": ". */
static inline void put_fields(struct script *s, struct span lines)
{
	while (lines.p != NULL && lines.n > 0) {
		struct span line = span_cut(&lines, '\n');
		size_t i = 1;

		while (i + 1 < line.n && !(line.p[i] == ':' && line.p[i + 1] == ' '))
			i++;
		put_field(s, (struct span){ .p = line.p, .n = i },
			(struct span){ .p = line.p + i + 2, .n = line.n - i - 2 });
	}
}

static inline void put_headers(
	struct script *s, uint32_t stream, int flags, struct span lines)
{
	static struct script block;

	block.n = 0;
	put_fields(&block, lines);
	put_frame(s, HEADERS, flags | END_HEADERS, stream,
		(struct span){ .p = block.bytes, .n = block.n });
}

#define GET_LINES ":method: GET\n:scheme: https\n:path: /\n:authority: a"
#define POST_LINES ":method: POST\n:scheme: https\n:path: /\n:authority: a"

static inline void put_get(struct script *s, uint32_t stream)
{
	put_headers(s, stream, END_STREAM, SPAN(GET_LINES));
}

static inline int tell(struct side *side, struct script *s)
{
	int rv = h2_receive(side->h2, (struct span){ .p = s->bytes, .n = s->n });

	s->n = 0;
	return rv;
}

static inline uint32_t number_at(const char *p, int bytes)
{
	uint32_t value = 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | (unsigned char)p[i];
	return value;
}

/* The last PING that errors_of saw. */
static char pinged[8];

/* What side has written that is an error: "rst 1 8 goaway 1"; and its PINGs. */
static inline const char *errors_of(struct side *side)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	cr_assert(h2_write(side->h2, &side->out, BUF_LARGE / 2));
	const char *at = buf_head(&side->out), *end = at + buf_len(&side->out);
	if (end > at && *at == 'P')
		at += 24;
	for (; at < end; at += 9 + number_at(at, 3)) {
		if (at[3] == RST_STREAM)
			n += (size_t)snprintf(text + n, sizeof text - n, "rst %u %u ",
				number_at(at + 5, 4), number_at(at + 9, 4));
		if (at[3] == PING && at[4] != ACK) {
			memcpy(pinged, at + 9, sizeof pinged);
			n += (size_t)snprintf(text + n, sizeof text - n, "ping ");
		}
		if (at[3] == GOAWAY)
			n += (size_t)snprintf(text + n, sizeof text - n, "goaway %u ",
				number_at(at + 13, 4));
		cr_assert_lt(n, sizeof text);
	}
	buf_drop(&side->out, buf_len(&side->out));
	if (n > 0)
		text[n - 1] = '\0';
	return text;
}

#endif
