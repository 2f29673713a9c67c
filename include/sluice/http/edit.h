/*
 * http/edit - what an operator changes in a head: fields that go, fields that come.
 *
 * set is remove and add: what is there under the name goes first. Case does not matter,
 * and _ is as good as -, as in a name_set. Never changes; any thread.
 */
#ifndef SLUICE_HTTP_EDIT_H
#define SLUICE_HTTP_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "sluice/base/buf.h"
#include "sluice/base/mem.h"
#include "sluice/base/span.h"
#include "sluice/http/message.h"

struct http_edit;

/* set and add: lines "Name: value\r\n", each with its end; remove: names, with blanks or
 * commas between them. NULL when all are empty. Aborts without memory. */
struct http_edit *http_edit_new(const char *set, const char *add, const char *remove);
void http_edit_free(struct http_edit *e); /* may be NULL */

/* Marks the fields that go as dropped; what comes is http_edit_next's. */
void http_edit_drop(const struct http_edit *e, struct http_head *h);
bool http_edit_has(
	const struct http_edit *e, struct span name); /* it is set or removed */

/* The fields that come, one after the other: *at begins as 0. False: no more. */
bool http_edit_next(
	const struct http_edit *e, size_t *at, struct span *name, struct span *value);

/* Does it all in a head as HTTP/1.1 has it, which begins `from` bytes behind the head of b
 * and ends with its blank line after *n bytes; what stands behind it stays there. *n is
 * the new length. False: no memory, and nothing has changed. */
bool http_edit_text(const struct http_edit *e, struct buf_pool *pool, struct buf *b,
	size_t from, size_t *n) MUST_USE;

#endif
