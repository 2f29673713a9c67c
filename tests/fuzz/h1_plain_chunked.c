/* Chunked bodies, by the ABNF of RFC 9112, 7.1. */
#include "h1_plain.h"

enum { SIZE_DIGITS_MAX = 16, EXTENSIONS_MAX = 4096, TRAILERS_MAX = 8192 };

static bool is_hex(char c, uint64_t *digit)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	if (at == NULL)
		return false;
	*digit = (uint64_t)(at - digits);
	if (*digit > 15)
		*digit -= 6;
	return true;
}

/* chunk-size [ chunk-ext ], an extension being blanks, a semicolon and a value. */
static bool size_line(struct span line, uint64_t *size, size_t *extensions)
{
	size_t n = 0;
	uint64_t digit;

	*size = 0;
	for (; n < line.n && is_hex(line.p[n], &digit); n++)
		*size = *size * 16 + digit;
	if (n == 0 || n > SIZE_DIGITS_MAX || *size > INT64_MAX)
		return false;

	struct span rest = { .p = line.p + n, .n = line.n - n };
	*extensions += rest.n;
	if (*extensions > EXTENSIONS_MAX || !plain_is_value(rest))
		return false;
	rest = span_trim(rest);
	return line.n == n || (rest.n > 0 && rest.p[0] == ';');
}

static enum plain_verdict trailers(struct span *rest)
{
	size_t bytes = rest->n;
	struct plain_field f;
	struct span line;

	while (plain_line(rest, &line)) {
		if (bytes - rest->n > TRAILERS_MAX)
			return PLAIN_BAD;
		if (line.n == 0)
			return PLAIN_GOOD;
		if (!plain_field_line(line, false, &f))
			return PLAIN_BAD;
	}
	return PLAIN_CUT_OFF;
}

enum plain_verdict plain_chunked(
	struct span text, char *out, size_t *out_n, size_t *bytes)
{
	struct span rest = text, line;
	size_t extensions = 0;
	uint64_t size;

	*out_n = 0;
	while (plain_line(&rest, &line)) {
		if (!size_line(line, &size, &extensions))
			return PLAIN_BAD;
		if (size == 0) {
			enum plain_verdict verdict = trailers(&rest);

			*bytes = text.n - rest.n;
			return verdict;
		}
		if (rest.n < 2 || rest.n - 2 < size)
			return PLAIN_CUT_OFF;
		memcpy(out + *out_n, rest.p, size);
		*out_n += size;
		rest = (struct span){ .p = rest.p + size, .n = rest.n - size };
		if (memcmp(rest.p, "\r\n", 2) != 0)
			return PLAIN_BAD;
		rest = (struct span){ .p = rest.p + 2, .n = rest.n - 2 };
	}
	return PLAIN_CUT_OFF;
}
