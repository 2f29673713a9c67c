/* Decoding a chunked body, shown in steps; what it gave is kept. */
#ifndef SLUICE_TESTS_FUZZ_H1_DECODING_H
#define SLUICE_TESTS_FUZZ_H1_DECODING_H

#include <assert.h>
#include <string.h>

#include "sluice/http/h1.h"

enum { OUT_MAX = 1 << 16 };

struct decoding {
	enum h1_result result;
	enum http_bad why;
	size_t used, data_n, trailers_n;
	char data[OUT_MAX], trailers[OUT_MAX];
};

static inline void keep(struct decoding *d, enum h1_piece piece, struct span s)
{
	if (piece == H1_DATA) {
		assert(s.n > 0 && s.n <= OUT_MAX - d->data_n);
		memcpy(d->data + d->data_n, s.p, s.n);
		d->data_n += s.n;
	} else if (piece == H1_TRAILER) {
		assert(s.n > 0 && s.n < OUT_MAX - d->trailers_n);
		memcpy(d->trailers + d->trailers_n, s.p, s.n);
		d->trailers_n += s.n;
		d->trailers[d->trailers_n++] = '\n';
	}
}

static inline void decode_in_steps(struct decoding *d, struct span text, size_t step)
{
	struct h1_body b;
	size_t n = 0, used = 0;

	d->result = H1_MORE;
	d->used = d->data_n = d->trailers_n = 0;
	h1_body_start(&b, HTTP_CHUNKED, 0);
	while (d->result == H1_MORE && (used > 0 || n < text.n)) {
		enum h1_piece piece;
		struct span s;

		if (used == 0)
			n = step < text.n - n ? n + step : text.n;
		d->result = h1_body_next(&b,
			(struct span){ .p = text.p + d->used, .n = n - d->used }, &used,
			&piece, &s);
		keep(d, piece, s);
		d->used += used;
	}
	assert(h1_body_is_done(&b) == (d->result == H1_DONE));
	d->why = b.why;
}

#endif
