/*
 * The WebSocket message that every client sends (RFC 6455, 5.2): one binary frame,
 * masked as clients must. The echo is the same frame without the mask.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

enum { FIN_BINARY = 0x82, MASKED = 0x80, LENGTH_16 = 126, LENGTH_64 = 127, MASK = 4 };

/* The length, as the second byte and what follows it. */
static size_t put_length(unsigned char *to, size_t n)
{
	size_t bytes = n < LENGTH_16 ? 0 : n <= UINT16_MAX ? 2 : 8;

	to[0] = (unsigned char)(bytes == 0 ? n : bytes == 2 ? LENGTH_16 : LENGTH_64);
	for (size_t i = 0; i < bytes; i++)
		to[1 + i] = (unsigned char)(n >> (8 * (bytes - 1 - i)));
	return 1 + bytes;
}

void message_make(void)
{
	static const unsigned char mask[MASK] = { 0x9a, 0x3c, 0x51, 0xe7 };
	unsigned char *frame = calloc(1, plan.message_bytes + 10 + MASK);

	if (frame == NULL)
		abort();
	frame[0] = FIN_BINARY;
	size_t head = 1 + put_length(frame + 1, plan.message_bytes);
	frame[1] |= MASKED;
	memcpy(frame + head, mask, MASK);
	for (size_t i = 0; i < plan.message_bytes; i++)
		frame[head + MASK + i] = (unsigned char)('a' + i % 26) ^ mask[i % MASK];
	plan.message = (struct text){
		.p = (char *)frame,
		.n = head + MASK + plan.message_bytes,
	};
	plan.echo_n = head + plan.message_bytes;
}

bool message_is_echo(const char *p, size_t n)
{
	unsigned char length = (unsigned char)plan.message.p[1] & (MASKED - 1);

	return (unsigned char)p[0] == FIN_BINARY &&
	       (n < 2 || (unsigned char)p[1] == length);
}
