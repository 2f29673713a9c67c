/* What sluice answers itself: a status, one clear sentence, and the request's id. */
#include <assert.h>

#include "http_priv.h"

enum { OUR_TEXT_MAX = 640 };

/* RFC 9110, 15.5.6 wants them named; 200 answers an OPTIONS that was for us. */
static const char allow[] = "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n";

/* RFC 9110, 15.5.22 and RFC 6455, 4.2.2. */
static const char websocket[] = "Upgrade: websocket\r\nConnection: upgrade\r\n"
				"Sec-WebSocket-Version: 13\r\n";

static char *put_status_line(char *w, unsigned status)
{
	w = h1_put(w, SPAN("HTTP/1.1 "));
	w = h1_put_decimal(w, status);
	w = h1_put(w, SPAN(" "));
	w = h1_put(w, span_of(http_status_text(status)));
	return h1_put(w, SPAN("\r\n"));
}

static char *put_line(char *w, struct span name, struct span value)
{
	if (value.n == 0)
		return w;
	w = h1_put(w, name);
	w = h1_put(w, value);
	return h1_put(w, SPAN("\r\n"));
}

static char *put_decimal_line(char *w, struct span name, uint64_t value)
{
	w = h1_put(w, name);
	w = h1_put_decimal(w, value);
	return h1_put(w, SPAN("\r\n"));
}

/* "502 Bad Gateway: the backend closed the connection\nrequest id: ...\n" */
static char *put_body(char *w, const struct http_own *o)
{
	if (o->events != NULL)
		return h1_put(w, span_of(o->events));
	w = h1_put_decimal(w, o->status);
	w = h1_put(w, SPAN(" "));
	w = h1_put(w, span_of(http_status_text(o->status)));
	if (o->text != NULL) {
		w = h1_put(w, SPAN(": "));
		w = h1_put(w, span_of(o->text));
	}
	w = h1_put(w, SPAN("\n"));
	if (o->request_id.n > 0) {
		w = h1_put(w, SPAN("request id: "));
		w = h1_put(w, o->request_id);
		w = h1_put(w, SPAN("\n"));
	}
	return w;
}

static size_t body_length(const struct http_own *o)
{
	if (o->events != NULL)
		return strlen(o->events);

	size_t n = strlen("500 ") + strlen(http_status_text(o->status)) + strlen("\n");

	if (o->text != NULL)
		n += strlen(": ") + strlen(o->text);
	if (o->request_id.n > 0)
		n += strlen("request id: ") + o->request_id.n + strlen("\n");
	return n;
}

static char *put_fields(char *w, const struct http_own *o)
{
	w = o->events != NULL ? h1_put(w, SPAN("Content-Type: text/event-stream\r\n"))
			      : h1_put(w, SPAN("Content-Type: text/plain\r\n"));
	w = h1_put(w, SPAN("Cache-Control: no-store\r\n"));
	if (o->status == 405 || (o->status == 200 && o->events == NULL))
		w = h1_put(w, span_of(allow));
	if (o->status == 426)
		w = h1_put(w, span_of(websocket));
	if (o->retry_after_s > 0)
		w = put_decimal_line(w, SPAN("Retry-After: "), o->retry_after_s);
	w = put_line(w, SPAN("Location: "), o->location);
	w = put_line(w, SPAN("X-Request-Id: "), o->request_id);
	w = put_line(w, SPAN("Date: "), o->date);
	w = o->keep_alive ? h1_put(w, SPAN("Connection: keep-alive\r\n"))
			  : h1_put(w, SPAN("Connection: close\r\n"));
	return put_decimal_line(w, SPAN("Content-Length: "), body_length(o));
}

static char *put_head(char *w, const struct http_own *o)
{
	w = put_status_line(w, o->status);
	if (o->status >= 200)
		w = put_fields(w, o);
	return h1_put(w, SPAN("\r\n"));
}

int h1_write_own(struct buf_pool *pool, struct buf *out, const struct http_own *o)
{
	size_t text_n = (o->text == NULL ? 0 : strlen(o->text)) +
			(o->events == NULL ? 0 : strlen(o->events));
	size_t room = OUR_TEXT_MAX + text_n + o->location.n + 2 * o->request_id.n;

	assert(o->status >= 100 && o->status <= 599);
	if (!buf_reserve(pool, out, room))
		return -1;

	size_t from = buf_len(out), head_n;
	char *w = put_head(buf_tail(out), o);

	head_n = (size_t)(w - buf_tail(out));
	if (o->status >= 200 && !o->head_only)
		w = put_body(w, o);
	assert((size_t)(w - buf_tail(out)) <= room);
	out->tail = (uint32_t)(w - out->data);
	if (o->status >= 200 && o->edit != NULL &&
		!http_edit_text(o->edit, pool, out, from, &head_n))
		return -1;
	return 0;
}
