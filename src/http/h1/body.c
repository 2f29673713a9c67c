/*
 * Bodies (RFC 9112, 6 and 7): counted, chunked, or all that comes. Of a chunked one the
 * frame is checked to the last byte; extensions are read and forgotten.
 */
#include "http_priv.h"

enum { EXTENSIONS_MAX = 4096, TRAILERS_MAX = 8192, DIGITS_MAX = 16 };

enum state {
	SIZE,
	SIZE_END,
	BLANKS, /* behind a size, before a semicolon */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILERS,
	ENDED,
};

struct walk {
	const char *at, *end;
	enum h1_piece *piece;
	struct span *data;
};

void h1_body_start(struct h1_body *b, enum http_framing framing, uint64_t length)
{
	*b = (struct h1_body){ .framing = framing, .state = DATA };

	if (framing == HTTP_CHUNKED)
		b->state = SIZE;
	else if (framing == HTTP_LENGTH)
		b->left = length;
	if (framing == HTTP_NO_BODY || (framing == HTTP_LENGTH && length == 0))
		b->state = ENDED;
}

bool h1_body_is_done(const struct h1_body *b)
{
	return b->state == ENDED;
}

static enum h1_turn refuse(struct h1_body *b, enum http_bad why)
{
	b->why = why;
	return H1_REFUSED;
}

