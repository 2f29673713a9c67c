/* WebSocket frames counted in passing, and the handshake's keys. */
#include "sluice/http/ws.h"

#include <assert.h>
#include <string.h>

#include "sluice/base/digest.h"

enum { BETWEEN, SECOND, LENGTH, MASK, PAYLOAD };
enum { FIN = 0x80, OPCODE = 0x0f, CONTROL = 0x08, CLOSE = 0x08 };
enum { MASKED = 0x80, LENGTH_7 = 0x7f, LENGTH_16 = 126, LENGTH_64 = 127 };
enum { MASK_BYTES = 4, KEY_BYTES = 16 };

static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static void begin_mask(struct ws_scan *s)
{
	s->state = s->masked ? MASK : PAYLOAD;
	s->more = MASK_BYTES;
}

static void take_second(struct ws_scan *s, uint8_t byte)
{
	uint8_t n = byte & LENGTH_7;

	s->masked = (byte & MASKED) != 0;
	s->left = n < LENGTH_16 ? n : 0;
	if (n < LENGTH_16) {
		begin_mask(s);
		return;
	}
	s->state = LENGTH;
	s->more = n == LENGTH_64 ? sizeof(uint64_t) : sizeof(uint16_t);
}

static void take_head(struct ws_scan *s, uint8_t byte)
{
	switch (s->state) {
	case BETWEEN:
		s->first = byte;
		s->state = SECOND;
		break;
	case SECOND:
		take_second(s, byte);
		break;
	case LENGTH:
		s->left = s->left << 8 | byte;
		if (--s->more == 0)
			begin_mask(s);
		break;
	case MASK:
		if (--s->more == 0)
			s->state = PAYLOAD;
		break;
	}
}

/* A message ends with the last of its data frames. */
static unsigned end_frame(struct ws_scan *s)
{
	uint8_t opcode = s->first & OPCODE;

	s->state = BETWEEN;
	if (opcode == CLOSE)
		s->closed = true;
	return (s->first & FIN) != 0 && (opcode & CONTROL) == 0;
}

size_t ws_scan_frame(struct ws_scan *s, struct span bytes, unsigned *messages)
{
	size_t at = 0;

	while (at < bytes.n) {
		if (s->state == PAYLOAD) {
			size_t n = bytes.n - at;

			n = s->left < n ? (size_t)s->left : n;
			s->left -= n;
			at += n;
		} else {
			take_head(s, (uint8_t)bytes.p[at++]);
		}
		if (s->state == PAYLOAD && s->left == 0) {
			*messages += end_frame(s);
			break;
		}
	}
	return at;
}

unsigned ws_scan(struct ws_scan *s, struct span bytes)
{
	unsigned messages = 0;

	while (bytes.n > 0) {
		size_t used = ws_scan_frame(s, bytes, &messages);

		bytes.p += used;
		bytes.n -= used;
	}
	return messages;
}

bool ws_is_between(const struct ws_scan *s)
{
	return s->state == BETWEEN;
}

size_t ws_close(char out[static WS_CLOSE_MAX], enum ws_code code, const uint8_t *mask)
{
	uint8_t payload[] = { (uint8_t)(code >> 8), (uint8_t)code };
	size_t n = 0;

	out[n++] = (char)(FIN | CLOSE);
	out[n++] = (char)(sizeof(payload) | (mask != NULL ? MASKED : 0));
	for (size_t i = 0; mask != NULL && i < MASK_BYTES; i++)
		out[n++] = (char)mask[i];
	for (size_t i = 0; i < sizeof(payload); i++)
		out[n++] = (char)(mask != NULL ? payload[i] ^ mask[i] : payload[i]);
	return n;
}

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool ws_is_key(struct span key)
{
	if (key.n != WS_KEY_SIZE || memcmp(key.p + WS_KEY_SIZE - 2, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < WS_KEY_SIZE - 2; i++) {
		if (!is_base64(key.p[i]))
			return false;
	}
	return true;
}

void ws_make_key(char out[static WS_KEY_SIZE])
{
	uint8_t bytes[KEY_BYTES];
	char text[DIGEST_BASE64_SIZE(KEY_BYTES)];

	digest_random(bytes, sizeof(bytes));
	digest_base64(bytes, sizeof(bytes), text);
	memcpy(out, text, WS_KEY_SIZE);
}

void ws_accept(struct span key, char out[static WS_ACCEPT_SIZE])
{
	char joined[WS_KEY_SIZE + sizeof(magic)], text[DIGEST_BASE64_SIZE(DIGEST_SHA1)];
	uint8_t sum[DIGEST_SHA1];

	assert(key.n == WS_KEY_SIZE);
	memcpy(joined, key.p, WS_KEY_SIZE);
	memcpy(joined + WS_KEY_SIZE, magic, sizeof(magic));
	digest_sha1(joined, sizeof(joined) - 1, sum);
	digest_base64(sum, sizeof(sum), text);
	memcpy(out, text, WS_ACCEPT_SIZE);
}
