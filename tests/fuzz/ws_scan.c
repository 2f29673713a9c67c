/*
 * WebSocket frames: no input crashes, how it is cut makes no difference, and nothing is
 * seen twice or left out.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "sluice/http/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned scan_by(struct ws_scan *s, const char *p, size_t n, size_t step)
{
	unsigned messages = 0;

	for (size_t at = 0; at < n; at += step) {
		size_t piece = n - at < step ? n - at : step;

		messages += ws_scan(s, (struct span){ .p = p + at, .n = piece });
	}
	return messages;
}

/* Frame by frame; a scan takes something, and all but a last one whole frames. */
static unsigned scan_frames(struct ws_scan *s, const char *p, size_t n)
{
	unsigned messages = 0;

	while (n > 0) {
		size_t used =
			ws_scan_frame(s, (struct span){ .p = p, .n = n }, &messages);

		assert(used > 0 && used <= n);
		assert(used == n || ws_is_between(s));
		p += used;
		n -= used;
	}
	return messages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data;
	struct ws_scan whole = { .left = 0 }, cut = whole, frames = whole;
	unsigned messages = n > 0 ? scan_by(&whole, p, n, n) : 0;

	assert(scan_by(&cut, p, n, 1 + (n > 0 ? data[0] % 7 : 0)) == messages);
	assert(scan_frames(&frames, p, n) == messages);
	assert(cut.left == whole.left && frames.left == whole.left);
	assert(cut.closed == whole.closed && frames.closed == whole.closed);
	return 0;
}
