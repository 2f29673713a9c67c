/* Where a body ends, byte for byte. Each is decoded at once, byte by byte, and cut in
 * two at every place. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/http/h1.h"

enum { OUT_MAX = 4096, MANY_MAX = 10000 };

struct decoded {
	enum h1_result result;
	enum http_bad why;
	size_t used;
	char data[OUT_MAX];     /* all data */
	char trailers[OUT_MAX]; /* one a line */
	struct decoded *next;
};

static struct decoded *all; /* of this test */

static void forget_all(void)
{
	for (struct decoded *d = all, *next; d != NULL; d = next) {
		next = d->next;
		free(d);
	}
}

TestSuite(h1_body, .fini = forget_all);

static void keep(struct decoded *d, enum h1_piece piece, struct span s)
{
	char *to = piece == H1_TRAILER ? d->trailers : d->data;
	const char *end = piece == H1_TRAILER ? "\n" : "";

	cr_assert_lt(strlen(to) + s.n + 1, OUT_MAX);
	if (piece != H1_NOTHING) {
		strncat(to, s.p, s.n);
		strcat(to, end);
	}
}

/* Shows what has come and was not used yet, in memory of just that size. */
static void show(struct h1_body *b, struct decoded *d, struct span text)
{
	size_t used;

	do {
		size_t n = text.n - d->used;
		char *bytes = malloc(n + (n == 0));
		enum h1_piece piece;
		struct span s;

		memcpy(bytes, text.p + d->used, n);
		d->result = h1_body_next(
			b, (struct span){ .p = bytes, .n = n }, &used, &piece, &s);
		keep(d, piece, s);
		d->used += used;
		free(bytes);
	} while (d->result == H1_MORE && used > 0);
	d->why = b->why;
}

/* First the bytes before cut, then those before cut + step, and so on. */
static struct decoded *decode_in_steps(
	struct span text, struct h1_body start, size_t cut, size_t step)
{
	struct decoded *d = calloc(1, sizeof *d);
	size_t n = cut < text.n ? cut : text.n;

	d->next = all;
	all = d;

	show(&start, d, (struct span){ .p = text.p, .n = n });
	while (n < text.n && d->result == H1_MORE) {
		n = step < text.n - n ? n + step : text.n;
		show(&start, d, (struct span){ .p = text.p, .n = n });
	}
	return d;
}

static void assert_same(const struct decoded *a, const struct decoded *b)
{
	cr_assert_eq(a->result, b->result);
	cr_assert_eq(a->why, b->why, "%s and %s", http_bad_name(a->why),
		http_bad_name(b->why));
	cr_assert_str_eq(a->trailers, b->trailers);
	if (a->result == H1_DONE) {
		cr_assert_str_eq(a->data, b->data);
		cr_assert_eq(a->used, b->used);
	}
}

static struct decoded *decode(
	struct span text, enum http_framing framing, uint64_t length)
{
	struct h1_body start;

	h1_body_start(&start, framing, length);
	struct decoded *d = decode_in_steps(text, start, text.n, 1);
	assert_same(d, decode_in_steps(text, start, 0, 1));
	for (size_t cut = 0; cut < text.n && text.n < 1000; cut++)
		assert_same(d, decode_in_steps(text, start, cut, text.n));
	return d;
}

static struct decoded *chunked(const char *text)
{
	return decode(span_of(text), HTTP_CHUNKED, 0);
}

static void assert_body(struct decoded *d, const char *data, size_t used)
{
	cr_assert_eq(d->result, H1_DONE, "%s", http_bad_name(d->why));
	cr_assert_str_eq(d->data, data);
	cr_assert_eq(d->used, used);
}

Test(h1_body, a_counted_body_ends_after_its_length)
{
	assert_body(decode(SPAN("hello, next"), HTTP_LENGTH, 5), "hello", 5);
	assert_body(decode(SPAN("next"), HTTP_LENGTH, 0), "", 0);
	assert_body(decode(SPAN("next"), HTTP_NO_BODY, 0), "", 0);
}

