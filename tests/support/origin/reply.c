/*
 * What is answered where. The table of paths is the origin's manual:
 *
 *   /bytes/N     N bytes of the pattern with a Content-Length
 *   /chunked/N   the same, chunked
 *   /echo        the request's body back, its length and SHA-256 in headers
 *   /stream-echo the same while it comes, chunked, the head at once
 *   /upload      JSON about the request's body: bytes, sha256, trailers
 *   /headers     the raw head of the request, as it came
 *   /status/NNN  that status
 *   /delay/MS    the default answer after MS
 *   /early       the default answer before the request's body has come
 *   /trailers    a chunked body with a trailer
 *   /sse/N       N server-sent events, trickle_ms apart
 *   /api/health  what the setting health says
 *   else         a short text, or body_bytes of the pattern
 *
 * Byte i of the pattern is ((i % 65521) * 31 + ((i % 65521) >> 8)) & 255: its
 * period is a prime, so a lost or doubled block of any usual size shows.
 */
#include "origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reply_text(struct conn *c, unsigned status, const char *type, char *text)
{
	c->reply.status = status;
	c->reply.type = type;
	c->reply.body = BODY_TEXT;
	c->reply.text = text;
	c->reply.length = strlen(text);
}

static void pattern(struct conn *c, uint64_t n)
{
	c->reply.body = BODY_PATTERN;
	c->reply.length = n;
}

static void on_bytes(struct conn *c, uint64_t n)
{
	pattern(c, n);
}

static void on_chunked(struct conn *c, uint64_t n)
{
	pattern(c, n);
	c->reply.chunked = true;
}

static void on_echo(struct conn *c, uint64_t n)
{
	(void)n;
	c->kept = malloc(1);
	c->sha = EVP_MD_CTX_new();
}

static void on_stream_echo(struct conn *c, uint64_t n)
{
	(void)n;
	c->reply.body = BODY_ECHO;
	c->reply.chunked = true;
	c->reply.early = true;
}

static void on_upload(struct conn *c, uint64_t n)
{
	(void)n;
	c->sha = EVP_MD_CTX_new();
}

static void on_headers(struct conn *c, uint64_t n)
{
	(void)n;
	reply_text(c, 200, "text/plain", strndup(c->req.head.p, c->req.head.n));
}

static void default_answer(struct conn *c, uint64_t n)
{
	char *text = NULL;

	(void)n;
	if (c->set.body_bytes != 0) {
		pattern(c, c->set.body_bytes);
		return;
	}
	if (asprintf(&text, "hello from %s\n", c->port->name) != -1)
		reply_text(c, 200, "text/plain", text);
}

static void on_status(struct conn *c, uint64_t n)
{
	default_answer(c, 0);
	c->reply.status = (unsigned)n;
}

static void on_delay(struct conn *c, uint64_t n)
{
	default_answer(c, 0);
	c->set.delay_ms = n;
}

static void on_early(struct conn *c, uint64_t n)
{
	(void)n;
	default_answer(c, 0);
	c->reply.early = true;
}

static void on_trailers(struct conn *c, uint64_t n)
{
	(void)n;
	pattern(c, 1000);
	c->reply.chunked = true;
	c->reply.trailers = true;
}

static void on_events(struct conn *c, uint64_t n)
{
	c->reply.type = "text/event-stream";
	c->reply.body = BODY_EVENTS;
	c->reply.length = n;
	c->reply.chunked = true;
}

static void on_health(struct conn *c, uint64_t n)
{
	bool up = c->set.health == HEALTH_UP;

	(void)n;
	reply_text(c, up ? 200 : 503, "text/plain", strdup(up ? "up\n" : "down\n"));
}

static const struct {
	const char *path;
	void (*answer)(struct conn *c, uint64_t n);
} pages[] = {
	{ "/bytes/", on_bytes },
	{ "/chunked/", on_chunked },
	{ "/echo", on_echo },
	{ "/stream-echo", on_stream_echo },
	{ "/upload", on_upload },
	{ "/headers", on_headers },
	{ "/status/", on_status },
	{ "/delay/", on_delay },
	{ "/early", on_early },
	{ "/trailers", on_trailers },
	{ "/sse/", on_events },
	{ "/api/health", on_health },
};

/* The answer that a bench asks for a million times is built once. */
static bool is_canned(struct conn *c)
{
	c->plain = c->req.query.n == 0 && !c->req.is_head && !c->req.close &&
		   !request_expects_body(&c->req) && settings_are_calm(&c->set);
	if (!c->plain || c->port->canned == NULL)
		return false;
	c->reply.body = BODY_CANNED;
	return true;
}

void reply_choose(struct conn *c)
{
	c->reply = (struct reply){
		.status = 200, .type = "application/octet-stream", .stop_at = UINT64_MAX
	};
	if (c->port->is_control) {
		control_answer(c);
		return;
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (text_starts(c->req.path, pages[i].path)) {
			struct text rest = { .p = c->req.path.p + strlen(pages[i].path),
				.n = c->req.path.n - strlen(pages[i].path) };

			pages[i].answer(c, text_number(rest));
			break;
		}
	}
	if (c->reply.body == BODY_NONE && c->kept == NULL && c->sha == NULL &&
		!is_canned(c))
		default_answer(c, 0);
	if (c->set.chunked)
		c->reply.chunked = true;
	if (c->sha != NULL)
		EVP_DigestInit_ex(c->sha, EVP_sha256(), NULL);
}

static void digest_hex(struct conn *c, char hex[65])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	EVP_DigestFinal_ex(c->sha, sum, &n);
	for (unsigned i = 0; i < n; i++)
		snprintf(hex + (size_t)2 * i, 3, "%02x", sum[i]);
}

void reply_complete(struct conn *c)
{
	char hex[65] = "";
	char *text = NULL;

	if (c->sha == NULL)
		return;
	digest_hex(c, hex);
	snprintf(c->extra, sizeof(c->extra),
		"X-Body-Bytes: %llu\r\nX-Body-Sha256: %s\r\nX-Body-Trailers: %s\r\n",
		(unsigned long long)c->body_bytes, hex, c->trailers);
	c->reply.extra = c->extra;
	if (c->kept != NULL) {
		c->reply.body = BODY_TEXT;
		c->reply.text = c->kept;
		c->reply.length = c->kept_n;
		c->kept = NULL;
		return;
	}
	if (asprintf(&text,
		    "{\"bytes\": %llu, \"sha256\": \"%s\", \"trailers\": \"%s\"}\n",
		    (unsigned long long)c->body_bytes, hex, c->trailers) != -1)
		reply_text(c, 200, "application/json", text);
}
