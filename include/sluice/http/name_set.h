/*
 * http/name_set - a set of names of fields.
 *
 * Case does not matter, and _ is as good as -: servers that make variables of fields (CGI,
 * WSGI, PHP) cannot tell X_Real_IP from X-Real-IP. Never changes; any thread.
 */
#ifndef SLUICE_HTTP_NAME_SET_H
#define SLUICE_HTTP_NAME_SET_H

#include <stdbool.h>

#include "sluice/base/mem.h"
#include "sluice/base/span.h"

struct http_name_set;

/* The words of names, with blanks or commas between them. Aborts without memory. */
struct http_name_set *http_name_set_new(const char *names) MUST_USE;
void http_name_set_free(struct http_name_set *s); /* may be NULL */
bool http_name_set_has(const struct http_name_set *s, struct span name);

#endif
