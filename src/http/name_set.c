/* A set of names: lengths and first letters say of most that they are not in it. */
#include "sluice/http/name_set.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct http_name_set {
	uint64_t lengths; /* a bit for each, modulo 64 */
	uint32_t firsts;  /* a bit for each, modulo 32 */
	size_t n;
	struct span *name;
	char text[]; /* lower case, with - for _ */
};

static const char between[] = " \t,";

static char plain(char c)
{
	if (c == '_')
		return '-';
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static uint32_t first_bit(char c)
{
	return UINT32_C(1) << (plain(c) & 31);
}

static uint64_t length_bit(size_t n)
{
	return UINT64_C(1) << (n & 63);
}

static void add(struct http_name_set *s, struct span name)
{
	s->name = mem_grow(s->name, (s->n + 1) * sizeof(*s->name));
	s->name[s->n++] = name;
	s->lengths |= length_bit(name.n);
	s->firsts |= first_bit(name.p[0]);
}

struct http_name_set *http_name_set_new(const char *names)
{
	size_t n = strlen(names);
	struct http_name_set *s = mem_zero(sizeof(*s) + n + 1);

	for (size_t i = 0; i < n; i++)
		s->text[i] = plain(names[i]);
	for (const char *p = s->text; *(p += strspn(p, between)) != '\0';) {
		size_t word = strcspn(p, between);

		add(s, (struct span){ .p = p, .n = word });
		p += word;
	}
	return s;
}

void http_name_set_free(struct http_name_set *s)
{
	if (s == NULL)
		return;
	free(s->name);
	free(s);
}

static bool is_same(struct span lower, struct span name)
{
	if (lower.n != name.n)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (plain(name.p[i]) != lower.p[i])
			return false;
	}
	return true;
}

bool http_name_set_has(const struct http_name_set *s, struct span name)
{
	if (name.n == 0 || (s->lengths & length_bit(name.n)) == 0 ||
		(s->firsts & first_bit(name.p[0])) == 0)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		if (is_same(s->name[i], name))
			return true;
	}
	return false;
}
