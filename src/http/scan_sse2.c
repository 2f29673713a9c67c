/*
 * Walking over bytes sixteen at a time. The last few of a buffer are looked at one
 * by one: nothing is read that is not there.
 */
#include <emmintrin.h>

#include "http_priv.h"

enum { STEP = sizeof(__m128i), ALL = 0xffff };

static __m128i load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static __m128i is(__m128i x, char c)
{
	return _mm_cmpeq_epi8(x, _mm_set1_epi8(c));
}

/* Signed: bytes from 0x80 are below everything. */
static __m128i is_between(__m128i x, char low, char high)
{
	return _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8((char)(low - 1))),
		_mm_cmplt_epi8(x, _mm_set1_epi8((char)(high + 1))));
}

static unsigned mask_of(__m128i x)
{
	return (unsigned)_mm_movemask_epi8(x);
}

/* Nearly every name is of letters, digits and dashes; the table decides on others. */
const char *http_scan_token(const char *p, const char *end)
{
	while (end - p >= STEP) {
		__m128i x = load(p);
		__m128i lower = _mm_or_si128(x, _mm_set1_epi8(0x20));
		__m128i usual = _mm_or_si128(is_between(lower, 'a', 'z'),
			_mm_or_si128(is_between(x, '0', '9'), is(x, '-')));
		unsigned other = mask_of(usual) ^ ALL;

		if (other == 0) {
			p += STEP;
			continue;
		}
		p += __builtin_ctz(other);
		if (!http_is_token_byte(*p))
			return p;
		p++;
	}
	while (p < end && http_is_token_byte(*p))
		p++;
	return p;
}

static bool is_value_byte(char c)
{
	return ((unsigned char)c >= ' ' && c != 0x7f) || c == '\t';
}

const char *http_scan_value(const char *p, const char *end)
{
	while (end - p >= STEP) {
		__m128i x = load(p);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
		unsigned stop = mask_of(_mm_or_si128(low, is(x, 0x7f)));

		if (stop == 0) {
			p += STEP;
			continue;
		}
		p += __builtin_ctz(stop);
		if (*p != '\t')
			return p;
		p++;
	}
	while (p < end && is_value_byte(*p))
		p++;
	return p;
}

static bool is_target_byte(char c)
{
	return c > ' ' && c < 0x7f && c != '#' && c != '?';
}

const char *http_scan_target(const char *p, const char *end)
{
	while (end - p >= STEP) {
		__m128i x = load(p);
		__m128i stop = _mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8('!')),
			_mm_or_si128(
				is(x, 0x7f), _mm_or_si128(is(x, '#'), is(x, '?'))));

		if (mask_of(stop) != 0)
			return p + __builtin_ctz(mask_of(stop));
		p += STEP;
	}
	while (p < end && is_target_byte(*p))
		p++;
	return p;
}
