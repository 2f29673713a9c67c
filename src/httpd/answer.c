/*
 * The short answers: a line of text, a JSON object, an error with its hint.
 */
#include <stdarg.h>
#include <stdio.h>

#include "sluice/base/json.h"

#include "httpd_priv.h"

static const char plain[] = "text/plain; charset=utf-8";
static const char json_type[] = "application/json";

void httpd_source_free(struct body_source *b)
{
	if (b != NULL)
		b->free(b);
}

void httpd_answer_text(struct httpd_answer *a, unsigned status, const char *text)
{
	a->status = status;
	a->type = plain;
	text_put(&a->body, text);
}

void httpd_answer_take_json(struct httpd_answer *a, unsigned status, struct json **j)
{
	a->status = status;
	a->type = json_type;
	text_take_json(&a->body, j);
	text_put(&a->body, "\n");
}

void httpd_answer_error(
	struct httpd_answer *a, unsigned status, const char *hint, const char *fmt, ...)
{
	struct json *j = json_new_object();
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_put_text(j, "error", text);
	json_put_text(j, "hint", hint);
	httpd_answer_take_json(a, status, &j);
}

void httpd_answer_fini(struct httpd_answer *a)
{
	if (a->pending != NULL)
		a->pending->forget(a->pending);
	httpd_source_free(a->source);
	text_fini(&a->body);
	*a = (struct httpd_answer){ .status = 0 };
}