Test(h1_body, a_counted_body_that_is_cut_off_never_ends)
{
	cr_assert_eq(decode(SPAN("hell"), HTTP_LENGTH, 5)->result, H1_MORE);
}

Test(h1_body, nothing_gives_nothing)
{
	struct h1_body b;
	size_t used = 1;
	enum h1_piece piece;
	struct span data;

	h1_body_start(&b, HTTP_UNTIL_CLOSE, 0);
	enum h1_result result =
		h1_body_next(&b, (struct span){ .p = NULL }, &used, &piece, &data);

	cr_assert_eq(result, H1_MORE);
	cr_assert_eq(used, 0);
	cr_assert_eq(piece, H1_NOTHING);
}

Test(h1_body, all_that_comes_until_close_is_data)
{
	struct decoded *d = decode(SPAN("0\r\n\r\nmore"), HTTP_UNTIL_CLOSE, 0);

	cr_assert_eq(d->result, H1_MORE);
	cr_assert_str_eq(d->data, "0\r\n\r\nmore");
}

Test(h1_body, chunks_are_put_together_and_the_next_message_is_left_alone)
{
	assert_body(chunked("5\r\nhello\r\n0\r\n\r\nGET /"), "hello", 15);
	assert_body(chunked("1\r\na\r\n0a\r\n0123456789\r\nB\r\nABCDEFGHIJK\r\n000\r\n"
			    "\r\n"),
		"a0123456789ABCDEFGHIJK", 45);
	assert_body(chunked("0\r\n\r\n"), "", 5);
	assert_body(chunked("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n", 12);
}

Test(h1_body, a_small_chunked_body_is_done_in_one_call)
{
	struct h1_body b;
	size_t used;
	enum h1_piece piece;
	struct span data;

	h1_body_start(&b, HTTP_CHUNKED, 0);
	enum h1_result result =
		h1_body_next(&b, SPAN("5\r\nhello\r\n0\r\n\r\n"), &used, &piece, &data);

	cr_assert_eq(result, H1_DONE);
	cr_assert_eq(piece, H1_DATA);
	cr_assert(span_eq(data, SPAN("hello")));
	cr_assert(h1_body_is_done(&b));
}

Test(h1_body, extensions_are_read_and_forgotten)
{
	assert_body(
		chunked("5;a=b;c=\"d\t\xff\"\r\nhello\r\n0;x\r\n\r\n"), "hello", 29);
	assert_body(chunked("5 \t;a\r\nhello\r\n0\r\n\r\n"), "hello", 19);
}

Test(h1_body, a_size_has_at_most_sixteen_digits_and_63_bits)
{
	assert_body(chunked("0000000000000001\r\na\r\n0\r\n\r\n"), "a", 26);
	cr_assert_eq(chunked("7fffffffffffffff\r\na")->result, H1_MORE);
	cr_assert_eq(chunked("8000000000000000\r\na")->why, HTTP_BAD_CHUNK);
	cr_assert_eq(
		chunked("00000000000000001\r\na\r\n0\r\n\r\n")->why, HTTP_BAD_CHUNK);
}

struct row {
	char text[60];
	size_t n;
	enum http_bad why;
};

#define ROW(bytes, reason)                                             \
	{                                                              \
		.text = bytes, .n = sizeof(bytes) - 1, .why = (reason) \
	}

static struct row bad[] = {
	ROW("\r\n", HTTP_BAD_CHUNK),
	ROW(" 5\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5 \r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("+5\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("-1\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("0x5\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("g\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5\rhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5\r\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5\0\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW(";a\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5;a\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5;a\rb\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5;a\0\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5;\"a\r\nb\"\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5,5\r\nhello\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5\r\nhello0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5\r\nhello\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5\r\nhello\r0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("5\r\nhello!\r\n0\r\n\r\n", HTTP_BAD_CHUNK),
	ROW("0\n\n", HTTP_BAD_CHUNK),
	ROW("0\r\n\n", HTTP_BAD_FIELD),
	ROW("0\r\n\rX", HTTP_BAD_FIELD),
	ROW("0\r\nGET / HTTP/1.1\r\n\r\n", HTTP_BAD_FIELD),
	ROW("0\r\nX : a\r\n\r\n", HTTP_BAD_FIELD),
	ROW("0\r\n: a\r\n\r\n", HTTP_BAD_FIELD),
	ROW("0\r\n X: a\r\n\r\n", HTTP_BAD_FIELD),
	ROW("0\r\nX: a\nY: b\r\n\r\n", HTTP_BAD_FIELD),
	ROW("0\r\nX: a\0\r\n\r\n", HTTP_BAD_FIELD),
	ROW("0\r\nX: a\r\n b\r\n\r\n", HTTP_BAD_FIELD),
};

ParameterizedTestParameters(h1_body, what_is_malformed_is_refused)
{
	return cr_make_param_array(struct row, bad, sizeof bad / sizeof bad[0]);
}

ParameterizedTest(struct row *row, h1_body, what_is_malformed_is_refused)
{
	struct span text = { .p = row->text, .n = row->n };

	struct decoded *d = decode(text, HTTP_CHUNKED, 0);

	cr_assert_eq(d->result, H1_BAD, "accepted: %s", row->text);
	cr_assert_eq(d->why, row->why, "%s: %s", http_bad_name(d->why), row->text);
}

Test(h1_body, trailers_come_one_by_one_and_only_those_that_may)
{
	struct decoded *d = chunked("3\r\nabc\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n"
				    "Host: b\r\ngrpc-status:0\r\nX-Empty:\r\n\r\n");

	cr_assert_eq(d->result, H1_DONE);
	cr_assert_str_eq(d->data, "abc");
	cr_assert_str_eq(d->trailers, "X-Sum: 1\ngrpc-status:0\nX-Empty:\n");
}

static struct decoded *with_many(
	const char *begin, char fill, size_t n, const char *end)
{
	char text[MANY_MAX] = "";

	strcpy(text, begin);
	memset(text + strlen(begin), fill, n);
	strcat(text, end);
	return chunked(text);
}

Test(h1_body, extensions_are_bounded)
{
	const char *end = "\r\n\r\n";

	cr_assert_eq(with_many("0;", 'x', 4095, end)->result, H1_DONE);
	cr_assert_eq(with_many("0;", 'x', 4096, end)->why, HTTP_BAD_CHUNK);
	cr_assert_eq(with_many("0", ' ', 5000, end)->why, HTTP_BAD_CHUNK);
	cr_assert_eq(with_many("1;a\r\nb\r\n0;", 'x', 4095, end)->why, HTTP_BAD_CHUNK);
}

Test(h1_body, trailers_are_bounded_as_a_whole)
{
	const char *end = "\r\n\r\n";
	size_t fits = 8192 - strlen("Te: ") - strlen(end);

	cr_assert_eq(with_many("0\r\nTe: ", 'x', fits, end)->result, H1_DONE);
	cr_assert_eq(
		with_many("0\r\nTe: ", 'x', fits + 1, end)->why, HTTP_HEAD_TOO_LARGE);
	cr_assert_eq(
		with_many("0\r\nTe: ", 'x', 9000, "\n\n")->why, HTTP_HEAD_TOO_LARGE);
	cr_assert_eq(with_many("0\r\nTe: y\r\nTe: ", 'x', fits - 6, end)->why,
		HTTP_HEAD_TOO_LARGE);
}

static void assert_chunk_head(size_t n, const char *wanted)
{
	char out[H1_CHUNK_HEAD_MAX];

	size_t length = h1_chunk_head(out, n);

	cr_assert(span_eq((struct span){ .p = out, .n = length }, span_of(wanted)));
}

Test(h1_body, a_chunk_head_is_the_size_in_hex)
{
	assert_chunk_head(1, "1\r\n");
	assert_chunk_head(16, "10\r\n");
	assert_chunk_head(0x1a2b, "1a2b\r\n");
	assert_chunk_head(SIZE_MAX, "ffffffffffffffff\r\n");
}
