/*
 * Connection, and what it names. A client can name any field, also the ones by which
 * a backend knows who is asking; those are kept (the "hop-by-hop abuse" of 2019).
 */
#include "http_priv.h"

bool http_next_item(struct span *rest, struct span *item)
{
	while (rest->p != NULL) {
		*item = span_trim(span_cut(rest, ','));
		if (item->n > 0)
			return true;
	}
	return false;
}

bool http_has_item(struct span list, struct span item)
{
	struct span one;

	while (http_next_item(&list, &one))
		if (span_ieq(one, item))
			return true;
	return false;
}

/* What no client may take away from its own request; x-forwarded-* and sec-* too. */
static const char *const kept[] = { "authorization", "cache-control",
	"content-encoding", "content-length", "content-range", "content-type", "cookie",
	"expect", "forwarded", "host", "idempotency-key", "max-forwards", "origin",
	"referer", "traceparent", "trailer", "transfer-encoding", "true-client-ip",
	"via", "x-real-ip", "x-request-id" };

static bool begins(struct span name, struct span prefix)
{
	return name.n >= prefix.n &&
	       span_ieq((struct span){ .p = name.p, .n = prefix.n }, prefix);
}

static bool is_kept(struct span name)
{
	if (begins(name, SPAN("x-forwarded-")) || begins(name, SPAN("sec-")))
		return true;
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		if (span_ieq(name, span_of(kept[i])))
			return true;
	return false;
}

static void drop_all(struct http_head *head, struct span name)
{
	for (size_t i = 0; i < head->n_fields; i++) {
		struct http_field *f = &head->fields[i];

		if (span_ieq(http_field_name(head, f), name))
			f->dropped = true;
	}
}

void http_drop_nominated(struct http_head *head, bool response)
{
	for (size_t i = 0; i < head->n_fields; i++) {
		const struct http_field *f = &head->fields[i];
		struct span rest = http_field_value(head, f);
		struct span name;

		if (f->id != HTTP_N_CONNECTION)
			continue;
		while (http_next_item(&rest, &name))
			if (response || !is_kept(name))
				drop_all(head, name);
	}
}
