/* Fields that go and fields that come, by an operator's rules. */
#include "sluice/http/edit.h"

#include <stdlib.h>
#include <string.h>

#include "sluice/http/name_set.h"

struct http_edit {
	struct http_name_set *gone;
	char *lines; /* that come, each with its CRLF */
	size_t n;
};

/* The names of the lines, each with a blank behind it, at w. */
static char *put_names(char *w, const char *lines)
{
	for (const char *p = lines; *p != '\0'; p = strchr(p, '\n') + 1) {
		size_t n = strcspn(p, ":");

		memcpy(w, p, n);
		w += n;
		*w++ = ' ';
	}
	return w;
}

struct http_edit *http_edit_new(const char *set, const char *add, const char *remove)
{
	struct http_edit *e;
	char *names, *end;

	if (*set == '\0' && *add == '\0' && *remove == '\0')
		return NULL;
	e = mem_zero(sizeof(*e));
	names = mem_alloc(strlen(set) + strlen(remove) + 1);
	end = put_names(names, set);
	memcpy(end, remove, strlen(remove) + 1);
	e->gone = http_name_set_new(names);
	e->lines = mem_print("%s%s", set, add);
	e->n = strlen(e->lines);
	free(names);
	return e;
}

void http_edit_free(struct http_edit *e)
{
	if (e == NULL)
		return;
	http_name_set_free(e->gone);
	free(e->lines);
	free(e);
}

bool http_edit_has(const struct http_edit *e, struct span name)
{
	return http_name_set_has(e->gone, name);
}

void http_edit_drop(const struct http_edit *e, struct http_head *h)
{
	for (struct http_field *f = h->fields; f < h->fields + h->n_fields; f++)
		if (http_edit_has(e, http_field_name(h, f)))
			f->dropped = true;
}

bool http_edit_next(
	const struct http_edit *e, size_t *at, struct span *name, struct span *value)
{
	struct span rest = { .p = e->lines + *at, .n = e->n - *at };
	struct span line;

	if (rest.n == 0)
		return false;
	line = span_cut(&rest, '\n');
	*at += line.n + 1;
	line.n--; /* the CR */
	*name = span_cut(&line, ':');
	*value = span_trim(line);
	return true;
}

/* Closes the gaps that the fields which go leave; where the blank line then belongs. */
static char *compact(const struct http_edit *e, char *head, char *blank)
{
	char *from = memchr(head, '\n', (size_t)(blank - head)), *to;

	for (to = ++from; from < blank;) {
		char *next = memchr(from, '\n', (size_t)(blank - from));
		size_t n = (size_t)(++next - from);
		struct span line = { .p = from, .n = n };

		if (!http_edit_has(e, span_cut(&line, ':'))) {
			memmove(to, from, n);
			to += n;
		}
		from = next;
	}
	return to;
}

bool http_edit_text(const struct http_edit *e, struct buf_pool *pool, struct buf *b,
	size_t from, size_t *n)
{
	char *head, *blank, *end, *tail;

	if (!buf_reserve(pool, b, e->n))
		return false;
	head = buf_head(b) + from;
	blank = head + *n - 2;
	tail = buf_tail(b);
	end = compact(e, head, blank);
	memmove(end + e->n, blank, (size_t)(tail - blank));
	memcpy(end, e->lines, e->n);
	b->tail = (uint32_t)(b->tail + e->n - (size_t)(blank - end));
	*n = (size_t)(end - head) + e->n + 2;
	return true;
}
