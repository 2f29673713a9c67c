/*
 * The short answers: a line of text, a JSON object, an error with its hint.
 */
#include <stdarg.h>
#include <stdio.h>

#include "sluice/base/json.h"

#include "admin_priv.h"

static const char plain[] = "text/plain; charset=utf-8";
static const char json_type[] = "application/json";

void page_free(struct page *p)
{
	if (p != NULL)
		p->free(p);
}

void answer_text(struct answer *a, unsigned status, const char *text)
{
	a->status = status;
	a->type = plain;
	text_put(&a->body, text);
}

void answer_take_json(struct answer *a, unsigned status, struct json **j)
{
	a->status = status;
	a->type = json_type;
	text_take_json(&a->body, j);
	text_put(&a->body, "\n");
}

void answer_error(
	struct answer *a, unsigned status, const char *hint, const char *fmt, ...)
{
	struct json *j = json_new_object();
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_put_text(j, "error", text);
	json_put_text(j, "hint", hint);
	answer_take_json(a, status, &j);
}

void answer_fini(struct answer *a)
{
	if (a->ticket != NULL)
		ticket_forget(a->ticket);
	page_free(a->page);
	text_fini(&a->body);
	*a = (struct answer){ .status = 0 };
}
