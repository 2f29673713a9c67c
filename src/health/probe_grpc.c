/*
 * probe_grpc - the two messages of grpc.health.v1.Health/Check, and the words for what
 * comes back.
 *
 * HealthCheckRequest is { string service = 1; }, HealthCheckResponse
 * { ServingStatus status = 1; }; a message is preceded by a flag that says whether it
 * is compressed, and by its length in four bytes.
 */
#include "health_priv.h"

#include <assert.h>
#include <string.h>

enum {
	FRAME_HEAD = 5,
	FIELD_SERVICE = 1 << 3 | 2, /* number and wire type: length-delimited */
	FIELD_STATUS = 1 << 3 | 0,  /* varint */
	VARINT_MAX = 10,
	SEVEN_BITS = 0x7f,
	MORE = 0x80,
};

/* --- writing ------------------------------------------------------------- */

static size_t put_varint(char *out, uint64_t n)
{
	size_t at = 0;

	for (; n > SEVEN_BITS; n >>= 7)
		out[at++] = (char)((n & SEVEN_BITS) | MORE);
	out[at++] = (char)n;
	return at;
}

size_t probe_grpc_ask(char out[static PROBE_GRPC_ASK_MAX], const char *service)
{
	struct span name = span_of(service);
	size_t n = FRAME_HEAD;

	assert(name.n <= PROBE_GRPC_SERVICE_MAX);
	if (name.n > 0) {
		out[n++] = FIELD_SERVICE;
		n += put_varint(out + n, name.n);
		memcpy(out + n, name.p, name.n);
		n += name.n;
	}
	memset(out, 0, FRAME_HEAD);
	out[FRAME_HEAD - 2] = (char)((n - FRAME_HEAD) >> 8);
	out[FRAME_HEAD - 1] = (char)(n - FRAME_HEAD);
	return n;
}

/* --- reading ------------------------------------------------------------- */

static bool take_varint(struct span *in, uint64_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < VARINT_MAX && in->n > 0; i++) {
		unsigned char c = (unsigned char)*in->p;

		in->p++;
		in->n--;
		*out |= (uint64_t)(c & SEVEN_BITS) << (7 * i);
		if ((c & MORE) == 0)
			return true;
	}
	return false;
}

static bool take_bytes(struct span *in, uint64_t n)
{
	if (n > in->n)
		return false;
	in->p += n;
	in->n -= (size_t)n;
	return true;
}

/* A field that later versions of the message may have. */
static bool skip(struct span *in, uint64_t key)
{
	uint64_t n;

	switch (key & 7) {
	case 0:
		return take_varint(in, &n);
	case 1:
		return take_bytes(in, 8);
	case 2:
		return take_varint(in, &n) && take_bytes(in, n);
	case 5:
		return take_bytes(in, 4);
	default: /* groups went with proto2 */
		return false;
	}
}

bool probe_grpc_read(struct span in, uint64_t *status)
{
	uint64_t length = 0, key;

	if (in.n < FRAME_HEAD || in.p[0] != 0)
		return false;
	for (unsigned i = 1; i < FRAME_HEAD; i++)
		length = length << 8 | (unsigned char)in.p[i];
	in.p += FRAME_HEAD;
	in.n -= FRAME_HEAD;
	if (length != in.n)
		return false;
	*status = GRPC_UNKNOWN; /* what is not there is 0 */
	while (in.n > 0) {
		if (!take_varint(&in, &key))
			return false;
		if (!(key == FIELD_STATUS ? take_varint(&in, status) : skip(&in, key)))
			return false;
	}
	return true;
}

/* --- words --------------------------------------------------------------- */

const char *probe_grpc_serving(uint64_t status)
{
	static const char *const text[] = {
		[GRPC_UNKNOWN] = "UNKNOWN",
		[GRPC_SERVING] = "SERVING",
		[GRPC_NOT_SERVING] = "NOT_SERVING",
		[GRPC_SERVICE_UNKNOWN] = "SERVICE_UNKNOWN",
	};

	return status < sizeof(text) / sizeof(text[0]) ? text[status]
						       : "a status that is not known";
}

const char *probe_grpc_code(uint64_t code)
{
	static const char *const text[] = { "OK", "CANCELLED", "UNKNOWN",
		"INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
		"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
		"DATA_LOSS", "UNAUTHENTICATED" };

	return code < sizeof(text) / sizeof(text[0]) ? text[code] : "not known";
}
