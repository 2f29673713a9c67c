/* Chunked bodies: no input crashes, and how they are cut makes no difference. The first
 * byte is the size of the cuts. */
#include "h1_decoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct decoding whole, cut;

	if (n == 0 || n > OUT_MAX / 2)
		return 0;

	struct span text = { .p = (const char *)data + 1, .n = n - 1 };
	decode_in_steps(&whole, text, text.n);
	decode_in_steps(&cut, text, data[0] == 0 ? 1 : data[0]);
	assert(whole.result == cut.result && whole.why == cut.why);
	assert(whole.data_n == cut.data_n || whole.result == H1_BAD);
	assert(whole.result != H1_DONE || whole.used == cut.used);
	assert(whole.result == H1_BAD ||
		memcmp(whole.data, cut.data, whole.data_n) == 0);
	assert(whole.trailers_n == cut.trailers_n);
	assert(memcmp(whole.trailers, cut.trailers, whole.trailers_n) == 0);
	return 0;
}
