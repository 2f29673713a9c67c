/* Looking at a head, and what a method and a status say about it. */
#include "sluice/http/message.h"

struct span http_field_name(const struct http_head *h, const struct http_field *f)
{
	return (struct span){ .p = h->base + f->name, .n = f->name_n };
}

struct span http_field_value(const struct http_head *h, const struct http_field *f)
{
	return (struct span){ .p = h->base + f->value, .n = f->value_n };
}

const struct http_field *http_find(const struct http_head *h, enum http_name id)
{
	for (size_t i = 0; i < h->n_fields; i++)
		if (h->fields[i].id == id && !h->fields[i].dropped)
			return &h->fields[i];
	return NULL;
}

bool http_is_safe(enum http_method m)
{
	return m == HTTP_GET || m == HTTP_HEAD || m == HTTP_OPTIONS;
}

bool http_may_have_body(enum http_method m, unsigned status)
{
	if (m == HTTP_HEAD || status < 200 || status == 204 || status == 304)
		return false;
	return m != HTTP_CONNECT || status >= 300;
}
