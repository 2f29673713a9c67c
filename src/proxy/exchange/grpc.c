/*
 * gRPC over HTTP/2 (grpc's PROTOCOL-HTTP2.md): how its calls fail, and how long they may
 * take.
 *
 * A call says how it ended in grpc-status, in the trailers or in a head that is all of
 * the response; the HTTP status is 200 either way. So a guard that looked at HTTP alone
 * would find a pool healthy that fails every call.
 */
#include <stdio.h>
#include <string.h>

#include "sluice/base/units.h"

#include "exchange/exchange_priv.h"

enum { DIGITS_MAX = 8, STATUS_MAX = 16 };

/* grpc's statuses (statuscodes.md) that sluice itself says. */
enum {
	GRPC_UNKNOWN = 2,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
};

/* --- the request ------------------------------------------------------------------ */

/* application/grpc, also with +proto and the like; grpc-web is another protocol. */
static bool is_call(const struct http_head *h)
{
	const struct http_field *f = http_find(h, HTTP_N_CONTENT_TYPE);
	struct span type = f != NULL ? http_field_value(h, f) : SPAN("");
	struct span grpc = SPAN("application/grpc");

	if (!span_starts(type, grpc))
		return false;
	return type.n == grpc.n || type.p[grpc.n] == '+' || type.p[grpc.n] == ';';
}

static uint64_t unit_ns(char unit)
{
	switch (unit) {
	case 'H':
		return UINT64_C(3600000000000);
	case 'M':
		return UINT64_C(60000000000);
	case 'S':
		return UINT64_C(1000000000);
	case 'm':
		return UINT64_C(1000000);
	case 'u':
		return UINT64_C(1000);
	case 'n':
		return 1;
	default:
		return 0;
	}
}

static struct span find(const struct http_head *h, struct span name)
{
	for (size_t i = 0; i < h->n_fields; i++) {
		if (!h->fields[i].dropped &&
			span_ieq(http_field_name(h, &h->fields[i]), name))
			return http_field_value(h, &h->fields[i]);
	}
	return SPAN("");
}

/* False: none that is valid. */
static bool read_timeout(struct span text, uint64_t *ns)
{
	uint64_t value, unit = text.n > 1 ? unit_ns(text.p[text.n - 1]) : 0;

	if (unit == 0 || text.n > DIGITS_MAX + 1)
		return false;
	text.n--;
	if (!span_u64(text, &value))
		return false;
	*ns = value * unit;
	return true;
}

void grpc_begin(struct exchange *r)
{
	uint64_t timeout_ns;

	if (r->head.method != HTTP_POST || !r->from->raw || !is_call(&r->head))
		return;
	r->grpc = true;
	r->grpc_status = -1;
	if (read_timeout(find(&r->head, SPAN("grpc-timeout")), &timeout_ns))
		r->grpc_due_ns = net_loop_now_ns(r->thread->loop) + timeout_ns;
}

/* A call without any time ("0S") is late before a server could be: that is its client's
 * doing, and no time-out of the pool. */
bool grpc_came_too_late(const struct exchange *r)
{
	return r->grpc_due_ns != 0 &&
	       r->grpc_due_ns <= net_loop_now_ns(r->thread->loop);
}

/* A step may last as long as the call has time. */
uint32_t grpc_limit_ms(const struct exchange *r, uint32_t ms)
{
	uint64_t now_ns = net_loop_now_ns(r->thread->loop), left_ms;

	if (r->grpc_due_ns == 0)
		return ms;
	if (r->grpc_due_ns <= now_ns)
		return 1;
	left_ms = (r->grpc_due_ns - now_ns) / NS_PER_MS + 1;
	return left_ms < ms ? (uint32_t)left_ms : ms;
}

/* --- the response ----------------------------------------------------------------- */

static void note_status(struct exchange *r, struct span value)
{
	uint64_t status;

	if (span_u64(value, &status) && status <= STATUS_MAX)
		r->grpc_status = (int8_t)status;
	else
		r->grpc_status = GRPC_UNKNOWN;
}

void grpc_note_head(struct exchange *r)
{
	struct span value = find(&r->response, SPAN("grpc-status"));

	if (value.n > 0)
		note_status(r, value);
}

void grpc_note_trailer(struct exchange *r, struct span line)
{
	struct span name = span_trim(span_cut(&line, ':'));

	if (span_ieq(name, SPAN("grpc-status")))
		note_status(r, span_trim(line));
}

/* A call that ends without a word about how has failed: so its client takes it, too. */
bool grpc_failed(const struct exchange *r)
{
	unsigned status = r->grpc_status < 0 ? GRPC_UNKNOWN : (unsigned)r->grpc_status;

	if (!r->grpc || r->migration == NULL)
		return false;
	if (r->ends_now && r->grpc_status < 0)
		return false; /* it was ended by us */
	return (r->migration_config->errors.grpc >> status & 1) != 0;
}

/* --- what sluice says ------------------------------------------------------------- */

/* As grpc maps HTTP's (http-grpc-status-mapping.md), and what it leaves open. */
static unsigned status_of(unsigned http)
{
	switch (http) {
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 413:
	case 431:
		return GRPC_RESOURCE_EXHAUSTED;
	case 408:
	case 504:
		return GRPC_DEADLINE_EXCEEDED;
	case 400:
		return GRPC_INTERNAL;
	default:
		return http >= 500 ? GRPC_UNAVAILABLE : GRPC_UNKNOWN;
	}
}

static void add_field(struct http_head *h, char *text, size_t room, const char *name,
	struct span value)
{
	struct http_field *f = &h->fields[h->n_fields++];
	size_t name_n = strlen(name);

	*f = (struct http_field){ .name = h->bytes,
		.name_n = (uint16_t)name_n,
		.value = (uint32_t)(h->bytes + name_n),
		.value_n = (uint32_t)value.n };
	h->bytes += (uint32_t)snprintf(text + h->bytes, room - h->bytes, "%s%.*s", name,
		(int)value.n, value.p);
}

bool grpc_end(struct exchange *r)
{
	return r->from->put_trailer(r, SPAN("grpc-status: 14")) &&
	       r->from->put_trailer(
		       r, SPAN("grpc-message: its servers get no more calls"));
}

/* A head that is all of the response. Always 200: what went wrong is grpc's affair. */
int grpc_answer(struct exchange *r, struct h2 *session, const struct http_own *own)
{
	char text[512], number[8];
	const char *message =
		own->text != NULL ? own->text : http_status_text(own->status);
	struct http_field fields[4];
	struct http_head h = { .base = text,
		.fields = fields,
		.max_fields = 4,
		.framing = HTTP_NO_BODY,
		.status = 200 };

	(void)snprintf(number, sizeof(number), "%u", status_of(own->status));
	r->grpc_status = (int8_t)status_of(own->status);
	add_field(&h, text, sizeof(text), "content-type", SPAN("application/grpc"));
	add_field(&h, text, sizeof(text), "grpc-status", span_of(number));
	add_field(&h, text, sizeof(text), "grpc-message", span_of(message));
	add_field(&h, text, sizeof(text), "x-request-id", own->request_id);
	return h2_respond(session, r->stream, &h, false, NULL);
}