/* -1: no digit. */
static int digit_of(char c)
{
	char lower = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static enum h1_turn take_size(struct h1_body *b, struct walk *w)
{
	int digit;

	for (; w->at < w->end && (digit = digit_of(*w->at)) >= 0; w->at++) {
		/* The top bit would be a sign to some reader. */
		if (b->digits == DIGITS_MAX || b->left > (uint64_t)INT64_MAX >> 4)
			return refuse(b, HTTP_BAD_CHUNK);
		b->left = b->left << 4 | (unsigned)digit;
		b->digits++;
	}
	if (w->at == w->end)
		return H1_STARVED;
	if (b->digits == 0)
		return refuse(b, HTTP_BAD_CHUNK);
	b->state = SIZE_END;
	return H1_ON;
}

/* extra_bytes counts what is neither size nor data. */
static enum h1_turn take_extra(struct h1_body *b, struct walk *w, enum state next)
{
	if (b->extra_bytes++ == EXTENSIONS_MAX)
		return refuse(b, HTTP_BAD_CHUNK);
	w->at++;
	b->state = (uint8_t)next;
	return H1_ON;
}

static enum h1_turn take_size_end(struct h1_body *b, struct walk *w)
{
	if (*w->at == ' ' || *w->at == '\t')
		return take_extra(b, w, BLANKS);
	if (*w->at == ';')
		return take_extra(b, w, EXTENSION);
	if (*w->at != '\r')
		return refuse(b, HTTP_BAD_CHUNK);
	w->at++;
	b->state = SIZE_LF;
	return H1_ON;
}

/* Only an extension may have blanks before it (RFC 9112, 7.1.1). */
static enum h1_turn take_blanks(struct h1_body *b, struct walk *w)
{
	if (*w->at == ' ' || *w->at == '\t')
		return take_extra(b, w, BLANKS);
	if (*w->at == ';')
		return take_extra(b, w, EXTENSION);
	return refuse(b, HTTP_BAD_CHUNK);
}

static enum h1_turn take_extension(struct h1_body *b, struct walk *w)
{
	const char *begin = w->at;

	w->at = http_scan_value(w->at, w->end);
	b->extra_bytes += (uint32_t)(w->at - begin);
	if (b->extra_bytes > EXTENSIONS_MAX)
		return refuse(b, HTTP_BAD_CHUNK);
	if (w->at == w->end)
		return H1_STARVED;
	if (*w->at != '\r')
		return refuse(b, HTTP_BAD_CHUNK);
	w->at++;
	b->state = SIZE_LF;
	return H1_ON;
}

static enum h1_turn take_size_lf(struct h1_body *b, struct walk *w)
{
	if (*w->at != '\n')
		return refuse(b, HTTP_BAD_CHUNK);
	w->at++;
	b->state = DATA;
	if (b->left == 0) {
		b->state = TRAILERS;
		b->extra_bytes = 0;
	}
	return H1_ON;
}

static enum h1_turn take_data(struct h1_body *b, struct walk *w)
{
	size_t n = (size_t)(w->end - w->at);

	if (*w->piece != H1_NOTHING)
		return H1_STARVED;
	if (b->framing != HTTP_UNTIL_CLOSE) {
		n = n < b->left ? n : (size_t)b->left;
		b->left -= n;
		if (b->left == 0)
			b->state = b->framing == HTTP_CHUNKED ? DATA_CR : ENDED;
	}
	*w->piece = H1_DATA;
	*w->data = (struct span){ .p = w->at, .n = n };
	w->at += n;
	return b->state == ENDED ? H1_WHOLE : H1_ON;
}

static enum h1_turn take_data_end(struct h1_body *b, struct walk *w)
{
	if (*w->at != (b->state == DATA_CR ? '\r' : '\n'))
		return refuse(b, HTTP_BAD_CHUNK);
	w->at++;
	b->digits = 0;
	b->state = b->state == DATA_CR ? DATA_LF : SIZE;
	return H1_ON;
}

/* The line at w->at without its CRLF, once it is there as a whole; what has been looked
 * at is not looked at again. */
static enum h1_turn find_line(struct h1_body *b, struct walk *w, struct span *line)
{
	size_t n = (size_t)(w->end - w->at), room = TRAILERS_MAX - b->extra_bytes;
	const char *end = w->at + (n < room ? n : room);
	const char *stop = http_scan_value(w->at + b->scanned, end);

	size_t left = (size_t)(end - stop);

	b->scanned = (uint32_t)(stop - w->at);
	if (left > 0 && *stop != '\r')
		return refuse(b, HTTP_BAD_FIELD);
	if (left < 2)
		return n < room ? H1_STARVED : refuse(b, HTTP_HEAD_TOO_LARGE);
	if (stop[1] != '\n')
		return refuse(b, HTTP_BAD_FIELD);
	*line = (struct span){ .p = w->at, .n = b->scanned };
	b->extra_bytes += b->scanned + 2;
	b->scanned = 0;
	return H1_ON;
}

static enum h1_turn take_trailer(struct h1_body *b, struct walk *w)
{
	struct span line;

	/* Behind data the last, empty line may still be taken: it gives nothing. */
	if (*w->piece != H1_NOTHING && *w->at != '\r')
		return H1_STARVED;

	enum h1_turn turn = find_line(b, w, &line);
	if (turn != H1_ON)
		return turn;
	w->at = line.p + line.n + 2;
	if (line.n == 0) {
		b->state = ENDED;
		return H1_WHOLE;
	}
	const char *colon = http_scan_token(line.p, line.p + line.n);
	if (colon == line.p || *colon != ':')
		return refuse(b, HTTP_BAD_FIELD);
	if (!http_trailer_allowed(
		    (struct span){ .p = line.p, .n = (size_t)(colon - line.p) }))
		return H1_ON;
	*w->piece = H1_TRAILER;
	*w->data = line;
	return H1_ON;
}

static enum h1_turn take(struct h1_body *b, struct walk *w)
{
	switch ((enum state)b->state) {
	case SIZE:
		return take_size(b, w);
	case SIZE_END:
		return take_size_end(b, w);
	case BLANKS:
		return take_blanks(b, w);
	case EXTENSION:
		return take_extension(b, w);
	case SIZE_LF:
		return take_size_lf(b, w);
	case DATA:
		return take_data(b, w);
	case DATA_CR:
	case DATA_LF:
		return take_data_end(b, w);
	case TRAILERS:
		return take_trailer(b, w);
	case ENDED:
		break;
	}
	return H1_WHOLE;
}

enum h1_result h1_body_next(struct h1_body *b, struct span in, size_t *used,
	enum h1_piece *piece, struct span *data)
{
	struct walk w = { .at = in.p, .piece = piece, .data = data };
	enum h1_turn turn = b->state == ENDED ? H1_WHOLE : H1_ON;

	*piece = H1_NOTHING;
	*data = (struct span){ .p = NULL };
	*used = 0;
	if (in.n > 0) { /* else there may be no memory to point into */
		w.end = in.p + in.n;
		while (turn == H1_ON && w.at < w.end)
			turn = take(b, &w);
		*used = (size_t)(w.at - in.p);
	}
	if (turn == H1_REFUSED)
		return H1_BAD;
	return turn == H1_WHOLE ? H1_DONE : H1_MORE;
}

size_t h1_chunk_head(char out[static H1_CHUNK_HEAD_MAX], size_t n)
{
	static const char digits[] = "0123456789abcdef";
	size_t length = 1;

	for (size_t rest = n >> 4; rest > 0; rest >>= 4)
		length++;
	for (size_t i = length; i-- > 0; n >>= 4)
		out[i] = digits[n & 0xf];
	out[length] = '\r';
	out[length + 1] = '\n';
	return length + 2;
}
