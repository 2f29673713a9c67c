/* Why something was refused: what the client reads, its status, the metric's label. */
#include "sluice/http/message.h"

static const struct {
	const char *name, *text;
	unsigned status;
} bad[HTTP_N_BAD] = {
	[HTTP_FINE] = { .name = "fine", .text = "Nothing is wrong.", .status = 200 },
	[HTTP_BAD_START_LINE] = { .name = "start_line",
		.text = "The request line is malformed.",
		.status = 400 },
	[HTTP_BAD_METHOD] = { .name = "method",
		.text = "CONNECT and TRACE are not allowed here.",
		.status = 405 },
	[HTTP_METHOD_TOO_LONG] = { .name = "method_too_long",
		.text = "The method is longer than any that exists.",
		.status = 501 },
	[HTTP_BAD_TARGET] = { .name = "target",
		.text = "The request target is malformed.",
		.status = 400 },
	[HTTP_BAD_VERSION] = { .name = "version",
		.text = "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
		.status = 505 },
	[HTTP_BAD_FIELD] = { .name = "field",
		.text = "A header field is malformed.",
		.status = 400 },
	[HTTP_BAD_HOST] = { .name = "host",
		.text = "There must be exactly one valid Host, equal to the target's.",
		.status = 400 },
	[HTTP_BAD_LENGTH] = { .name = "length",
		.text = "Content-Length must be one decimal number.",
		.status = 400 },
	[HTTP_BAD_CODING] = { .name = "coding",
		.text = "The only transfer coding spoken here is \"chunked\".",
		.status = 501 },
	[HTTP_BAD_FRAMING] = { .name = "framing",
		.text = "It is ambiguous where the body ends.",
		.status = 400 },
	[HTTP_BAD_CHUNK] = { .name = "chunk",
		.text = "The chunked body is malformed.",
		.status = 400 },
	[HTTP_BAD_EXPECT] = { .name = "expect",
		.text = "The only expectation met here is \"100-continue\".",
		.status = 417 },
	[HTTP_BAD_UPGRADE] = { .name = "upgrade",
		.text = "The Upgrade field is malformed.",
		.status = 400 },
	[HTTP_TARGET_TOO_LONG] = { .name = "target_too_long",
		.text = "The request target is too long.",
		.status = 414 },
	[HTTP_HEAD_TOO_LARGE] = { .name = "head_too_large",
		.text = "The header section is too large.",
		.status = 431 },
	[HTTP_TOO_MANY_FIELDS] = { .name = "too_many_fields",
		.text = "The header section has too many fields.",
		.status = 431 },
	[HTTP_BAD_STATUS_LINE] = { .name = "status_line",
		.text = "The status line is malformed.",
		.status = 502 },
};

const char *http_bad_text(enum http_bad why)
{
	return bad[why].text;
}

unsigned http_bad_status(enum http_bad why)
{
	return bad[why].status;
}

const char *http_bad_name(enum http_bad why)
{
	return bad[why].name;
}
